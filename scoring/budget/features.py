"""From a query to the features that the budget model reads.

A query is one of four questions, by what it states: directors, genres and year always; IMDb's
rating or not; and beyond these all that sources state. `Stages` are the fitted vocabularies and
ranges of a model. A value that is missing (no cast given, no running time) is NaN here; the model
imputes a typical title's value.

A title's people add their track records. A budget counts there as its deviation from the budgets
usual at its time (log10 dollars), so that directors of 1985 and of 2015 can be compared; and only
titles of earlier years count, in training as in an answer. `spark_apps.budget` computes the same in
Spark (`features`, `feature_vectors`), and golden queries hold the two together.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from marquee.dataset_contracts import MOST_GENRES
from marquee.errors import SourceError
from marquee.normalise.text import fold
from scoring.arrays import Floats

WITH_RATING, BEFORE_RELEASE = "with rating", "before release"
PLANNED, WIDE = "before release, all that is planned", "all that is known"
QUESTIONS = (WITH_RATING, BEFORE_RELEASE, PLANNED, WIDE)
"""Director, genres, year and rating; the same without rating; then all that sources state: what is
known before release, and what is known now (votes, takings: of an old title)."""
NARROW = (WITH_RATING, BEFORE_RELEASE)
BEFORE_NUMBERS = ("runtime",)
"""The numbers of a source that are known before release."""
FIRST_YEAR, LAST_YEAR = 1874, 2100
FEWEST_OF_A_GENRE = 3
"""A genre with fewer titles in training has no feature of its own."""
GRID = 1e9
"""Steps of a feature's value to one; see `on_grid`."""
PLAIN_NUMBERS = ("runtime", "aspect_ratio", "faces")
"""Taken as they are; any other number is a count or an amount: log(1 + x)."""
DIRECTOR = "director"
FIRST_RECORD_FEATURES = ("mean", "last", "most", "films")
"""What bundles read where they do not name the features of a record."""
RECORD_FEATURES = (*FIRST_RECORD_FEATURES, "gap")
"""The features of a record: shrunken mean, last and greatest deviation, log(1 + titles), and years
since the last title. Bundles hold these names."""
LONGEST_GAP = 30.0
"""Years; also the gap of a person who has made nothing."""


@dataclass(frozen=True)
class BudgetQuery:
    """A title: directors by name or IMDb id, genres in IMDb's English, year of release.

    `people` by role (`writer`, `cast`, `company`, `keyword`), `numbers` (`runtime` in minutes,
    `vote_count`, …) and `labels` (`certificate`, `language`, `country`, `month`) as far as known.
    Raises SourceError for a year, a rating or a number of genres that cannot be.
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
        if any(name not in BEFORE_NUMBERS for name in self.numbers):
            return WIDE
        if self.rating is not None:
            return WIDE if states_more else WITH_RATING
        return PLANNED if states_more else BEFORE_RELEASE

    @property
    def narrow(self) -> str:
        """The question that directors, genres, year and rating alone make."""
        return BEFORE_RELEASE if self.rating is None else WITH_RATING


class TitleFacts(Protocol):
    """What `vector` reads beside track records, of a BudgetQuery or a KnownTitle."""

    @property
    def year(self) -> int: ...
    @property
    def genres(self) -> Sequence[str]: ...
    @property
    def rating(self) -> float | None: ...
    @property
    def numbers(self) -> Mapping[str, float]: ...
    @property
    def labels(self) -> Mapping[str, str]: ...


@dataclass(frozen=True)
class Stages:
    """The fitted feature stages."""

    genres: tuple[str, ...]
    first_year: int
    last_year: int
    director_smoothing: float  # counts as so many titles at the mean
    rating_step: float  # ratings are rounded to whole steps; 0: as they are
    record: tuple[str, ...] = FIRST_RECORD_FEATURES  # features of a track record
    people: tuple[str, ...] = ()  # roles beside the director's whose records count
    numbers: tuple[str, ...] = ()
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # column to vocabulary
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Of a number as the model reads it: a value outside counts as the nearest inside. One mistyped
    aspect ratio of 16 would carry a line far beyond any title."""

    def roles(self, question: str) -> tuple[str, ...]:
        """Whose track records a question reads."""
        return (DIRECTOR,) if question in NARROW else (DIRECTOR, *self.people)

    def numbers_of(self, question: str) -> tuple[str, ...]:
        """The numbers a question reads beside the year and the rating."""
        if question == PLANNED:
            return tuple(n for n in self.numbers if n in BEFORE_NUMBERS)
        return self.numbers if question == WIDE else ()

    def labels_of(self, question: str) -> list[tuple[str, str]]:
        """(column, word) of every 0/1 feature a question reads beside the genres."""
        if question in NARROW:
            return []
        return [(column, word) for column in self.labels for word in self.labels[column]]

    def names(self, question: str) -> list[str]:
        """The features of a question, in the order of its vector."""
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
        """To the nearest step, halves upwards: a tenth of a point is mostly noise."""
        step = self.rating_step
        return math.floor(rating / step + 0.5) * step if step else rating

    def clip(self, name: str, value: float | None) -> float:
        """A number as the model reads it, inside its range; NaN where it is missing."""
        low, high = self.ranges.get(name, (-math.inf, math.inf))
        found = number(name, value)
        return low if found < low else high if found > high else found

    def clip_year(self, year: int) -> int:
        """Years outside training count as the nearest one inside."""
        return min(max(year, self.first_year), self.last_year)


def vector(
    stages: Stages, question: str, title: TitleFacts, records: Mapping[str, Sequence[TrackRecord]]
) -> Floats:
    """The features of one title, in the order of `stages.names(question)`; NaN where missing.

    `records` holds a track record for each person of a role; a title without a director has none.
    """
    found: list[float] = [float(stages.clip_year(title.year))]
    for role in stages.roles(question):
        of_role = records.get(role, ())
        found += role_features(of_role, stages.record, beginner_if_none=role == DIRECTOR)
    found.append(float(len(set(title.genres))))
    if is_rated(question):
        found.append(math.nan if title.rating is None else stages.round_rating(title.rating))
    found += [stages.clip(name, title.numbers.get(name)) for name in stages.numbers_of(question)]
    for column, word in stages.labels_of(question):
        label = title.labels.get(column)
        found.append(math.nan if label is None else float(label == word))
    given = set(title.genres)
    return on_grid(np.array([*found, *(float(genre in given) for genre in stages.genres)]))


def is_rated(question: str) -> bool:
    """Whether a question reads the title's rating."""
    return question in (WITH_RATING, WIDE)


def number(name: str, value: float | None) -> float:
    """A number as the model reads it, without its range; NaN where it is missing."""
    if value is None:
        return math.nan
    return value if name in PLAIN_NUMBERS else math.log1p(max(value, 0.0))


def on_grid(values: Floats) -> Floats:
    """To nine decimals, halves upwards. Sums in another order differ in the last bit, and a tree
    may have cut between two values that differ in the last bit alone."""
    rounded: Floats = np.floor(values * GRID + 0.5) / GRID
    return rounded


# What the people of a title had made before it


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
    above_time: float | None  # log_budget less what was usual at its time
    people: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # by role; no directors
    numbers: Mapping[str, float] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)

    def keys(self, role: str) -> list[str]:
        """The keys of the people of a role, each once."""
        names = self.directors if role == DIRECTOR else self.people.get(role, ())
        return list(dict.fromkeys(map(person_key, names)))


@dataclass(frozen=True)
class TrackRecord:
    """What one person had made before a year: deviations in log10, and years since the last."""

    mean: float
    last: float
    most: float
    titles: int
    gap: float = LONGEST_GAP


NO_TRACK_RECORD = TrackRecord(0.0, 0.0, 0.0, 0)


def track_record(titles: Sequence[KnownTitle], year: int, smoothing: float) -> TrackRecord:
    """One person's record at the start of `year`, from their titles in order of release.

    The mean is shrunk towards the mean of its time, as by `smoothing` further titles there.
    """
    earlier = [(t.year, t.above_time) for t in titles if t.year < year and t.above_time is not None]
    if not earlier:
        return NO_TRACK_RECORD
    above = [deviation for _, deviation in earlier]
    mean = math.fsum(above) / (len(above) + smoothing)
    gap = min(float(year - earlier[-1][0]), LONGEST_GAP)
    return TrackRecord(mean, above[-1], max(above), len(above), gap)


def role_features(
    records: Sequence[TrackRecord], wanted: Sequence[str], beginner_if_none: bool
) -> list[float]:
    """The features of a role: the mean of means and lasts, the greatest of the rest, the least gap.

    Without any record they are NaN, or those of a beginner where `beginner_if_none`.
    """
    if not records and not beginner_if_none:
        return [math.nan] * len(wanted)
    known = records or (NO_TRACK_RECORD,)
    found = {
        "mean": math.fsum(r.mean for r in known) / len(known),
        "last": math.fsum(r.last for r in known) / len(known),
        "most": max(r.most for r in known),
        "films": math.log1p(max(r.titles for r in known)),
        "gap": min(r.gap for r in known),
    }
    return [found[name] for name in wanted]


def titles_by_person(
    titles: Sequence[KnownTitle], role: str
) -> Mapping[str, tuple[KnownTitle, ...]]:
    """The titles of each person of a role in order of (year, title id); those with a deviation."""
    made: dict[str, list[KnownTitle]] = {}
    for title in sorted(titles, key=lambda t: (t.year, t.title_id)):
        if title.above_time is None:
            continue
        for key in title.keys(role):
            made.setdefault(key, []).append(title)
    return {key: tuple(theirs) for key, theirs in made.items()}


def person_key(name: str) -> str:
    """The key of a person, company or keyword: an id as it is, a name in one spelling."""
    return fold(name)
