"""The baselines that a recommender must beat: the bias model, popularity, and popularity lately.

The training job fits the like into a bundle: biases are a part of every prediction, popularity
fills lists up. `holdout_evaluation` and `live_record` compare a bundle with these baselines.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from marquee.errors import BundleError
from scoring.arrays import Floats, Ints, Rows, rows_of, top_rows
from scoring.recommender.holdout import (
    LIST_LENGTH,
    HoldoutScores,
    HoldoutSplit,
    compare_ndcg,
    compare_rmse,
    mean_or_zero,
    rmse,
)
from scoring.recommender.list_variety import catalogue_metrics
from scoring.recommender.model import Recommender
from scoring.recommender.ratings_arrays import DAY
from scoring.recommender.timed_titles import TimedTitles

ROUNDS = 10  # after five, the biases move by less than 1e-3 stars a round
BIAS_REG = (5.0, 3.0)  # of people, of titles; see `fit_bias`
RECENT_DAYS = 28
"""Popularity lately counts the ratings of the four weeks before a person asks."""


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
    known = _known_rows(split, movies)
    ranks = popularity(known, split.train.values, len(movies))
    return _lists(split, known, movies, (ranks for _ in split.people))


def recent_lists(split: HoldoutSplit, movies: Ints, timed: TimedTitles | None) -> Ints:
    """The ten titles that each person has not rated and others rated most lately, [people, 10].

    Lately is the RECENT_DAYS before the person asks; of titles rated equally often, the more
    popular one is first. Where nobody knows when a rating of train was given (a bundle without
    times, on a user's own file), all of them are recent.
    """
    known = _known_rows(split, movies)
    if split.train.times.any():
        people, users = np.unique(split.train.user_ids, return_inverse=True)
        timed = TimedTitles.build(users, known, split.train.times, len(people))
    if timed is None:
        return popular_lists(split, movies)
    at = split.moments
    moments = np.full(len(split.people), timed.newest) if at is None else at
    ranks = popularity(known, split.train.values, len(movies))
    ties = ranks / (1.0 + ranks.max())
    recent = (timed.since(m - RECENT_DAYS * DAY, m, len(movies)) + ties for m in moments.tolist())
    return _lists(split, known, movies, recent)


def _known_rows(split: HoldoutSplit, movies: Ints) -> Rows:
    """The rows of train's titles in `movies`; BundleError where one is missing."""
    known = rows_of(movies, split.train.movie_ids)
    if known.min() < 0:
        raise BundleError("the evaluated bundle lacks titles of its train rows", "train again")
    return known


def _lists(split: HoldoutSplit, known: Rows, movies: Ints, ranks: Iterable[Floats]) -> Ints:
    """The ten titles of the highest `ranks` [I], one array a person, without what they rated."""
    order = np.argsort(split.train.user_ids, kind="stable")
    users, items = split.train.user_ids[order], known[order]
    starts = np.searchsorted(users, split.people)
    ends = np.searchsorted(users, split.people, side="right")
    lists = np.full((len(split.people), LIST_LENGTH), -1, dtype=np.int64)
    for place, (start, end, own) in enumerate(zip(starts, ends, ranks, strict=True)):
        scores = own.copy()
        scores[items[start:end]] = -np.inf
        best = top_rows(scores, LIST_LENGTH)
        lists[place, : len(best)] = movies[best]
    return lists


@dataclass(frozen=True)
class Baselines:
    """The baselines' answers on a holdout: stars [rows], and lists [people, 10] by their names."""

    bias: Floats
    lists: Mapping[str, Ints]

    @classmethod
    def of(cls, split: HoldoutSplit, model: Recommender) -> Baselines:
        """Fitted on train; lists are of the model's titles."""
        popular = popular_lists(split, model.movie_ids)
        lists = {
            "popularity": popular,
            "popularity_lately": recent_lists(split, model.movie_ids, model.bundle.timed),
        }
        return cls(bias_predictions(split), lists)

    def compare(self, split: HoldoutSplit, ours: HoldoutScores, seed: int) -> dict[str, Any]:
        """`versus` of the baselines: RMSE with the bias model, nDCG@10 with each popularity."""
        ranking = {
            name: {"ndcg@10": compare_ndcg(split, ours.lists, lists, seed)}
            for name, lists in self.lists.items()
        }
        return {"bias": {"rmse": compare_rmse(split, ours.values, self.bias, seed)}} | ranking

    def figures(self, split: HoldoutSplit, catalogue: Ints) -> dict[str, Any]:
        """`baselines` of `evaluation.json`."""
        found: dict[str, Any] = {"bias": {"rmse": rmse(self.bias, split.holdout.values)}}
        for name, lists in self.lists.items():
            ndcg = mean_or_zero(split.ranking_liked(lists)["ndcg"])
            found[name] = {"ndcg@10": ndcg, **catalogue_metrics(split, lists, catalogue)}
        return found
