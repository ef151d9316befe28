"""The posterior mean of all people's stars for all titles, as one factor model.

The score of a draw is a bias of the person, a bias of the title and a product of factors. The sum
over draws is the sums of the biases, and the product of all draws' factors side by side.
`FactorSum` reduces these columns as they come. No array has a cell for each pair of a person and a
title. What the reduction loses is measured on random pairs, whose means are kept exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scoring.arrays import Floats, Rows, Singles, pieces
from spark_apps.recommender.families import FactorModel

PAIRS = 20_000  # pairs whose posterior means are kept exactly
ROWS_AT_ONCE = 16_384  # rows in double precision at a time
LEAST_SHARE = 1e-14  # of the largest squared length; shorter directions are rounding


@dataclass
class FactorSum:
    """A sum of products left right' as one product; `left` [n, columns], `right` [m, columns].

    The first `used` columns are filled. Where they are full, the product is reduced to `rank`.
    """

    rank: int
    left: Singles
    right: Singles
    used: int = 0

    @classmethod
    def start(cls, shape: tuple[int, int], rank: int) -> FactorSum:
        """The product 0, with room for twice the rank."""
        left, right = (np.zeros((n, 2 * rank), dtype=np.float32) for n in shape)
        return cls(rank, left, right)

    def add(self, left: Floats, right: Floats) -> None:
        """Add left [n, k] right [m, k]'."""
        for start in range(0, left.shape[1], self.rank):
            piece = slice(start, start + self.rank)
            self._add(left[:, piece], right[:, piece])

    def _add(self, left: Floats, right: Floats) -> None:
        if self.used + left.shape[1] > self.left.shape[1]:
            self.reduce()
        filled = slice(self.used, self.used + left.shape[1])
        self.left[:, filled], self.right[:, filled] = left, right
        self.used = filled.stop

    def reduce(self) -> None:
        """Keep the `rank` largest singular values of the product."""
        used, rank = self.used, min(self.rank, self.used)
        ways = reduction(self.left[:, :used], self.right[:, :used], rank)
        for table, way in zip((self.left, self.right), ways, strict=True):
            for rows in pieces(len(table), ROWS_AT_ONCE):
                table[rows, :rank] = table[rows, :used] @ way
        self.used = rank

    def factors(self) -> tuple[Singles, Singles]:
        """The reduced product: left and right [.., rank], of equal weight."""
        self.reduce()
        return self.left[:, : self.used].copy(), self.right[:, : self.used].copy()


def reduction(left: Singles | Floats, right: Singles | Floats, rank: int) -> tuple[Floats, Floats]:
    """A, B [k, rank]: left A (right B)' is the best approximation of left right' of this rank.

    Its singular triplets are those of a k x k matrix: the product of the roots of both Gramians.
    The factors of equal weight are left A and right B.
    """
    (own, own_inverse), (other, other_inverse) = _root(left), _root(right)
    u, values, v = np.linalg.svd(own @ other.T)
    root = np.sqrt(values[:rank])
    return own_inverse @ u[:, :rank] * root, other_inverse @ v[:rank].T * root


def _root(table: Singles | Floats) -> tuple[Floats, Floats]:
    """R [k, k] with R'R = table'table, and its pseudo-inverse."""
    gram: Floats = np.zeros((table.shape[1],) * 2)
    for rows in pieces(len(table), ROWS_AT_ONCE):
        piece = table[rows].astype(np.float64)
        gram += piece.T @ piece
    values, vectors = np.linalg.eigh(gram)
    lengths = np.sqrt(np.maximum(values, 0.0))
    known = values > LEAST_SHARE * max(values.max(initial=0.0), np.finfo(np.float64).tiny)
    inverse = np.divide(1.0, lengths, out=np.zeros_like(lengths), where=known)
    return (vectors * lengths).T, vectors * inverse


@dataclass(frozen=True)
class ChainMean:
    """A chain's mean score: biases [n] and [m], a product of factors, exact means of the pairs."""

    user_bias: Floats
    item_bias: Floats
    left: Singles
    right: Singles
    checked: Floats


@dataclass
class MeanSum:
    """The running sum of a chain's kept draws."""

    product: FactorSum
    biases: tuple[Floats, Floats]
    pairs: Rows
    checked: Floats
    draws: int = 0

    @classmethod
    def start(cls, shape: tuple[int, int], rank: int, pairs: Rows) -> MeanSum:
        """`pairs` [2, P]: rows of people and titles whose scores are summed exactly."""
        biases = np.zeros(shape[0]), np.zeros(shape[1])
        return cls(FactorSum.start(shape, rank), biases, pairs, np.zeros(pairs.shape[1]))

    def add(self, people: Floats, titles: Floats) -> None:
        """Add a draw: vectors [bias, factors] of people and of titles."""
        self.product.add(people[:, 1:], titles[:, 1:])
        self.biases = self.biases[0] + people[:, 0], self.biases[1] + titles[:, 0]
        self.checked += pair_scores(people[self.pairs[0]], titles[self.pairs[1]])
        self.draws += 1

    def mean(self) -> ChainMean:
        """The mean over the draws added."""
        left, right = self.product.factors()
        users, items = (total / self.draws for total in self.biases)
        left /= np.float32(self.draws)
        return ChainMean(users, items, left, right, self.checked / self.draws)


def pair_scores(people: Floats, titles: Floats) -> Floats:
    """Scores [n] of pairs of vectors [n, 1 + factors]: both biases plus the factors' product."""
    product: Floats = np.einsum("nk,nk->n", people[:, 1:], titles[:, 1:])
    return people[:, 0] + titles[:, 0] + product


def random_pairs(shape: tuple[int, int], seed: int) -> Rows:
    """PAIRS random pairs [2, PAIRS] of a person and a title."""
    rng = np.random.default_rng(seed)
    return np.stack([rng.integers(n, size=PAIRS) for n in shape])


@dataclass(frozen=True)
class Packed:
    """The posterior mean as a factor model, and its root mean square loss in stars over pairs."""

    model: FactorModel
    loss: float


def mean_of_chains(chains: Sequence[ChainMean], mean: float, rank: int, pairs: Rows) -> Packed:
    """The mean of the chains as a model of at most this rank; `mean` is that of all ratings.

    Row and column means of the product become biases. The factors are the best approximation of
    what remains.
    """
    left = np.hstack([chain.left for chain in chains]).astype(np.float64) / len(chains)
    right = np.hstack([chain.right for chain in chains]).astype(np.float64)
    centre, other = left.mean(axis=0), right.mean(axis=0)
    user_bias = np.mean([c.user_bias for c in chains], axis=0) + left @ other
    item_bias = np.mean([c.item_bias for c in chains], axis=0) + right @ centre - centre @ other
    left -= centre
    right -= other
    ways = reduction(left, right, min(rank, left.shape[1], *map(len, (left, right))))
    model = centred(FactorModel(mean, user_bias, item_bias, left @ ways[0], right @ ways[1]))
    exact = mean + np.mean([c.checked for c in chains], axis=0)
    lost = model.predict(pairs[0], pairs[1]) - exact
    return Packed(model, float(np.sqrt(np.mean(lost**2))))


def centred(model: FactorModel) -> FactorModel:
    """The same predictions with biases whose means are 0."""
    users, items = model.user_bias.mean(), model.item_bias.mean()
    return FactorModel(
        float(model.mean + users + items),
        model.user_bias - users,
        model.item_bias - items,
        model.user_factors,
        model.item_factors,
    )
