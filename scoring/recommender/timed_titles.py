"""The titles of all ratings in the order of time: how often each was rated lately, and ever.

A bundle holds them where its recipe says how much counts what is rated lately (ADR 33).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from scoring.arrays import Floats, Ints, Rows, ShortInts, places_in

HOUR = 3_600  # seconds
ADDED = 0.2  # ratings added to each count before its logarithm
SPAN = 16  # half-lives after which a rating counts as nothing: it has lost all but 2^-16
AT_ONCE = 1_000_000  # ratings in memory at once: 32 MB


@dataclass(frozen=True)
class Counts:
    """How often each title [I] was rated before an `hour` since 1970: `ever`, and `lately`."""

    hour: int
    lately: Floats
    ever: Floats

    def lift(self, share: float, titles: Rows) -> Floats:
        """log(c + lately) - `share` * log(c + expected) of these titles, c = 0.2.

        Expected is what `lately` would be at a title's share of the ratings of all time.
        """
        expected = self.ever[titles] * (self.lately.sum() / max(float(self.ever.sum()), 1.0))
        found: Floats = np.log(ADDED + self.lately[titles]) - share * np.log(ADDED + expected)
        return found


@dataclass(frozen=True)
class MovingCounts:
    """`Counts` at P moments, of some titles: `lately` and `ever` [P, titles + 1].

    The last column is the sum over all other titles.
    """

    lately: Floats
    ever: Floats

    def lift(self, share: Floats) -> Floats:
        """`Counts.lift` at each moment, [P, titles + 1]; `share` [P, 1]."""
        lately, ever = (c.sum(axis=1, keepdims=True) for c in (self.lately, self.ever))
        expected = self.ever * (lately / np.maximum(ever, 1.0))
        found: Floats = np.log(ADDED + self.lately) - share * np.log(ADDED + expected)
        return found


@dataclass(frozen=True)
class TimedTitles:
    """The title of every rating in the order of time, and each person's last rating.

    `titles` [ratings] are sorted by hour. `hours` [H] are the hours since 1970 with a rating,
    ascending; `ends` [H] is the number of ratings up to the end of each. `last` [U] is the time of
    each person's last rating, in UTC seconds. 32 million ratings take 130 MB; the first answer
    reads all, the next ones what was rated since.
    """

    titles: ShortInts
    hours: Ints
    ends: Ints
    last: Ints

    @classmethod
    def build(cls, items: Rows | ShortInts, times: Ints, last: Ints) -> TimedTitles:
        """From the titles and times of ratings in any order, and everybody's `last` time."""
        hours = (times // HOUR).astype(np.int32)
        order = np.argsort(hours, kind="stable")
        titles, hours = items[order].astype(np.int32, copy=False), hours[order]
        ends = np.flatnonzero(np.diff(hours, append=np.int32(-1))) + 1
        return cls(titles, hours[ends - 1].astype(np.int64), ends, last)

    @property
    def newest(self) -> int:
        """The end of the last hour with a rating, in UTC seconds."""
        return (int(self.hours[-1]) + 1) * HOUR

    def counts(self, at: int, half_life: float, titles: int, earlier: Counts | None) -> Counts:
        """The counts [titles] before the hour of `at`; lately a rating counts 2^(-age / half-life).

        Ages are in whole hours, `half_life` is in days. From the counts of an `earlier` hour only
        the ratings since then are read.
        """
        now, life = at // HOUR, 24.0 * half_life
        if earlier is None or earlier.hour > now:
            earlier = Counts(min(now, int(self.hours[0])), np.zeros(titles), np.zeros(titles))
        lately = earlier.lately * 0.5 ** ((now - earlier.hour) / life)
        old, late = earlier.hour - SPAN * life, now - SPAN * life
        lately -= self._weighed(old, min(late, earlier.hour), now, life, titles)
        lately += self._weighed(max(late, earlier.hour), now, now, life, titles)
        ever = self._weighed(earlier.hour, now, now, np.inf, titles)
        return Counts(now, lately, earlier.ever + ever)

    def moving(self, hours: Ints, half_life: float, titles: Rows, start: Counts) -> MovingCounts:
        """The counts of `titles` before each of `hours` [P], which ascend from that of `start` on.

        Weights are relative to the first hour, so the hours span 1,000 half-lives at most.
        """
        width, life = len(titles) + 1, 24.0 * half_life
        column = places_in(titles, len(start.ever), width - 1)

        ever = self._entering(hours, column, width, start.hour, np.inf)
        lately = self._entering(hours, column, width, start.hour, life)
        lately -= self._entering(
            np.asarray(hours - SPAN * life, np.float64), column, width, start.hour, life
        )
        ever[0] += np.bincount(column, start.ever, width)
        lately[0] += np.bincount(column, start.lately, width)
        faded = 2.0 ** ((start.hour - hours) / life)[:, None]
        return MovingCounts(np.cumsum(lately, axis=0) * faded, np.cumsum(ever, axis=0))

    def within(self, hours: Ints, span: int, titles: Rows, catalogue: int) -> Floats:
        """How often each of `titles` was rated in the `span` hours before each of `hours`.

        `hours` [P] ascend; the answer is [P, titles].
        """
        width = len(titles)
        column = places_in(titles, catalogue, width)
        change = self._entering(hours, column, width + 1, 0, np.inf)
        change -= self._entering(hours - span, column, width + 1, 0, np.inf)
        first = self.since(int(hours[0] - span) * HOUR, int(hours[0]) * HOUR, catalogue)
        return np.cumsum(change, axis=0)[:, :width] + first[titles]

    def _entering(
        self, ends: Floats | Ints, column: Rows, width: int, zero: int, life: float
    ) -> Floats:
        """Sums [P, width] by column, over the ratings from each of `ends` [P] to the next.

        A rating counts 2^(hours since `zero` / `life`).
        """
        first, found, counts = self._window(ends[0], ends[-1])
        place = np.searchsorted(ends, found, side="right") * width
        cells = np.repeat(place, counts) + column[self.titles[first : first + int(counts.sum())]]
        weights = np.repeat(2.0 ** ((found - zero) / life), counts)
        sums = np.bincount(cells, weights, len(ends) * width)
        return sums.reshape(len(ends), width).astype(np.float64)

    def since(self, start: int, end: int, titles: int) -> Floats:
        """How often each title [titles] was rated from the hour of `start` to before that of `end`.

        Both are in UTC seconds.
        """
        return self._weighed(start // HOUR, end // HOUR, 0, np.inf, titles)

    def _window(self, first: float, end: float) -> tuple[int, Ints, Ints]:
        """The place of the first rating in a span of hours, its hours, and their ratings."""
        low, high = np.searchsorted(self.hours, [first, end]).tolist()
        start = int(self.ends[low - 1]) if low else 0
        return start, self.hours[low:high], np.diff(self.ends[low:high], prepend=start)

    def _weighed(self, first: float, end: float, now: int, life: float, titles: int) -> Floats:
        """Sums [titles] of 2^(-age / `life`) over the ratings of a span of hours."""
        start, hours, counts = self._window(first, end)
        found = np.zeros(titles)
        for part in _parts(counts):
            weights = np.repeat(0.5 ** ((now - hours[part]) / life), counts[part])
            found += np.bincount(self.titles[start : start + len(weights)], weights, titles)
            start += len(weights)
        return found

    def fault(self, people: int, titles: int) -> str:
        """What does not fit a catalogue of this size, in a sentence; empty where all fits."""
        shapes_fit = len(self.hours) == len(self.ends) > 0 and self.last.shape == (people,)
        if not shapes_fit or int(self.ends[-1]) != len(self.titles):
            return "timed_ends does not fit"
        ascends = (np.diff(self.hours) > 0).all() and (np.diff(self.ends, prepend=0) > 0).all()
        if not ascends:
            return "timed_hours does not ascend"
        if self.titles.min() < 0 or self.titles.max() >= titles:
            return "timed_titles points outside the titles"
        return ""


def last_times(users: Rows | ShortInts, times: Ints, people: int) -> Ints:
    """The time of each person's last rating, [people]; 0 for somebody without a rating."""
    last = np.zeros(people, dtype=np.int64)
    np.maximum.at(last, users, times)
    return last


def _parts(counts: Ints) -> Iterator[slice]:
    """Spans of hours with about AT_ONCE ratings each."""
    cuts = np.searchsorted(np.cumsum(counts), np.arange(AT_ONCE, counts.sum(), AT_ONCE)) + 1
    ends = np.unique(np.append(cuts, len(counts))).tolist()
    for start, end in zip([0, *ends], ends):
        yield slice(start, end)
