"""Calibration: where a model says so much, how much is it?"""

from __future__ import annotations

from typing import Any

import numpy as np

from scoring.arrays import Floats, Ints

HALF_STAR = 0.5
GROUPS = 10


def by_half_star(predicted: Floats, actual: Floats) -> list[dict[str, Any]]:
    """Predictions gathered to the nearest half star, see `_groups`."""
    return _groups(np.round(predicted / HALF_STAR).astype(np.int64), predicted, actual)


def by_tenths(predicted: Floats, actual: Floats) -> list[dict[str, Any]]:
    """Predictions in ten groups of like size, the lowest first, see `_groups`."""
    order = np.argsort(np.argsort(predicted, kind="stable"), kind="stable")
    return _groups(order * GROUPS // max(len(predicted), 1), predicted, actual)


def shares_of_stars(values: Floats) -> dict[str, float]:
    """How much of `values` lies at each half star, `{"3.5": 0.2, …}`, the lowest first."""
    stars, counts = np.unique(np.round(values / HALF_STAR) * HALF_STAR, return_counts=True)
    return {f"{star:g}": float(n / len(values)) for star, n in zip(stars, counts)}


def _groups(group: Ints, predicted: Floats, actual: Floats) -> list[dict[str, Any]]:
    """Of each group: rows, the mean prediction, the mean truth and the truth's middle half."""
    found = []
    for key in np.unique(group):
        rows = group == key
        low, high = np.quantile(actual[rows], [0.25, 0.75])
        found.append(
            {
                "rows": int(rows.sum()),
                "predicted": float(predicted[rows].mean()),
                "actual": float(actual[rows].mean()),
                "middle_half": [float(low), float(high)],
            }
        )
    return found
