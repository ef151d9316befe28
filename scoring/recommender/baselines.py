"""The baselines that a recommender must beat, and the comparisons with them.

The baselines are biases and popularity. The training job fits the same two into a bundle: they
answer where its factors cannot. `holdout_evaluation` compares a new bundle with them on the
holdout, people resampled; `live_record` compares the serving bundle with the biases on ratings
newer than its training, and the run's evaluate step writes that as `runs/R/live.json`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from marquee.errors import BundleError
from scoring.arrays import Floats, Ints, Mask, Rows, rows_of, top_rows
from scoring.model_comparison import paired_bootstrap
from scoring.recommender.holdout import LIST_LENGTH, HoldoutScores, HoldoutSplit
from scoring.recommender.model import Recommender
from scoring.recommender.ratings_arrays import Ratings
from scoring.recommender.ratings_files import read_ratings

ROUNDS = 10  # alternations; the biases move by less than 1e-3 stars after five
BIAS_REG = (5.0, 3.0)  # ratings at the mean that the bias baseline adds to a person, a title
FEWEST_ROWS, FEWEST_PEOPLE = 500, 30  # with fewer there is no alarm, whatever the errors


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
    """Regularised biases by alternating closed forms, people last.

    Koren, Factor in the Neighbors (ACM TKDD 4(1), 2010), section 2.1, iterated. `reg_*` count as
    so many ratings at the mean.
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


# The baselines on a holdout


def bias_predictions(split: HoldoutSplit) -> Floats:
    """Stars of the bias model, fitted on train, for every holdout row; clipped to the scale."""
    train, later = split.train, split.holdout
    users, movies = np.unique(train.user_ids), np.unique(train.movie_ids)
    rows = rows_of(users, train.user_ids), rows_of(movies, train.movie_ids)
    bias = fit_bias(*rows, train.values, len(users), len(movies), *BIAS_REG)
    values = bias.predict(rows_of(users, later.user_ids), rows_of(movies, later.movie_ids))
    return values.clip(train.values.min(), train.values.max())


def popular_lists(split: HoldoutSplit, movies: Ints) -> Ints:
    """The ten most popular of the catalogue `movies` that each person has not rated; [people, 10].

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


# Paired comparisons on a holdout, people resampled


def compare_with_baselines(
    split: HoldoutSplit, ours: HoldoutScores, bias: Floats, popular: Ints, seed: int
) -> dict[str, dict[str, Any]]:
    """`versus` of the baselines: RMSE beside the bias model's, nDCG@10 beside popularity's."""
    return {
        "bias": {"rmse": compare_rmse(split, ours.values, bias, seed)},
        "popularity": {"ndcg@10": compare_ndcg(split, ours.lists, popular, seed)},
    }


def compare_rmse(split: HoldoutSplit, ours: Floats, other: Floats, seed: int) -> dict[str, Any]:
    """The COMPARISON of two models' RMSE; `ours` and `other` are stars [rows]."""
    (errors, rows), (others, _) = split.errors(ours), split.errors(other)
    return paired_bootstrap(errors, others, weights=rows, root=True, seed=seed)


def compare_ndcg(split: HoldoutSplit, ours: Ints, other: Ints, seed: int) -> dict[str, Any] | None:
    """The COMPARISON of two models' nDCG@10, from lists [people, 10]; None where nobody liked a
    held-out title, so that there is nothing to compare."""
    if not len(split.liked.people):
        return None
    ndcg = (split.ranking_liked(lists)["ndcg"] for lists in (ours, other))
    return paired_bootstrap(*ndcg, seed=seed)


def intervals(split: HoldoutSplit, scores: HoldoutScores, seed: int) -> dict[str, list[float]]:
    """95 % intervals of one model's own RMSE and nDCG@10."""
    errors, rows = split.errors(scores.values)
    # Compared with zero, the difference is the figure itself.
    own = paired_bootstrap(errors, np.zeros_like(errors), weights=rows, root=True, seed=seed)
    found = {"rmse": own["interval"]}
    if len(split.liked.people):
        ndcg = split.ranking_liked(scores.lists)["ndcg"]
        found["ndcg@10"] = paired_bootstrap(ndcg, np.zeros_like(ndcg), seed=seed)["interval"]
    return found


# The serving bundle beside the bias model


def live_record(bundle: Path, ratings: Path, since: int, seed: int) -> dict[str, Any]:
    """Score `bundle` on the rows of `ratings` from `since` (UTC seconds) on, beside the bias
    model fitted on the rows the bundle has learnt from.

    `{"rows", "people"}`, and where there are any rows `rmse`, `bias_rmse`, `versus_bias` (a
    COMPARISON), `enough` (rows and people) and `alarm`: enough, and an RMSE above the bias model's.
    """
    model = Recommender.load(bundle)
    learnt, every = ratings_learnt(model), read_ratings(ratings)
    newer = every.take(every.times >= since)
    newer = newer.take(~is_among(newer, learnt))
    people = len(np.unique(newer.user_ids))
    found: dict[str, Any] = {"rows": len(newer), "people": people}
    if not len(newer) or not len(learnt):
        return found | {"enough": False, "alarm": False, "why": "nothing newer has been rated yet"}
    split = HoldoutSplit.of(learnt, newer)
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


def ratings_learnt(model: Recommender) -> Ratings:
    """The rows a bundle has learnt from. It does not hold their times, which are 0 here."""
    kept = model.bundle.ratings
    users = np.repeat(model.user_ids, np.diff(kept.indptr))
    movies = model.movie_ids[kept.indices]
    return Ratings(users, movies, kept.values.astype(np.float64), np.zeros_like(users))


def is_among(rows: Ratings, others: Ratings) -> Mask:
    """Whether the (person, title) pair of each of `rows` is also in `others`."""
    movies = np.unique(np.concatenate([rows.movie_ids, others.movie_ids]))
    users = np.unique(np.concatenate([rows.user_ids, others.user_ids]))

    def keys(ratings: Ratings) -> Ints:
        user_rows = np.searchsorted(users, ratings.user_ids).astype(np.int64)
        return user_rows * len(movies) + np.searchsorted(movies, ratings.movie_ids)

    found: Mask = np.isin(keys(rows), keys(others))
    return found
