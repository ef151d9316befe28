"""Names for the arrays that scoring passes around."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Ints = NDArray[np.int64]
ShortInts = NDArray[np.int32]
Rows = NDArray[np.intp]
Mask = NDArray[np.bool_]


def rows_of(ids: Ints, wanted: Ints) -> Rows:
    """The row of each wanted id in the ascending `ids`; -1 where it is not among them."""
    if not len(ids):
        return np.full(len(wanted), -1, dtype=np.intp)
    rows = np.minimum(np.searchsorted(ids, wanted), len(ids) - 1)
    return np.where(ids[rows] == wanted, rows, -1)


def top_rows(scores: Floats | Singles, n: int) -> Rows:
    """The rows of the `n` highest scores, best first; equal scores in row order.

    Scores of minus infinity are never returned.
    """
    n = min(n, len(scores))
    if n <= 0:
        return np.empty(0, dtype=np.intp)
    bound = np.partition(scores, len(scores) - n)[len(scores) - n]
    rows = np.flatnonzero((scores >= bound) & (scores > -np.inf))
    return rows[np.argsort(-scores[rows], kind="stable")][:n]
