"""The two baselines that a recommender must beat: the bias model and popularity.

The training job fits the same two into a bundle: biases are a part of every prediction, popularity
fills lists up. `holdout_evaluation` and `live_record` compare a bundle with these baselines.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from marquee.errors import BundleError
from scoring.arrays import Floats, Ints, Rows, rows_of, top_rows
from scoring.recommender.holdout import LIST_LENGTH, HoldoutSplit

ROUNDS = 10  # after five, the biases move by less than 1e-3 stars a round
BIAS_REG = (5.0, 3.0)  # of people, of titles; see `fit_bias`


@dataclass(frozen=True)
class BiasModel:
    """rating = mean + user_bias + item_bias; `user_bias` [U], `item_bias` [I]."""

    mean: float
    user_bias: Floats
    item_bias: Floats

    def predict(self, users: Rows, items: Rows) -> Floats:
        """Predicted stars, not clipped; an unknown person or title, row -1, has no bias."""
        return self.mean + _known(self.user_bias, users) + _known(self.item_bias, items)


def fit_bias(
    users: Rows,
    items: Rows,
    values: Floats,
    people: int,
    titles: int,
    reg_user: float,
    reg_item: float,
) -> BiasModel:
    """Regularised biases by alternating least squares, people last.

    Iterates the estimates of Koren, Factor in the Neighbors (ACM TKDD 4(1), 2010), section 2.1.
    `reg_user` and `reg_item` are numbers of ratings at the mean added to each person and title.
    """
    mean = float(values.mean())
    user_bias, item_bias = np.zeros(people), np.zeros(titles)
    user_count = np.maximum(np.bincount(users, minlength=people) + reg_user, 1e-9)
    item_count = np.maximum(np.bincount(items, minlength=titles) + reg_item, 1e-9)
    for _ in range(ROUNDS):
        residual = values - mean - user_bias[users]
        item_bias = np.bincount(items, weights=residual, minlength=titles) / item_count
        residual = values - mean - item_bias[items]
        user_bias = np.bincount(users, weights=residual, minlength=people) / user_count
    return BiasModel(mean, user_bias, item_bias)


def popularity(items: Rows, values: Floats, titles: int, damping: float = 25.0) -> Floats:
    """Number of ratings times damped mean / overall mean, [titles].

    The damped mean adds `damping` ratings at the overall mean. The number of ratings decides; the
    mean decides between titles with nearly equal numbers.
    """
    mean = float(values.mean())
    count = np.bincount(items, minlength=titles)
    total = np.bincount(items, weights=values, minlength=titles)
    damped: Floats = (total + damping * mean) / (count + damping)
    return count * damped / mean


def _known(biases: Floats, rows: Rows) -> Floats:
    if not len(biases):
        return np.zeros(len(rows))
    return np.where(rows >= 0, biases[rows], 0.0)


# The baselines on a holdout


def bias_predictions(split: HoldoutSplit) -> Floats:
    """Stars [rows of the holdout] of the bias model fitted on train, clipped to the scale."""
    train, later = split.train, split.holdout
    users, movies = np.unique(train.user_ids), np.unique(train.movie_ids)
    rows = rows_of(users, train.user_ids), rows_of(movies, train.movie_ids)
    bias = fit_bias(*rows, train.values, len(users), len(movies), *BIAS_REG)
    values = bias.predict(rows_of(users, later.user_ids), rows_of(movies, later.movie_ids))
    return values.clip(train.values.min(), train.values.max())


def popular_lists(split: HoldoutSplit, movies: Ints) -> Ints:
    """The ten most popular titles of `movies` that each person has not rated, [people, 10].

    Raises BundleError where the catalogue lacks a title of train.
    """
    known = rows_of(movies, split.train.movie_ids)
    if known.min() < 0:
        raise BundleError("the evaluated bundle lacks titles of its train rows", "train again")
    ranks = popularity(known, split.train.values, len(movies))
    order = np.argsort(split.train.user_ids, kind="stable")
    users, items = split.train.user_ids[order], known[order]
    starts = np.searchsorted(users, split.people)
    ends = np.searchsorted(users, split.people, side="right")
    lists = np.full((len(split.people), LIST_LENGTH), -1, dtype=np.int64)
    for place, (start, end) in enumerate(zip(starts, ends)):
        scores = ranks.copy()
        scores[items[start:end]] = -np.inf
        best = top_rows(scores, LIST_LENGTH)
        lists[place, : len(best)] = movies[best]
    return lists
