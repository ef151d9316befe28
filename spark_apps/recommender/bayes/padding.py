"""Ragged rows as few rectangles: people (or titles) with about as many ratings lie together.

NumPy multiplies a stack of equal matrices fast and a list of unequal ones slowly. Rows padded to
the longest of their group waste less than the slack, and nothing of one group waits for another.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scoring.arrays import Ints, Rows

SLACK = 1.3  # the longest row of a group over its shortest
SPARE = 4  # short rows may differ by this many
CELLS = 400_000  # of a rectangle at most: 60 MB a gather of 20 columns


@dataclass(frozen=True)
class Group:
    """Rows `own` [g] with their partners `others` [g, longest] and where their ratings lie.

    Padding is the number of partners (or ratings): one past the last.
    """

    own: Rows
    others: Rows
    places: Rows


def group_rows(own: Rows, others: Rows, count: int, partners: int) -> list[Group]:
    """Every row 0..count-1 is in exactly one group, those without ratings in one of width 0."""
    order = np.argsort(own, kind="stable")
    counts = np.bincount(own, minlength=count)
    starts = np.concatenate([[0], np.cumsum(counts)])
    by_size = np.argsort(counts, kind="stable")
    groups = []
    for rows in _alike(by_size, counts[by_size]):
        steps = np.arange(counts[rows].max())[None]
        inside = steps < counts[rows][:, None]
        where = np.minimum(starts[rows][:, None] + steps, len(own) - 1)
        places = np.where(inside, order[where], len(own))
        partner = np.where(inside, others[order[where]], partners)
        groups.append(Group(rows, partner, places))
    return groups


def _alike(by_size: Ints, sizes: Ints) -> list[Rows]:
    """Consecutive runs of rows of nearly one size, none with more than CELLS cells."""
    runs, start = [], 0
    while start < len(by_size):
        limit = max(sizes[start] * SLACK, sizes[start] + SPARE) if sizes[start] else 0
        end = int(np.searchsorted(sizes, limit, side="right"))
        end = min(end, start + max(1, int(CELLS // max(sizes[end - 1], 1))))
        runs.append(by_size[start:end])
        start = end
    return runs
