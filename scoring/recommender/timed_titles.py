"""The titles of all ratings in the order of time: how often each was rated lately, and ever.

A bundle holds them where its recipe says how much counts what is rated lately (ADR 33).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scoring.arrays import Floats, Ints, Rows, ShortInts

HOUR = 3_600  # seconds
ADDED = 0.2  # ratings added to each count before its logarithm
SPAN = 16  # half-lives after which a rating counts as nothing: it has lost all but 2^-16


@dataclass(frozen=True)
class Counts:
    """How often each title [I] was rated before an `hour` since 1970: `ever`, and `lately`."""

    hour: int
    lately: Floats
    ever: Floats

    def lift(self, share: float) -> Floats:
        """log(c + lately) - `share` * log(c + expected) [I], c = 0.2.

        Expected is what `lately` would be at a title's share of the ratings of all time.
        """
        expected = self.ever * (self.lately.sum() / max(float(self.ever.sum()), 1.0))
        found: Floats = np.log(ADDED + self.lately) - share * np.log(ADDED + expected)
        return found


@dataclass(frozen=True)
class TimedTitles:
    """The title of every rating in the order of time, and each person's last rating.

    `titles` [ratings] are sorted by hour. `hours` [H] are the hours since 1970 with a rating,
    ascending; `ends` [H] is the number of ratings up to the end of each. `last` [U] is the time of
    each person's last rating, in UTC seconds. 32 million ratings take 130 MB, of which an answer
    reads the latest weeks only.
    """

    titles: ShortInts
    hours: Ints
    ends: Ints
    last: Ints

    @classmethod
    def build(cls, users: Rows, items: Rows, times: Ints, people: int) -> TimedTitles:
        """From rows in any order; somebody without a rating has the time 0."""
        hours = times // HOUR
        order = np.argsort(hours, kind="stable")
        found, counts = np.unique(hours, return_counts=True)
        last = np.zeros(people, dtype=np.int64)
        np.maximum.at(last, users, times)
        return cls(items[order].astype(np.int32), found, np.cumsum(counts).astype(np.int64), last)

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
        first, _, counts = self._window(earlier.hour, now)
        recent = max(now - SPAN * life, earlier.hour)
        late, later, some = self._window(recent, now)
        weights = np.repeat(0.5 ** ((now - later) / life), some)
        lately = earlier.lately * 0.5 ** ((now - earlier.hour) / life)
        return Counts(
            now,
            lately + self._sums(late, weights, titles),
            earlier.ever + self._sums(first, np.ones(int(counts.sum())), titles),
        )

    def since(self, start: int, end: int, titles: int) -> Floats:
        """How often each title [titles] was rated from the hour of `start` to before that of `end`.

        Both are in UTC seconds.
        """
        first, _, counts = self._window(start // HOUR, end // HOUR)
        return self._sums(first, np.ones(int(counts.sum())), titles)

    def _window(self, first: float, end: float) -> tuple[int, Ints, Ints]:
        """The place of the first rating in a span of hours, its hours, and their ratings."""
        low, high = np.searchsorted(self.hours, [first, end]).tolist()
        start = int(self.ends[low - 1]) if low else 0
        return start, self.hours[low:high], np.diff(self.ends[low:high], prepend=start)

    def _sums(self, start: int, weights: Floats, titles: int) -> Floats:
        found = np.bincount(self.titles[start : start + len(weights)], weights, titles)
        return found.astype(np.float64)

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
