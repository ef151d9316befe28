"""`evaluation.json` of the budget model: what the bundle does on films newer than its fit.

Every number is scored from the bundle through `BudgetModel`: what is measured is what serves.
Errors are in log10 dollars of the price year, so that a film misjudged by half counts the same
whatever it cost.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from marquee.errors import ContractError, MarqueeError
from marquee.scoring.arrays import Floats
from marquee.scoring.bootstrap import paired
from marquee.scoring.budget import BudgetModel, BudgetQuery
from marquee.scoring.budget_baselines import median_by_genre, ridge
from marquee.scoring.budget_features import BEFORE_RELEASE, WITH_RATING, Film
from marquee.scoring.budget_films import read_films


def evaluate_budget(
    evaluated: Path, shipped: Path, incumbent: Path | None, train: Path, holdout: Path, seed: int
) -> dict[str, Any]:
    """Measure the bundle `evaluated` on `holdout`, beside baselines and the champion's recipe.

    `train` and `holdout` are folders of Parquet in the `titles` contract. Raises BundleError where
    `evaluated` or `incumbent` cannot be loaded; a broken `shipped` bundle is an answer.
    """
    model = BudgetModel.load(evaluated)
    known, films = read_films(train, model.price_year), read_films(holdout, model.price_year)
    if not known or not films:
        raise ContractError(
            f"{len(known)} films in train and {len(films)} in the holdout measure nothing",
            "crawl more titles",
        )
    actual = np.array([film.log_budget for film in films])
    ours = actual - log_answers(model, films)
    others = {
        "median_by_genre": actual - median_by_genre(known, films),
        "ridge": actual - ridge(known, films),
    }
    champion = actual - log_answers(BudgetModel.load(incumbent), films) if incumbent else None
    return {
        "model": "budget",
        "holdout": {"rows": len(films), "people": 0, "titles": len(films)},
        "metrics": _metrics(model, films, ours),
        "baselines": {name: {"log_rmse": _rms(errors)} for name, errors in others.items()},
        "versus": {
            **{name: {"log_rmse": _compare(ours, errors, seed)} for name, errors in others.items()},
            "champion": None if champion is None else {"log_rmse": _compare(ours, champion, seed)},
        },
        "shipped": _shipped(shipped, films, _rms(ours)),
    }


def query_of(film: Film, with_rating: bool = True) -> BudgetQuery:
    """The film as a user would ask about it."""
    return BudgetQuery(
        film.directors, film.genres[:12], film.year, film.rating if with_rating else None
    )


def log_answers(model: BudgetModel, films: Sequence[Film], with_rating: bool = True) -> Floats:
    """log10 dollars of the model's price year."""
    return model.log_estimates([query_of(film, with_rating) for film in films])


def _metrics(model: BudgetModel, films: Sequence[Film], errors: Floats) -> dict[str, Any]:
    before = np.array([f.log_budget for f in films]) - log_answers(model, films, with_rating=False)
    estimates = [model.estimate(query_of(film)) for film in films]
    inside = [
        math.log10(e.low) <= film.log_budget <= math.log10(e.high)
        for e, film in zip(estimates, films)
    ]
    return {
        "log_rmse": _rms(errors),
        "mae_log": float(np.abs(errors).mean()),
        "bias_log": float(errors.mean()),
        "median_factor": float(10 ** np.median(np.abs(errors))),
        "answered": float(np.isfinite(errors).mean()),
        "interval_coverage": float(np.mean(inside)),
        "interval_width_log": float(np.mean([math.log10(e.high / e.low) for e in estimates])),
        "questions": {
            WITH_RATING: sum(e.question == WITH_RATING for e in estimates),
            BEFORE_RELEASE: sum(e.question == BEFORE_RELEASE for e in estimates),
        },
        "log_rmse_before_release": _rms(before),
    }


def _shipped(folder: Path, films: Sequence[Film], error_evaluated: float) -> dict[str, Any]:
    """Whether the bundle to be served loads, repeats its golden answers and has learnt more."""
    answer: dict[str, Any] = {
        "loads": False,
        "why": "",
        "golden": {"count": 0, "failures": 0, "worst": None},
        "error_on_holdout": None,
        "error_evaluated": error_evaluated,
    }
    try:
        model = BudgetModel.load(folder)
        report = model.check_golden()
        apart = np.array([f.log_budget for f in films]) - log_answers(model, films)
    except MarqueeError as error:
        return answer | {"why": str(error)}
    return answer | {"loads": True, "golden": report.as_json(), "error_on_holdout": _rms(apart)}


def _rms(errors: Floats) -> float:
    return math.sqrt(float(np.mean(errors**2)))


def _compare(ours: Floats, other: Floats, seed: int) -> dict[str, Any]:
    return paired(ours**2, other**2, root=True, units="titles", seed=seed)
