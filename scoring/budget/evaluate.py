"""`evaluation.json` of the budget model: what the bundle does on films newer than its fit.

Every number is scored from the bundle through `BudgetModel`: what is measured is what serves.
Errors are in log10 dollars of the price year, so that a film misjudged by half counts the same
whatever it cost.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from scoring.arrays import Floats
from scoring.budget.baselines import median_by_genre, ridge
from scoring.budget.clusters import compare
from scoring.budget.exam import BudgetExam, estimates_of, rms
from scoring.budget.features import BEFORE_RELEASE, WITH_RATING
from scoring.budget.films import read_dollars, read_films
from scoring.budget.known_films import known_films, read_votes
from scoring.budget.model import BudgetEstimate, BudgetModel
from scoring.budget.record import FilmLine, compare_with_record, make_record
from scoring.budget.residuals import question_row, residuals
from scoring.calibration import by_tenths
from scoring.golden import GoldenReport
from scoring.record import versus_record, write_record
from scoring.shipped import judge_shipped


def evaluate_budget(
    evaluated: Path,
    shipped: Path,
    incumbent: Path | None,
    train: Path,
    holdout: Path,
    seed: int,
    record: Path | None = None,
    own_record: Path | None = None,
) -> dict[str, Any]:
    """Measure the bundle `evaluated` on `holdout`, beside baselines and the champion's recipe.

    `train` and `holdout` are folders of Parquet in the `titles` contract; `record` is the
    champion's own (`record.py`), `own_record` where this bundle's is written. Raises BundleError
    where `evaluated` or `incumbent` cannot be loaded; a broken `shipped` bundle is an answer, and a
    broken `record` compares nothing.
    """
    model = BudgetModel.load(evaluated)
    exam = BudgetExam.of(*(read_films(path, model.price_year) for path in (train, holdout)))
    champion = _errors(BudgetModel.load(incumbent), exam) if incumbent else None
    found = measure(model, exam, seed, champion, read_votes(holdout))
    lines = make_record(exam.films, read_dollars(holdout), *_errors(model, exam))
    if own_record is not None:
        write_record(own_record, lines)
    found["versus"]["record"], found["record_why"] = versus_record(
        record, FilmLine, lambda recorded: compare_with_record(lines, recorded, seed)
    )
    return found | {
        "shipped": judge_shipped(partial(_measured, shipped, exam), found["metrics"]["log_rmse"])
    }


def _errors(model: BudgetModel, exam: BudgetExam) -> tuple[Floats, Floats]:
    """[films], asked with rating and before release."""
    return exam.errors(model), exam.errors(model, with_rating=False)


def measure(
    model: BudgetModel,
    exam: BudgetExam,
    seed: int,
    champion: tuple[Floats, Floats] | None,
    votes: Mapping[str, int],
) -> dict[str, Any]:
    """All of `evaluation.json` that one bundle on one exam tells; `champion` are its errors,
    with rating and before release."""
    ours, ours_before = _errors(model, exam)
    rated, before = estimates_of(model, exam.films), estimates_of(model, exam.films, False)
    others = {
        "median_by_genre": exam.actual - median_by_genre(exam.train, exam.films),
        "ridge": exam.actual - ridge(exam.train, exam.films),
    }
    against = partial(compare, exam.clusters, ours, seed=seed)
    against_before = partial(compare, exam.clusters, ours_before, seed=seed)
    questions = _questions(exam, {WITH_RATING: rated, BEFORE_RELEASE: before}, seed)
    return {
        "model": "budget",
        "holdout": {
            "rows": len(exam.films),
            "people": 0,
            "titles": len(exam.films),
            "directors": exam.clusters.count,
        },
        "metrics": _metrics(exam, ours, rated, questions[BEFORE_RELEASE]["log_rmse"]),
        "intervals": {
            "log_rmse": questions[WITH_RATING]["interval_of_rmse"],
            "log_rmse_before_release": questions[BEFORE_RELEASE]["interval_of_rmse"],
        },
        "baselines": {name: {"log_rmse": rms(errors)} for name, errors in others.items()},
        "versus": {
            **{name: {"log_rmse": against(errors)} for name, errors in others.items()},
            "champion": champion
            and {
                "log_rmse": against(champion[0]),
                "log_rmse_before_release": against_before(champion[1]),
            },
            "record": None,
        },
        "questions": questions,
        "residuals": residuals(exam, ours, exam.inside(rated), seed),
        "calibration": by_tenths(exam.actual - ours, exam.actual),
        "price_year": model.price_year,
        "films": known_films(exam.films, rated, before, votes),
    }


def _questions(
    exam: BudgetExam, answers: Mapping[str, Sequence[BudgetEstimate]], seed: int
) -> dict[str, Any]:
    """Each question's error, interval coverage and width on the same films."""
    found = {}
    for question, estimates in answers.items():
        errors = exam.actual - np.array([math.log10(e.median) for e in estimates])
        row = question_row(exam.clusters, errors, exam.inside(estimates), seed)
        row |= {"width_log": _width(estimates)}
        found[question] = row | {"answered_as": sorted({e.question for e in estimates})}
    return found


def _metrics(
    exam: BudgetExam, errors: Floats, estimates: Sequence[BudgetEstimate], before: float
) -> dict[str, Any]:
    return {
        "log_rmse": rms(errors),
        "mae_log": float(np.abs(errors).mean()),
        "bias_log": float(errors.mean()),
        "median_factor": float(10 ** np.median(np.abs(errors))),
        "answered": float(np.isfinite(errors).mean()),
        "interval_coverage": float(exam.inside(estimates).mean()),
        "interval_width_log": _width(estimates),
        "questions": {
            WITH_RATING: sum(e.question == WITH_RATING for e in estimates),
            BEFORE_RELEASE: sum(e.question == BEFORE_RELEASE for e in estimates),
        },
        "log_rmse_before_release": before,
    }


def _width(estimates: Sequence[BudgetEstimate]) -> float:
    return float(np.mean([math.log10(e.high / e.low) for e in estimates]))


def _measured(folder: Path, exam: BudgetExam) -> tuple[GoldenReport, float]:
    """The shipped bundle's golden report, and its error on the holdout it has learnt from."""
    model = BudgetModel.load(folder)
    return model.check_golden(), rms(exam.errors(model))
