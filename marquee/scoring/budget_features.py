"""From a film as asked about to the numbers the budget model reads.

The same features as `spark_apps/budget/features.py` makes in Spark; golden answers recorded there
hold the two together. A director's record counts films of *earlier years* only: a film of 1995 is
judged by what its director had made by then, in training as in an answer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from marquee.scoring.arrays import Floats

WITH_RATING, BEFORE_RELEASE = "with rating", "before release"
QUESTIONS = (WITH_RATING, BEFORE_RELEASE)
DIRECTOR_FEATURES = ("director_mean", "director_last", "director_most", "director_films")


@dataclass(frozen=True)
class Film:
    """A film whose budget is known to the model."""

    title_id: str
    title: str
    year: int
    directors: tuple[str, ...]
    director_names: tuple[str, ...]
    genres: tuple[str, ...]
    rating: float | None
    log_budget: float  # log10 of dollars of the price year
    above_time: float | None  # log_budget less the mean of all films of earlier years


@dataclass(frozen=True)
class Stages:
    """The fitted feature stages."""

    genres: tuple[str, ...]
    first_year: int
    last_year: int
    director_smoothing: float  # counts as so many films at the mean
    rating_step: float  # ratings are rounded to whole steps; 0: as they are

    def names(self, question: str) -> list[str]:
        """The features of a question, in the order of its vector."""
        rating = ["rating"] if question == WITH_RATING else []
        return [
            "year",
            *DIRECTOR_FEATURES,
            "genre_count",
            *rating,
            *(f"genre {g}" for g in self.genres),
        ]

    def round_rating(self, rating: float) -> float:
        """To the nearest step, halves upwards: a tenth of a point is mostly noise."""
        step = self.rating_step
        return math.floor(rating / step + 0.5) * step if step else rating

    def clip_year(self, year: int) -> int:
        """Years outside training count as the nearest one inside."""
        return min(max(year, self.first_year), self.last_year)


@dataclass(frozen=True)
class Record:
    """What a director had made before: shrunken mean, last and greatest, in log10 above time."""

    mean: float
    last: float
    most: float
    films: int


NO_RECORD = Record(0.0, 0.0, 0.0, 0)


def director_key(name: str) -> str:
    """How a director is looked up: ids as they are, names without regard to case and spaces."""
    return " ".join(name.split()).lower()


def films_by_director(films: Sequence[Film]) -> Mapping[str, tuple[Film, ...]]:
    """Each director's films in order of (year, title id), those with a deviation only."""
    made: dict[str, list[Film]] = {}
    for film in sorted(films, key=lambda f: (f.year, f.title_id)):
        for key in dict.fromkeys(map(director_key, film.directors)):
            if film.above_time is not None:
                made.setdefault(key, []).append(film)
    return {key: tuple(list_) for key, list_ in made.items()}


def record_of(films: Sequence[Film], year: int, smoothing: float) -> Record:
    """One director's record at the start of `year`."""
    above = [f.above_time for f in films if f.year < year and f.above_time is not None]
    if not above:
        return NO_RECORD
    mean = math.fsum(above) / (len(above) + smoothing)
    return Record(mean, above[-1], max(above), len(above))


def vector(
    stages: Stages,
    question: str,
    year: int,
    genres: Sequence[str],
    rating: float | None,
    records: Sequence[Record],
) -> Floats:
    """The features of one film, in the order of `stages.names(question)`."""
    told = records or (NO_RECORD,)
    director = [
        math.fsum(r.mean for r in told) / len(told),
        math.fsum(r.last for r in told) / len(told),
        max(r.most for r in told),
        math.log1p(max(r.films for r in told)),
    ]
    given = set(genres)
    seen = [1.0 if genre in given else 0.0 for genre in stages.genres]
    is_rated = question == WITH_RATING and rating is not None
    score = [stages.round_rating(float(rating))] if is_rated and rating is not None else []
    numbers = [float(stages.clip_year(year)), *director, float(len(given)), *score, *seen]
    return np.array(numbers)
