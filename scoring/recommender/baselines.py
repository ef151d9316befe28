"""The trivial models that a recommender must beat, and that it falls back on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scoring.arrays import Floats, Rows

ROUNDS = 10  # alternations; the biases move by less than 1e-3 stars after five


@dataclass(frozen=True)
class BiasModel:
    """rating = mean + user_bias + item_bias; `user_bias` [U], `item_bias` [I]."""

    mean: float
    user_bias: Floats
    item_bias: Floats

    def predict(self, users: Rows, items: Rows) -> Floats:
        """Predicted stars, not clipped; row -1 is somebody or something unknown, without bias."""
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
    """Regularised biases by alternating closed forms, people last.

    Koren, Factor in the Neighbors (ACM TKDD 4(1), 2010), section 2.1, iterated. `reg_*` count as
    so many ratings at the mean.
    """
    mean = float(values.mean())
    user_bias, item_bias = np.zeros(people), np.zeros(titles)
    user_count = np.bincount(users, minlength=people) + reg_user
    item_count = np.bincount(items, minlength=titles) + reg_item
    for _ in range(ROUNDS):
        left = values - mean - user_bias[users]
        item_bias = np.bincount(items, weights=left, minlength=titles) / np.maximum(
            item_count, 1e-9
        )
        left = values - mean - item_bias[items]
        user_bias = np.bincount(users, weights=left, minlength=people) / np.maximum(
            user_count, 1e-9
        )
    return BiasModel(mean, user_bias, item_bias)


def popularity(items: Rows, values: Floats, titles: int, damping: float = 25.0) -> Floats:
    """How many people rated a title, times its damped mean over the overall mean; [titles].

    The damped mean counts `damping` more ratings at the overall mean, so a count decides and
    liking breaks near-ties.
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
