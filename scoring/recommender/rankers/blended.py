"""Two rankers as one: each person's scores are standardised, then added by a fixed share.

Factors and item weights err on different titles. Their scores have different units, so each is
measured in its own standard deviations over the titles that either ranks.
"""

from __future__ import annotations

from scoring.arrays import Floats, Mask, Rows
from scoring.recommender.rankers.factors import FactorRanker
from scoring.recommender.rankers.item_weights import ItemWeightRanker


class BlendedRanker:
    """`share` is the factors'; the rest is the item weights'."""

    def __init__(self, factors: FactorRanker, items: ItemWeightRanker, share: float) -> None:
        self.factors, self.items, self.share = factors, items, share
        self._known: Mask = factors.known | items.known

    @property
    def known(self) -> Mask:
        """Titles that either ranks."""
        return self._known

    def personal(self, user: int, rated: Rows) -> Floats:
        """Trained factors and item weights."""
        return self._mixed(self.factors.personal(user, rated), self.items.fold_in(rated))

    def fold_in(self, rated: Rows) -> Floats:
        """Factors solved from the rated titles, and item weights."""
        return self._mixed(self.factors.fold_in(rated), self.items.fold_in(rated))

    def reasons(self, rated: Rows, wanted: Rows) -> Floats:
        """Both parts' shares in the units of the blend; rows sum to the score but for a shift."""
        ours = self.factors.reasons(rated, wanted) / self._spread(self.factors.fold_in(rated))
        theirs = self.items.reasons(rated, wanted) / self._spread(self.items.fold_in(rated))
        shares: Floats = self.share * ours + (1.0 - self.share) * theirs
        return shares

    def similarities(self, title: int) -> Floats:
        """The factors' cosines: item weights leave out what another title already explains."""
        return self.factors.similarities(title)

    def _mixed(self, ours: Floats, theirs: Floats) -> Floats:
        parts = [(s - s[self._known].mean()) / self._spread(s) for s in (ours, theirs)]
        mixed: Floats = self.share * parts[0] + (1.0 - self.share) * parts[1]
        return mixed

    def _spread(self, scores: Floats) -> float:
        """Scores that are all alike say nothing: they stay at zero."""
        spread = float(scores[self._known].std())
        return spread if spread > 1e-12 else 1.0
