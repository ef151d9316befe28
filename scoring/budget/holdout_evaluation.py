"""`evaluation.json` of the budget model: measures a bundle on titles newer than its fit.

Every number is scored from the bundle through `BudgetModel`, as serving does. Errors are in log10
dollars of the price year: an estimate of half the budget is the same error for every title.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from scoring.arrays import Floats, Mask
from scoring.budget.baselines import median_by_genre, ridge
from scoring.budget.features import BEFORE_RELEASE, WITH_RATING, KnownTitle
from scoring.budget.holdout import (
    BudgetHoldout,
    Clusters,
    TitleLine,
    compare_beside,
    compare_log_rmse,
    compare_with_record,
    holdout_record,
    mean_interval,
    rmse_interval,
)
from scoring.budget.known_titles import read_dollars, read_titles, read_votes
from scoring.budget.model import TYPICAL, BudgetEstimate, BudgetModel
from scoring.evaluation_blocks import (
    GoldenReport,
    calibration_by_decile,
    check_shipped,
    versus_record,
    write_record,
)

FEWEST_TITLES = 5
"""A year or a genre with fewer titles is not shown."""
MOST_GENRES_SHOWN = 16
SIZES = (1e6, 5e6, 10e6, 25e6, 50e6, 100e6)  # dollars of the price year
SHOWN_TITLES, SHOWN_REASONS = 20, 4
Errors = tuple[Floats, Floats]  # [titles] with rating, and before release


def evaluate_budget(
    evaluated: Path,
    shipped: Path,
    incumbent: Path | None,
    train: Path,
    holdout: Path,
    seed: int,
    record: Path | None = None,
    own_record: Path | None = None,
    beside: Path | None = None,
) -> dict[str, Any]:
    """Measure the bundle `evaluated` on `holdout`, and compare it with baselines and the champion.

    `incumbent` is the champion's recipe, fitted on the same `train`. `train` and `holdout` are
    folders of Parquet in the `titles` contract. `record` is the champion's holdout record; this
    bundle's goes to `own_record`. `beside` holds other recipes' answers. Raises BundleError where
    `evaluated` or `incumbent` cannot be loaded.
    """
    model = BudgetModel.load(evaluated)
    titles = BudgetHoldout.of(*(read_titles(path, model.price_year) for path in (train, holdout)))
    champion = _errors(BudgetModel.load(incumbent), titles) if incumbent else None
    found = measure(model, titles, seed, champion, read_votes(holdout))
    lines = holdout_record(titles.titles, read_dollars(holdout), *_errors(model, titles))
    if own_record is not None:
        write_record(own_record, lines)
    found["versus"]["record"], found["record_why"] = versus_record(
        record, TitleLine, lambda recorded: compare_with_record(lines, recorded, seed)
    )
    return found | {
        "beside": compare_beside(titles, _errors(model, titles), beside, seed),
        "shipped": check_shipped(
            partial(_measure_shipped, shipped, titles), found["metrics"]["log_rmse"]
        ),
    }


def _errors(model: BudgetModel, holdout: BudgetHoldout) -> Errors:
    return holdout.errors(model), holdout.errors(model, with_rating=False)


def _measure_shipped(folder: Path, holdout: BudgetHoldout) -> tuple[GoldenReport, float]:
    """The shipped bundle's golden report, and its error on the holdout, which is in its fit."""
    model = BudgetModel.load(folder)
    return model.check_golden(), _root_mean_square(holdout.errors(model))


def measure(
    model: BudgetModel,
    holdout: BudgetHoldout,
    seed: int,
    champion: Errors | None,
    votes: Mapping[str, int],
) -> dict[str, Any]:
    """The sections of `evaluation.json` from one bundle and one holdout.

    `champion` are the errors of the champion's recipe on the same titles. `votes` are by title id.
    """
    ours, ours_before = _errors(model, holdout)
    rated, before = holdout.estimates(model), holdout.estimates(model, with_rating=False)
    baselines = {
        "median_by_genre": holdout.actual - median_by_genre(holdout.train, holdout.titles),
        "ridge": holdout.actual - ridge(holdout.train, holdout.titles),
    }
    against = partial(compare_log_rmse, holdout.clusters, ours, seed=seed)
    against_before = partial(compare_log_rmse, holdout.clusters, ours_before, seed=seed)
    questions = {
        WITH_RATING: _question(holdout, ours, rated, seed),
        BEFORE_RELEASE: _question(holdout, ours_before, before, seed),
    }
    return {
        "model": "budget",
        "holdout": {
            "rows": len(holdout.titles),
            "people": 0,
            "titles": len(holdout.titles),
            "directors": holdout.clusters.count,
        },
        "metrics": _metrics(ours, rated, questions),
        "intervals": {
            "log_rmse": questions[WITH_RATING]["interval_of_rmse"],
            "log_rmse_before_release": questions[BEFORE_RELEASE]["interval_of_rmse"],
        },
        "baselines": {n: {"log_rmse": _root_mean_square(e)} for n, e in baselines.items()},
        "versus": {
            **{name: {"log_rmse": against(errors)} for name, errors in baselines.items()},
            "champion": champion
            and {
                "log_rmse": against(champion[0]),
                "log_rmse_before_release": against_before(champion[1]),
            },
            "record": None,
        },
        "questions": questions,
        "residuals": residuals(holdout, ours, holdout.inside(rated), seed),
        "calibration": calibration_by_decile(holdout.actual - ours, holdout.actual),
        "price_year": model.price_year,
        "films": most_voted_titles(holdout.titles, rated, before, votes),
    }


def _question(
    holdout: BudgetHoldout, errors: Floats, estimates: Sequence[BudgetEstimate], seed: int
) -> dict[str, Any]:
    """`question_figures`, the mean interval width, and the questions that were answered."""
    row = question_figures(holdout.clusters, errors, holdout.inside(estimates), seed)
    width = np.mean([math.log10(e.high / e.low) for e in estimates])
    answered_as = sorted({e.question for e in estimates})
    return row | {"width_log": float(width), "answered_as": answered_as}


def question_figures(
    clusters: Clusters, errors: Floats, inside: Mask, seed: int
) -> dict[str, float | list[float]]:
    """One question's `_figures` with their 95 % intervals, directors resampled."""
    return _figures(errors, inside) | {
        "bias_interval": mean_interval(clusters, errors, seed),
        "coverage_interval": mean_interval(clusters, inside, seed),
        "interval_of_rmse": rmse_interval(clusters, errors, seed),
    }


def _figures(errors: Floats, inside: Mask) -> dict[str, Any]:
    return {
        "films": len(errors),
        "bias": float(errors.mean()),
        "log_rmse": _root_mean_square(errors),
        "coverage": float(inside.mean()),
    }


def _metrics(
    errors: Floats, estimates: Sequence[BudgetEstimate], questions: Mapping[str, Any]
) -> dict[str, Any]:
    """The figures of the question with rating, and the number of titles by question answered."""
    rated = questions[WITH_RATING]
    return {
        "log_rmse": rated["log_rmse"],
        "mae_log": float(np.abs(errors).mean()),
        "bias_log": rated["bias"],
        "median_factor": float(10 ** np.median(np.abs(errors))),
        "answered": float(np.isfinite(errors).mean()),
        "interval_coverage": rated["coverage"],
        "interval_width_log": rated["width_log"],
        "questions": {
            question: sum(e.question == question for e in estimates)
            for question in (WITH_RATING, BEFORE_RELEASE)
        },
        "log_rmse_before_release": questions[BEFORE_RELEASE]["log_rmse"],
    }


def _root_mean_square(errors: Floats) -> float:
    return math.sqrt(float(np.mean(errors**2)))


def residuals(
    holdout: BudgetHoldout, errors: Floats, inside: Mask, seed: int
) -> dict[str, list[dict[str, Any]]]:
    """Where the model errs: `{"year": [...], "genre": [...], "size": [...]}`.

    Each row has `name`, `films`, `bias` (mean of log10(actual / estimate)), its 95 % `interval`
    (directors resampled), `log_rmse` and interval `coverage`. By size the bias always rises:
    regression to the mean.
    """
    groups = {"year": _years(holdout), "genre": _genres(holdout), "size": _sizes(holdout)}
    return {
        by: [
            {"name": name} | _group(holdout.clusters, errors, inside, rows, seed)
            for name, rows in found
        ]
        for by, found in groups.items()
    }


def _group(
    clusters: Clusters, errors: Floats, inside: Mask, rows: Mask, seed: int
) -> dict[str, Any]:
    interval = mean_interval(clusters.take(rows), errors[rows], seed)
    return _figures(errors[rows], inside[rows]) | {"interval": interval}


def _years(holdout: BudgetHoldout) -> list[tuple[str, Mask]]:
    years = np.array([title.year for title in holdout.titles])
    return _large_enough((str(year), years == year) for year in np.unique(years))


def _genres(holdout: BudgetHoldout) -> list[tuple[str, Mask]]:
    counts = Counter(genre for title in holdout.titles for genre in set(title.genres))
    return _large_enough(
        (genre, np.array([genre in title.genres for title in holdout.titles]))
        for genre, _ in counts.most_common(MOST_GENRES_SHOWN)
    )


def _sizes(holdout: BudgetHoldout) -> list[tuple[str, Mask]]:
    dollars = 10**holdout.actual
    edges: Sequence[float] = (0.0, *SIZES, np.inf)
    return [
        (_size_name(low, high), rows)
        for low, high in pairwise(edges)
        if (rows := (dollars >= low) & (dollars < high)).any()
    ]


def _size_name(low: float, high: float) -> str:
    if low == 0.0:
        return f"under ${high / 1e6:.0f} million"
    if high == np.inf:
        return f"${low / 1e6:.0f} million and more"
    return f"${low / 1e6:.0f} to {high / 1e6:.0f} million"


def _large_enough(groups: Iterable[tuple[str, Mask]]) -> list[tuple[str, Mask]]:
    return [(name, rows) for name, rows in groups if rows.sum() >= FEWEST_TITLES]


def most_voted_titles(
    titles: Sequence[KnownTitle],
    with_rating: Sequence[BudgetEstimate],
    before: Sequence[BudgetEstimate],
    votes: Mapping[str, int],
) -> list[dict[str, Any]]:
    """The SHOWN_TITLES with most votes, the largest budget first, in dollars of the price year.

    `reasons` are the largest contributions as factors: 2 doubles the estimate.
    """
    ranked = sorted(
        range(len(titles)), key=lambda i: (-votes.get(titles[i].title_id, 0), titles[i].title_id)
    )
    chosen = ranked[:SHOWN_TITLES]
    chosen.sort(key=lambda i: (-titles[i].log_budget, titles[i].title_id))
    return [_title_row(titles[i], with_rating[i], before[i]) for i in chosen]


def _title_row(title: KnownTitle, rated: BudgetEstimate, before: BudgetEstimate) -> dict[str, Any]:
    moved = {name: share for name, share in rated.contributions.items() if name != TYPICAL}
    main = sorted(moved, key=lambda name: (-abs(moved[name]), name))[:SHOWN_REASONS]
    return {
        "title_id": title.title_id,
        "title": title.title,
        "year": title.year,
        "directors": list(title.director_names or title.directors),
        "rating": title.rating,
        "actual": 10**title.log_budget,
        "estimate": rated.median,
        "interval": [rated.low, rated.high],
        "before_release": before.median,
        "reasons": {name: 10 ** moved[name] for name in main},
        "notes": list(rated.notes),
    }
