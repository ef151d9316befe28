"""The trivial models on an exam, and paired comparisons of anything with anything on it."""

from __future__ import annotations

from typing import Any

import numpy as np

from marquee.errors import BundleError
from scoring.arrays import Floats, Ints, rows_of, top_rows
from scoring.bootstrap import paired
from scoring.recommender.baselines import fit_bias, popularity
from scoring.recommender.exam import Exam, Scored
from scoring.recommender.metrics import AT

BASELINE_REG = (5.0, 3.0)  # ratings at the mean that the bias baseline adds to a person, a title


def bias_predictions(exam: Exam) -> Floats:
    """The bias model, fitted on train: stars for every row of the holdout, clipped to the scale."""
    train, later = exam.train, exam.holdout
    users, movies = np.unique(train.user_ids), np.unique(train.movie_ids)
    rows = rows_of(users, train.user_ids), rows_of(movies, train.movie_ids)
    bias = fit_bias(*rows, train.values, len(users), len(movies), *BASELINE_REG)
    values = bias.predict(rows_of(users, later.user_ids), rows_of(movies, later.movie_ids))
    return values.clip(train.values.min(), train.values.max())


def popular_lists(exam: Exam, movies: Ints) -> Ints:
    """The ten most popular of the catalogue `movies` that each person has not rated; [people, 10].

    BundleError where the catalogue lacks a title of train.
    """
    known = rows_of(movies, exam.train.movie_ids)
    if known.min() < 0:
        raise BundleError("the evaluated bundle lacks titles of its train rows", "train again")
    ranks = popularity(known, exam.train.values, len(movies))
    order = np.argsort(exam.train.user_ids, kind="stable")
    users, items = exam.train.user_ids[order], known[order]
    starts = np.searchsorted(users, exam.people)
    ends = np.searchsorted(users, exam.people, side="right")
    lists = np.full((len(exam.people), AT), -1, dtype=np.int64)
    for place, (start, end) in enumerate(zip(starts, ends)):
        scores = ranks.copy()
        scores[items[start:end]] = -np.inf
        best = top_rows(scores, AT)
        lists[place, : len(best)] = movies[best]
    return lists


def versus_trivial(
    exam: Exam, ours: Scored, bias: Floats, popular: Ints, seed: int
) -> dict[str, dict[str, Any]]:
    """`versus` of the trivial models: RMSE beside the bias model's, nDCG@10 beside popularity's."""
    return {
        "bias": {"rmse": compare_rmse(exam, ours.values, bias, seed)},
        "popularity": {"ndcg@10": compare_ndcg(exam, ours.lists, popular, seed)},
    }


def compare_rmse(exam: Exam, ours: Floats, other: Floats, seed: int) -> dict[str, Any]:
    """RMSE of two models' predictions, people resampled."""
    (errors, rows), (others, _) = exam.errors(ours), exam.errors(other)
    return paired(errors, others, weights=rows, root=True, seed=seed)


def compare_ndcg(exam: Exam, ours: Ints, other: Ints, seed: int) -> dict[str, Any] | None:
    """nDCG@10 of two models' lists; None where nobody liked a held-out title: there is nothing
    to tell apart."""
    if not len(exam.liked.people):
        return None
    ndcg = (exam.ranking_liked(lists)["ndcg"] for lists in (ours, other))
    return paired(*ndcg, seed=seed)


def own_intervals(exam: Exam, values: Floats, lists: Ints, seed: int) -> dict[str, list[float]]:
    """95 % intervals of one model's own RMSE and nDCG@10, people resampled."""
    errors, rows = exam.errors(values)
    # Compared with nothing at all, the difference is the figure itself.
    alone = paired(errors, np.zeros_like(errors), weights=rows, root=True, seed=seed)
    found = {"rmse": alone["interval"]}
    if len(exam.liked.people):
        ndcg = exam.ranking_liked(lists)["ndcg"]
        found["ndcg@10"] = paired(ndcg, np.zeros_like(ndcg), seed=seed)["interval"]
    return found
