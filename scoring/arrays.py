"""Array types of scoring, and operations on rows: lookup, top n, sparse matrices."""

from __future__ import annotations

import mmap
from itertools import pairwise
from typing import Any

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


def places_in(chosen: Rows, rows: int, other: int) -> Rows:
    """The place of each of so many rows in `chosen`; `other` for a row that is not there."""
    places = np.full(rows, other, dtype=np.intp)
    places[chosen] = np.arange(len(chosen))
    return places


def pieces(rows: int, most: int) -> list[slice]:
    """All rows, at most so many at a time."""
    return [slice(start, start + most) for start in range(0, rows, most)]


def forget_pages(array: NDArray[Any]) -> None:
    """Give the pages of a mapped array back; the kernel keeps them in its cache, and no memory.

    They are read again where they are needed. Does nothing to an array that is not mapped.
    """
    owner: object = array
    while isinstance(owner, np.ndarray):
        owner = owner.base
    if isinstance(owner, mmap.mmap):
        owner.madvise(mmap.MADV_DONTNEED)


def top_rows(scores: Floats | Singles, n: int) -> Rows:
    """The rows of the `n` highest scores, best first; equal scores in row order.

    Scores of minus infinity are never returned.
    """
    n = min(n, len(scores))
    if n <= 0:
        return np.empty(0, dtype=np.intp)
    if n == 1:  # an eighth of a partition's time
        first = int(np.argmax(scores))
        return np.array([first] if scores[first] > -np.inf else [], dtype=np.intp)
    bound = np.partition(scores, len(scores) - n)[len(scores) - n]
    rows = np.flatnonzero((scores >= bound) & (scores > -np.inf))
    return rows[np.argsort(-scores[rows], kind="stable")][:n]


def top_rows_of_each(scores: Floats, n: int) -> list[Rows]:
    """`top_rows` of each row of `scores` [R, I], all at once."""
    count, wide = scores.shape
    n = min(n, wide)
    if n <= 0 or not count:
        return [np.empty(0, dtype=np.intp)] * count
    bounds = np.partition(scores, wide - n, axis=1)[:, wide - n, None]
    rows, columns = np.nonzero((scores >= bounds) & (scores > -np.inf))
    order = np.lexsort((-scores[rows, columns], rows))  # stable: equal scores in column order
    starts = np.searchsorted(rows, np.arange(count + 1)).tolist()
    best = columns[order]
    return [best[a : min(b, a + n)] for a, b in pairwise(starts)]


# Sparse matrices in compressed rows (CSR): row r has the columns `indices[indptr[r]:indptr[r + 1]]`
# and the `values` at the same positions.


def row_ends(counts: Ints | Rows) -> Ints:
    """`indptr` [rows + 1] from the number of elements in each row."""
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


def sparse_fault(
    name: str, indptr: Ints, indices: ShortInts, values: Singles, shape: tuple[int, int]
) -> str:
    """Why three arrays are no sparse matrix of this shape, in a sentence; empty where they are one.

    `name` is the prefix of the arrays' file names. Each row of `indices` holds titles.
    """
    rows, titles = shape
    ascends = indptr.shape == (rows + 1,) and indptr[0] == 0 and bool((np.diff(indptr) >= 0).all())
    if not (ascends and indptr[-1] == len(indices) == len(values)):
        return f"{name}_indptr does not fit"
    if len(indices) and (indices.min() < 0 or indices.max() >= titles):
        return f"{name}_indices points outside the titles"
    return "" if np.isfinite(values).all() else f"{name}_values: a value is not finite"
