"""The ranker as sparse weights between titles: a score is the sum of what each rated title adds.

Fold-in is by nature: nothing is kept of a person but which titles they rated, and in which order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scoring.arrays import Floats, Ints, Mask, Rows, ShortInts, Singles
from scoring.recommender.rankers.recency import Recency

MANY = 5  # gathering a fifth of all weights takes as long as one pass over all of them


@dataclass(frozen=True)
class ItemWeights:
    """What having rated a title adds to others, in compressed rows: one row a rated title.

    `indptr` [I+1], `indices` [weights] (rows of the titles added to), `values` [weights].
    """

    indptr: Ints
    indices: ShortInts
    values: Singles

    def fault(self, titles: int) -> str:
        """What does not fit a catalogue of so many titles; empty where all does."""
        ends, rows, values = self.indptr, self.indices, self.values
        if not (ends.shape == (titles + 1,) and ends[0] == 0 and (np.diff(ends) >= 0).all()):
            return "rank_weights_indptr does not fit"
        if not ends[-1] == len(rows) == len(values):
            return "rank_weights_indptr does not fit"
        if len(rows) and (rows.min() < 0 or rows.max() >= titles):
            return "rank_weights_indices points outside the titles"
        return "" if np.isfinite(values).all() else "rank_weights_values: a value is not finite"

    def rows(self, titles: Rows) -> tuple[Rows, Ints, Singles]:
        """All weights of these titles: place in `titles`, title added to, weight."""
        starts, ends = self.indptr[titles], self.indptr[titles + 1]
        counts = ends - starts
        place = np.repeat(np.arange(len(titles)), counts)
        before = np.repeat(np.cumsum(counts) - counts, counts)
        at = np.arange(len(place)) - before + np.repeat(starts, counts)
        return place, self.indices[at].astype(np.int64), self.values[at]


@dataclass(frozen=True)
class ByScored:
    """The same weights in rows of the title added to: sums then run along memory.

    `indptr` [I+1], `rated` [weights] (rows of the titles that add), `values` [weights]. Wide types,
    16 bytes a weight: a gather by 32-bit rows takes four times as long.
    """

    indptr: Ints
    rated: Rows
    values: Floats

    @classmethod
    def of(cls, weights: ItemWeights) -> ByScored:
        """The transpose."""
        titles = len(weights.indptr) - 1
        order = np.argsort(weights.indices, kind="stable")
        rated = np.repeat(np.arange(titles), np.diff(weights.indptr))[order]
        counts = np.bincount(weights.indices, minlength=titles)
        indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        return cls(indptr, rated, weights.values[order].astype(np.float64))

    def sums(self, ages: Floats) -> Floats:
        """Scores [I] where each title I counts as much as `ages` [I] says."""
        adds = ages.take(self.rated)
        adds *= self.values
        scores: Floats = np.zeros(len(ages))
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
        self._by_scored = ByScored.of(weights)

    @property
    def known(self) -> Mask:
        """Titles that add to another or are added to."""
        return self._known

    def personal(self, user: int, rated: Rows) -> Floats:
        """The same as for a stranger with these ratings."""
        return self.fold_in(rated)

    def fold_in(self, rated: Rows) -> Floats:
        """What the rated titles add, weighted by their age.

        Few titles' own weights are gathered; somebody who rated much is met by one pass over all.
        """
        ages, indptr = self._ages(len(rated)), self.weights.indptr
        if MANY * (indptr[rated + 1] - indptr[rated]).sum() > indptr[-1]:
            by_title = np.bincount(rated, ages, minlength=len(self._known))
            return self._by_scored.sums(by_title.astype(np.float64))
        place, titles, values = self.weights.rows(rated)
        found = np.bincount(titles, values * ages[place], minlength=len(self._known))
        scores: Floats = found.astype(np.float64)  # bincount of nothing counts in whole numbers
        return scores

    def reasons(self, rated: Rows, wanted: Rows) -> Floats:
        """Rows sum to the score."""
        place = np.full(len(self._known), -1)
        place[rated] = np.arange(len(rated))
        shares: Floats = np.zeros((len(wanted), len(rated)))
        for row, title in enumerate(wanted.tolist()):
            adding, values = self._by_scored.column(title)
            asked = place[adding] >= 0
            shares[row, place[adding[asked]]] = values[asked]
        return shares * self._ages(len(rated))

    def similarities(self, title: int) -> Floats:
        """What having rated `title` adds; only titles it speaks for."""
        nearness: Floats = np.full(len(self._known), -np.inf)
        _, titles, values = self.weights.rows(np.array([title]))
        nearness[titles[values > 0.0]] = values[values > 0.0]
        return nearness

    def _ages(self, ratings: int) -> Floats:
        return self.recency.weights(ratings) if self.recency else np.ones(ratings)
