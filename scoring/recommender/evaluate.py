"""`evaluation.json` of the recommender: what the bundle does on rows its fit has not seen.

Every number is scored from the bundle through `Recommender`: what is measured is what serves.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from scoring.calibration import by_half_star, shares_of_stars
from scoring.golden import GoldenReport
from scoring.recommender.all_metrics import all_metrics, fine_segments, variety
from scoring.recommender.exam import Exam, Scored, mean
from scoring.recommender.forecast import judge_forecast
from scoring.recommender.metrics import rmse
from scoring.recommender.model import Recommender
from scoring.recommender.people import real_people
from scoring.recommender.ratings import read_ratings
from scoring.recommender.record import PersonLine, compare_with_record, holdout_record
from scoring.recommender.rivals import (
    bias_predictions,
    compare_ndcg,
    compare_rmse,
    own_intervals,
    popular_lists,
    versus_trivial,
)
from scoring.record import versus_record, write_record
from scoring.shipped import judge_shipped


def evaluate_recommender(
    evaluated: Path,
    shipped: Path,
    incumbent: Path | None,
    forecast: Path | None,
    train: Path,
    holdout: Path,
    seed: int,
    record: Path | None = None,
    own_record: Path | None = None,
) -> dict[str, Any]:
    """Measure the bundle `evaluated` on `holdout`, beside baselines and the champion's recipe.

    `train` and `holdout` are folders of Parquet in the `ratings` contract; `forecast` is a bundle
    fitted on the early rows of both (the module of that name); `record` is the champion's holdout
    record, and this model's own is written to `own_record` (the module `record`). Raises
    BundleError where a bundle cannot be loaded; a broken `shipped` one is an answer.
    """
    exam = Exam.of(read_ratings(train), read_ratings(holdout))
    model = Recommender.load(evaluated)
    other = exam.score(Recommender.load(incumbent)) if incumbent else None
    ours = exam.score(model)
    found = _measured_as(model, exam, ours, seed, other)
    lines = holdout_record(exam, ours)
    if own_record is not None:
        write_record(own_record, lines)
    found["versus"]["record"], found["record_why"] = versus_record(
        record, PersonLine, lambda recorded: compare_with_record(lines, recorded, seed)
    )
    return found | {
        "forecast": forecast and judge_forecast(forecast, exam.train.join(exam.holdout), seed),
        "shipped": judge_shipped(partial(_measured, shipped, exam), found["metrics"]["rmse"]),
    }


def measure(model: Recommender, exam: Exam, seed: int, other: Scored | None) -> dict[str, Any]:
    """All of `evaluation.json` that one bundle on one exam tells; `other` is the champion's."""
    return _measured_as(model, exam, exam.score(model), seed, other)


def _measured_as(
    model: Recommender, exam: Exam, ours: Scored, seed: int, other: Scored | None
) -> dict[str, Any]:
    bias, popular = bias_predictions(exam), popular_lists(exam, model.movie_ids)
    return {
        "model": "recommender",
        "holdout": _sizes(exam),
        "metrics": all_metrics(exam, ours, model.movie_ids),
        "intervals": own_intervals(exam, ours.values, ours.lists, seed),
        "baselines": {
            "bias": {"rmse": rmse(bias, exam.holdout.values)},
            "popularity": {
                "ndcg@10": mean(exam.ranking_liked(popular)["ndcg"]),
                **variety(exam, popular, model.movie_ids),
            },
        },
        "versus": {
            **versus_trivial(exam, ours, bias, popular, seed),
            "champion": other and compare(exam, ours, other, seed),
        },
        "segments": fine_segments(exam, ours.values, bias, seed),
        "calibration": by_half_star(ours.values, exam.holdout.values),
        "stars": {
            "actual": shares_of_stars(exam.holdout.values),
            "predicted": shares_of_stars(ours.values),
        },
        "people": real_people(model, exam, seed),
    }


def compare(exam: Exam, ours: Scored, other: Scored, seed: int) -> dict[str, Any]:
    """Both metrics of two models on one exam, paired by person."""
    return {
        "rmse": compare_rmse(exam, ours.values, other.values, seed),
        "ndcg@10": compare_ndcg(exam, ours.lists, other.lists, seed),
    }


def _sizes(exam: Exam) -> dict[str, int]:
    titles = len(np.unique(exam.holdout.movie_ids))
    return {"rows": len(exam.holdout), "people": len(exam.people), "titles": titles}


def _measured(folder: Path, exam: Exam) -> tuple[GoldenReport, float]:
    """The shipped bundle's golden report, and its error on the holdout it has learnt from."""
    model = Recommender.load(folder)
    values = model.predict(exam.holdout.user_ids, exam.holdout.movie_ids).values
    return model.check_golden(), rmse(values, exam.holdout.values)
