"""The recommender: predicts stars, recommends titles, folds in new people, finds similar titles.

Every answer names its strategy:

- of a list: `personal` (a person known from training), `fold-in` (from given ratings), `content`
  (see `content.py`) or `popular`;
- of a prediction: `personal`, `fold-in`, `bias` (person or title has no factors) or `mean` (both
  are unknown).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from marquee.errors import BundleError
from scoring.arrays import Floats, Ints, Mask, Rows, pieces, rows_of, top_rows
from scoring.evaluation_blocks import GoldenReport
from scoring.recommender.bundle import RecommenderBundle, Title, read_bundle
from scoring.recommender.fallback import FOLD_IN, PERSONAL, FallbackOrder
from scoring.recommender.fold_in import read_fold_in
from scoring.recommender.golden_check import check_golden
from scoring.recommender.rankers import RankArrays, Ranker, read_ranker
from scoring.recommender.rating_intervals import RatingIntervals
from scoring.recommender.ratings_arrays import History
from scoring.recommender.reranking import RankedRows

STRATEGIES = np.array(["mean", "bias", FOLD_IN, PERSONAL])
BY_MEAN, BY_BIAS, BY_FOLD_IN, BY_FACTORS = range(4)  # places in `STRATEGIES`
PAIRS_AT_ONCE = 100_000
"""Predicted at once: 32 factors of so many pairs take 50 MB."""


@dataclass(frozen=True)
class Predictions:
    """Stars, clipped to the scale, and the strategy of each prediction."""

    values: Floats
    strategies: NDArray[np.str_]


@dataclass(frozen=True)
class Recommendation:
    """A title, its ranking score and its strategy.

    Scores are comparable within one list only. `because` holds the liked titles that add most to
    the score.
    """

    movie_id: int
    score: float
    strategy: str
    because: tuple[int, ...] = ()


@dataclass(frozen=True)
class Similar:
    """A title and its similarity to the requested one.

    `similarity` is the cosine of the ranker's factors, or the item weight where the ranker has no
    factors. With the strategy `content` it is the cosine of the content vectors.
    """

    movie_id: int
    similarity: float
    strategy: str = "similar"


class Recommender:
    """Answers from one bundle. Immutable and safe for threads."""

    def __init__(self, bundle: RecommenderBundle) -> None:
        self.bundle = bundle
        self.predictor_fold_in = read_fold_in(bundle.facts.get("fold_in", {}))
        factors = bundle.rank_user_factors, bundle.rank_item_factors
        self.ranker: Ranker = read_ranker(bundle.facts, RankArrays(*factors, bundle.rank_arrays))
        self._mean = float(bundle.facts["mean"])
        self._scale = bundle.scale
        # A Bayesian predictor has factors for unrated titles; such answers are not `personal`.
        rated = np.bincount(bundle.ratings.indices, minlength=len(bundle.movie_ids)) > 0
        self._warm: Mask = bundle.item_factors.any(axis=1) & rated
        self.fallback = FallbackOrder.of(bundle, self.ranker)
        self.intervals = RatingIntervals.of(bundle)
        if self.predictor_fold_in.rank > bundle.item_factors.shape[1]:
            raise BundleError("fold_in names more factors than item_factors has", "train again")

    @classmethod
    def load(cls, folder: Path) -> Recommender:
        """Load a bundle; raises BundleError where a file is missing or damaged."""
        return cls(read_bundle(Path(folder)))

    def rank_by(self, ranker: Ranker) -> None:
        """Order lists by another ranker from now on: the same scores, computed elsewhere."""
        self.ranker = ranker
        self.fallback = FallbackOrder.of(self.bundle, ranker)

    # Known people and titles

    @property
    def titles(self) -> Mapping[int, Title]:
        """Titles by movie id."""
        return self.bundle.titles

    @property
    def user_ids(self) -> Ints:
        """The people of the training rows, ascending."""
        return self.bundle.user_ids

    @property
    def movie_ids(self) -> Ints:
        """The titles of the bundle, ascending."""
        return self.bundle.movie_ids

    def knows_user(self, user_id: int) -> bool:
        """Whether this person is in the training rows."""
        return self._user_row(user_id) >= 0

    def ratings_of(self, user_id: int) -> dict[int, float]:
        """The person's ratings in the bundle, by movie id; empty for an unknown person.

        They are oldest first where the bundle keeps the order of ratings.
        """
        row = self._user_row(user_id)
        if row < 0:
            return {}
        order = self.bundle.ratings.oldest_first(row)
        movies = self.movie_ids[self.bundle.ratings.items(row)[order]].tolist()
        return dict(zip(movies, self.bundle.ratings.stars(row)[order].tolist()))

    # Predictions

    def predict(self, user_ids: Ints, movie_ids: Ints) -> Predictions:
        """Stars for pairs of `user_ids` and `movie_ids`; every pair is answered."""
        users = rows_of(self.user_ids, np.asarray(user_ids, dtype=np.int64))
        items = rows_of(self.movie_ids, np.asarray(movie_ids, dtype=np.int64))
        values, codes = np.empty(len(users)), np.empty(len(users), dtype=np.int8)
        for part in pieces(len(users), PAIRS_AT_ONCE):
            values[part], codes[part] = self._stars(users[part], items[part])
        return Predictions(values, STRATEGIES[codes])

    def _stars(self, users: Rows, items: Rows) -> tuple[Floats, NDArray[np.int8]]:
        """Clipped stars and strategies of pairs of rows; -1 is unknown."""
        known = (users >= 0) & (items >= 0)
        values = np.full(len(users), self._mean)
        values += np.where(users >= 0, self.bundle.user_bias[users], 0.0)
        values += np.where(items >= 0, self.bundle.item_bias[items], 0.0)
        factors = self.bundle.user_factors[users[known]].astype(np.float64)
        values[known] += np.einsum("nk,nk->n", factors, self.bundle.item_factors[items[known]])
        code = np.where((users >= 0) | (items >= 0), BY_BIAS, BY_MEAN)
        code[known & self._warm[items]] = BY_FACTORS
        return values.clip(*self._scale), code.astype(np.int8)

    def predict_for(self, ratings: Mapping[int, float], movie_ids: Ints) -> Predictions:
        """Stars for a person who is described by these ratings only."""
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
        code[known & self._warm[items] & bool(factors.any())] = BY_FOLD_IN
        return Predictions(values.clip(*self._scale), STRATEGIES[code])

    # Lists

    def recommend(
        self,
        user_id: int,
        n: int = 10,
        *,
        allowed: Collection[int] | None = None,
        exclude: Collection[int] = (),
        at: int | None = None,
        diversity: float = 0.0,
    ) -> list[Recommendation]:
        """The best `n` titles that the person has not rated; popular titles for an unknown person.

        `allowed` limits the answer to these movie ids; `exclude` leaves these out. `at` is the
        moment of asking in UTC seconds, by default that of the newest rating. `diversity`, 0 to 1,
        trades relevance for variety: see `reranking.py`.
        """
        row, excluded = self._user_row(user_id), self._excluded(allowed, exclude)
        history = self.bundle.history(row, at)
        return self._with_reasons(self._list_of(row, history, excluded, n, diversity), history)

    def recommend_for(
        self,
        ratings: Mapping[int, float],
        n: int = 10,
        *,
        allowed: Collection[int] | None = None,
        exclude: Collection[int] = (),
        diversity: float = 0.0,
    ) -> list[Recommendation]:
        """The best `n` unrated titles for a person who is described by `ratings` only.

        `ratings` are oldest first: some rankers give the latest more weight. They count as just
        given.
        """
        history, excluded = self._given(ratings), self._excluded(allowed, exclude)
        return self._with_reasons(self._list_of(-1, history, excluded, n, diversity), history)

    def strategy_for(self, ratings: Mapping[int, float]) -> str:
        """The strategy of `recommend_for` for a person with these ratings."""
        return self.fallback.strategy_for(self._given(ratings))

    def ranked_rows(
        self, user_id: int, n: int, at: int | None = None, diversity: float = 0.0
    ) -> RankedRows:
        """`recommend` as rows of `movie_ids`, without `because`."""
        row, excluded = self._user_row(user_id), self._excluded(None, ())
        return self._list_of(row, self.bundle.history(row, at), excluded, n, diversity)

    def scores(self, user_id: int) -> Floats:
        """The scores [I] of a known person by row of `movie_ids`, by which the list is ordered.

        A title that the ranker does not know has its content score.
        """
        row = self._user_row(user_id)
        return self.fallback.all_scores(self.fallback.personal(row, self.bundle.history(row)))

    def scores_for(self, ratings: Mapping[int, float]) -> dict[str, Floats]:
        """The scores [I] by which `recommend_for` orders its list, by strategy."""
        return self.fallback.scores_by_strategy(self._given(ratings))

    def similar(self, movie_id: int, n: int = 10) -> list[Similar]:
        """The `n` nearest titles: by the ranker, or by content where the ranker does not know it.

        Empty for a title without ratings and content.
        """
        row = int(rows_of(self.movie_ids, np.array([movie_id]))[0])
        if row < 0:
            return []
        nearness, strategy = self.fallback.similarities(row)
        best = top_rows(nearness, n)
        return [Similar(int(self.movie_ids[r]), float(nearness[r]), strategy) for r in best]

    def check_golden(self) -> GoldenReport:
        """Compare answers with the training job's; see `golden_check.py`."""
        return check_golden(self)

    # Rows of people and titles

    def _user_row(self, user_id: int) -> int:
        return int(rows_of(self.user_ids, np.array([user_id], dtype=np.int64))[0])

    def _rows(self, movie_ids: Collection[int]) -> Rows:
        rows = rows_of(self.movie_ids, np.fromiter(movie_ids, dtype=np.int64))
        return rows[rows >= 0]

    def _known(self, ratings: Mapping[int, float]) -> tuple[Rows, Floats]:
        rows = rows_of(self.movie_ids, np.fromiter(ratings, dtype=np.int64))
        stars = np.fromiter(ratings.values(), dtype=np.float64)
        return rows[rows >= 0], stars[rows >= 0]

    def _given(self, ratings: Mapping[int, float]) -> History:
        return History.of(*self._known(ratings), self._scale)

    def _excluded(self, allowed: Collection[int] | None, exclude: Collection[int]) -> Mask:
        """True [I] for the titles that must not be in the answer."""
        excluded = np.full(len(self.movie_ids), allowed is not None)
        if allowed is not None:
            excluded[self._rows(allowed)] = False
        excluded[self._rows(exclude)] = True
        return excluded

    def _list_of(
        self, row: int, history: History, excluded: Mask, n: int, diversity: float
    ) -> RankedRows:
        """The list of a person by their row, or of anybody by their history with row -1."""
        order, asked = self.fallback, (history, excluded, n, diversity)
        if not order.knows_any(history):
            return order.by_content(*asked)
        if row < 0:
            return order.by_ranker(order.fold_in(history), FOLD_IN, *asked)
        return order.by_ranker(order.personal(row, history), PERSONAL, *asked)

    def _with_reasons(self, ranked: RankedRows, history: History) -> list[Recommendation]:
        movies = self.movie_ids[ranked.rows].tolist()
        reasons = self.fallback.reasons(ranked, history)
        because = [tuple(self.movie_ids[rows].tolist()) for rows in reasons]
        columns = movies, ranked.scores.tolist(), ranked.strategies.tolist(), because
        return [Recommendation(*row) for row in zip(*columns, strict=True)]
