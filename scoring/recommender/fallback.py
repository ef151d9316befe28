"""Orders every list: the ranker's titles first, then content, then popular titles.

- The ranker orders the titles it knows (`personal` or `fold-in`). Of ten titles in a list, at most
  one is unknown to the ranker; `content` chooses it.
- A person who rated only titles unknown to the ranker gets a list by `content`: a title's
  similarity to the rated ones, times its popularity.
- `popular` titles fill the list up.

People and titles are rows here; `Recommender` turns them into ids.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scoring.arrays import Floats, Mask, Rows, Singles, top_rows
from scoring.recommender.content import TITLES_PER_COLD_TITLE, ColdScores, ContentMap
from scoring.recommender.rankers import Ranker

REASONS = 3  # titles named in "because you rated ..."
PERSONAL, FOLD_IN, CONTENT, POPULAR = "personal", "fold-in", "content", "popular"


@dataclass(frozen=True)
class RankedRows:
    """Rows of titles, best first, with the score and the strategy of each."""

    rows: Rows
    scores: Floats
    strategies: NDArray[np.str_]

    @classmethod
    def of(cls, rows: Rows, scores: Floats, strategy: str) -> RankedRows:
        """Titles of one strategy; `scores` [I] are of all titles."""
        return cls(rows, scores[rows], np.full(len(rows), strategy, dtype="<U8"))

    def then(self, other: RankedRows) -> RankedRows:
        """These titles, then the other's."""
        return RankedRows(
            np.concatenate([self.rows, other.rows]),
            np.concatenate([self.scores, other.scores]),
            np.concatenate([self.strategies, other.strategies]),
        )


@dataclass(frozen=True)
class FallbackOrder:
    """Orders titles by a ranker, by content (None in bundles without it), and by popularity [I].

    `excluded` [I] marks titles that must not be in the list. `by_ranker` and `by_content` change
    it: they mark the titles they use.
    """

    ranker: Ranker
    content: ContentMap | None
    popularity: Floats

    def knows_any(self, rated: Rows) -> bool:
        """Whether the ranker knows any of these titles."""
        return bool(self.ranker.known[rated].any())

    def strategy_for(self, rated: Rows) -> str:
        """The strategy for a person who is described by these rated titles only."""
        if self.knows_any(rated):
            return FOLD_IN
        has_content = self.content is not None and bool(self.content.known[rated].any())
        return CONTENT if has_content else POPULAR

    # Lists

    def by_ranker(
        self, scores: Floats, strategy: str, rated: Rows, excluded: Mask, n: int
    ) -> RankedRows:
        """The list of `n` from the ranker's scores [I]."""
        excluded[rated] = True
        best = top_rows(np.where(excluded | ~self.ranker.known, -np.inf, scores), n)
        ranked = self.with_cold(best, scores, self.cold(scores, n), strategy, excluded, n)
        return self._filled_up(ranked, excluded, n)

    def by_content(self, rated: Rows, excluded: Mask, n: int) -> RankedRows:
        """The list of `n` for a person without a rated title that the ranker knows."""
        excluded[rated] = True
        scores = self._content_scores(rated)
        best = top_rows(np.where(excluded | (scores <= 0.0), -np.inf, scores), n)
        return self._filled_up(RankedRows.of(best, scores, CONTENT), excluded, n)

    def popular(self, excluded: Mask, n: int) -> RankedRows:
        """The most popular titles that are not excluded."""
        rows = top_rows(np.where(excluded, -np.inf, self.popularity), n)
        return RankedRows.of(rows, self.popularity, POPULAR)

    def cold(self, scores: Floats | Singles, n: int) -> ColdScores | None:
        """Content's scores of cold titles; None where a list of `n` has no room for one.

        `scores` are the ranker's, [I] of one person or [people, I] of many.
        """
        has_room = n >= TITLES_PER_COLD_TITLE
        return self.content.score(scores) if self.content is not None and has_room else None

    def with_cold(
        self,
        best: Rows,
        scores: Floats,
        cold: ColdScores | None,
        strategy: str,
        excluded: Mask,
        n: int,
    ) -> RankedRows:
        """The ranker's list `best` with the cold titles that content admits."""
        if cold is not None and self.content is not None:
            scores = scores.copy()
            scores[cold.rows] = cold.values
            best = self.content.admit(best, scores, cold, excluded, n)
        ranked = RankedRows.of(best, scores, strategy)
        ranked.strategies[~self.ranker.known[best]] = CONTENT
        return ranked

    def _filled_up(self, ranked: RankedRows, excluded: Mask, n: int) -> RankedRows:
        excluded[ranked.rows] = True
        missing = n - len(ranked.rows)
        return ranked.then(self.popular(excluded, missing)) if missing > 0 else ranked

    # Scores

    def all_scores(self, scores: Floats) -> Floats:
        """The ranker's scores [I], with content's scores of cold titles."""
        if self.content is None:
            return scores
        cold, every = self.content.score(scores), scores.copy()
        every[cold.rows] = cold.values
        return every

    def scores_by_strategy(self, rated: Rows) -> dict[str, Floats]:
        """The scores [I] by which a fold-in list is ordered, by strategy."""
        found = {POPULAR: self.popularity}
        if self.knows_any(rated):
            scores = self.all_scores(self.ranker.fold_in(rated))
            return found | {FOLD_IN: scores, CONTENT: scores}
        return found if self.content is None else found | {CONTENT: self._content_scores(rated)}

    def _content_scores(self, rated: Rows) -> Floats:
        if self.content is None:
            return np.zeros(len(self.popularity))
        scores: Floats = self.content.likeness(rated) * self.popularity
        return scores

    # Similar titles and reasons

    def similarities(self, title: int) -> tuple[Floats, str]:
        """Similarity [I] to `title`, minus infinity where unknown, and its strategy."""
        if self.ranker.known[title]:
            return self.ranker.similarities(title), "similar"
        if self.content is not None and self.content.known[title]:
            return self.content.similarities(title, self.popularity), CONTENT
        return np.full(len(self.popularity), -np.inf), "none"

    def reasons(self, ranked: RankedRows, rated: Rows) -> list[Rows]:
        """For each listed title, at most three rated ones that add most to its score.

        Empty for popular titles.
        """
        by_content = ranked.strategies == CONTENT
        by_ranker = ~by_content & (ranked.strategies != POPULAR)
        shares = np.zeros((len(ranked.rows), len(rated)))
        if by_ranker.any():
            shares[by_ranker] = self.ranker.reasons(rated, ranked.rows[by_ranker])
        if self.content is not None and by_content.any():
            shares[by_content] = self.content.reasons(rated, ranked.rows[by_content])
        return [rated[top_rows(np.where(s > 0.0, s, -np.inf), REASONS)] for s in shares]
