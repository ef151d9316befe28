"""The ranker as factors: a score is a person's vector times a title's.

A new person's vector solves implicit ALS's equations with the titles fixed: confidence 1 + alpha
for a rated title and 1 for the rest (Hu, Koren and Volinsky, Collaborative Filtering for Implicit
Feedback Datasets, ICDM 2008). The ridge is Spark's, `reg` times the number of ratings, or where a
`power` is given that of Rendle et al., Revisiting the Performance of iALS on Item Recommendation
Benchmarks (RecSys 2022), section 3.3, which counts the titles not rated too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scoring.arrays import Floats, Mask, Rows, Singles


@dataclass(frozen=True)
class ImplicitFoldIn:
    """How people's factors follow from the titles they rated."""

    alpha: float
    reg: float
    power: float | None = None

    def ridge(self, rated: int, titles: int) -> float:
        """The diagonal for somebody who rated so many of so many titles."""
        if self.power is None:
            return self.reg * rated
        rest = 1.0 / (1.0 + self.alpha)  # the weight of a title not rated beside a rated one
        return float(self.reg * (rated + rest * titles) ** self.power / rest)

    def inverse(self, gramian: Floats, rated: Floats, titles: int) -> Floats:
        """(Y'Y + alpha R'R + ridge I)^-1, where R [n, K] are the rated titles' factors."""
        # A title without factors (all zero) is none that was fitted: it counts for nothing.
        n = int(rated.any(axis=1).sum())
        ridge = self.ridge(max(n, 1), titles) * np.eye(rated.shape[1])
        system: Floats = gramian + self.alpha * (rated.T @ rated) + ridge
        inverse: Floats = np.linalg.inv(system).astype(np.float64)
        return inverse


class FactorRanker:
    """`users` [U, K] and `items` [I, K]; a title whose factors are all zero is not known."""

    def __init__(self, users: Singles, items: Singles, fold_in: ImplicitFoldIn) -> None:
        self._users, self._items, self.equations = users, items, fold_in
        factors = items.astype(np.float64)
        self._gramian: Floats = factors.T @ factors
        self._norms: Floats = np.sqrt((factors**2).sum(axis=1))
        self._known: Mask = self._norms > 0.0
        self._titles = int(self._known.sum())

    @property
    def known(self) -> Mask:
        """Titles with factors."""
        return self._known

    def personal(self, user: int, rated: Rows) -> Floats:
        """By the person's trained factors."""
        scores: Floats = (self._items @ self._users[user]).astype(np.float64)
        return scores

    def fold_in(self, rated: Rows) -> Floats:
        """By factors solved from the rated titles."""
        scores: Floats = (self._items @ self.person(rated).astype(np.float32)).astype(np.float64)
        return scores

    def person(self, rated: Rows) -> Floats:
        """Factors [K] of a person who rated these titles."""
        theirs = self._items[rated].astype(np.float64)
        own: Floats = self._inverse(theirs) @ ((1.0 + self.equations.alpha) * theirs.sum(axis=0))
        return own

    def reasons(self, rated: Rows, wanted: Rows) -> Floats:
        """Rows sum to the folded-in score (Hu, Koren and Volinsky, section 5)."""
        theirs, asked = (self._items[rows].astype(np.float64) for rows in (rated, wanted))
        shares: Floats = (1.0 + self.equations.alpha) * (asked @ self._inverse(theirs) @ theirs.T)
        return shares

    def similarities(self, title: int) -> Floats:
        """Cosines of the titles' factors."""
        nearness: Floats = np.full(len(self._norms), -np.inf)
        if not self._known[title]:
            return nearness
        products = (self._items @ self._items[title])[self._known]
        nearness[self._known] = products / (self._norms[self._known] * self._norms[title])
        nearness[title] = -np.inf
        return nearness

    def _inverse(self, rated: Floats) -> Floats:
        return self.equations.inverse(self._gramian, rated, self._titles)
