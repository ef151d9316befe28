"""What a budget model must beat: the median of a film's genres, and ridge regression."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scoring.arrays import Floats
from scoring.budget.features import WITH_RATING, Told, films_by_director, vector
from scoring.budget.films import fit_stages
from scoring.budget.records import Film, record_of

PENALTIES = np.logspace(-1, 3, 25)
SMOOTHING = 3.0


def median_by_genre(train: Sequence[Film], later: Sequence[Film]) -> Floats:
    """The mean over a film's genres of the median log budget in each; the overall median where
    none of them is known."""
    overall = float(np.median([film.log_budget for film in train]))
    by_genre: dict[str, list[float]] = {}
    for film in train:
        for genre in set(film.genres):
            by_genre.setdefault(genre, []).append(film.log_budget)
    medians = {genre: float(np.median(values)) for genre, values in by_genre.items()}
    found = [[medians[g] for g in film.genres if g in medians] or [overall] for film in later]
    return np.array([np.mean(values) for values in found])


def ridge(train: Sequence[Film], later: Sequence[Film]) -> Floats:
    """Ridge regression over the model's own features, its penalty by generalised
    cross-validation (Golub, Heath and Wahba, Technometrics 21, 1979) on train."""
    made = films_by_director(train)
    stages = fit_stages(train, SMOOTHING)
    known = [film.rating for film in train if film.rating is not None]
    usual = float(np.mean(known)) if known else 6.0

    def row(film: Film) -> Floats:
        rating = usual if film.rating is None else film.rating
        told = Told(film.year, film.genres, rating, {}, {})
        records = [record_of(made.get(k, ()), film.year, SMOOTHING) for k in film.keys("director")]
        return vector(stages, WITH_RATING, told, {"director": records})

    def rows(films: Sequence[Film]) -> Floats:
        return np.array([row(film) for film in films])

    line = fit_line(rows(train), np.array([film.log_budget for film in train]))
    return line.predict(rows(later))


@dataclass(frozen=True)
class Line:
    """answer = intercept + rows @ coefficients."""

    intercept: float
    coefficients: Floats

    def predict(self, rows: Floats) -> Floats:
        """[rows]."""
        return self.intercept + rows @ self.coefficients


def fit_line(rows: Floats, target: Floats) -> Line:
    """Standardised ridge; the penalty of PENALTIES with the least GCV score."""
    mean, spread = rows.mean(axis=0), rows.std(axis=0)
    spread = np.where(spread > 0, spread, 1.0)
    left, singular, right = np.linalg.svd((rows - mean) / spread, full_matrices=False)
    centre = float(target.mean())
    turned = left.T @ (target - centre)
    rest = float(((target - centre) ** 2).sum() - (turned**2).sum())
    count = len(target)

    def score(penalty: float) -> float:
        shrunk = singular**2 / (singular**2 + penalty)
        error = rest + float((((1 - shrunk) * turned) ** 2).sum())
        free = count - 1 - float(shrunk.sum())
        return error / free**2 if free > 0 else math.inf

    penalty = min(PENALTIES, key=score)
    weights = right.T @ (singular / (singular**2 + penalty) * turned) / spread
    return Line(centre - float(mean @ weights), weights)
