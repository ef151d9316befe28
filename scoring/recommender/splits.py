"""Which rows are held out: rules as masks over `Ratings`, True for the holdout.

All are pure and depend on row *values* only, so that Spark (`spark_apps/ratings/split.py`) and
this module choose the same rows whatever order they come in.
"""

from __future__ import annotations

import numpy as np

from scoring.arrays import Floats, Ints, Mask
from scoring.recommender.ratings import Ratings

TRAIN_SHARE = 0.8
FEWEST = 5  # people with fewer ratings hold out none


def last_share(ratings: Ratings, share: float = TRAIN_SHARE, fewest: int = FEWEST) -> Mask:
    """Each person's rows after the first ceil(share n) by (time, movie id)."""
    order = np.lexsort((ratings.movie_ids, ratings.times, ratings.user_ids))
    return _after_share(ratings.user_ids, order, share, fewest)


def random_share(ratings: Ratings, seed: int, share: float = 0.75, fewest: int = 1) -> Mask:
    """Each person's rows after the first ceil(share n) in a seeded random order."""
    canonical = np.lexsort((ratings.movie_ids, ratings.user_ids))
    lots: Floats = np.empty(len(ratings))
    lots[canonical] = np.random.default_rng(seed).random(len(ratings))
    order = np.lexsort((lots, ratings.user_ids))
    return _after_share(ratings.user_ids, order, share, fewest)


def global_time(ratings: Ratings, share: float = TRAIN_SHARE) -> Mask:
    """Rows from the moment before which `share` of all rows lie: forecasting, not taste."""
    if not len(ratings):
        return np.zeros(0, dtype=np.bool_)
    late: Mask = ratings.times >= np.sort(ratings.times)[int(np.ceil(share * len(ratings))) - 1]
    return late if not late.all() else np.zeros(len(ratings), dtype=np.bool_)


def _after_share(users: Ints, order: Ints, share: float, fewest: int) -> Mask:
    """True for rows past ceil(share n) of their person's n, counted along `order`."""
    held: Mask = np.zeros(len(users), dtype=np.bool_)
    if not len(users):
        return held
    sorted_users = users[order]
    start = np.flatnonzero(np.append(True, sorted_users[1:] != sorted_users[:-1]))
    count = np.diff(np.append(start, len(users)))
    # Rounding first keeps ceil(0.8 * 5) at 4: 0.8 is a little more than four fifths in binary.
    kept = np.where(count >= fewest, np.ceil(np.round(share * count, 9)), count).astype(np.int64)
    held[order] = np.arange(len(users)) >= np.repeat(start + kept, count)
    return held
