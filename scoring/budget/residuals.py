"""Where a budget model errs: by year, by genre, by size of the film, by question."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from scoring.arrays import Floats, Mask
from scoring.budget.clusters import Clusters, mean_interval, rmse_interval
from scoring.budget.exam import BudgetExam, rms

FEWEST_FILMS = 5  # of a year or a genre that is shown by itself
MOST_GENRES_SHOWN = 16
SIZES = (1e6, 5e6, 10e6, 25e6, 50e6, 100e6)  # dollars of the price year


def residuals(
    exam: BudgetExam, errors: Floats, inside: Mask, seed: int
) -> dict[str, list[dict[str, Any]]]:
    """`{"year": [...], "genre": [...], "size": [...]}`; each row has `name`, `films`, `bias` (mean
    of log10 actual over estimate), its 95 % `interval` (directors resampled), `log_rmse` and
    interval `coverage`.

    By size the bias is steep by nature: films are sorted by the truth, which no estimate knows.
    """
    groups = {"year": _years(exam), "genre": _genres(exam), "size": _sizes(exam)}
    return {
        by: [
            {"name": name} | _group(exam.clusters, errors, inside, rows, seed)
            for name, rows in found
        ]
        for by, found in groups.items()
    }


def question_row(
    clusters: Clusters, errors: Floats, inside: Mask, seed: int
) -> dict[str, float | list[float]]:
    """One question's whole figures; every interval is a 95 % one, directors resampled."""
    return _figures(errors, inside) | {
        "bias_interval": mean_interval(clusters, errors, seed),
        "coverage_interval": mean_interval(clusters, inside, seed),
        "interval_of_rmse": rmse_interval(clusters, errors, seed),
    }


def _group(
    clusters: Clusters, errors: Floats, inside: Mask, rows: Mask, seed: int
) -> dict[str, Any]:
    interval = mean_interval(clusters.take(rows), errors[rows], seed)
    return _figures(errors[rows], inside[rows]) | {"interval": interval}


def _figures(errors: Floats, inside: Mask) -> dict[str, Any]:
    return {
        "films": len(errors),
        "bias": float(errors.mean()),
        "log_rmse": rms(errors),
        "coverage": float(inside.mean()),
    }


def _years(exam: BudgetExam) -> list[tuple[str, Mask]]:
    years = np.array([film.year for film in exam.films])
    return _large_enough((str(year), years == year) for year in np.unique(years))


def _genres(exam: BudgetExam) -> list[tuple[str, Mask]]:
    counts = Counter(genre for film in exam.films for genre in set(film.genres))
    return _large_enough(
        (genre, np.array([genre in film.genres for film in exam.films]))
        for genre, _ in counts.most_common(MOST_GENRES_SHOWN)
    )


def _sizes(exam: BudgetExam) -> list[tuple[str, Mask]]:
    dollars = 10**exam.actual
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


def _large_enough(groups: Any) -> list[tuple[str, Mask]]:
    return [(name, rows) for name, rows in groups if rows.sum() >= FEWEST_FILMS]
