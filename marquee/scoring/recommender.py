"""The recommender as people use it: predict, recommend, fold in, find similar titles.

Every answer says by which strategy it was made. Ranking: `personal` (trained factors), `fold-in`
(factors solved from ratings at hand), `popular`. Predicting: `personal`, `fold-in`, `bias` (the
person or the title is unknown to the factors) and `mean` (both are).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from marquee.errors import BundleError
from marquee.scoring.arrays import Floats, Ints, Mask, Rows, rows_of, top_rows
from marquee.scoring.fold_in import read_fold_in
from marquee.scoring.golden import GoldenReport
from marquee.scoring.rankers.ranker import Ranker
from marquee.scoring.rankers.reading import read_ranker
from marquee.scoring.recommender_bundle import RecommenderBundle, Title, read_bundle
from marquee.scoring.recommender_golden import check_golden

REASONS = 3  # titles named in "because you rated ..."
MEAN, BIAS, FOLD_IN, PERSONAL = range(4)
STRATEGIES = np.array(["mean", "bias", "fold-in", "personal"])


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
    weight of having rated the asked title."""

    movie_id: int
    similarity: float


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
        self._unranked: Mask = ~self.ranker.known
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
        code = np.where((users >= 0) | (items >= 0), BIAS, MEAN)
        code[known & self._warm[items]] = PERSONAL
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
        code = np.where(known | bool(len(rows)), BIAS, MEAN)
        code[known & self._warm[items] & bool(factors.any())] = FOLD_IN
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
        row = self._user_row(user_id)
        barred = self._barred(allowed, exclude)
        if row < 0:
            return self._popular(n, barred)
        seen = self._seen(row)
        return self._ranked(self.ranker.personal(row, seen), seen, "personal", n, barred)

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
        if not self.ranker.known[seen].any():
            barred[seen] = True
            return self._popular(n, barred)
        return self._ranked(self.ranker.fold_in(seen), seen, "fold-in", n, barred)

    def top_unseen(self, user_ids: Ints, n: int) -> Ints:
        """Movie ids [people, n] as `recommend` orders them, -1 past the end; for evaluation."""
        top = np.full((len(user_ids), n), -1, dtype=np.int64)
        nobody = self._barred(None, ())
        for place, user_id in enumerate(user_ids):
            row, barred = self._user_row(int(user_id)), nobody.copy()
            best = np.empty(0, dtype=np.intp)
            if row >= 0:
                seen = self._seen(row)
                barred[seen] = True
                best, _ = self._best(self.ranker.personal(row, seen), barred, n)
                barred[best] = True
            fill = top_rows(np.where(barred, -np.inf, self.bundle.popularity), n - len(best))
            rows = np.concatenate([best, fill])
            top[place, : len(rows)] = self.movie_ids[rows]
        return top

    def scores(self, user_id: int) -> Floats:
        """The ranker's score of every title for a known person; by row of `movie_ids`."""
        row = self._user_row(user_id)
        return self.ranker.personal(row, self._seen(row))

    def similar(self, movie_id: int, n: int = 10) -> list[Similar]:
        """The `n` nearest titles by taste; none for a title nobody rated."""
        row = int(rows_of(self.movie_ids, np.array([movie_id]))[0])
        if row < 0 or self._unranked[row]:
            return []
        nearness = self.ranker.similarities(row)
        best = top_rows(nearness, n)
        return [Similar(int(self.movie_ids[r]), float(nearness[r])) for r in best]

    def check_golden(self) -> GoldenReport:
        """Ask the queries the training job recorded; see `golden.json`."""
        return check_golden(self)

    # How ----------------------------------------------------------------------------------

    def _user_row(self, user_id: int) -> int:
        return int(rows_of(self.user_ids, np.array([user_id], dtype=np.int64))[0])

    def _seen(self, row: int) -> Rows:
        """What this person rated, oldest first where the bundle knows the order."""
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

    def _best(self, scores: Floats, barred: Mask, n: int) -> tuple[Rows, Floats]:
        """Rows and scores of the best titles that the ranker knows and that are not barred."""
        rows = top_rows(np.where(barred | self._unranked, -np.inf, scores), n)
        return rows, scores[rows]

    def _ranked(
        self, everything: Floats, seen: Rows, strategy: str, n: int, barred: Mask
    ) -> list[Recommendation]:
        """The ranker's titles with their reasons; popular ones fill up what it leaves empty."""
        barred[seen] = True
        rows, scores = self._best(everything, barred, n)
        movies = self.movie_ids[rows].tolist()
        reasons = self._because(rows, seen)
        best = [Recommendation(*r) for r in zip(movies, scores.tolist(), repeat(strategy), reasons)]
        barred[rows] = True
        return best + self._popular(n - len(best), barred)

    def _popular(self, n: int, barred: Mask) -> list[Recommendation]:
        if n <= 0:
            return []
        scores = np.where(barred, -np.inf, self.bundle.popularity)
        rows = top_rows(scores, n)
        movies = self.movie_ids[rows].tolist()
        return [Recommendation(m, s, "popular") for m, s in zip(movies, scores[rows].tolist())]

    def _because(self, best: Rows, seen: Rows) -> list[tuple[int, ...]]:
        """For each recommended title, the rated titles that add most to its score."""
        shares = self.ranker.reasons(seen, best)
        first = [top_rows(np.where(s > 0.0, s, -np.inf), REASONS) for s in shares]
        return [tuple(self.movie_ids[seen[f]].tolist()) for f in first]
