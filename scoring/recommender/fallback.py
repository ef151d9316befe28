"""Orders every list: the ranker's titles first, then content, then popular titles.

- The ranker orders the titles it knows (`personal` or `fold-in`). What is rated more lately than
  ever has a share in the lists of people who come back. Of ten titles in a list, at most one is
  unknown to the ranker; `content` chooses it.
- A person who liked only titles unknown to the ranker gets a list by `content`: a title's
  similarity to these, times its popularity.
- `popular` titles fill the list up: those that are rated most lately.

With `diversity` a list is chosen from more candidates than it has titles (`reranking.py`). What
fills up a short list stays in its order.

People and titles are rows here; `Recommender` turns them into ids.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from scoring.arrays import Floats, Mask, Rows, top_rows, top_rows_of_each
from scoring.recommender.bundle import RecommenderBundle, lately_facts
from scoring.recommender.content import TITLES_PER_COLD_TITLE, ContentMap, read_content
from scoring.recommender.rankers import Ranker
from scoring.recommender.ratings_arrays import History
from scoring.recommender.reranking import RankedRows, Reranker, candidates
from scoring.recommender.timed_titles import HOUR, Counts, TimedTitles

REASONS = 3  # titles named in "because you rated ..."
PERSONAL, FOLD_IN, CONTENT, POPULAR = "personal", "fold-in", "content", "popular"


@dataclass(frozen=True)
class Popularity:
    """How popular titles are: over `all_time` [I] and lately, by `timed` (see `TimedTitles`).

    `half_life` is in days; `share` is the weight in the lists of people who come back; `damping`
    is the number of ratings of a person at which half of the all-time popularity, which a ranker's
    scores hold too, is taken off (`Counts.lift`). Without `timed`, as in older bundles, nothing
    is known of lately.
    """

    all_time: Floats
    timed: TimedTitles | None = None
    half_life: float = 1.0
    share: float = 0.0
    damping: float = 1.0
    memory: list[Counts] = field(default_factory=list)
    """The counts last asked for: an evaluation asks in the order of time."""

    @classmethod
    def of(
        cls, all_time: Floats, timed: TimedTitles | None, facts: Mapping[str, Any] | None
    ) -> Popularity:
        """From a bundle; `facts` is its `fold_in.lately`."""
        return cls(all_time, timed, **facts) if timed is not None and facts else cls(all_time)

    def popular(self, at: int | None) -> Floats:
        """The score [I] of popular titles: ratings lately, and of all time at most one more.

        `at` is the moment of asking, by default that of the newest rating.
        """
        if self.timed is None:
            return self.all_time
        lately = self.counts(self.timed, at).lately
        return lately + self.all_time / max(float(self.all_time.max()), 1e-12)

    def with_lately(self, scores: Floats, known: Rows, liked: bool, history: History) -> Floats:
        """A ranker's scores [I] with what is rated more lately than ever; in standard deviations.

        Only the scores of `known` titles, which the ranker knows, are those of the list.

        Somebody who liked none of the titles they rated gets what is popular, less what is like
        these.
        """
        if not liked:
            popular = _scaled(np.log1p(self.popular(history.at)[known]))
            return _put(scores, known, np.minimum(_scaled(scores[known]), 0.0) + popular)
        share = self.share * history.away
        if self.timed is None or not share:
            return scores
        ratings = int(np.isin(history.rows, known).sum())
        lift = self.counts(self.timed, history.at).lift(ratings / (ratings + self.damping), known)
        return _put(scores, known, _scaled(scores[known]) + share * _scaled(lift))

    def counts(self, timed: TimedTitles, at: int | None) -> Counts:
        """The counts of `timed` at this moment, by default that of the newest rating."""
        moment = timed.newest if at is None else at
        earlier = self.memory[0] if self.memory else None
        if earlier is None or earlier.hour != moment // HOUR:
            earlier = timed.counts(moment, self.half_life, len(self.all_time), earlier)
            self.memory[:] = [earlier]
        return earlier


def _scaled(scores: Floats) -> Floats:
    """Scores divided by their standard deviation, where that is not 0."""
    spread = float(scores.std()) if len(scores) else 0.0
    found: Floats = scores / (spread if spread > 1e-12 else 1.0)
    return found


def _put(scores: Floats, rows: Rows, values: Floats) -> Floats:
    """The scores with those of `rows` replaced."""
    found = scores.copy()
    found[rows] = values
    return found


@dataclass(frozen=True)
class FallbackOrder:
    """Orders titles by a ranker, by content (None in bundles without it), and by popularity.

    `reranker` chooses from these where a list has a `diversity` above 0.

    `excluded` [I] marks titles that must not be in the list. `by_ranker` and `by_content` change
    it: they mark the titles they use.
    """

    ranker: Ranker
    content: ContentMap | None
    popularity: Popularity
    reranker: Reranker

    @classmethod
    def of(cls, bundle: RecommenderBundle, ranker: Ranker) -> FallbackOrder:
        """From a bundle and its ranker."""
        content = read_content(bundle.facts, bundle.content_vectors, ranker.known)
        popular = Popularity.of(bundle.popularity, bundle.timed, lately_facts(bundle.facts))
        kept = bundle.content_vectors, bundle.item_factors, bundle.popularity
        varied = Reranker(*kept, ranker.known)
        return cls(ranker, content, popular, varied)

    def knows_any(self, history: History) -> bool:
        """Whether the ranker knows any of the rated titles."""
        return bool(self.ranker.known[history.rows].any())

    def strategy_for(self, history: History) -> str:
        """The strategy for a person who is described by this history only."""
        if self.knows_any(history):
            return FOLD_IN
        liked = self._liked_rows(history)
        has_content = self.content is not None and bool(self.content.known[liked].any())
        return CONTENT if has_content else POPULAR

    def _liked_rows(self, history: History) -> Rows:
        return history.rows[self.ranker.liked(history)]

    # Lists

    def by_ranker(
        self,
        scores: Floats,
        strategy: str,
        history: History,
        excluded: Mask,
        n: int,
        diversity: float = 0.0,
    ) -> RankedRows:
        """The list of `n` from scores [I] of `personal` or `fold_in`.

        A cold title is a candidate where it is in the list without diversity.
        """
        excluded[history.rows] = True
        rows = self._known_rows
        available = np.where(excluded[rows], -np.inf, scores[rows])
        best = rows[top_rows(available, candidates(n, diversity))]
        ranked = self._with_cold(best[:n], scores, strategy, excluded, n)
        if diversity:
            others = best[~np.isin(best, ranked.rows)]
            pool = ranked.then(RankedRows.of(others, scores, strategy))
            ranked = self.reranker.choose(pool, n, diversity)
        return self._filled_up(ranked, history, excluded, n)

    def _with_cold(
        self, best: Rows, scores: Floats, strategy: str, excluded: Mask, n: int
    ) -> RankedRows:
        """The ranker's best rows with the cold titles that are let in."""
        ranked = RankedRows.of(best, scores, strategy)
        if self.content is None or n < TITLES_PER_COLD_TITLE:
            return ranked
        last = float(ranked.scores[-1]) if len(ranked.rows) == n else -np.inf
        cold = self.content.best_of(scores, last, excluded, n)
        best, own = self.content.admit(ranked.rows, ranked.scores, cold, n)
        return RankedRows(best, own, np.where(self.ranker.known[best], strategy, CONTENT))

    @cached_property
    def _known_rows(self) -> Rows:
        """The titles that the ranker knows: few of a large catalogue."""
        return np.flatnonzero(self.ranker.known)

    def by_content(
        self, history: History, excluded: Mask, n: int, diversity: float = 0.0
    ) -> RankedRows:
        """The list of `n` for a person without a rated title that the ranker knows.

        Where content knows none either, it is a list of popular titles.
        """
        excluded[history.rows] = True
        scores = self._content_scores(history)
        available = np.where(excluded | (scores <= 0.0), -np.inf, scores)
        wanted = candidates(n, diversity)
        ranked = RankedRows.of(top_rows(available, wanted), scores, CONTENT)
        if diversity:
            pool = ranked if len(ranked.rows) else self.popular(history, excluded, wanted)
            ranked = self.reranker.choose(pool, n, diversity)
        return self._filled_up(ranked, history, excluded, n)

    def popular(self, history: History, excluded: Mask, n: int) -> RankedRows:
        """The most popular titles that are not excluded."""
        popular = self.popularity.popular(history.at)
        rows = top_rows(np.where(excluded, -np.inf, popular), n)
        return RankedRows.of(rows, popular, POPULAR)

    def _filled_up(
        self, ranked: RankedRows, history: History, excluded: Mask, n: int
    ) -> RankedRows:
        excluded[ranked.rows] = True
        missing = n - len(ranked.rows)
        return ranked.then(self.popular(history, excluded, missing)) if missing > 0 else ranked

    # Scores

    def personal(self, user: int, history: History) -> Floats:
        """The scores [I] by which a trained person's list is ordered, without cold titles."""
        return self._with_lately(self.ranker.personal(user, history), history)

    def fold_in(self, history: History) -> Floats:
        """The scores [I] by which anybody else's list is ordered, without cold titles."""
        return self._with_lately(self.ranker.fold_in(history), history)

    def _with_lately(self, scores: Floats, history: History) -> Floats:
        liked = bool(self.ranker.known[self._liked_rows(history)].any())
        return self.popularity.with_lately(scores, self._known_rows, liked, history)

    def all_scores(self, scores: Floats) -> Floats:
        """The scores [I], with content's scores of cold titles."""
        if self.content is None:
            return scores
        cold, every = self.content.score(scores), scores.copy()
        every[cold.rows] = cold.values
        return every

    def scores_by_strategy(self, history: History) -> dict[str, Floats]:
        """The scores [I] by which a fold-in list is ordered, by strategy."""
        found = {POPULAR: self.popularity.popular(history.at)}
        if self.knows_any(history):
            scores = self.all_scores(self.fold_in(history))
            return found | {FOLD_IN: scores, CONTENT: scores}
        return found if self.content is None else found | {CONTENT: self._content_scores(history)}

    def _content_scores(self, history: History) -> Floats:
        liked = self._liked_rows(history)
        if self.content is None or not len(liked):
            return np.zeros(len(self.popularity.all_time))
        scores: Floats = self.content.likeness(liked) * self.popularity.all_time
        return scores

    # Similar titles and reasons

    def similarities(self, title: int) -> tuple[Floats, str]:
        """Similarity [I] to `title`, minus infinity where unknown, and its strategy."""
        if self.ranker.known[title]:
            return self.ranker.similarities(title), "similar"
        if self.content is not None and self.content.known[title]:
            return self.content.similarities(title, self.popularity.all_time), CONTENT
        return np.full(len(self.popularity.all_time), -np.inf), "none"

    def reasons(self, ranked: RankedRows, history: History) -> list[Rows]:
        """For each listed title, at most three liked ones that add most to its score.

        Empty for popular titles.
        """
        rated, by_content = history.rows, ranked.strategies == CONTENT
        by_ranker = ~by_content & (ranked.strategies != POPULAR)
        shares = np.zeros((len(ranked.rows), len(rated)))
        if by_ranker.any():
            shares[by_ranker] = self.ranker.reasons(history, ranked.rows[by_ranker])
        if self.content is not None and by_content.any():
            shares[by_content] = self.content.reasons(rated, ranked.rows[by_content])
        counted = self.ranker.liked(history) & (shares > 0.0)
        best = top_rows_of_each(np.where(counted, shares, -np.inf), REASONS)
        return [rated[columns] for columns in best]
