"""The baselines that a budget model must beat: median by genre, and ridge regression.

Both are fitted on the titles of train only; the holdout evaluation compares them with the model.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from scoring.arrays import Floats
from scoring.budget.features import (
    DIRECTOR,
    FEWEST_OF_A_GENRE,
    WITH_RATING,
    FeatureEncoder,
    KnownTitle,
)
from scoring.budget.lookup import PeopleIndex, VectorLayout

PENALTIES = np.logspace(-1, 3, 25)
SMOOTHING = 3.0
USUAL_RATING = 6.0
"""The rating imputed where no title of train has one."""


def median_by_genre(train: Sequence[KnownTitle], later: Sequence[KnownTitle]) -> Floats:
    """Estimates [later] in log10 dollars: the mean over a title's genres of each genre's median.

    A title without a genre of train gets the overall median.
    """
    overall = float(np.median([title.log_budget for title in train]))
    by_genre: dict[str, list[float]] = {}
    for title in train:
        for genre in set(title.genres):
            by_genre.setdefault(genre, []).append(title.log_budget)
    medians = {genre: float(np.median(values)) for genre, values in by_genre.items()}
    found = [[medians[g] for g in title.genres if g in medians] or [overall] for title in later]
    return np.array([np.mean(values) for values in found])


def ridge(train: Sequence[KnownTitle], later: Sequence[KnownTitle]) -> Floats:
    """Estimates [later] in log10 dollars by ridge regression on the model's features."""
    made = PeopleIndex.of(train, DIRECTOR)
    layout = VectorLayout(fit_encoder(train, SMOOTHING), WITH_RATING)
    ratings = [title.rating for title in train if title.rating is not None]
    usual = float(np.mean(ratings)) if ratings else USUAL_RATING

    def row(title: KnownTitle) -> Floats:
        rating = usual if title.rating is None else title.rating
        records = [made.record(key, title.year, SMOOTHING) for key in title.keys(DIRECTOR)]
        return layout.vector(replace(title, rating=rating), {DIRECTOR: records})

    def rows(titles: Sequence[KnownTitle]) -> Floats:
        return np.array([row(title) for title in titles])

    fitted = fit_ridge(rows(train), np.array([title.log_budget for title in train]))
    return fitted.predict(rows(later))


def fit_encoder(titles: Sequence[KnownTitle], director_smoothing: float) -> FeatureEncoder:
    """The encoder of the ridge regression, with the genres and years of these titles."""
    counts = Counter(genre for title in titles for genre in set(title.genres))
    genres = sorted(genre for genre, count in counts.items() if count >= FEWEST_OF_A_GENRE)
    years = [title.year for title in titles]
    return FeatureEncoder(
        tuple(genres), min(years), max(years), director_smoothing, rating_step=0.0
    )


@dataclass(frozen=True)
class LinearModel:
    """answer = intercept + row @ coefficients."""

    intercept: float
    coefficients: Floats

    def predict(self, rows: Floats) -> Floats:
        """Answers [rows]."""
        return self.intercept + rows @ self.coefficients


def fit_ridge(rows: Floats, target: Floats) -> LinearModel:
    """Standardised ridge regression of `target` [rows] on `rows` [rows, features].

    Generalised cross-validation chooses among PENALTIES (Golub, Heath and Wahba, Technometrics 21,
    1979).
    """
    mean, deviation = rows.mean(axis=0), rows.std(axis=0)
    deviation = np.where(deviation > 0, deviation, 1.0)
    u, singular, v = np.linalg.svd((rows - mean) / deviation, full_matrices=False)
    centre = float(target.mean())
    projected = u.T @ (target - centre)
    unexplained = float(((target - centre) ** 2).sum() - (projected**2).sum())
    count = len(target)

    def score(penalty: float) -> float:
        shrunk = singular**2 / (singular**2 + penalty)
        error = unexplained + float((((1 - shrunk) * projected) ** 2).sum())
        free = count - 1 - float(shrunk.sum())
        return error / free**2 if free > 0 else math.inf

    penalty = min(PENALTIES, key=score)
    weights = v.T @ (singular / (singular**2 + penalty) * projected) / deviation
    return LinearModel(centre - float(mean @ weights), weights)
