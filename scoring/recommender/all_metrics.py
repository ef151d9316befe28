"""Every figure of a recommender on an exam: errors, rankings, variety, segments."""

from __future__ import annotations

from typing import Any

import numpy as np

from scoring.arrays import Floats, Ints, Mask, rows_of
from scoring.bootstrap import paired
from scoring.recommender.exam import Exam, Scored, mean
from scoring.recommender.metrics import (
    AT,
    catalogue_coverage,
    gini,
    mae,
    novelty,
    rmse,
    squared_errors_by_person,
)

WARM_PERSON, POPULAR_TITLE = 50, 20  # ratings in train from which segments call them so
EDGES = {  # where the finer segments begin, in ratings in train
    "people": ("user_ids", (0, 20, 50, 100, 200, 500)),
    "titles": ("movie_ids", (0, 1, 5, 20, 50, 100)),
}


def all_metrics(exam: Exam, ours: Scored, catalogue: Ints) -> dict[str, Any]:
    """The `metrics` of `evaluation.json`; `catalogue` are the model's titles, ascending."""
    actual = exam.holdout.values
    seen = ours.values[ours.personal], actual[ours.personal]
    return {
        "rmse": rmse(ours.values, actual),
        "mae": mae(ours.values, actual),
        "rmse_personal": rmse(*seen) if ours.personal.any() else None,
        "mae_personal": mae(*seen) if ours.personal.any() else None,
        "answered": float(np.isfinite(ours.values).mean()),
        "coverage": float(ours.personal.mean()),
        **_ranking_metrics(exam, ours.lists),
        **variety(exam, ours.lists, catalogue),
        "segments": _cold_and_warm(exam, ours.values),
    }


def variety(exam: Exam, lists: Ints, catalogue: Ints) -> dict[str, float]:
    """How much of the catalogue is listed, how little known, how unequally."""
    rows = rows_of(catalogue, exam.train.movie_ids)
    raters = np.bincount(rows[rows >= 0], minlength=len(catalogue))
    people = len(np.unique(exam.train.user_ids))
    return {
        "catalogue_coverage": catalogue_coverage(lists, len(catalogue)),
        "novelty": novelty(lists, catalogue, raters, people),
        "gini": gini(lists, len(catalogue)),
    }


def fine_segments(exam: Exam, ours: Floats, bias: Floats, seed: int) -> list[dict[str, Any]]:
    """RMSE with its 95 % interval, and the bias model's, by how much train knows of the person
    and of the title: `{"by", "from", "below"|None, "rows", "people", "rmse", "interval", "bias"}`.
    """
    found = []
    for by, (column, edges) in EDGES.items():
        counts = exam.ratings_in_train(column)
        for start, end in zip(edges, (*edges[1:], None), strict=True):
            rows = (counts >= start) & (counts < end if end else True)
            if rows.any():
                edge = {"by": by, "from": start, "below": end}
                found.append(edge | _segment(exam, ours, bias, rows, seed))
    return found


def _segment(exam: Exam, ours: Floats, bias: Floats, rows: Mask, seed: int) -> dict[str, Any]:
    users, actual = exam.holdout.user_ids[rows], exam.holdout.values[rows]
    errors, counts = squared_errors_by_person(users, ours[rows], actual)
    alone = paired(errors, np.zeros_like(errors), weights=counts, root=True, seed=seed)
    return {
        "rows": int(rows.sum()),
        "people": len(counts),
        "rmse": alone["challenger"],
        "interval": alone["interval"],
        "bias": rmse(bias[rows], actual),
    }


def _ranking_metrics(exam: Exam, lists: Ints) -> dict[str, float]:
    liked, anything = exam.ranking_liked(lists), exam.ranking(lists)
    found = {f"{name}@{AT}": mean(values) for name, values in liked.items()}
    return found | {f"{name}@{AT}_any": mean(values) for name, values in anything.items()}


def _cold_and_warm(exam: Exam, values: Floats) -> dict[str, dict[str, float | int]]:
    """RMSE and rows for cold and warm people, rare and popular titles, by their rows in train."""
    warm = exam.ratings_in_train("user_ids") >= WARM_PERSON
    popular = exam.ratings_in_train("movie_ids") >= POPULAR_TITLE
    cut = {
        "cold people": ~warm,
        "warm people": warm,
        "rare titles": ~popular,
        "popular titles": popular,
    }
    actual = exam.holdout.values
    return {
        name: {"rmse": rmse(values[rows], actual[rows]), "rows": int(rows.sum())}
        for name, rows in cut.items()
        if rows.any()
    }
