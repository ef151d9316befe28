"""The recommender as people use it: predict, recommend, fold in, find similar titles.

Every answer says by which strategy it was made. Ranking: `personal` (trained on the person),
`fold-in` (from ratings at hand), `content` (from what a title is: see `content.py`),
`popular`. Predicting: `personal`, `fold-in`, `bias` (the person or the title is unknown to the
factors) and `mean` (both are).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from marquee.errors import BundleError
from scoring.arrays import Floats, Ints, Mask, Rows, rows_of, top_rows
from scoring.golden import GoldenReport
from scoring.recommender.bundle import RecommenderBundle, Title, read_bundle
from scoring.recommender.chain import FOLD_IN, PERSONAL, Chain, Listed
from scoring.recommender.content import ContentFacts, ContentMap
from scoring.recommender.fold_in import read_fold_in
from scoring.recommender.golden import check_golden
from scoring.recommender.rankers.ranker import Ranker
from scoring.recommender.rankers.reading import read_ranker

STRATEGIES = np.array(["mean", "bias", FOLD_IN, PERSONAL])
BY_MEAN, BY_BIAS, FOLDED_IN, KNOWN = range(4)  # places in it


@dataclass(frozen=True)
class Predictions:
    """Stars, clipped to the scale, and how each was reached."""

    values: Floats
    strategies: NDArray[np.str_]


@dataclass(frozen=True)
class Recommendation:
    """A title, its ranking score (comparable within one answer only), how, and because of which
    rated titles (those that add most to the score)."""

    movie_id: int
    score: float
    strategy: str
    because: tuple[int, ...] = ()


@dataclass(frozen=True)
class Similar:
    """A title and how near it is: the cosine of the ranker's factors, or, where it has none, the
    weight of having rated the asked title; with the strategy `content`, the cosine of what both
    are."""

    movie_id: int
    similarity: float
    strategy: str = "similar"


class Recommender:
    """Scores one bundle. Immutable; answers from many threads at once."""

    def __init__(self, bundle: RecommenderBundle) -> None:
        self.bundle = bundle
        self.predictor_fold_in = read_fold_in(bundle.facts.get("fold_in", {}))
        self.ranker: Ranker = read_ranker(
            bundle.facts, bundle.rank_user_factors, bundle.rank_item_factors, bundle.rank_weights
        )
        self._mean = float(bundle.facts["mean"])
        self._low, self._high = (float(v) for v in bundle.facts["clip"])
        # Side information gives factors to titles nobody rated too: those answers are not personal.
        rated = np.bincount(bundle.ratings.indices, minlength=len(bundle.movie_ids)) > 0
        self._warm: Mask = bundle.item_factors.any(axis=1) & rated
        self.chain = Chain(self.ranker, _content(bundle, self.ranker), bundle.popularity)
        if self.predictor_fold_in.rank > bundle.item_factors.shape[1]:
            raise BundleError("fold_in names more factors than item_factors has", "train again")

    @classmethod
    def load(cls, folder: Path) -> Recommender:
        """Map a bundle's folder; raises BundleError where it is torn or is not one."""
        return cls(read_bundle(Path(folder)))

    # What it knows ------------------------------------------------------------------------

    @property
    def titles(self) -> Mapping[int, Title]:
        """Titles by movie id."""
        return self.bundle.titles

    @property
    def user_ids(self) -> Ints:
        """Known people, ascending."""
        return self.bundle.user_ids

    @property
    def movie_ids(self) -> Ints:
        """The catalogue, ascending."""
        return self.bundle.movie_ids

    def knows_user(self, user_id: int) -> bool:
        """Whether this person was trained on."""
        return self._user_row(user_id) >= 0

    def ratings_of(self, user_id: int) -> dict[int, float]:
        """The person's ratings the bundle holds, by movie id, oldest first where the bundle knows
        the order; empty for a stranger."""
        row = self._user_row(user_id)
        if row < 0:
            return {}
        order = self.bundle.ratings.oldest_first(row)
        movies = self.movie_ids[self.bundle.ratings.items(row)[order]].tolist()
        return dict(zip(movies, self.bundle.ratings.stars(row)[order].tolist()))

    # Predicting ---------------------------------------------------------------------------

    def predict(self, user_ids: Ints, movie_ids: Ints) -> Predictions:
        """Stars for pairs of one length; every pair is answered."""
        users = rows_of(self.user_ids, np.asarray(user_ids, dtype=np.int64))
        items = rows_of(self.movie_ids, np.asarray(movie_ids, dtype=np.int64))
        known = (users >= 0) & (items >= 0)
        values = np.full(len(users), self._mean)
        values += np.where(users >= 0, self.bundle.user_bias[users], 0.0)
        values += np.where(items >= 0, self.bundle.item_bias[items], 0.0)
        left = self.bundle.user_factors[users[known]].astype(np.float64)
        values[known] += np.einsum("nk,nk->n", left, self.bundle.item_factors[items[known]])
        code = np.where((users >= 0) | (items >= 0), BY_BIAS, BY_MEAN)
        code[known & self._warm[items]] = KNOWN
        return Predictions(values.clip(self._low, self._high), STRATEGIES[code])

    def predict_for(self, ratings: Mapping[int, float], movie_ids: Ints) -> Predictions:
        """Stars for a person known by these ratings alone."""
        items = rows_of(self.movie_ids, np.asarray(movie_ids, dtype=np.int64))
        rows, stars = self._known(ratings)
        bias, factors = 0.0, np.zeros(self.bundle.item_factors.shape[1])
        if len(rows):
            bias, factors = self.predictor_fold_in.person(
                self._mean, self.bundle.item_bias[rows], self.bundle.item_factors[rows], stars
            )
        values = np.full(len(items), self._mean + bias)
        known = items >= 0
        values[known] += self.bundle.item_bias[items[known]]
        values[known] += self.bundle.item_factors[items[known]].astype(np.float64) @ factors
        code = np.where(known | bool(len(rows)), BY_BIAS, BY_MEAN)
        code[known & self._warm[items] & bool(factors.any())] = FOLDED_IN
        return Predictions(values.clip(self._low, self._high), STRATEGIES[code])

    # Ranking ------------------------------------------------------------------------------

    def recommend(
        self,
        user_id: int,
        n: int = 10,
        *,
        allowed: Collection[int] | None = None,
        exclude: Collection[int] = (),
    ) -> list[Recommendation]:
        """The best `n` titles the person has not rated; the popular ones for a stranger.

        `allowed` limits the answer to these movie ids; `exclude` leaves these out.
        """
        row, barred = self._user_row(user_id), self._barred(allowed, exclude)
        return self._told(self._list_of(row, barred, n), self._seen(row))

    def recommend_for(
        self,
        ratings: Mapping[int, float],
        n: int = 10,
        *,
        allowed: Collection[int] | None = None,
        exclude: Collection[int] = (),
    ) -> list[Recommendation]:
        """The best `n` titles for a person known by these ratings alone, those left out.

        `ratings` is taken to be oldest first: some rankers listen more to the latest.
        """
        seen, _ = self._known(ratings)
        barred = self._barred(allowed, exclude)
        if not self.chain.knows_any(seen):
            return self._told(self.chain.by_content(seen, barred, n), seen)
        scores = self.ranker.fold_in(seen)
        return self._told(self.chain.ranked(scores, FOLD_IN, seen, barred, n), seen)

    def strategy_for(self, ratings: Mapping[int, float]) -> str:
        """By what `recommend_for` answers somebody with these ratings."""
        return self.chain.strategy_for(self._known(ratings)[0])

    def top_unseen(self, user_ids: Ints, n: int) -> Ints:
        """Movie ids [people, n] as `recommend` orders them, -1 past the end; for evaluation."""
        top = np.full((len(user_ids), n), -1, dtype=np.int64)
        for place, user_id in enumerate(user_ids):
            rows = self.listed(int(user_id), n).rows
            top[place, : len(rows)] = self.movie_ids[rows]
        return top

    def listed(self, user_id: int, n: int) -> Listed:
        """`recommend` by row of `movie_ids`, without reasons."""
        return self._list_of(self._user_row(user_id), self._barred(None, ()), n)

    def scores(self, user_id: int) -> Floats:
        """What `recommend` orders titles by for a known person, by row of `movie_ids`: the ranker's
        score, and content's of a title it does not know."""
        row = self._user_row(user_id)
        return self.chain.all_scores(self.ranker.personal(row, self._seen(row)))

    def scores_for(self, ratings: Mapping[int, float]) -> dict[str, Floats]:
        """What `recommend_for` orders titles by, by strategy and row of `movie_ids`."""
        return self.chain.scores_by_strategy(self._known(ratings)[0])

    def similar(self, movie_id: int, n: int = 10) -> list[Similar]:
        """The `n` nearest titles: by taste, or by content for a title the ranker does not know;
        none where nothing is known of it."""
        row = int(rows_of(self.movie_ids, np.array([movie_id]))[0])
        if row < 0:
            return []
        nearness, strategy = self.chain.similarities(row)
        best = top_rows(nearness, n)
        return [Similar(int(self.movie_ids[r]), float(nearness[r]), strategy) for r in best]

    def check_golden(self) -> GoldenReport:
        """Ask the queries the training job recorded; see `golden.json`."""
        return check_golden(self)

    # How ----------------------------------------------------------------------------------

    def _user_row(self, user_id: int) -> int:
        return int(rows_of(self.user_ids, np.array([user_id], dtype=np.int64))[0])

    def _seen(self, row: int) -> Rows:
        """What this person rated, oldest first where the bundle knows the order; nothing for a
        stranger."""
        if row < 0:
            return np.empty(0, dtype=np.intp)
        ratings = self.bundle.ratings
        return ratings.items(row)[ratings.oldest_first(row)].astype(np.intp)

    def _rows(self, movie_ids: Collection[int]) -> Rows:
        rows = rows_of(self.movie_ids, np.fromiter(movie_ids, dtype=np.int64))
        return rows[rows >= 0]

    def _known(self, ratings: Mapping[int, float]) -> tuple[Rows, Floats]:
        rows = rows_of(self.movie_ids, np.fromiter(ratings, dtype=np.int64))
        stars = np.fromiter(ratings.values(), dtype=np.float64)
        return rows[rows >= 0], stars[rows >= 0]

    def _barred(self, allowed: Collection[int] | None, exclude: Collection[int]) -> Mask:
        """True for the titles that must not be in the answer."""
        barred = np.full(len(self.movie_ids), allowed is not None)
        if allowed is not None:
            barred[self._rows(allowed)] = False
        barred[self._rows(exclude)] = True
        return barred

    def _list_of(self, row: int, barred: Mask, n: int) -> Listed:
        """The list of a person of the training rows; a stranger's where there is no such row."""
        seen = self._seen(row)
        if not self.chain.knows_any(seen):
            return self.chain.by_content(seen, barred, n)
        return self.chain.ranked(self.ranker.personal(row, seen), PERSONAL, seen, barred, n)

    def _told(self, found: Listed, seen: Rows) -> list[Recommendation]:
        movies = self.movie_ids[found.rows].tolist()
        because = [tuple(self.movie_ids[rows].tolist()) for rows in self.chain.reasons(found, seen)]
        parts = zip(movies, found.scores.tolist(), found.strategies.tolist(), because, strict=True)
        return [Recommendation(*part) for part in parts]


def _content(bundle: RecommenderBundle, ranker: Ranker) -> ContentMap | None:
    """None for a bundle of before content was kept."""
    facts = ContentFacts.of(bundle.facts)
    if facts is None or bundle.content_vectors is None:
        return None
    return ContentMap(bundle.content_vectors, ranker.known, facts)
