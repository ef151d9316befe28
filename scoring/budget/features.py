"""From a query to the features that the budget model reads.

What a query states decides which of four questions it is:

    with rating                          directors, genres, year, and IMDb's rating
    before release                       directors, genres, year
    before release, all that is planned  also cast, companies, running time and more
    all that is known                    also IMDb's rating, votes and takings

A missing value (no cast given, no running time) is NaN; the model imputes a typical title's value.
A track record counts a budget by its deviation from the budgets usual at that time (log10 dollars),
so that directors of 1985 and of 2015 can be compared. It counts only titles of earlier years.
`spark_apps.budget` computes the same features in Spark; golden queries compare the two.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np

from marquee.dataset_contracts import MOST_GENRES
from marquee.errors import SourceError
from marquee.normalise.text import fold
from scoring.arrays import Floats
from scoring.budget.stage_chain import StageChain, StatedTitle

WITH_RATING, BEFORE_RELEASE = "with rating", "before release"
ALL_BEFORE_RELEASE, ALL_KNOWN = "before release, all that is planned", "all that is known"
QUESTIONS = (WITH_RATING, BEFORE_RELEASE, ALL_BEFORE_RELEASE, ALL_KNOWN)
CORE_QUESTIONS = (WITH_RATING, BEFORE_RELEASE)
"""They read directors, genres, year and rating only; every bundle can answer the second."""
NUMBERS_BEFORE_RELEASE = ("runtime",)
"""Names of the numbers that are known before release."""
FIRST_YEAR, LAST_YEAR = 1874, 2100
FEWEST_OF_A_GENRE = 3
"""A genre with fewer titles in training has no feature of its own."""
GRID = 1e9
"""Steps per unit of a feature's value; see `round_to_grid`."""
PLAIN_NUMBERS = ("runtime", "aspect_ratio", "faces")
"""Numbers read as they are; any other number x is read as log(1 + x)."""
DIRECTOR, GENRE = "director", "genre"
DEFAULT_RECORD_FEATURES = ("mean", "last", "most", "films")
"""The track record features of an older bundle, which does not name its own."""
RECORD_FEATURES = (*DEFAULT_RECORD_FEATURES, "gap")
"""Shrunken mean, last and greatest deviation, log(1 + titles), years since the last title."""
LONGEST_GAP = 30.0
"""Years since the last title are at most this; a person without a title has this gap."""


@dataclass(frozen=True)
class BudgetQuery:
    """A title: directors by name or IMDb id, genres in IMDb's English, year of release.
    `people` by role (`writer`, `cast`, `company`, `keyword`), `numbers` (`runtime` in minutes,
    `vote_count`, …) and `labels` (`certificate`, `language`, `country`, `month`) as far as known.
    Raises SourceError for an impossible year or rating, and for too many genres.
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
        """Which of QUESTIONS this query is, by what it states."""
        states_more = bool(self.people or self.numbers or self.labels)
        if any(name not in NUMBERS_BEFORE_RELEASE for name in self.numbers):
            return ALL_KNOWN
        if self.rating is not None:
            return ALL_KNOWN if states_more else WITH_RATING
        return ALL_BEFORE_RELEASE if states_more else BEFORE_RELEASE

    @property
    def core_question(self) -> str:
        """The question of the directors, genres, year and rating alone."""
        return BEFORE_RELEASE if self.rating is None else WITH_RATING


class TitleFacts(StatedTitle, Protocol):
    """The fields of a BudgetQuery or a KnownTitle that a feature vector is made of."""

    @property
    def year(self) -> int: ...


@dataclass(frozen=True)
class FeatureEncoder:
    """The fitted vocabularies and ranges; `bundle.json` keeps them as `stages`."""

    genres: tuple[str, ...]
    first_year: int
    last_year: int
    director_smoothing: float  # titles at the mean that a track record adds
    rating_step: float  # ratings are rounded to multiples of it; 0: no rounding
    record: tuple[str, ...] = DEFAULT_RECORD_FEATURES  # features of a track record
    people: tuple[str, ...] = ()  # further roles with track records
    numbers: tuple[str, ...] = ()
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # column to vocabulary
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """What a fit has seen of a number or of a record's feature; values outside are clipped."""
    chains: Mapping[str, StageChain] = field(default_factory=dict)  # by question

    def roles(self, question: str) -> tuple[str, ...]:
        """The roles with track records in a question."""
        return (DIRECTOR,) if question in CORE_QUESTIONS else (DIRECTOR, *self.people)

    def numbers_of(self, question: str) -> tuple[str, ...]:
        """The names of the numbers a question reads, without year and rating."""
        if question == ALL_BEFORE_RELEASE:
            return tuple(n for n in self.numbers if n in NUMBERS_BEFORE_RELEASE)
        return self.numbers if question == ALL_KNOWN else ()

    def labels_of(self, question: str) -> list[tuple[str, str]]:
        """(column, word) of every 0/1 feature of a question, without the genres."""
        if question in CORE_QUESTIONS:
            return []
        return [(column, word) for column in self.labels for word in self.labels[column]]

    def names(self, question: str) -> list[str]:
        """The features of a question, in the order of its vector."""
        if chain := self.chains.get(question):
            return chain.names
        return [
            "year",
            *(f"{role}_{feature}" for role in self.roles(question) for feature in self.record),
            "genre_count",
            *(["rating"] if is_rated(question) else []),
            *self.numbers_of(question),
            *(f"{column} {word}" for column, word in self.labels_of(question)),
            *(f"genre {g}" for g in self.genres),
        ]

    def round_rating(self, rating: float) -> float:
        """Round to the nearest step, halves upwards: a tenth of a point is mostly noise."""
        step = self.rating_step
        return math.floor(rating / step + 0.5) * step if step else rating

    def limits(self, question: str) -> tuple[Floats, Floats]:
        """The least and the greatest value of each feature of a question, [features] each."""
        anything = -math.inf, math.inf
        pairs = [self.ranges.get(name, anything) for name in self.names(question)]
        low, high = np.array(pairs).T
        return low, high

    def clip_year(self, year: int) -> int:
        """Years outside training count as the nearest one inside."""
        return min(max(year, self.first_year), self.last_year)


def is_rated(question: str) -> bool:
    """Whether a question reads the title's rating."""
    return question in (WITH_RATING, ALL_KNOWN)


def number_feature(name: str, value: float | None) -> float:
    """A number as the model reads it, not clipped; NaN where it is missing."""
    if value is None:
        return math.nan
    return value if name in PLAIN_NUMBERS else math.log1p(max(value, 0.0))


def round_to_grid(values: Floats) -> Floats:
    """To nine decimals, halves upwards: Spark's and NumPy's sums may differ in the last bit, and a
    tree may split between two such values."""
    rounded: Floats = np.floor(values * GRID + 0.5) / GRID
    return rounded


# Track records


@dataclass(frozen=True)
class KnownTitle:
    """A title whose budget is known; its fields are the keys of a line of `films.jsonl`."""

    title_id: str
    title: str
    year: int
    directors: tuple[str, ...]
    director_names: tuple[str, ...]
    genres: tuple[str, ...]
    rating: float | None
    log_budget: float  # log10 of dollars of the price year
    above_time: float | None  # log_budget minus the usual one of its time; None: unknown
    people: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # by role; no directors
    numbers: Mapping[str, float] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    """Names as credited, by key, of people in `people` whose key is an id."""

    def keys(self, role: str) -> list[str]:
        """The keys of the people in a role, without repeats."""
        names = self.directors if role == DIRECTOR else self.people.get(role, ())
        return list(dict.fromkeys(map(person_key, names)))


class TrackRecord(NamedTuple):
    """One person's earlier titles: their deviations in log10 dollars, and years since the last."""

    mean: float
    last: float
    most: float
    titles: int
    gap: float = LONGEST_GAP


NO_TRACK_RECORD = TrackRecord(0.0, 0.0, 0.0, 0)


def role_features(
    records: Sequence[TrackRecord], wanted: Sequence[str], beginner_if_none: bool
) -> list[float]:
    """One role's features: over its people, the average `mean` and `last`, the greatest `most` and
    `films`, the least `gap`. Without people NaN, or with `beginner_if_none` a beginner's."""
    if not records and not beginner_if_none:
        return [math.nan] * len(wanted)
    means, lasts, mosts, titles, gaps = zip(*(records or (NO_TRACK_RECORD,)), strict=True)
    count = len(means)
    found = {
        "mean": math.fsum(means) / count,
        "last": math.fsum(lasts) / count,
        "most": max(mosts),
        "films": math.log1p(max(titles)),
        "gap": min(gaps),
    }
    return [found[name] for name in wanted]


def column_suffix(question: str) -> str:
    """The question as a part of column names in Spark: `with rating` gives `with_rating`."""
    return question.replace(",", "").replace(" ", "_")


def person_key(name: str) -> str:
    """The key of a person, company or keyword: the id, or the name in one spelling."""
    # A query has dozens of names; most are ASCII, which `fold` only lower-cases and spaces.
    return " ".join(name.lower().split()) if name.isascii() else fold(name)


# Missing fields


@dataclass(frozen=True)
class FieldCosts:
    """What an answer loses without a field, measured on later titles in training.

    A ratio is the RMS error without the field over the RMS error with it, on the later titles that
    state it. Beside the fields that a question reads, `rating` is the ratio of the same question
    without a rating, and FURTHER that of the wider question.
    """

    ratios: Mapping[str, float] = field(default_factory=dict)
    joint: float = 1.0
    """At least 1: the squared error that all optional fields add together, over the sum of what
    each adds alone. Fields that say the same cost little alone and much together."""

    def widening(self, missing: Sequence[str]) -> float:
        """The factor of an interval's half-widths: sqrt(1 + joint * sum(ratio^2 - 1)).

        Squared errors add up where errors are independent.
        """
        ratios = [self.ratios.get(name, 1.0) for name in missing]
        return math.sqrt(1.0 + self.joint * sum(max(ratio**2 - 1.0, 0.0) for ratio in ratios))

    def of(self, missing: Sequence[str], has_rating: bool) -> dict[str, float]:
        """The ratio of each missing field, as far as it was measured."""
        names = [*missing, *([] if has_rating else ["rating"]), FURTHER]
        return {name: self.ratios[name] for name in names if name in self.ratios}


FURTHER = "all further fields"
"""In the costs of a narrow question: cast, companies, running time and the others together."""
NO_COSTS = FieldCosts()
"""The costs of a bundle that measured none."""
