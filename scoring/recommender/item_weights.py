"""A ranker by item weights: a score is the sum of the weights from each rated title.

This ranker keeps no vector of a person. It folds everybody in, from the titles they rated, their
order and their stars. `rankers.py` reads it for the families `ease` and `ease_als`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scoring.arrays import Floats, Ints, Mask, Rows, ShortInts, Singles, row_ends, sparse_fault
from scoring.recommender.ratings_arrays import History

if TYPE_CHECKING:
    from scoring.recommender.list_blocks import Histories

WEIGHT_ARRAYS: dict[str, type[np.generic]] = {
    "weights_indptr": np.int64,
    "weights_indices": np.int32,
    "weights_values": np.float32,
}
"""The arrays of `ItemWeights` in a bundle, as files `rank_<name>.npy`."""
GATHER_COST = 5  # gathering a fifth of all weights takes as long as one pass over all of them


@dataclass(frozen=True)
class ItemWeights:
    """A sparse matrix [rated title, scored title]: what a rated title adds to another's score.

    `indptr` [I+1], `indices` [weights] (the scored titles), `values` [weights]; see `arrays.py`.
    """

    indptr: Ints
    indices: ShortInts
    values: Singles

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> ItemWeights:
        """From a bundle's arrays (see `WEIGHT_ARRAYS`); KeyError where one is missing."""
        return cls(*(arrays[name] for name in WEIGHT_ARRAYS))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The arrays by their names in a bundle."""
        return dict(zip(WEIGHT_ARRAYS, (self.indptr, self.indices, self.values), strict=True))

    def fault(self, titles: int) -> str:
        """What does not fit a catalogue of `titles` titles, in a sentence; empty where all fits."""
        shape = titles, titles
        return sparse_fault("rank_weights", self.indptr, self.indices, self.values, shape)

    def rows(self, titles: Rows) -> tuple[Rows, Ints, Singles]:
        """All weights of these rated titles, as three arrays of one length.

        They are the position in `titles` of the rated title, the scored title, and the weight.
        """
        starts, ends = self.indptr[titles], self.indptr[titles + 1]
        counts = ends - starts
        position = np.repeat(np.arange(len(titles)), counts)
        before = np.repeat(np.cumsum(counts) - counts, counts)
        entries = np.arange(len(position)) - before + np.repeat(starts, counts)
        return position, self.indices[entries].astype(np.int64), self.values[entries]


def weighted_sums(
    weights: ItemWeights, titles: Rows, rated: Rows, importance: Floats, counts: Ints
) -> Floats:
    """Sums [people, titles] of the weights of what each person rated, times the `importance`.

    `rated` and `importance` [ratings] are person after person, `counts` [people] of each.
    """
    from scipy.sparse import csr_matrix  # a server does without

    size = len(weights.indptr) - 1
    matrix = csr_matrix((weights.values, weights.indices, weights.indptr), shape=(size, size))
    people = csr_matrix((importance, rated, row_ends(counts)), shape=(len(counts), size))
    return np.asarray((people @ matrix[:, titles]).toarray(), dtype=np.float64)


def item_weights_fault(arrays: Mapping[str, NDArray[Any]], titles: int) -> str:
    """What does not fit in a bundle's arrays, in a sentence; empty where all fits."""
    return ItemWeights.from_arrays(arrays).fault(titles)


@dataclass(frozen=True)
class ScoredRows:
    """`ItemWeights` transposed, one row for each scored title: a sum reads memory in order.

    `indptr` [I+1], `rated` [weights] (the rated titles), `values` [weights]. A weight takes 16
    bytes, because a gather by 32-bit rows takes four times as long.
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
        """Scores [I]: sums of weights times the `importance` [I] of the rated titles."""
        adds = importance.take(self.rated)
        adds *= self.values
        scores: Floats = np.zeros(len(importance))
        filled = np.flatnonzero(np.diff(self.indptr))
        if len(filled):
            scores[filled] = np.add.reduceat(adds, self.indptr[filled])
        return scores

    def column(self, title: int) -> tuple[Rows, Floats]:
        """The rated titles that add to this one's score, and their weights."""
        row = slice(self.indptr[title], self.indptr[title + 1])
        return self.rated[row], self.values[row]


class ItemWeightRanker:
    """Scores by `weights`; with `recency` the latest ratings count more, with `stars` the best."""

    def __init__(
        self,
        weights: ItemWeights,
        recency: Recency | None = None,
        stars: StarWeights | None = None,
    ) -> None:
        self.weights, self.recency, self.stars = weights, recency, stars
        self._known: Mask = np.diff(weights.indptr) > 0
        self._known[weights.indices] = True
        self._scored_rows = ScoredRows.of(weights)

    @classmethod
    def read(
        cls,
        arrays: Mapping[str, NDArray[Any]],
        recency: Mapping[str, Any] | None,
        stars: Mapping[str, Any] | None = None,
    ) -> ItemWeightRanker:
        """From a bundle's arrays, and the `recency` and `stars` of its `fold_in.ranker`."""
        weights = ItemWeights.from_arrays(arrays)
        return cls(weights, Recency(**recency) if recency else None, StarWeights.of(stars))

    @property
    def known(self) -> Mask:
        """Titles that have a weight, as the rated or as the scored title."""
        return self._known

    def personal(self, user: int, history: History) -> Floats:
        """The same as `fold_in`: no vector of a person is kept."""
        return self.fold_in(history)

    def fold_in(self, history: History) -> Floats:
        """The sums of the rated titles' weights times the importance of each rating.

        The weights of few titles are gathered; for many titles one pass over all weights is faster.
        """
        rated, importance, indptr = history.rows, self._importance(history), self.weights.indptr
        if GATHER_COST * (indptr[rated + 1] - indptr[rated]).sum() > indptr[-1]:
            by_title = np.bincount(rated, importance, minlength=len(self._known))
            return self._scored_rows.sums(by_title.astype(np.float64))
        position, titles, values = self.weights.rows(rated)
        found = np.bincount(titles, values * importance[position], minlength=len(self._known))
        scores: Floats = found.astype(np.float64)  # bincount of an empty array returns integers
        return scores

    def of_people(self, histories: Histories, titles: Rows) -> Floats:
        """`fold_in` of many people: one sparse product, each sum in the order of the ratings."""
        importance = np.ones(len(histories.rows))
        if self.recency is not None:
            away = np.repeat(histories.away, histories.counts)
            importance = self.recency.of_ages(histories.ages, away)
        if self.stars is not None:
            importance = importance * self.stars.weights(histories.liking)
        return weighted_sums(self.weights, titles, histories.rows, importance, histories.counts)

    def liked(self, history: History) -> Mask:
        """The rated titles [n] with a positive weight."""
        return likes(self.stars, history)

    def reasons(self, history: History, wanted: Rows) -> Floats:
        """Each row sums to the score."""
        position = np.full(len(self._known), -1)
        position[history.rows] = np.arange(len(history.rows))
        shares: Floats = np.zeros((len(wanted), len(history.rows)))
        for row, title in enumerate(wanted.tolist()):
            adding, values = self._scored_rows.column(title)
            counted = position[adding] >= 0
            shares[row, position[adding[counted]]] = values[counted]
        return shares * self._importance(history)

    def similarities(self, title: int) -> Floats:
        """The positive weights from `title`; minus infinity for all other titles."""
        nearness: Floats = np.full(len(self._known), -np.inf)
        _, titles, values = self.weights.rows(np.array([title]))
        nearness[titles[values > 0.0]] = values[values > 0.0]
        return nearness

    def _importance(self, history: History) -> Floats:
        ratings = len(history.rows)
        recency = self.recency.weights(ratings, history.away) if self.recency else np.ones(ratings)
        return recency * (self.stars.weights(history.liking) if self.stars else 1.0)


@dataclass(frozen=True)
class Recency:
    """How much a rating counts, by its age: floor + (1 - floor) * exp(-age / span).

    The age is the number of the person's later ratings. Days would discount all ratings of a person
    who returns after a year. `floor` is 0 to 1. After a long pause span and floor are `span_back`
    and `floor_back`, in between by `History.away`.
    """

    span: float
    floor: float
    span_back: float | None = None
    floor_back: float | None = None

    def weights(self, ratings: int, away: float = 0.0) -> Floats:
        """Weights of a person's ratings [ratings], oldest first; the latest has 1."""
        return self.of_ages(np.arange(ratings - 1, -1, -1, dtype=np.float64), np.asarray(away))

    def of_ages(self, ages: Floats, away: Floats) -> Floats:
        """Weights of ratings of these ages; `away` is that of each rating's person."""
        span = self.span + away * ((self.span_back or self.span) - self.span)
        back = self.floor if self.floor_back is None else self.floor_back
        floor = self.floor + away * (back - self.floor)
        weights: Floats = floor + (1.0 - floor) * np.exp(-ages / span)
        return weights


@dataclass(frozen=True)
class StarWeights:
    """How much a rating counts, by its stars: (liking - neutral) / (1 - neutral).

    The highest star counts 1. A rating below `neutral` counts against the titles like it. See
    `ratings_arrays.liking_of`.
    """

    neutral: float

    @classmethod
    def of(cls, parameters: Mapping[str, Any] | None) -> StarWeights | None:
        """From `stars` of a `fold_in.ranker`; None where the family counts all ratings alike."""
        return cls(**parameters) if parameters else None

    def weights(self, liking: Floats) -> Floats:
        """Weights of a person's ratings [n]."""
        weights: Floats = (liking - self.neutral) / (1.0 - self.neutral)
        return weights


def likes(stars: StarWeights | None, history: History) -> Mask:
    """The rated titles [n] that count for others; every one where stars are not read."""
    if stars is None:
        return np.ones(len(history.rows), dtype=np.bool_)
    liked: Mask = stars.weights(history.liking) > 0.0
    return liked
