"""Ratings in memory: four columns, people by titles, one person's history."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from scoring.arrays import Floats, Ints, Mask, Rows, ShortInts, Singles, row_ends, sparse_fault

Scale = tuple[float, float]
"""The lowest and the highest stars of a release."""
DAY = 86_400  # seconds
RATINGS_AT_ONCE = 1_000_000
"""Ratings whose order is found at a time; the arrays of it do not grow with all ratings."""


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


# One person


@dataclass(frozen=True)
class History:
    """What one person rated, and when they ask.

    `rows` [n] are titles, oldest rating first. `liking` [n] says how much of the scale each got:
    1 is its highest star, 0 its zero. `at` is the moment of asking, `last` that of their last
    rating, in UTC seconds; None where it is not known.
    """

    rows: Rows
    liking: Floats
    at: int | None = None
    last: int | None = None

    @classmethod
    def of(cls, rows: Rows, stars: Floats, scale: Scale) -> History:
        """From ratings that are given with the question."""
        return cls(rows, liking_of(stars, scale))

    @property
    def away(self) -> float:
        """pause / (1 day + pause), of the pause since their last rating.

        0 within a sitting, and where the pause is not known; 0.93 after two weeks.
        """
        if self.at is None or self.last is None or self.at <= self.last:
            return 0.0
        return (self.at - self.last) / (DAY + self.at - self.last)


def liking_of(stars: Floats | Singles, scale: Scale) -> Floats:
    """How much of the scale each number of stars is; 1 is the highest star.

    Scales of 0.5 to 5 and of 1 to 5 are both measured from 0 stars, so that a star means the same
    on both. A scale that does not begin near 0 is measured from its lowest star.
    """
    low, high = scale
    zero = 0.0 if 0.0 <= low <= high / 3.0 else low
    span = high - zero if high > zero else 1.0  # one number of stars, and nothing else, is no scale
    found: Floats = (np.asarray(stars, dtype=np.float64) - zero) / span
    return found


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

    def history(
        self, user_row: int, scale: Scale, at: int | None = None, last: int | None = None
    ) -> History:
        """What this person rated; row -1 is somebody without ratings."""
        if user_row < 0:
            return History(np.empty(0, dtype=np.intp), np.empty(0), at, last)
        order = self.oldest_first(user_row)
        rows = self.items(user_row)[order].astype(np.intp)
        return History(rows, liking_of(self.stars(user_row)[order], scale), at, last)

    def stars_by_title(self, titles: int, levels: Floats) -> Singles:
        """How often each title got each of the ascending stars `levels`, [titles, levels].

        Other stars count as the nearest of them.
        """
        places = np.searchsorted((levels[1:] + levels[:-1]) / 2.0, self.values)
        cells = self.indices * np.int64(len(levels)) + places
        counts = np.bincount(cells, minlength=titles * len(levels))
        return counts.reshape(titles, len(levels)).astype(np.float32)

    def fault(self, people: int, titles: int) -> str:
        """What does not fit a catalogue of this size, in a sentence; empty where all fits."""
        shape = (people, titles)
        fault = sparse_fault("ratings", self.indptr, self.indices, self.values, shape)
        if fault or self.places is None or _are_places(self.places, self.indptr):
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
        indptr = row_ends(np.bincount(users, minlength=people))
        return cls(
            indptr,
            items[order].astype(np.int32),
            values[order].astype(np.float32),
            None if times is None else places_of(indptr, times[order]),
        )


def places_of(indptr: Ints, times: Ints) -> ShortInts:
    """`RatingsMatrix.places` [ratings] of rows by person and title, from their times.

    Of ratings of the same time, the one of the later title is later.
    """
    places: ShortInts = np.empty(len(times), dtype=np.int32)
    for people in people_at_once(indptr, RATINGS_AT_ONCE):
        span, owner, ends = _owners(indptr, people)
        order = np.lexsort((times[span], owner))  # stable: the titles of a person ascend
        places[span][order] = ends - 1 - np.arange(len(owner))
    return places


def _are_places(places: ShortInts, indptr: Ints) -> bool:
    """Whether each person's `places` are 0 to n - 1 in some order."""
    if len(places) != indptr[-1]:
        return False
    for people in people_at_once(indptr, RATINGS_AT_ONCE):
        span, owner, ends = _owners(indptr, people)
        wanted = ends - 1 - places[span]
        seen = np.zeros(len(owner), dtype=np.bool_)
        if len(owner) and not (wanted.min() >= 0 and wanted.max() < len(owner)):
            return False
        seen[wanted] = True
        if not (seen.all() and np.array_equal(owner[wanted], owner)):
            return False
    return True


def people_at_once(indptr: Ints, most: int) -> Iterator[slice]:
    """Consecutive rows of at most `most` ratings together; a row of more comes alone."""
    first, people = 0, len(indptr) - 1
    while first < people:
        end = int(np.searchsorted(indptr, indptr[first] + most, side="right")) - 1
        end = min(max(end, first + 1), people)
        yield slice(first, end)
        first = end


def _owners(indptr: Ints, people: slice) -> tuple[slice, ShortInts, Ints]:
    """The span of their ratings; in it, each rating's person and the end of the person's ratings.

    Both count from the first of these people.
    """
    ends = indptr[people.start : people.stop + 1]
    counts = np.diff(ends)
    owner = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    return slice(int(ends[0]), int(ends[-1])), owner, np.repeat(ends[1:] - ends[0], counts)
