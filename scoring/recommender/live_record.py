"""The live record: the serving bundle measured on ratings newer than its training.

The run's evaluate step writes it as `runs/R/live.json`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from scoring.arrays import Ints, Mask
from scoring.recommender.baselines import bias_predictions
from scoring.recommender.holdout import HoldoutSplit, compare_rmse, training_ratings
from scoring.recommender.model import Recommender
from scoring.recommender.ratings_arrays import Ratings
from scoring.recommender.ratings_files import read_ratings

FEWEST_ROWS, FEWEST_PEOPLE = 500, 30  # with fewer there is no alarm, whatever the errors


def live_record(bundle: Path, ratings: Path, since: int, seed: int) -> dict[str, Any]:
    """Measure `bundle` on the rows of `ratings` at or after `since` (UTC seconds).

    The bias model, fitted on the bundle's own training rows, is measured beside it. The result has
    `rows`, `people`, `enough` and `alarm`; where there are rows also `rmse`, `bias_rmse` and
    `versus_bias` (see `compare_rmse`). `enough` is FEWEST_ROWS and FEWEST_PEOPLE; `alarm` is
    `enough` and an RMSE above the bias model's.
    """
    model = Recommender.load(bundle)
    trained, every = training_ratings(model), read_ratings(ratings)
    newer = every.take(every.times >= since)
    newer = newer.take(~is_among(newer, trained))
    people = len(np.unique(newer.user_ids))
    found: dict[str, Any] = {"rows": len(newer), "people": people}
    if not len(newer) or not len(trained):
        return found | {"enough": False, "alarm": False, "why": "nothing newer has been rated yet"}
    split = HoldoutSplit.of(trained, newer)
    values = model.predict(newer.user_ids, newer.movie_ids).values
    versus = compare_rmse(split, values, bias_predictions(split), seed)
    enough = len(newer) >= FEWEST_ROWS and people >= FEWEST_PEOPLE
    return found | {
        "rmse": versus["challenger"],
        "bias_rmse": versus["other"],
        "versus_bias": versus,
        "enough": enough,
        "alarm": enough and versus["difference"] > 0,
    }


def is_among(rows: Ratings, others: Ratings) -> Mask:
    """Whether the (person, title) pair of each row is also in `others`, [rows]."""
    movies = np.unique(np.concatenate([rows.movie_ids, others.movie_ids]))
    users = np.unique(np.concatenate([rows.user_ids, others.user_ids]))

    def keys(ratings: Ratings) -> Ints:
        user_rows = np.searchsorted(users, ratings.user_ids).astype(np.int64)
        return user_rows * len(movies) + np.searchsorted(movies, ratings.movie_ids)

    found: Mask = np.isin(keys(rows), keys(others))
    return found
