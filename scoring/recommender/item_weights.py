"""A ranker of sparse weights between titles: a score is the sum of what each rated title adds.

Such a ranker folds everybody in: it keeps nothing of a person but which titles they rated, and in
which order. `rankers.py` makes it for the families `ease` and `ease_als`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scoring.arrays import Floats, Ints, Mask, Rows, ShortInts, Singles, row_ends, sparse_fault

WEIGHT_ARRAYS: dict[str, type[np.generic]] = {
    "weights_indptr": np.int64,
    "weights_indices": np.int32,
    "weights_values": np.float32,
}
"""What a bundle keeps of `ItemWeights`, as files `rank_<name>.npy`."""
GATHER_COST = 5  # gathering a fifth of all weights takes as long as one pass over all of them


@dataclass(frozen=True)
class ItemWeights:
    """What having rated a title adds to the scores of others, in compressed rows: one row for each
    rated title.

    `indptr` [I+1], `indices` [weights] (rows of the titles added to), `values` [weights].
    """

    indptr: Ints
    indices: ShortInts
    values: Singles

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> ItemWeights:
        """From a bundle's arrays (see `WEIGHT_ARRAYS`); KeyError where one is missing."""
        return cls(*(arrays[name] for name in WEIGHT_ARRAYS))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """As a bundle keeps them."""
        return dict(zip(WEIGHT_ARRAYS, (self.indptr, self.indices, self.values), strict=True))

    def fault(self, titles: int) -> str:
        """What does not fit a catalogue of so many titles, in a sentence; empty where all fits."""
        shape = titles, titles
        return sparse_fault("rank_weights", self.indptr, self.indices, self.values, shape)

    def rows(self, titles: Rows) -> tuple[Rows, Ints, Singles]:
        """All weights of these titles, one entry each: the place in `titles` of the title that
        adds, the row of the title added to, and the weight."""
        starts, ends = self.indptr[titles], self.indptr[titles + 1]
        counts = ends - starts
        place = np.repeat(np.arange(len(titles)), counts)
        before = np.repeat(np.cumsum(counts) - counts, counts)
        at = np.arange(len(place)) - before + np.repeat(starts, counts)
        return place, self.indices[at].astype(np.int64), self.values[at]


def item_weights_fault(arrays: Mapping[str, NDArray[Any]], titles: int) -> str:
    """What does not fit in a bundle's arrays; empty where all fits."""
    return ItemWeights.from_arrays(arrays).fault(titles)


@dataclass(frozen=True)
class ScoredRows:
    """The same weights with one row for each scored title, so that sums run along memory.

    `indptr` [I+1], `rated` [weights] (rows of the titles that add), `values` [weights]. The types
    are wide, 16 bytes a weight: a gather by 32-bit rows takes four times as long.
    """

    indptr: Ints
    rated: Rows
    values: Floats

    @classmethod
    def of(cls, weights: ItemWeights) -> ScoredRows:
        """The transpose."""
        titles = len(weights.indptr) - 1
        order = np.argsort(weights.indices, kind="stable")
        rated = np.repeat(np.arange(titles), np.diff(weights.indptr))[order]
        counts = np.bincount(weights.indices, minlength=titles)
        return cls(row_ends(counts), rated, weights.values[order].astype(np.float64))

    def sums(self, importance: Floats) -> Floats:
        """Scores [I] where each title I counts as much as `importance` [I] says."""
        adds = importance.take(self.rated)
        adds *= self.values
        scores: Floats = np.zeros(len(importance))
        filled = np.flatnonzero(np.diff(self.indptr))
        if len(filled):
            scores[filled] = np.add.reduceat(adds, self.indptr[filled])
        return scores

    def column(self, title: int) -> tuple[Rows, Floats]:
        """The titles that add to this one, and how much."""
        row = slice(self.indptr[title], self.indptr[title + 1])
        return self.rated[row], self.values[row]


class ItemWeightRanker:
    """Scores by `weights`, ratings counted alike or, with `recency`, the latest more."""

    def __init__(self, weights: ItemWeights, recency: Recency | None = None) -> None:
        self.weights, self.recency = weights, recency
        self._known: Mask = np.diff(weights.indptr) > 0
        self._known[weights.indices] = True
        self._scored_rows = ScoredRows.of(weights)

    @classmethod
    def read(
        cls, arrays: Mapping[str, NDArray[Any]], recency: Mapping[str, Any] | None
    ) -> ItemWeightRanker:
        """From a bundle's arrays, and the recency of its `fold_in.ranker`."""
        return cls(ItemWeights.from_arrays(arrays), Recency(**recency) if recency else None)

    @property
    def known(self) -> Mask:
        """Titles that add to another or are added to."""
        return self._known

    def personal(self, user: int, rated: Rows) -> Floats:
        """The same as for a stranger with these ratings."""
        return self.fold_in(rated)

    def fold_in(self, rated: Rows) -> Floats:
        """The sum of what the rated titles add, weighted by their age.

        The weights of few titles are gathered; for many titles one pass over all is faster.
        """
        importance, indptr = self._importance(len(rated)), self.weights.indptr
        if GATHER_COST * (indptr[rated + 1] - indptr[rated]).sum() > indptr[-1]:
            by_title = np.bincount(rated, importance, minlength=len(self._known))
            return self._scored_rows.sums(by_title.astype(np.float64))
        place, titles, values = self.weights.rows(rated)
        found = np.bincount(titles, values * importance[place], minlength=len(self._known))
        scores: Floats = found.astype(np.float64)  # bincount of nothing counts in whole numbers
        return scores

    def reasons(self, rated: Rows, wanted: Rows) -> Floats:
        """Rows sum to the score."""
        place = np.full(len(self._known), -1)
        place[rated] = np.arange(len(rated))
        shares: Floats = np.zeros((len(wanted), len(rated)))
        for row, title in enumerate(wanted.tolist()):
            adding, values = self._scored_rows.column(title)
            counted = place[adding] >= 0
            shares[row, place[adding[counted]]] = values[counted]
        return shares * self._importance(len(rated))

    def similarities(self, title: int) -> Floats:
        """What having rated `title` adds; only titles it speaks for."""
        nearness: Floats = np.full(len(self._known), -np.inf)
        _, titles, values = self.weights.rows(np.array([title]))
        nearness[titles[values > 0.0]] = values[values > 0.0]
        return nearness

    def _importance(self, ratings: int) -> Floats:
        return self.recency.weights(ratings) if self.recency else np.ones(ratings)


@dataclass(frozen=True)
class Recency:
    """How much a rating counts for what comes next: the latest counts 1, the one `span` ratings
    before it 1/e of that, and none less than the `floor` (0 to 1).

    The clock is the person's own count of ratings, not days: somebody who comes back after a year
    is met where they stopped.
    """

    span: float
    floor: float

    def weights(self, ratings: int) -> Floats:
        """Weights [ratings] of a person's ratings, oldest first; the latest has 1."""
        age = np.arange(ratings - 1, -1, -1, dtype=np.float64)
        weights: Floats = self.floor + (1.0 - self.floor) * np.exp(-age / self.span)
        return weights
