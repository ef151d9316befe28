"""From a film as asked about to the numbers the budget model reads.

The same features as `spark_apps/budget/features.py` makes in Spark; golden answers recorded there
hold the two together. A record counts films of *earlier years* only: a film of 1995 is judged by
what its people had made by then, in training as in an answer. What is not told (no cast given, no
running time) is NaN here; the model takes a typical film's value for it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from scoring.arrays import Floats
from scoring.budget.records import FOUR, Film, Record, person_key, record_of, stats

WITH_RATING, BEFORE_RELEASE = "with rating", "before release"
PLANNED, WIDE = "before release, all that is planned", "all that is known"
QUESTIONS = (WITH_RATING, BEFORE_RELEASE, PLANNED, WIDE)
"""Director, genres, year and rating; the same without rating; then all that sources tell: what is
known before release, and what is known now (votes, takings: of an old film)."""
NARROW = (WITH_RATING, BEFORE_RELEASE)
DIRECTOR = "director"
BEFORE_NUMBERS = ("runtime",)
"""Of the numbers a source gives, those known before release."""
GRID = 1e9
"""Steps of a feature's value to one; see `on_grid`."""
PLAIN_NUMBERS = ("runtime", "aspect_ratio", "faces")
"""Taken as they are; any other number is a count or an amount: log(1 + x)."""


@dataclass(frozen=True)
class Stages:
    """The fitted feature stages."""

    genres: tuple[str, ...]
    first_year: int
    last_year: int
    director_smoothing: float  # counts as so many films at the mean
    rating_step: float  # ratings are rounded to whole steps; 0: as they are
    record: tuple[str, ...] = FOUR  # what is taken from a record
    people: tuple[str, ...] = ()  # roles beside the director's whose records count
    numbers: tuple[str, ...] = ()
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # column to vocabulary
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Of a number as the model reads it: what lies outside counts as the nearest inside. One
    mistyped aspect ratio of 16 would carry a line far beyond any film."""

    def roles(self, question: str) -> tuple[str, ...]:
        """Whose records a question reads."""
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
            *(f"{role}_{stat}" for role in self.roles(question) for stat in self.record),
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
        """A number as the model reads it, inside its range; NaN where it is not told."""
        low, high = self.ranges.get(name, (-math.inf, math.inf))
        found = number(name, value)
        return low if found < low else high if found > high else found

    def clip_year(self, year: int) -> int:
        """Years outside training count as the nearest one inside."""
        return min(max(year, self.first_year), self.last_year)


@dataclass(frozen=True)
class Told:
    """What is told of a film, beside its directors' records."""

    year: int
    genres: Sequence[str]
    rating: float | None
    numbers: Mapping[str, float]
    labels: Mapping[str, str]


def is_rated(question: str) -> bool:
    """Whether a question takes the film's rating."""
    return question in (WITH_RATING, WIDE)


def works_of(films: Sequence[Film], role: str) -> Mapping[str, tuple[Film, ...]]:
    """Each person's films in order of (year, title id), those with a deviation only."""
    made: dict[str, list[Film]] = {}
    for film in sorted(films, key=lambda f: (f.year, f.title_id)):
        for key in film.keys(role):
            if film.above_time is not None:
                made.setdefault(key, []).append(film)
    return {key: tuple(list_) for key, list_ in made.items()}


def films_by_director(films: Sequence[Film]) -> Mapping[str, tuple[Film, ...]]:
    """Each director's films in order of (year, title id), those with a deviation only."""
    return works_of(films, DIRECTOR)


def vector(
    stages: Stages, question: str, told: Told, records: Mapping[str, Sequence[Record]]
) -> Floats:
    """The features of one film, in the order of `stages.names(question)`; NaN is not told.

    `records` holds a record for each person of a role; a film without a director has none.
    """
    found: list[float] = [float(stages.clip_year(told.year))]
    for role in stages.roles(question):
        found += stats(records.get(role, ()), stages.record, is_told=role == DIRECTOR)
    found.append(float(len(set(told.genres))))
    if is_rated(question):
        found.append(math.nan if told.rating is None else stages.round_rating(told.rating))
    found += [stages.clip(name, told.numbers.get(name)) for name in stages.numbers_of(question)]
    for column, word in stages.labels_of(question):
        label = told.labels.get(column)
        found.append(math.nan if label is None else float(label == word))
    given = set(told.genres)
    return on_grid(np.array([*found, *(float(genre in given) for genre in stages.genres)]))


def on_grid(values: Floats) -> Floats:
    """To nine decimals, halves upwards. Sums in another order differ in the last bit, and a tree
    may have cut between two values that only the last bit tells apart."""
    rounded: Floats = np.floor(values * GRID + 0.5) / GRID
    return rounded


def number(name: str, value: float | None) -> float:
    """A number as the model reads it, wherever it lies."""
    if value is None:
        return math.nan
    return value if name in PLAIN_NUMBERS else math.log1p(max(value, 0.0))


__all__ = ["Film", "Record", "person_key", "record_of"]
