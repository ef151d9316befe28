"""Ratings as four columns, and each person's ratings as one sparse matrix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from scoring.arrays import Floats, Ints, Mask, Rows, ShortInts, Singles, row_ends, sparse_fault

Number = TypeVar("Number", np.int64, np.float64)


@dataclass(frozen=True)
class Ratings:
    """Four columns of one length: ids, stars, UTC seconds."""

    user_ids: Ints
    movie_ids: Ints
    values: Floats
    times: Ints

    def __len__(self) -> int:
        return len(self.values)

    def take(self, chosen: Rows | Mask | slice) -> Ratings:
        """The chosen rows, in their order."""
        return Ratings(
            self.user_ids[chosen], self.movie_ids[chosen], self.values[chosen], self.times[chosen]
        )

    def join(self, other: Ratings) -> Ratings:
        """These rows, then the other's. The two results of `cut` are joined without a copy."""
        return Ratings(
            _joined(self.user_ids, other.user_ids),
            _joined(self.movie_ids, other.movie_ids),
            _joined(self.values, other.values),
            _joined(self.times, other.times),
        )

    def cut(self, at: int) -> tuple[Ratings, Ratings]:
        """The first `at` rows and the others, as views of these."""
        return self.take(slice(None, at)), self.take(slice(at, None))

    def sort(self) -> None:
        """Order the rows by person and title in place, so that memory never holds them twice."""
        order = np.lexsort((self.movie_ids, self.user_ids))
        for column in (self.user_ids, self.movie_ids, self.values, self.times):
            column[:] = column[order]


def _joined(first: NDArray[Number], second: NDArray[Number]) -> NDArray[Number]:
    whole = first.base
    if isinstance(whole, np.ndarray) and whole is second.base:
        pieces = whole[: len(first)], whole[len(first) :]
        if len(whole) == len(first) + len(second) and all(
            map(_is_same_piece, pieces, (first, second))
        ):
            return whole
    return np.concatenate([first, second])


def _is_same_piece(one: NDArray[Any], other: NDArray[Any]) -> bool:
    """Whether two views are the same elements in the same order; any two empty ones are."""
    if not len(one):
        return True
    places = (a.__array_interface__["data"][0] for a in (one, other))
    return len(set(places)) == 1 and one.strides == other.strides


@dataclass(frozen=True)
class RatingsMatrix:
    """People by titles, in compressed rows: a person's titles ascend.

    `indptr` [U+1], `indices` [ratings] (item rows), `values` [ratings]. `places` [ratings] is there
    where the order of ratings matters: it counts back from the person's latest rating, place 0.
    """

    indptr: Ints
    indices: ShortInts
    values: Singles
    places: ShortInts | None = None

    def items(self, user_row: int) -> ShortInts:
        """Item rows that this person rated."""
        return self.indices[self.indptr[user_row] : self.indptr[user_row + 1]]

    def stars(self, user_row: int) -> Singles:
        """Their ratings, in the order of `items`."""
        return self.values[self.indptr[user_row] : self.indptr[user_row + 1]]

    def oldest_first(self, user_row: int) -> Rows:
        """The order of rating, as places in `items` and `stars`; unchanged where it is unknown."""
        start, end = self.indptr[user_row], self.indptr[user_row + 1]
        if self.places is None:
            return np.arange(end - start)
        return np.argsort(-self.places[start:end], kind="stable")

    def fault(self, people: int, titles: int) -> str:
        """What does not fit a catalogue of this size; empty where all does."""
        shape = (people, titles)
        fault = sparse_fault("ratings", self.indptr, self.indices, self.values, shape)
        if fault or self.places is None or _are_places(self.places, np.diff(self.indptr)):
            return fault
        return "ratings_places does not count back from each person's latest rating"

    @classmethod
    def build(
        cls, users: Rows, items: Rows, values: Floats, people: int, times: Ints | None = None
    ) -> RatingsMatrix:
        """From rows of any order; a pair appears at most once. With `times`, `places` follow the
        order of (time, title)."""
        order = np.lexsort((items, users))
        counts = np.bincount(users, minlength=people)
        places = None if times is None else _places(users, items, times, counts)[order]
        return cls(
            row_ends(counts),
            items[order].astype(np.int32),
            values[order].astype(np.float32),
            places,
        )


def _places(users: Rows, items: Rows, times: Ints, counts: Rows) -> ShortInts:
    """How many of the same person's ratings are later, for each row."""
    order = np.lexsort((items, times, users))
    ends = np.repeat(np.cumsum(counts), counts)
    places: ShortInts = np.empty(len(users), dtype=np.int32)
    places[order] = ends - 1 - np.arange(len(users))
    return places


def _are_places(places: ShortInts, counts: Ints) -> bool:
    """Whether each person's places are 0 .. n - 1 in some order."""
    if len(places) != counts.sum():
        return False
    owner = np.repeat(np.arange(len(counts)), counts)
    wanted = np.arange(len(places)) - np.repeat(np.cumsum(counts) - counts, counts)
    return bool(np.array_equal(places[np.lexsort((places, owner))], wanted))
