"""How a bundle that serves has done on ratings given since it was trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from scoring.arrays import Ints, Mask
from scoring.recommender.exam import Exam
from scoring.recommender.model import Recommender
from scoring.recommender.ratings import Ratings, read_ratings
from scoring.recommender.rivals import bias_predictions, compare_rmse

FEWEST_ROWS, FEWEST_PEOPLE = 500, 30  # below them nothing is said either way


def live_record(bundle: Path, ratings: Path, since: int, seed: int) -> dict[str, Any]:
    """Score `bundle` on the rows of `ratings` from `since` (UTC seconds) on, beside the bias
    model fitted on what the bundle has learnt from.

    `{"rows", "people"}`, and where there are any rows `rmse`, `bias_rmse`, `versus_bias` (a
    COMPARISON), `enough` and `alarm`: enough rows and people, and the RMSE above the bias model's.
    """
    model = Recommender.load(bundle)
    learnt, every = ratings_learnt(model), read_ratings(ratings)
    newer = every.take(every.times >= since)
    newer = newer.take(~is_among(newer, learnt))
    people = len(np.unique(newer.user_ids))
    found: dict[str, Any] = {"rows": len(newer), "people": people}
    if not len(newer) or not len(learnt):
        return found | {"enough": False, "alarm": False, "why": "nothing newer has been rated yet"}
    exam = Exam.of(learnt, newer)
    values = model.predict(newer.user_ids, newer.movie_ids).values
    against = compare_rmse(exam, values, bias_predictions(exam), seed)
    enough = len(newer) >= FEWEST_ROWS and people >= FEWEST_PEOPLE
    return found | {
        "rmse": against["challenger"],
        "bias_rmse": against["other"],
        "versus_bias": against,
        "enough": enough,
        "alarm": enough and against["difference"] > 0,
    }


def ratings_learnt(model: Recommender) -> Ratings:
    """The rows a bundle has learnt from; their times are not in it, and are 0 here."""
    kept = model.bundle.ratings
    users = np.repeat(model.user_ids, np.diff(kept.indptr))
    movies = model.movie_ids[kept.indices]
    return Ratings(users, movies, kept.values.astype(np.float64), np.zeros_like(users))


def is_among(rows: Ratings, others: Ratings) -> Mask:
    """Whether the (person, title) pair of each of `rows` is also in `others`."""
    movies = np.unique(np.concatenate([rows.movie_ids, others.movie_ids]))
    users = np.unique(np.concatenate([rows.user_ids, others.user_ids]))

    def keys(ratings: Ratings) -> Ints:
        left = np.searchsorted(users, ratings.user_ids).astype(np.int64)
        return left * len(movies) + np.searchsorted(movies, ratings.movie_ids)

    found: Mask = np.isin(keys(rows), keys(others))
    return found
