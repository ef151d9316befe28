"""A question to the budget model, and its answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from marquee.errors import SourceError
from scoring.budget.features import BEFORE_NUMBERS, BEFORE_RELEASE, PLANNED, WIDE, WITH_RATING
from scoring.budget.records import Film

MOST_GENRES = 12
FIRST_YEAR, LAST_YEAR = 1874, 2100


@dataclass(frozen=True)
class BudgetQuery:
    """A film: directors by name or IMDb id, genres in IMDb's English, year of release.

    `people` by role (`writer`, `cast`, `company`, `keyword`), `numbers` (`runtime` in minutes,
    `vote_count`, …) and `labels` (`certificate`, `language`, `country`, `month`) as far as known.
    """

    directors: tuple[str, ...]
    genres: tuple[str, ...]
    year: int
    rating: float | None = None
    people: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    numbers: Mapping[str, float] = field(default_factory=dict, hash=False)
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if not FIRST_YEAR <= self.year <= LAST_YEAR:
            raise SourceError(f"no film was released in {self.year}", "give the year of release")
        if len(self.genres) > MOST_GENRES:
            raise SourceError(f"{len(self.genres)} genres are too many", f"give {MOST_GENRES}")
        if self.rating is not None and not 1.0 <= self.rating <= 10.0:
            raise SourceError(f"{self.rating} is not a rating", "IMDb's go from 1 to 10")

    @property
    def question(self) -> str:
        """The question it is, by what it tells."""
        tells_more = bool(self.people or self.numbers or self.labels)
        if any(name not in BEFORE_NUMBERS for name in self.numbers):
            return WIDE
        if self.rating is not None:
            return WIDE if tells_more else WITH_RATING
        return PLANNED if tells_more else BEFORE_RELEASE

    @property
    def narrow(self) -> str:
        """The question it is by directors, genres, year and rating alone."""
        return BEFORE_RELEASE if self.rating is None else WITH_RATING


@dataclass(frozen=True)
class BudgetEstimate:
    """Dollars of `price_year`. `contributions` add up to log10 of `median`."""

    median: float
    low: float  # of the 80 % interval
    high: float
    price_year: int
    question: str
    contributions: Mapping[str, float]
    evidence: tuple[Film, ...]
    notes: tuple[str, ...]
