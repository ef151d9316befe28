"""The order of a list: a fitted ranker's scores, and what is rated more lately than ever.

Recipes are judged by it, and golden queries record it. The scorer has its own arithmetic for the
same order in `scoring/recommender/fallback.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from scoring.arrays import Floats, Ints, Mask, Rows
from scoring.recommender.ratings_arrays import History
from scoring.recommender.timed_titles import TimedTitles
from spark_apps.recommender.families import Clip, FittedRanker
from spark_apps.recommender.indexed_ratings import AT_ONCE, IndexedRatings, counted
from spark_apps.recommender.recipes import LatelyRecipe

HOUR = 3_600
DAMPING = 25.0  # ratings at the mean that are added to each title for its popularity
ADDED = 0.2  # ratings added to each count before its logarithm
HALF_LIVES = 16  # a rating counts for so long


@dataclass(frozen=True)
class FittedOrder:
    """A ranker fitted on `ratings`; `lately` is None where the recipe does not read times."""

    ratings: IndexedRatings
    ranker: FittedRanker
    clip: Clip
    lately: LatelyRecipe | None

    def history(self, user: int, at: int | None = None) -> History:
        """What a trained person rated; by default they ask at the newest rating's moment."""
        if self.lately is None:
            return self.ratings.matrix.history(user, self.clip)
        moment = self._newest if at is None else at
        return self.ratings.matrix.history(user, self.clip, moment, int(self._last[user]))

    def given(self, rows: Rows, stars: Floats) -> History:
        """What a new person rated, oldest first."""
        return History.of(rows, stars, self.clip)

    def scores(self, user: int, history: History) -> Floats:
        """Scores [I] of a person of the fit."""
        return self.ordered(self.ranker.scores(user, history), history)

    def folded(self, history: History) -> Floats:
        """Scores [I] of a new person."""
        return self.ordered(self.ranker.folded(history), history)

    def ordered(self, plain: Floats, history: History) -> Floats:
        """The ranker's scores [I] with what is rated lately."""
        known, liked = self.ranker.known, history.rows[self.ranker.liked(history)]
        if not known[liked].any():
            popular = np.log(1.0 + self.popular(history.at))
            return np.minimum(_in_deviations(plain, known), 0.0) + _in_deviations(popular, known)
        if self.lately is None or not history.away:
            return plain
        ratings = int(known[history.rows].sum())
        taken_off = ratings / (ratings + self.lately.damping)
        lately, ever = self.rated_lately(history.at), self.rated_ever(history.at)
        expected = ever * lately.sum() / max(ever.sum(), 1.0)
        lift = np.log(ADDED + lately) - taken_off * np.log(ADDED + expected)
        trend = self.lately.share * history.away * _in_deviations(lift, known)
        return _in_deviations(plain, known) + trend

    def popular(self, at: int | None = None) -> Floats:
        """The score [I] by which popular titles are ordered."""
        if self.lately is None:
            return self.popularity
        found: Floats = self.rated_lately(at) + self.popularity / self.popularity.max()
        return found

    @cached_property
    def popularity(self) -> Floats:
        """Popularity [I]: number of ratings * damped mean / mean of all ratings."""
        ratings, mean = self.ratings, self.ratings.moments[0]
        counts, totals = ratings.title_counts, np.zeros(len(ratings.title_counts))
        for start in range(0, len(ratings), AT_ONCE):
            span = slice(start, start + AT_ONCE)
            np.add.at(totals, ratings.indices[span], ratings.levels[ratings.stars[span]] / mean)
        found: Floats = counts * (totals + DAMPING) / (counts + DAMPING)
        return found

    def rated_lately(self, at: int | None) -> Floats:
        """The sum [I] of 2^(-age / half-life) over the ratings before the hour of `at`."""
        now = (self._newest if at is None else at) // HOUR
        life = 24.0 * self.lately.half_life if self.lately else 1.0
        counts: Floats = np.zeros(len(self.ratings.catalogue.movie_ids))
        first = np.searchsorted(self._times.hours, now - HALF_LIVES * life)
        for hour in self._times.hours[first : np.searchsorted(self._times.hours, now)].tolist():
            items = self._times.titles[self._before(hour) : self._before(hour + 1)]
            np.add.at(counts, items, np.exp(-np.log(2.0) * (now - hour) / life))
        return counts

    def rated_ever(self, at: int | None) -> Floats:
        """The number [I] of ratings before the hour of `at`."""
        now = (self._newest if at is None else at) // HOUR
        earlier = self._times.titles[: self._before(now)]
        return counted(earlier, len(self.ratings.catalogue.movie_ids)).astype(np.float64)

    def facts(self) -> dict[str, Any]:
        """`fold_in` of `bundle.json` without the predictor's part."""
        facts: dict[str, Any] = {"ranker": self.ranker.facts()}
        return facts | {"lately": self.lately.model_dump()} if self.lately else facts

    def timed(self) -> TimedTitles | None:
        """The times that the bundle keeps."""
        return self._times if self.lately else None

    @cached_property
    def _times(self) -> TimedTitles:
        """The titles of all ratings by hour, the arrays that the bundle holds."""
        return TimedTitles.build(self.ratings.indices, self.ratings.times, self._last)

    def _before(self, hour: int) -> int:
        """The number of ratings before this hour."""
        place = int(np.searchsorted(self._times.hours, hour))
        return int(self._times.ends[place - 1]) if place else 0

    @cached_property
    def _newest(self) -> int:
        """The end of the newest rating's hour."""
        return (int(self.ratings.times.max()) // HOUR + 1) * HOUR

    @cached_property
    def _last(self) -> Ints:
        """The time of each person's last rating, [U]."""
        starts, ends = self.ratings.indptr[:-1], self.ratings.indptr[1:]
        last, rated = np.zeros(len(starts), dtype=np.int64), ends > starts
        last[rated] = np.maximum.reduceat(self.ratings.times, starts[rated])
        return last


def _in_deviations(scores: Floats, known: Mask) -> Floats:
    """Scores in standard deviations over the known titles; unchanged where these are equal."""
    spread = float(np.sqrt(np.var(scores[known]))) if known.any() else 0.0
    return scores / spread if spread > 1e-12 else scores
