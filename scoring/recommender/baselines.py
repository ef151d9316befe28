"""The baselines that a recommender must beat: the bias model, popularity, and popularity lately.

The training job fits the like into a bundle: biases are a part of every prediction, popularity
fills lists up. `holdout_evaluation` and `live_record` compare a bundle with these baselines.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from marquee.errors import BundleError
from scoring.arrays import Floats, Ints, Mask, Rows, ShortInts, places_in, rows_of, top_rows
from scoring.recommender.holdout import (
    LIST_LENGTH,
    HoldoutScores,
    HoldoutSplit,
    compare_ndcg,
    compare_rmse,
    mean_or_zero,
    rmse,
)
from scoring.recommender.list_blocks import CELLS, MOST_PEOPLE, best_columns
from scoring.recommender.list_variety import catalogue_metrics
from scoring.recommender.model import Recommender
from scoring.recommender.timed_titles import HOUR, TimedTitles, last_times

ROUNDS = 10  # after five, the biases move by less than 1e-3 stars a round
BIAS_REG = (5.0, 3.0)  # of people, of titles; see `fit_bias`
RECENT_DAYS = 28
"""Popularity lately counts the ratings of the four weeks before a person asks."""
RECENT_PEOPLE, CANDIDATES = 32, 1_000
"""People counted at once, and titles that are counted for them unless a person needs more."""


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
    users: Rows | ShortInts,
    items: Rows | ShortInts,
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
    users, movies = split.learnt_people[0], split.learnt_titles[0]
    bias = fit_bias(*split.train_rows, train.values, len(users), len(movies), *BIAS_REG)
    values = bias.predict(rows_of(users, later.user_ids), rows_of(movies, later.movie_ids))
    return values.clip(train.values.min(), train.values.max())


def popular_lists(split: HoldoutSplit, movies: Ints) -> Ints:
    """The ten most popular titles of `movies` that each person has not rated, [people, 10].

    Raises BundleError where the catalogue lacks a title of train.
    """
    known = _known_rows(split, movies)
    ranks = popularity(known[split.train_rows[1]], split.train.values, len(movies))
    order = np.argsort(-ranks, kind="stable")
    counts = _counts_of(split, split.people)
    by_counts, start = np.argsort(counts, kind="stable"), 0
    lists = np.full((len(counts), LIST_LENGTH), -1, dtype=np.int64)
    while start < len(counts):
        # Of so many titles at most all but ten are rated.
        width = min(counts[by_counts[start : start + MOST_PEOPLE][-1]] + LIST_LENGTH, len(movies))
        places = by_counts[start : start + max(1, min(MOST_PEOPLE, CELLS // width))]
        ranked = np.broadcast_to(ranks[order[:width]], (len(places), width)).copy()
        lists[places] = _unrated(split, known, places, order[:width], ranked, movies)[0]
        start += len(places)
    return lists


def recent_lists(split: HoldoutSplit, movies: Ints, timed: TimedTitles | None) -> Ints:
    """The ten titles that each person has not rated and others rated most lately, [people, 10].

    Lately is the RECENT_DAYS before the person asks; of titles rated equally often, the more
    popular one is first. Where nobody knows when a rating of train was given (a bundle without
    times, on a user's own file), all of them are recent.
    """
    known = _known_rows(split, movies)
    users, titles = split.train_rows
    if split.train.times.any():
        times = split.train.times
        last = last_times(users, times, len(split.learnt_people[0]))
        timed = TimedTitles.build(known[titles], times, last)
    if timed is None:
        return popular_lists(split, movies)
    at = split.moments
    hours = (np.full(len(split.people), timed.newest) if at is None else at) // HOUR
    ranks = popularity(known[titles], split.train.values, len(movies))
    ties, order = ranks / (1.0 + ranks.max()), np.argsort(hours, kind="stable")
    lists = np.full((len(hours), LIST_LENGTH), -1, dtype=np.int64)
    for start in range(0, len(order), RECENT_PEOPLE):
        places = order[start : start + RECENT_PEOPLE]
        found, sure = _recent(split, known, places, hours[places], timed, ties, movies, CANDIDATES)
        if not sure.all():
            places = places[~sure]
            found[~sure], _ = _recent(
                split, known, places, hours[places], timed, ties, movies, len(movies)
            )
        lists[order[start : start + RECENT_PEOPLE]] = found
    return lists


def _recent(
    split: HoldoutSplit,
    known: Rows,
    places: Rows,
    hours: Ints,
    timed: TimedTitles,
    ties: Floats,
    movies: Ints,
    most: int,
) -> tuple[Ints, Mask]:
    """`recent_lists` of some people from `most` candidates, and whether no other title is better.

    Candidates are the titles rated most often from the first person's four weeks to the last's.
    """
    span = RECENT_DAYS * 24
    upper = timed.since((int(hours[0]) - span) * HOUR, int(hours[-1]) * HOUR, len(movies)) + ties
    best = top_rows(upper, most + 1)
    candidates = np.sort(best[:most])
    scores = timed.within(hours, span, candidates, len(movies)) + ties[candidates]
    lists, last = _unrated(split, known, places, candidates, scores, movies)
    return lists, last > (upper[best[most]] if len(best) > most else -np.inf)


def _known_rows(split: HoldoutSplit, movies: Ints) -> Rows:
    """The row in `movies` of each title of train; BundleError where one is missing."""
    known = rows_of(movies, split.learnt_titles[0])
    if known.min() < 0:
        raise BundleError("the evaluated bundle lacks titles of its train rows", "train again")
    return known


def _counts_of(split: HoldoutSplit, people: Ints) -> Ints:
    """How many train rows each of these people has."""
    rows = rows_of(split.learnt_people[0], people)
    return np.where(rows >= 0, split.learnt_people[1][rows], 0)


def _unrated(
    split: HoldoutSplit, known: Rows, places: Rows, columns: Rows, scores: Floats, movies: Ints
) -> tuple[Ints, Floats]:
    """The ten best unrated titles of some people, -1 past the end, and the score of the tenth.

    `scores` [people, columns] are those of the titles at the rows `columns`; they are changed.
    """
    ends, titles = split.rated
    people = split.people[places]
    rows, counts = rows_of(split.learnt_people[0], people), _counts_of(split, people)
    before = np.repeat(np.cumsum(counts) - counts, counts)
    entries = np.arange(counts.sum()) - before + np.repeat(ends[rows], counts)
    column = places_in(columns, len(movies), -1)[known[titles[entries]]]
    person, rated = np.repeat(np.arange(len(places)), counts), column >= 0
    scores[person[rated], column[rated]] = -np.inf
    best = best_columns(scores, LIST_LENGTH)
    values = np.full((len(places), LIST_LENGTH), -np.inf)
    values[:, : best.shape[1]] = np.take_along_axis(scores, best, axis=1)
    lists = np.full(values.shape, -1, dtype=np.int64)
    lists[:, : best.shape[1]] = movies[columns[best]]
    return np.where(values > -np.inf, lists, -1), values[:, -1]


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
