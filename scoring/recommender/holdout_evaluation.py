"""`evaluation.json` of the recommender: measures a bundle on rows that its fit has not seen.

Every number is scored from the bundle through `Recommender`, as serving does. The evaluate step
calls `evaluate_recommender`; `marquee evaluate` and `compare` call `measure` and `compare` on a
user's own file.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from scoring.arrays import Floats, Ints, Mask
from scoring.evaluation_blocks import (
    GoldenReport,
    calibration_by_half_star,
    check_shipped,
    shares_of_stars,
    versus_record,
    write_record,
)
from scoring.model_comparison import paired_bootstrap
from scoring.recommender.baselines import Baselines
from scoring.recommender.holdout import (
    LIST_LENGTH,
    HoldoutScores,
    HoldoutSplit,
    compare_ndcg,
    compare_rmse,
    global_time,
    mae,
    mean_or_zero,
    rmse,
    squared_errors_by_person,
)
from scoring.recommender.holdout_people import (
    PersonLine,
    compare_with_record,
    holdout_record,
    sample_people,
    turn_stars,
)
from scoring.recommender.interval_calibration import cross_fitted, measure_intervals
from scoring.recommender.list_variety import catalogue_metrics
from scoring.recommender.model import Recommender
from scoring.recommender.ratings_arrays import Ratings
from scoring.recommender.ratings_files import read_ratings

WARM_PERSON, POPULAR_TITLE = 50, 20  # least ratings in train of the segments with these names
SEGMENT_EDGES = {  # least ratings in train of each finer segment
    "people": ("user_ids", (0, 20, 50, 100, 200, 500)),
    "titles": ("movie_ids", (0, 1, 5, 20, 50, 100)),
}


def evaluate_recommender(
    evaluated: Path,
    shipped: Path,
    incumbent: Path | None,
    train: Path,
    holdout: Path,
    seed: int,
    record: Path | None = None,
    own_record: Path | None = None,
) -> dict[str, Any]:
    """Measure the bundle `evaluated` on `holdout`, and compare it with baselines and the champion.

    `incumbent` is the champion's recipe, fitted on the same `train`. `train` and `holdout` are
    folders of Parquet in the `ratings` contract. `record` is the champion's holdout record; this
    model's record is written to `own_record`. Raises BundleError where a bundle other than
    `shipped` cannot be loaded; see `check_shipped`.
    """
    split = HoldoutSplit.of(read_ratings(train), read_ratings(holdout))
    model = Recommender.load(evaluated)
    other = split.score(Recommender.load(incumbent)) if incumbent else None
    ours = split.score(model)
    found = _measure_scores(model, split, ours, seed, other)
    lines = holdout_record(split, ours)
    if own_record is not None:
        write_record(own_record, lines)
    found["versus"]["record"], found["record_why"] = versus_record(
        record, PersonLine, lambda recorded: compare_with_record(lines, recorded, seed)
    )
    return found | {
        "shipped": check_shipped(partial(_measure_shipped, shipped, split), _rmse(found)),
    }


def measure(
    model: Recommender, split: HoldoutSplit, seed: int, other: HoldoutScores | None
) -> dict[str, Any]:
    """The sections of one bundle on one holdout; `other` is the champion's recipe."""
    return _measure_scores(model, split, split.score(model), seed, other)


def compare(
    split: HoldoutSplit, ours: HoldoutScores, other: HoldoutScores, seed: int
) -> dict[str, Any]:
    """`versus` of two models on one holdout: RMSE and nDCG@10, people resampled."""
    return {
        "rmse": compare_rmse(split, ours.values, other.values, seed),
        "ndcg@10": compare_ndcg(split, ours.lists, other.lists, seed),
    }


def evaluate_forecast(bundle: Path, ratings: Ratings, seed: int) -> dict[str, Any] | None:
    """`figures` of `forecast.json`: `bundle`, fitted on everybody's ratings before a moment, is
    measured on all later ones. None where `global_time` holds out no row.

    In the other holdout, each person's last ratings, train has other people's later ratings. Here
    train has no later rating, and new people are unknown to the bundle, as in serving.
    """
    late = global_time(ratings.times)
    if not late.any():
        return None
    model = Recommender.load(bundle)
    split = HoldoutSplit.of(ratings.take(~late), ratings.take(late))
    ours = split.score(model)
    return {
        "rows": len(split.holdout),
        "people": len(split.people),
        "since": int(split.holdout.times.min()),
        "metrics": _metrics(split, ours, model.movie_ids),
        "versus": Baselines.of(split, model).compare(split, ours, seed),
        "rating_intervals": _own_intervals(model, split, ours.values),
    }


def _measure_scores(
    model: Recommender,
    split: HoldoutSplit,
    ours: HoldoutScores,
    seed: int,
    other: HoldoutScores | None,
) -> dict[str, Any]:
    baselines = Baselines.of(split, model)
    return {
        "model": "recommender",
        "holdout": _sizes(split),
        "metrics": _metrics(split, ours, model.movie_ids),
        "intervals": _intervals(split, ours, seed),
        "baselines": baselines.figures(split, model.movie_ids),
        "versus": {
            **baselines.compare(split, ours, seed),
            "champion": other and compare(split, ours, other, seed),
        },
        "segments": _fine_segments(split, ours.values, baselines.bias, seed),
        "calibration": calibration_by_half_star(ours.values, split.holdout.values),
        "stars": {
            "actual": shares_of_stars(split.holdout.values),
            "predicted": shares_of_stars(ours.values),
        },
        "rating_intervals": _own_intervals(model, split, ours.values)
        or cross_fitted(model, split, ours.values, seed),
        "turned_stars": turn_stars(model, split, seed),
        "people": sample_people(model, split, seed),
    }


def _intervals(split: HoldoutSplit, scores: HoldoutScores, seed: int) -> dict[str, list[float]]:
    """95 % intervals of one model's RMSE and nDCG@10."""
    errors, rows = split.errors(scores.values)
    # The difference from zero is the figure itself.
    own = paired_bootstrap(errors, np.zeros_like(errors), weights=rows, root=True, seed=seed)
    found = {"rmse": own["interval"]}
    if len(split.liked.people):
        ndcg = split.ranking_liked(scores.lists)["ndcg"]
        found["ndcg@10"] = paired_bootstrap(ndcg, np.zeros_like(ndcg), seed=seed)["interval"]
    return found


def _own_intervals(
    model: Recommender, split: HoldoutSplit, values: Floats
) -> dict[str, Any] | None:
    """`rating_intervals` of a bundle's own intervals; None where it has none."""
    if model.intervals is None:
        return None
    asked = split.holdout.user_ids, split.holdout.movie_ids
    bounds = model.intervals.of_known(*asked, values)
    return measure_intervals(model, split, values, bounds)


def _sizes(split: HoldoutSplit) -> dict[str, int]:
    titles = len(np.unique(split.holdout.movie_ids))
    return {"rows": len(split.holdout), "people": len(split.people), "titles": titles}


def _rmse(evaluation: dict[str, Any]) -> float:
    return float(evaluation["metrics"]["rmse"])


def _measure_shipped(folder: Path, split: HoldoutSplit) -> tuple[GoldenReport, float]:
    """The shipped bundle's golden report, and its RMSE on the holdout, which is in its fit."""
    model = Recommender.load(folder)
    values = model.predict(split.holdout.user_ids, split.holdout.movie_ids).values
    return model.check_golden(), rmse(values, split.holdout.values)


# The `metrics` of `evaluation.json`: errors, rankings, catalogue, segments


def _metrics(split: HoldoutSplit, ours: HoldoutScores, catalogue: Ints) -> dict[str, Any]:
    """`catalogue` [I] are the model's movie ids, ascending."""
    actual = split.holdout.values
    personal = ours.values[ours.personal], actual[ours.personal]
    return {
        "rmse": rmse(ours.values, actual),
        "mae": mae(ours.values, actual),
        "rmse_personal": rmse(*personal) if ours.personal.any() else None,
        "mae_personal": mae(*personal) if ours.personal.any() else None,
        "answered": float(np.isfinite(ours.values).mean()),
        "coverage": float(ours.personal.mean()),
        **_ranking_metrics(split, ours.lists),
        **catalogue_metrics(split, ours.lists, catalogue),
        "segments": _cold_and_warm(split, ours.values),
    }


def _ranking_metrics(split: HoldoutSplit, lists: Ints) -> dict[str, float]:
    liked, anything = split.ranking_liked(lists), split.ranking(lists)
    found = {f"{name}@{LIST_LENGTH}": mean_or_zero(v) for name, v in liked.items()}
    return found | {f"{name}@{LIST_LENGTH}_any": mean_or_zero(v) for name, v in anything.items()}


def _cold_and_warm(split: HoldoutSplit, values: Floats) -> dict[str, dict[str, float | int]]:
    """RMSE and rows of cold and warm people, rare and popular titles, by rows in train."""
    warm = split.ratings_in_train("user_ids") >= WARM_PERSON
    popular = split.ratings_in_train("movie_ids") >= POPULAR_TITLE
    segments = {
        "cold people": ~warm,
        "warm people": warm,
        "rare titles": ~popular,
        "popular titles": popular,
    }
    actual = split.holdout.values
    return {
        name: {"rmse": rmse(values[rows], actual[rows]), "rows": int(rows.sum())}
        for name, rows in segments.items()
        if rows.any()
    }


# The finer `segments` of `evaluation.json`


def _fine_segments(
    split: HoldoutSplit, ours: Floats, bias: Floats, seed: int
) -> list[dict[str, Any]]:
    """RMSE with its 95 % interval by the number of train rows of person and title.

    `{"by", "from", "below"|None, "rows", "people", "rmse", "interval", "bias"}`; `bias` is the RMSE
    of the bias model.
    """
    segments = []
    for by, (column, edges) in SEGMENT_EDGES.items():
        counts = split.ratings_in_train(column)
        for start, end in zip(edges, (*edges[1:], None), strict=True):
            rows = (counts >= start) & (counts < end if end else True)
            if rows.any():
                edge = {"by": by, "from": start, "below": end}
                segments.append(edge | _segment(split, ours, bias, rows, seed))
    return segments


def _segment(
    split: HoldoutSplit, ours: Floats, bias: Floats, rows: Mask, seed: int
) -> dict[str, Any]:
    users, actual = split.holdout.user_ids[rows], split.holdout.values[rows]
    errors, counts = squared_errors_by_person(users, ours[rows], actual)
    zeros = np.zeros_like(errors)
    own = paired_bootstrap(errors, zeros, weights=counts, root=True, seed=seed)
    return {
        "rows": int(rows.sum()),
        "people": len(counts),
        "rmse": own["challenger"],
        "interval": own["interval"],
        "bias": rmse(bias[rows], actual),
    }
