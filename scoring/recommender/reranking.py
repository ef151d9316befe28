"""Re-ranking: a list that is more varied than the order of scores, at a price in relevance.

Maximal marginal relevance (Carbonell and Goldstein, The Use of MMR, Diversity-Based Reranking for
Reordering Documents and Producing Summaries, SIGIR 1998): the list is filled from its best
candidates one by one, each time with the candidate of the highest

    (1 - diversity) * relevance + diversity * (unlikeness + novelty) / 2

- relevance: the person's score, 0 for the last candidate and 1 for the best;
- unlikeness: 1 - the largest cosine to a title that is already in the list;
- novelty: -log2 of popularity, 0 for the most and 1 for the least popular candidate. A cold title,
  which the ranker does not know, has the mean of the others: few ratings say nothing of how known
  it is, and as the most novel it would lead every list.

Novelty is not part of MMR. Without it lists name other genres, and no more titles of the catalogue
than before: popular titles differ from each other, too (ADR 43).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scoring.arrays import Floats, Mask, Rows, Singles

CANDIDATES = 100
"""A list is chosen from this many candidates, or from twice its length where that is more."""
NOVELTY_SHARE = 0.5
"""The weight of novelty beside unlikeness; chosen on inner splits (bench/logs)."""
SMALLEST_POPULARITY = 0.5
"""Where no candidate was rated, all are equally novel."""


def candidates(n: int, diversity: float) -> int:
    """The number of candidates for a list of `n`; without diversity these are the list."""
    return max(CANDIDATES, 2 * n) if diversity else n


@dataclass(frozen=True)
class RankedRows:
    """Rows of titles, best first, with the score and the strategy of each."""

    rows: Rows
    scores: Floats
    strategies: NDArray[np.str_]

    @classmethod
    def of(cls, rows: Rows, scores: Floats, strategy: str) -> RankedRows:
        """Titles of one strategy; `scores` [I] are of all titles."""
        return cls(rows, scores[rows], np.full(len(rows), strategy, dtype="<U8"))

    def then(self, other: RankedRows) -> RankedRows:
        """These titles, then the other's."""
        return RankedRows(
            np.concatenate([self.rows, other.rows]),
            np.concatenate([self.scores, other.scores]),
            np.concatenate([self.strategies, other.strategies]),
        )

    def take(self, places: Rows) -> RankedRows:
        """The titles at these places, in their order."""
        return RankedRows(self.rows[places], self.scores[places], self.strategies[places])


@dataclass(frozen=True)
class Reranker:
    """Chooses lists from candidates.

    Two titles are as like as the cosine of their rows of `content` [I, K], or, where one of them
    has none, of their rows of `factors` [I, L]. `popularity` [I] counts ratings. `known` [I] marks
    the titles that the ranker knows.
    """

    content: Singles | None
    factors: Singles
    popularity: Floats
    known: Mask

    def choose(self, pool: RankedRows, n: int, diversity: float) -> RankedRows:
        """The list of `n` from the candidates `pool`.

        `diversity` is 0 to 1. At 0 the list has the order of scores; at 1 they only say which
        titles are candidates.
        """
        worth = (1.0 - diversity) * _unit_range(pool.scores)
        worth += diversity * NOVELTY_SHARE * self.novelty(pool.rows)
        weight, likeness = diversity * (1.0 - NOVELTY_SHARE), _Likeness.of(self, pool.rows)
        nearest, chosen = np.zeros(len(worth)), np.empty(min(n, len(worth)), dtype=np.intp)
        for place in range(len(chosen)):
            best = int((worth - weight * nearest).argmax())
            chosen[place] = best
            worth[best] = -np.inf
            nearest = np.maximum(nearest, likeness.to(best))
        return pool.take(chosen)

    def novelty(self, rows: Rows) -> Floats:
        """Novelty [C] of candidates; where the ranker knows none, all count by their popularity.

        One that nobody rated counts as the least popular other.
        """
        popularity, known = self.popularity[rows], self.known[rows]
        if not known.any():
            known = np.ones_like(known)
        rated = popularity[known & (popularity > 0.0)]
        least = rated.min() if len(rated) else SMALLEST_POPULARITY
        novelty = _unit_range(-np.log2(np.maximum(popularity[known], least)))
        found = np.full(len(rows), novelty.mean() if len(novelty) else 0.0)
        found[known] = novelty
        return found


@dataclass(frozen=True)
class _Likeness:
    """Unit vectors of candidates; `described` [C] are those with content."""

    described: Mask
    content: Singles
    factors: Singles

    @classmethod
    def of(cls, reranker: Reranker, rows: Rows) -> _Likeness:
        none = np.zeros((len(rows), 0), dtype=np.float32)
        content = none if reranker.content is None else _units(reranker.content[rows])
        described: Mask = np.sqrt((content**2).sum(axis=1)) > 0.0
        factors = none[:0] if described.all() else _units(reranker.factors[rows])
        return cls(described, content, factors)

    def to(self, place: int) -> Floats:
        """Likeness [C] to the candidate at `place`."""
        alike: Floats = (self.content @ self.content[place]).astype(np.float64)
        if len(self.factors):
            both = self.described & self.described[place]
            alike = np.where(both, alike, self.factors @ self.factors[place])
        return alike


def _units(vectors: Singles) -> Singles:
    lengths = np.sqrt((vectors.astype(np.float64) ** 2).sum(axis=1, keepdims=True))
    units: Singles = (vectors / np.maximum(lengths, 1e-12)).astype(np.float32)
    return units


def _unit_range(values: Floats) -> Floats:
    """Values moved and scaled to 0 to 1; all 0 where they are equal."""
    if not len(values):
        return values
    span = float(values.max() - values.min())
    scaled: Floats = (values - values.min()) / (span if span > 1e-12 else 1.0)
    return scaled
