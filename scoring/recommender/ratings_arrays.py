"""Ratings in memory: as four columns, and as a sparse matrix of people by titles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from scoring.arrays import Floats, Ints, Mask, Rows, ShortInts, Singles, row_ends, sparse_fault

Number = TypeVar("Number", np.int64, np.float64)


@dataclass(frozen=True)
class Ratings:
    """Four columns of one length: ids of people and titles, stars, times in UTC seconds."""

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
        """These rows, then the other's. Joining the two results of `cut` makes no copy."""
        return Ratings(
            _joined(self.user_ids, other.user_ids),
            _joined(self.movie_ids, other.movie_ids),
            _joined(self.values, other.values),
            _joined(self.times, other.times),
        )

    def cut(self, at: int) -> tuple[Ratings, Ratings]:
        """The first `at` rows and the other rows, as views without a copy."""
        return self.take(slice(None, at)), self.take(slice(at, None))

    def sort(self) -> None:
        """Sort the rows by person and title in place, one column at a time, to save memory."""
        order = np.lexsort((self.movie_ids, self.user_ids))
        for column in (self.user_ids, self.movie_ids, self.values, self.times):
            column[:] = column[order]


def is_among(rows: Ratings, others: Ratings) -> Mask:
    """Whether the (person, title) pair of each row is also in `others`, [rows]."""
    movies = np.unique(np.concatenate([rows.movie_ids, others.movie_ids]))
    users = np.unique(np.concatenate([rows.user_ids, others.user_ids]))

    def keys(ratings: Ratings) -> Ints:
        user_rows = np.searchsorted(users, ratings.user_ids).astype(np.int64)
        return user_rows * len(movies) + np.searchsorted(movies, ratings.movie_ids)

    found: Mask = np.isin(keys(rows), keys(others))
    return found


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
    """Whether two views share their memory and order; two empty views do."""
    if not len(one):
        return True
    places = (a.__array_interface__["data"][0] for a in (one, other))
    return len(set(places)) == 1 and one.strides == other.strides


@dataclass(frozen=True)
class RatingsMatrix:
    """A sparse matrix [person, title] of stars; a person's titles ascend.

    `indptr` [U+1], `indices` [ratings] (titles), `values` [ratings]; see `arrays.py`. `places`
    [ratings] is the number of the person's later ratings: 0 is the latest rating. It is None for
    rankers that do not use the order.
    """

    indptr: Ints
    indices: ShortInts
    values: Singles
    places: ShortInts | None = None

    def items(self, user_row: int) -> ShortInts:
        """The titles that this person rated."""
        return self.indices[self.indptr[user_row] : self.indptr[user_row + 1]]

    def stars(self, user_row: int) -> Singles:
        """Their stars, in the order of `items`."""
        return self.values[self.indptr[user_row] : self.indptr[user_row + 1]]

    def oldest_first(self, user_row: int) -> Rows:
        """Positions in `items`, oldest rating first; unsorted where `places` is None."""
        start, end = self.indptr[user_row], self.indptr[user_row + 1]
        if self.places is None:
            return np.arange(end - start)
        return np.argsort(-self.places[start:end], kind="stable")

    def fault(self, people: int, titles: int) -> str:
        """What does not fit a catalogue of this size, in a sentence; empty where all fits."""
        shape = (people, titles)
        fault = sparse_fault("ratings", self.indptr, self.indices, self.values, shape)
        if fault or self.places is None or _are_places(self.places, np.diff(self.indptr)):
            return fault
        return "ratings_places does not count back from each person's latest rating"

    @classmethod
    def build(
        cls, users: Rows, items: Rows, values: Floats, people: int, times: Ints | None = None
    ) -> RatingsMatrix:
        """From rows in any order, each (person, title) pair at most once.

        With `times`, `places` follow the order of (time, title).
        """
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
    """For each row, the number of the same person's later ratings."""
    order = np.lexsort((items, times, users))
    ends = np.repeat(np.cumsum(counts), counts)
    places: ShortInts = np.empty(len(users), dtype=np.int32)
    places[order] = ends - 1 - np.arange(len(users))
    return places


def _are_places(places: ShortInts, counts: Ints) -> bool:
    """Whether each person's `places` are 0 to n - 1 in some order."""
    if len(places) != counts.sum():
        return False
    owner = np.repeat(np.arange(len(counts)), counts)
    wanted = np.arange(len(places)) - np.repeat(np.cumsum(counts) - counts, counts)
    return bool(np.array_equal(places[np.lexsort((places, owner))], wanted))
