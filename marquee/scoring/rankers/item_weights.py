"""The ranker as sparse weights between titles: a score is the sum of what each rated title adds.

Fold-in is by nature: nothing is kept of a person but which titles they rated, and in which order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from marquee.scoring.arrays import Floats, Ints, Mask, Rows, ShortInts, Singles
from marquee.scoring.rankers.recency import Recency


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


class ItemWeightRanker:
    """Scores by `weights`, ratings counted alike or, with `recency`, the latest more."""

    def __init__(self, weights: ItemWeights, recency: Recency | None = None) -> None:
        self.weights, self.recency = weights, recency
        self._known: Mask = np.diff(weights.indptr) > 0
        self._known[weights.indices] = True

    @property
    def known(self) -> Mask:
        """Titles that add to another or are added to."""
        return self._known

    def personal(self, user: int, rated: Rows) -> Floats:
        """The same as for a stranger with these ratings."""
        return self.fold_in(rated)

    def fold_in(self, rated: Rows) -> Floats:
        """What the rated titles add, weighted by their age."""
        place, titles, values = self.weights.rows(rated)
        adds = values * self._ages(len(rated))[place]
        found = np.bincount(titles, weights=adds, minlength=len(self._known))
        scores: Floats = found.astype(np.float64)  # bincount of nothing counts in whole numbers
        return scores

    def reasons(self, rated: Rows, wanted: Rows) -> Floats:
        """Rows sum to the score."""
        place, titles, values = self.weights.rows(rated)
        column = np.full(len(self._known), -1)
        column[wanted] = np.arange(len(wanted))
        asked = column[titles] >= 0
        shares: Floats = np.zeros((len(wanted), len(rated)))
        shares[column[titles[asked]], place[asked]] = values[asked]
        return shares * self._ages(len(rated))

    def similarities(self, title: int) -> Floats:
        """What having rated `title` adds; only titles it speaks for."""
        nearness: Floats = np.full(len(self._known), -np.inf)
        _, titles, values = self.weights.rows(np.array([title]))
        nearness[titles[values > 0.0]] = values[values > 0.0]
        return nearness

    def _ages(self, ratings: int) -> Floats:
        return self.recency.weights(ratings) if self.recency else np.ones(ratings)
