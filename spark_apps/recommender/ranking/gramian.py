"""X'X of who rated what, summed by Spark: each task holds whole people and multiplies theirs.

A join of the ratings with themselves would make a row of every pair of titles that a person rated:
47 million on 100,000 ratings. A dense product of 256 people takes milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame

from scoring.arrays import Floats, ShortInts
from spark_apps.recommender.als import blocks_for

PEOPLE_AT_ONCE = 256
ROWS_AT_ONCE = 256  # of the result, in one record: 8 MB at 4,000 titles
MOST_TASKS = 8  # each makes a whole Gramian
Partial = Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]


def gramian(frame: DataFrame, column: ShortInts, rows: int, power: float, mean: float) -> Floats:
    """X' diag((n / mean)^-power) X [N, N] over the titles whose `column` is not -1.

    `column` [I] maps a title's row to 0 .. N-1; n is how many of those titles a person rated.
    """
    titles = int(column.max(initial=-1)) + 1
    tasks = min(MOST_TASKS, blocks_for(rows))
    pieces = (
        frame.select("user", "item")
        .repartition(tasks, "user")
        .mapInArrow(_partial(column, titles, power, mean), "first int, cells binary")
        # A whole Gramian as one task's result (50 MB at 2,500 titles) is lost where the driver's
        # memory is tight; through a shuffle it arrives in pieces.
        .repartition(-(-titles // ROWS_AT_ONCE) or 1, "first")
    )
    total: Floats = np.zeros((titles, titles))
    for piece in pieces.toLocalIterator():
        cells = np.frombuffer(piece["cells"], dtype=np.float64).reshape(-1, titles)
        total[piece["first"] : piece["first"] + len(cells)] += cells
    return total


def _partial(column: ShortInts, titles: int, power: float, mean: float) -> Partial:
    """What one task does; it is sent to executors by value and calls nothing of this module."""
    at_once, rows_at_once = PEOPLE_AT_ONCE, ROWS_AT_ONCE

    def multiply(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        rated = [(b["user"].to_numpy(), column[b["item"].to_numpy()]) for b in batches]
        if not rated:
            return
        users, items = (np.concatenate(parts) for parts in zip(*rated))
        users, items = users[items >= 0], items[items >= 0]
        _, person, counts = np.unique(users, return_inverse=True, return_counts=True)
        weights = (counts / mean) ** (-0.5 * power)
        total = np.zeros((titles, titles))
        for first in range(0, len(counts), at_once):
            here = (person >= first) & (person < first + at_once)
            block = np.zeros((min(at_once, len(counts) - first), titles))
            block[person[here] - first, items[here]] = weights[person[here]]
            total += block.T @ block
        for first in range(0, titles, rows_at_once):
            cells = total[first : first + rows_at_once].tobytes()
            yield pa.RecordBatch.from_arrays(
                [pa.array([first], pa.int32()), pa.array([cells], pa.binary())],
                names=["first", "cells"],
            )

    return multiply
