"""The lists of many people at once: the answers of `Recommender.recommend`, a block at a time.

A block's scores are one product over the titles that the ranker knows; masks, what is rated lately
and cold titles follow in the same arithmetic. Nothing is as large as people times titles: a block
has CELLS scores at most. The sums are those of one person's answer in the same order, except where
a product in single precision rounds otherwise (factors, content) or one person's sum reads all
weights; titles with scores equal to about 1e-6 may then change places. Equal sums stay equal.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from scoring.arrays import Floats, Ints, Mask, Rows, places_in
from scoring.recommender.content import TITLES_PER_COLD_TITLE, ColdScores, ContentMap
from scoring.recommender.ratings_arrays import DAY, History, RatingsMatrix, Scale, liking_of
from scoring.recommender.timed_titles import HOUR

if TYPE_CHECKING:
    from scoring.recommender.model import Recommender

CELLS = 2_000_000
"""Scores in memory at once: 16 MB."""
MOST_PEOPLE = 256
MOST_HALF_LIVES = 500
"""Of a block's moments: weights of ratings in it stay below 2^500."""


@dataclass(frozen=True)
class Histories:
    """What P people rated, M ratings in all: person after person, each one's oldest first.

    `people` [P] are rows of the bundle, `counts` [P] their numbers of ratings; `rows` and `liking`
    [M] are those of `History`. `at` [P] are moments of asking, None where no time is known.
    """

    people: Rows
    counts: Ints
    rows: Rows
    liking: Floats
    away: Floats
    at: Ints | None

    @classmethod
    def of(
        cls, ratings: RatingsMatrix, scale: Scale, people: Rows, at: Ints | None, last: Ints | None
    ) -> Histories:
        """Of these people; `last` [P] are the times of their last ratings."""
        starts = ratings.indptr[people]
        counts = ratings.indptr[people + 1] - starts
        ends = np.cumsum(counts)
        entries = np.arange(counts.sum()) + np.repeat(starts - (ends - counts), counts)
        if ratings.places is not None:
            kept = entries.copy()
            entries[np.repeat(ends - 1, counts) - ratings.places[kept]] = kept
        rows = ratings.indices[entries].astype(np.intp)
        pause = np.zeros(len(people)) if at is None or last is None else np.maximum(at - last, 0)
        away = pause / (DAY + pause)
        return cls(people, counts, rows, liking_of(ratings.values[entries], scale), away, at)

    @cached_property
    def person(self) -> Rows:
        """The place [M] of each rating's person."""
        return np.repeat(np.arange(len(self.people)), self.counts)

    @property
    def ages(self) -> Floats:
        """The number of the person's later ratings, [M]."""
        ends = np.repeat(np.cumsum(self.counts), self.counts)
        return (ends - 1 - np.arange(len(self.rows))).astype(np.float64)

    @property
    def flat(self) -> History:
        """All ratings as one history, for questions about single ratings."""
        return History(self.rows, self.liking)

    def any_of(self, ratings: Mask) -> Mask:
        """Whether each person has one of the marked ratings, [P]."""
        return np.bincount(self.person, ratings, len(self.people)) > 0


@runtime_checkable
class BlockRanker(Protocol):
    """A ranker that can score many people at once."""

    def of_people(self, histories: Histories, titles: Rows) -> Floats:
        """Its `personal` scores of these titles, [people, titles]."""


@dataclass(frozen=True)
class RankedBlock:
    """Rows of titles [people, n], best first; their scores, -inf past the end; which are cold."""

    rows: Rows
    scores: Floats
    cold: Mask


def histories_of(model: Recommender, people: Rows, at: Ints | None) -> Histories:
    """As `RecommenderBundle.history` for each of these rows."""
    bundle = model.bundle
    if bundle.timed is None:
        return Histories.of(bundle.ratings, bundle.scale, people, None, None)
    moments = np.full(len(people), bundle.timed.newest) if at is None else at
    return Histories.of(bundle.ratings, bundle.scale, people, moments, bundle.timed.last[people])


def people_at_once(model: Recommender) -> int:
    """So many that their scores are CELLS at most."""
    known = int(model.ranker.known.sum())
    return max(1, min(MOST_PEOPLE, CELLS // max(known, 1)))


def blocks_in_time(model: Recommender, at: Ints | None, people: int, size: int) -> list[Rows]:
    """Places of `people` people in blocks of `size`, in the order of `at`: counts only grow.

    A block's moments lie within MOST_HALF_LIVES.
    """
    if at is None:
        return [np.arange(start, min(start + size, people)) for start in range(0, people, size)]
    order, found, start = np.argsort(at, kind="stable"), list[Rows](), 0
    span = MOST_HALF_LIVES * DAY * model.fallback.popularity.half_life
    while start < people:
        within = int(np.searchsorted(at[order], at[order[start]] + span, side="right"))
        found.append(order[start : min(start + size, within)])
        start += len(found[-1])
    return found


def ranked_block(model: Recommender, histories: Histories, n: int) -> RankedBlock:
    """The lists of people of whom the ranker knows a title; `histories` ascend in time."""
    ranker, content = model.ranker, model.fallback.content
    assert isinstance(ranker, BlockRanker)
    known, rated = np.flatnonzero(ranker.known), ranker.known[histories.rows]
    liked = histories.any_of(ranker.liked(histories.flat) & rated)
    scores = with_lately(model, ranker.of_people(histories, known), liked, histories)
    column = places_in(known, len(ranker.known), -1)
    fitted = scores[:, column[content.fitted]] if content is not None else scores[:, :0]
    scores[histories.person[rated], column[histories.rows[rated]]] = -np.inf
    best = best_columns(scores, n)
    listed = _padded(known[best], np.take_along_axis(scores, best, axis=1), n)
    if content is not None and n >= TITLES_PER_COLD_TITLE:
        may = content.may_come(fitted, listed.scores[:, -1])
        cold = _best_cold(content, fitted, may, histories, n)
        listed = _admitted(listed, cold, content.facts.optimism, n)
    return listed


def _padded(rows: Rows, scores: Floats, n: int) -> RankedBlock:
    """Lists of `n`: with -inf past the end."""
    missing = np.zeros((len(rows), n - rows.shape[1]), dtype=np.intp)
    scores = np.hstack([scores, missing - np.inf])
    return RankedBlock(np.hstack([rows, missing]), scores, np.zeros(scores.shape, dtype=np.bool_))


def best_columns(scores: Floats, n: int) -> Rows:
    """Columns of the `n` highest scores of each row, best first; equal scores in column order."""
    n = min(n, scores.shape[1])
    if not n:
        return np.empty((len(scores), 0), dtype=np.intp)
    cut = scores.shape[1] - n
    high = scores >= np.partition(scores, cut, axis=1)[:, cut, None]
    tied = np.flatnonzero(high.sum(axis=1) > n)  # of those at the bound the first ones stay
    if len(tied):
        some, bound = scores[tied], np.where(high[tied], scores[tied], np.inf).min(axis=1)[:, None]
        above, equal = some > bound, some == bound
        room = n - above.sum(axis=1, keepdims=True)
        high[tied] = above | (equal & (np.cumsum(equal, axis=1) <= room))
    highest = np.nonzero(high)[1].reshape(-1, n)
    order = np.argsort(-np.take_along_axis(scores, highest, axis=1), axis=1, kind="stable")
    return np.take_along_axis(highest, order, axis=1)


# What is rated lately


def with_lately(model: Recommender, scores: Floats, liked: Mask, histories: Histories) -> Floats:
    """`Popularity.with_lately` of many people; `scores` [P, known], `liked` [P]."""
    popularity, is_known = model.fallback.popularity, model.ranker.known
    known, timed, at = np.flatnonzero(is_known), popularity.timed, histories.at
    found, popular = scores, np.broadcast_to(popularity.all_time[known], scores.shape)
    if timed is not None and at is not None:
        start = popularity.counts(timed, int(at[0]))
        counts = timed.moving(at // HOUR, popularity.half_life, known, start)
        popular = counts.lately[:, :-1] + popular / max(float(popularity.all_time.max()), 1e-12)
        share = (popularity.share * histories.away)[:, None]
        rated = np.bincount(histories.person, is_known[histories.rows], len(scores))
        lift = counts.lift((rated / (rated + popularity.damping))[:, None])[:, : len(known)]
        found = np.where(share != 0.0, _scaled(scores) + share * _scaled(lift), scores)
    nothing = np.flatnonzero(~liked)
    if len(nothing):
        base = _scaled(np.log1p(popular[nothing]))
        found = found.copy()
        found[nothing] = np.minimum(_scaled(scores[nothing]), 0.0) + base
    return found


def _scaled(scores: Floats) -> Floats:
    """Each person's scores divided by their standard deviation, where that is not 0."""
    spread = scores.std(axis=1, keepdims=True)
    return np.asarray(scores / np.where(spread > 1e-12, spread, 1.0))


# Cold titles


def _best_cold(
    content: ContentMap, fitted: Floats, may: Mask, histories: Histories, n: int
) -> ColdScores:
    """The best unrated cold titles of each person, n / 10 of them; a score may be -inf.

    `rows` [P, n / 10]. Only people of whom one `may` come are asked, some at a time.
    """
    most, people = min(n // TITLES_PER_COLD_TITLE, len(content.cold)), len(fitted)
    rows = np.zeros((people, most), dtype=np.intp)
    values, error = np.full(rows.shape, -np.inf), np.zeros(people)
    rated = places_in(content.cold, len(content.known), -1)[histories.rows]
    is_cold = rated >= 0
    person, rated = histories.person[is_cold], rated[is_cold]
    step, asked = max(1, CELLS // max(len(content.cold), 1)), np.flatnonzero(may)
    for start in range(0, len(asked), step):
        part = asked[start : start + step]
        found, place = content.score_fitted(fitted[part]), places_in(part, people, -1)[person]
        found.values[place[place >= 0], rated[place >= 0]] = -np.inf
        best = best_columns(found.values, most)
        rows[part], error[part] = content.cold[best], found.error
        values[part] = np.take_along_axis(found.values, best, axis=1)
    return ColdScores(rows, values, error)


def _admitted(listed: RankedBlock, cold: ColdScores, optimism: float, n: int) -> RankedBlock:
    """`ContentMap.admit` of many people: lists of `n` with the cold titles that are let in."""
    most = cold.rows.shape[1]
    last = listed.scores[:, ::-1][:, :most]
    better = cold.values + optimism * cold.error[:, None] > last
    admitted = np.cumprod(better, axis=1).sum(axis=1, keepdims=True)
    stays = np.arange(n) < n - admitted
    comes = np.arange(most) < admitted
    scores = np.hstack(
        [np.where(stays, listed.scores, -np.inf), np.where(comes, cold.values, -np.inf)]
    )
    order = np.argsort(-scores, axis=1, kind="stable")[:, :n]
    rows, is_cold = (
        np.hstack([listed.rows, cold.rows]),
        np.hstack([listed.cold, np.ones_like(comes)]),
    )
    return RankedBlock(*(np.take_along_axis(a, order, axis=1) for a in (rows, scores, is_cold)))
