"""The recommender as people use it: predict, recommend, fold in, find similar titles.

Every answer names its strategy. A list's: `personal` (the person was trained on), `fold-in` (from
given ratings), `content` (see `content.py`) or `popular`. A prediction's: `personal`, `fold-in`,
`bias` (the person or the title is unknown to the factors) or `mean` (both are unknown).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from marquee.errors import BundleError
from scoring.arrays import Floats, Ints, Mask, Rows, rows_of, top_rows
from scoring.evaluation_blocks import GoldenReport
from scoring.recommender.bundle import RecommenderBundle, Title, read_bundle
from scoring.recommender.content import ContentFacts, ContentMap
from scoring.recommender.fallback import FOLD_IN, PERSONAL, Fallback, RankedRows
from scoring.recommender.fold_in import read_fold_in
from scoring.recommender.golden_check import check_golden
from scoring.recommender.rankers import RankArrays, Ranker, read_ranker

STRATEGIES = np.array(["mean", "bias", FOLD_IN, PERSONAL])
BY_MEAN, BY_BIAS, BY_FOLD_IN, BY_FACTORS = range(4)  # places in `STRATEGIES`


@dataclass(frozen=True)
class Predictions:
    """Stars, clipped to the scale, and the strategy of each."""

    values: Floats
    strategies: NDArray[np.str_]


@dataclass(frozen=True)
class Recommendation:
    """A title, its ranking score (comparable within one answer only) and its strategy; `because`
    are the rated titles that add most to the score."""

    movie_id: int
    score: float
    strategy: str
    because: tuple[int, ...] = ()


@dataclass(frozen=True)
class Similar:
    """A title and how near it is to the requested one.

    `similarity` is the cosine of the ranker's factors, or, where the ranker has none, the weight of
    having rated the requested title; with the strategy `content`, the cosine of their content.
    """

    movie_id: int
    similarity: float
    strategy: str = "similar"


class Recommender:
    """Scores one bundle. Immutable; answers from many threads at once."""

    def __init__(self, bundle: RecommenderBundle) -> None:
        self.bundle = bundle
        self.predictor_fold_in = read_fold_in(bundle.facts.get("fold_in", {}))
        factors = bundle.rank_user_factors, bundle.rank_item_factors
        self.ranker: Ranker = read_ranker(bundle.facts, RankArrays(*factors, bundle.rank_arrays))
        self._mean = float(bundle.facts["mean"])
        self._low, self._high = (float(v) for v in bundle.facts["clip"])
        # A Bayesian predictor gives factors to titles nobody rated: such answers are not personal.
        rated = np.bincount(bundle.ratings.indices, minlength=len(bundle.movie_ids)) > 0
        self._warm: Mask = bundle.item_factors.any(axis=1) & rated
        self.fallback = Fallback(self.ranker, _content(bundle, self.ranker), bundle.popularity)
        if self.predictor_fold_in.rank > bundle.item_factors.shape[1]:
            raise BundleError("fold_in names more factors than item_factors has", "train again")

    @classmethod
    def load(cls, folder: Path) -> Recommender:
        """Map a bundle's folder; raises BundleError where it is torn or is not one."""
        return cls(read_bundle(Path(folder)))

    # What it knows

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
        """The person's ratings in the bundle, by movie id, oldest first where the bundle knows the
        order; empty for an unknown person."""
        row = self._user_row(user_id)
        if row < 0:
            return {}
        order = self.bundle.ratings.oldest_first(row)
        movies = self.movie_ids[self.bundle.ratings.items(row)[order]].tolist()
        return dict(zip(movies, self.bundle.ratings.stars(row)[order].tolist()))

    # Predictions

    def predict(self, user_ids: Ints, movie_ids: Ints) -> Predictions:
        """Stars for pairs of one length; every pair is answered."""
        users = rows_of(self.user_ids, np.asarray(user_ids, dtype=np.int64))
        items = rows_of(self.movie_ids, np.asarray(movie_ids, dtype=np.int64))
        known = (users >= 0) & (items >= 0)
        values = np.full(len(users), self._mean)
        values += np.where(users >= 0, self.bundle.user_bias[users], 0.0)
        values += np.where(items >= 0, self.bundle.item_bias[items], 0.0)
        factors = self.bundle.user_factors[users[known]].astype(np.float64)
        values[known] += np.einsum("nk,nk->n", factors, self.bundle.item_factors[items[known]])
        code = np.where((users >= 0) | (items >= 0), BY_BIAS, BY_MEAN)
        code[known & self._warm[items]] = BY_FACTORS
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
        code[known & self._warm[items] & bool(factors.any())] = BY_FOLD_IN
        return Predictions(values.clip(self._low, self._high), STRATEGIES[code])

    # Lists

    def recommend(
        self,
        user_id: int,
        n: int = 10,
        *,
        allowed: Collection[int] | None = None,
        exclude: Collection[int] = (),
    ) -> list[Recommendation]:
        """The best `n` titles the person has not rated; the popular ones for an unknown person.

        `allowed` limits the answer to these movie ids; `exclude` leaves these out.
        """
        row, excluded = self._user_row(user_id), self._excluded(allowed, exclude)
        return self._with_reasons(self._list_of(row, excluded, n), self._seen(row))

    def recommend_for(
        self,
        ratings: Mapping[int, float],
        n: int = 10,
        *,
        allowed: Collection[int] | None = None,
        exclude: Collection[int] = (),
    ) -> list[Recommendation]:
        """The best `n` titles, without the rated ones, for a person known by these ratings alone.

        `ratings` are oldest first: some rankers weigh the latest more.
        """
        seen, _ = self._known(ratings)
        excluded = self._excluded(allowed, exclude)
        if not self.fallback.knows_any(seen):
            return self._with_reasons(self.fallback.by_content(seen, excluded, n), seen)
        scores = self.ranker.fold_in(seen)
        return self._with_reasons(self.fallback.by_ranker(scores, FOLD_IN, seen, excluded, n), seen)

    def strategy_for(self, ratings: Mapping[int, float]) -> str:
        """The strategy of `recommend_for` for a person with these ratings."""
        return self.fallback.strategy_for(self._known(ratings)[0])

    def top_unseen(self, user_ids: Ints, n: int) -> Ints:
        """Movie ids [people, n] as `recommend` orders them, -1 past the end; for evaluation."""
        top = np.full((len(user_ids), n), -1, dtype=np.int64)
        for place, user_id in enumerate(user_ids):
            rows = self.listed(int(user_id), n).rows
            top[place, : len(rows)] = self.movie_ids[rows]
        return top

    def listed(self, user_id: int, n: int) -> RankedRows:
        """`recommend` by row of `movie_ids`, without reasons."""
        return self._list_of(self._user_row(user_id), self._excluded(None, ()), n)

    def scores(self, user_id: int) -> Floats:
        """The scores [I] that order a known person's list, by row of `movie_ids`: the ranker's, and
        content's for a title the ranker does not know."""
        row = self._user_row(user_id)
        return self.fallback.all_scores(self.ranker.personal(row, self._seen(row)))

    def scores_for(self, ratings: Mapping[int, float]) -> dict[str, Floats]:
        """The scores [I] that order the list of `recommend_for`, by strategy."""
        return self.fallback.scores_by_strategy(self._known(ratings)[0])

    def similar(self, movie_id: int, n: int = 10) -> list[Similar]:
        """The `n` nearest titles: by the ranker, or by content for a title it does not know;
        none for a title without either."""
        row = int(rows_of(self.movie_ids, np.array([movie_id]))[0])
        if row < 0:
            return []
        nearness, strategy = self.fallback.similarities(row)
        best = top_rows(nearness, n)
        return [Similar(int(self.movie_ids[r]), float(nearness[r]), strategy) for r in best]

    def check_golden(self) -> GoldenReport:
        """Put the queries the training job recorded; see `golden_check.py`."""
        return check_golden(self)

    # How

    def _user_row(self, user_id: int) -> int:
        return int(rows_of(self.user_ids, np.array([user_id], dtype=np.int64))[0])

    def _seen(self, row: int) -> Rows:
        """The rows this person rated, oldest first where the bundle knows the order; none for an
        unknown person."""
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

    def _excluded(self, allowed: Collection[int] | None, exclude: Collection[int]) -> Mask:
        """True for the titles that must not be in the answer."""
        excluded = np.full(len(self.movie_ids), allowed is not None)
        if allowed is not None:
            excluded[self._rows(allowed)] = False
        excluded[self._rows(exclude)] = True
        return excluded

    def _list_of(self, row: int, excluded: Mask, n: int) -> RankedRows:
        """The list of a person by their row; an unknown person has row -1."""
        seen = self._seen(row)
        if not self.fallback.knows_any(seen):
            return self.fallback.by_content(seen, excluded, n)
        scores = self.ranker.personal(row, seen)
        return self.fallback.by_ranker(scores, PERSONAL, seen, excluded, n)

    def _with_reasons(self, ranked: RankedRows, seen: Rows) -> list[Recommendation]:
        movies = self.movie_ids[ranked.rows].tolist()
        reasons = self.fallback.reasons(ranked, seen)
        because = [tuple(self.movie_ids[rows].tolist()) for rows in reasons]
        columns = movies, ranked.scores.tolist(), ranked.strategies.tolist(), because
        return [Recommendation(*row) for row in zip(*columns, strict=True)]


def _content(bundle: RecommenderBundle, ranker: Ranker) -> ContentMap | None:
    """None for an older bundle, without content vectors."""
    facts = ContentFacts.of(bundle.facts)
    if facts is None or bundle.content_vectors is None:
        return None
    return ContentMap(bundle.content_vectors, ranker.known, facts)
