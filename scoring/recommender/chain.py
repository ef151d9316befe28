"""The chain of strategies that makes a list: the ranker's (`personal` or `fold-in`), `content`,
`popular`. People and titles are rows here; `Recommender` turns them into ids.

- The ranker orders the titles it knows; of those it does not, content admits one in ten at most.
- Who rated nothing the ranker knows is answered by content: how like what they rated a title is,
  times its popularity.
- What is still empty is filled up by popularity.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scoring.arrays import Floats, Mask, Rows, Singles, top_rows
from scoring.recommender.content import ONE_IN, ColdScores, ContentMap
from scoring.recommender.rankers.ranker import Ranker

REASONS = 3  # titles named in "because you rated ..."
PERSONAL, FOLD_IN, CONTENT, POPULAR = "personal", "fold-in", "content", "popular"


@dataclass(frozen=True)
class Listed:
    """Rows of titles, best first, with the score and the strategy of each."""

    rows: Rows
    scores: Floats
    strategies: NDArray[np.str_]

    @classmethod
    def of(cls, rows: Rows, scores: Floats, strategy: str) -> Listed:
        """All by one strategy; `scores` are of all titles."""
        return cls(rows, scores[rows], np.full(len(rows), strategy, dtype="<U8"))

    def then(self, other: Listed) -> Listed:
        """These, and the others after them."""
        return Listed(
            np.concatenate([self.rows, other.rows]),
            np.concatenate([self.scores, other.scores]),
            np.concatenate([self.strategies, other.strategies]),
        )


@dataclass(frozen=True)
class Chain:
    """What orders titles: a ranker, what content adds to it (or None), and popularity [I]."""

    ranker: Ranker
    content: ContentMap | None
    popularity: Floats

    def knows_any(self, rated: Rows) -> bool:
        """Whether the ranker can learn from any of these titles."""
        return bool(self.ranker.known[rated].any())

    def strategy_for(self, rated: Rows) -> str:
        """By what somebody known by these ratings alone is answered."""
        if self.knows_any(rated):
            return FOLD_IN
        told = self.content is not None and bool(self.content.known[rated].any())
        return CONTENT if told else POPULAR

    def ranked(self, scores: Floats, strategy: str, rated: Rows, barred: Mask, n: int) -> Listed:
        """The list from the ranker's scores [I]; `barred` [I] becomes what may not follow it."""
        barred[rated] = True
        best = top_rows(np.where(barred | ~self.ranker.known, -np.inf, scores), n)
        found = self.listed(best, scores, self.cold(scores, n), strategy, barred, n)
        return self._filled_up(found, barred, n)

    def cold(self, scores: Floats | Singles, n: int) -> ColdScores | None:
        """Content's scores of the titles the ranker does not know; None where a list of `n` has no
        room for one. `scores` are one person's [I] or many people's [people, I]."""
        return self.content.score(scores) if self.content is not None and n >= ONE_IN else None

    def listed(
        self,
        best: Rows,
        scores: Floats,
        cold: ColdScores | None,
        strategy: str,
        barred: Mask,
        n: int,
    ) -> Listed:
        """The ranker's list `best` with the cold titles that content admits to it."""
        if cold is not None and self.content is not None:
            scores = scores.copy()
            scores[cold.rows] = cold.values
            best = self.content.admit(best, scores, cold, barred, n)
        found = Listed.of(best, scores, strategy)
        found.strategies[~self.ranker.known[best]] = CONTENT
        return found

    def by_content(self, rated: Rows, barred: Mask, n: int) -> Listed:
        """The list for somebody who rated only what the ranker does not know, if anything."""
        barred[rated] = True
        scores = self._like(rated)
        best = top_rows(np.where(barred | (scores <= 0.0), -np.inf, scores), n)
        return self._filled_up(Listed.of(best, scores, CONTENT), barred, n)

    def popular(self, barred: Mask, n: int) -> Listed:
        """The most popular titles, whoever asks."""
        rows = top_rows(np.where(barred, -np.inf, self.popularity), n)
        return Listed.of(rows, self.popularity, POPULAR)

    def all_scores(self, scores: Floats) -> Floats:
        """The ranker's scores [I], and content's of the titles it does not know."""
        if self.content is None:
            return scores
        cold, every = self.content.score(scores), scores.copy()
        every[cold.rows] = cold.values
        return every

    def scores_by_strategy(self, rated: Rows) -> dict[str, Floats]:
        """What the list of somebody known by these ratings is ordered by [I], by strategy."""
        found = {POPULAR: self.popularity}
        if self.knows_any(rated):
            scores = self.all_scores(self.ranker.fold_in(rated))
            return found | {FOLD_IN: scores, CONTENT: scores}
        return found if self.content is None else found | {CONTENT: self._like(rated)}

    def _like(self, rated: Rows) -> Floats:
        if self.content is None:
            return np.zeros(len(self.popularity))
        scores: Floats = self.content.likeness(rated) * self.popularity
        return scores

    def similarities(self, title: int) -> tuple[Floats, str]:
        """How near each title [I] is, and by which strategy; minus infinity where unknown."""
        if self.ranker.known[title]:
            return self.ranker.similarities(title), "similar"
        if self.content is not None and self.content.known[title]:
            return self.content.similarities(title, self.popularity), CONTENT
        return np.full(len(self.popularity), -np.inf), "none"

    def reasons(self, found: Listed, rated: Rows) -> list[Rows]:
        """Of each listed title, the rated ones that speak for it most; none for popular ones."""
        by_content = found.strategies == CONTENT
        ranked = ~by_content & (found.strategies != POPULAR)
        shares = np.zeros((len(found.rows), len(rated)))
        if ranked.any():
            shares[ranked] = self.ranker.reasons(rated, found.rows[ranked])
        if self.content is not None and by_content.any():
            shares[by_content] = self.content.reasons(rated, found.rows[by_content])
        return [rated[top_rows(np.where(s > 0.0, s, -np.inf), REASONS)] for s in shares]

    def _filled_up(self, found: Listed, barred: Mask, n: int) -> Listed:
        barred[found.rows] = True
        left = n - len(found.rows)
        return found.then(self.popular(barred, left)) if left > 0 else found
