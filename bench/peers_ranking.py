"""Rankers to be measured against, each tuned on an inner split of the rows it is given.

`PEERS[name](question, rule)` gives lists [people, 10] of movie ids, best first, -1 past the end:
titles that the person did not rate in train, and the parameters it tried, the chosen ones first.
The held-out rows never come here; of them a question holds only who asks, and when. A peer that has
parameters tries its grid on an inner split of train by `rule`, the rule of the outer split, and is
then fitted on all of train. People without a rating in train are answered by popularity.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from scoring.arrays import Floats, Ints, Mask, Rows, rows_of, top_rows
from scoring.recommender.holdout import LIST_LENGTH, Relevant, ranking_metrics
from scoring.recommender.ratings_arrays import Ratings

DAY = 86_400
Rule = Callable[[Ratings, int], Mask]
Parameters = Mapping[str, Any]
Try = tuple[float, Parameters]  # inner nDCG@10; 0 where nothing could be tried


@dataclass(frozen=True)
class Question:
    """Rows to learn from, and who asks: `people` [P] ascending, each at one of `moments` [P].

    `movie_ids` [I], ascending, are the catalogue and hold every title of `train`.
    """

    train: Ratings
    people: Ints
    moments: Ints
    movie_ids: Ints
    seed: int

    @classmethod
    def of(cls, train: Ratings, holdout: Ratings, movie_ids: Ints, seed: int) -> Question:
        """Each person of the holdout asks at the time of their first held-out rating."""
        people, rows = np.unique(holdout.user_ids, return_inverse=True)
        moments = np.full(len(people), np.iinfo(np.int64).max)
        np.minimum.at(moments, rows, holdout.times)
        catalogue = np.union1d(movie_ids, train.movie_ids)
        return cls(train, people, moments, catalogue, seed)

    @cached_property
    def seen(self) -> Floats:
        """Who rated what, dense [people of train, I]; a row for each of `user_ids`."""
        matrix = np.zeros((len(self.user_ids), len(self.movie_ids)))
        rows = rows_of(self.user_ids, self.train.user_ids)
        matrix[rows, rows_of(self.movie_ids, self.train.movie_ids)] = 1.0
        return matrix

    @cached_property
    def user_ids(self) -> Ints:
        """The people of train, ascending."""
        return np.unique(self.train.user_ids)

    @cached_property
    def user_rows(self) -> Rows:
        """The row in `seen` of each of `people` [P]; -1 for a person without ratings."""
        return rows_of(self.user_ids, self.people)

    @cached_property
    def by_time(self) -> tuple[Ints, Rows]:
        """Times of the train rows, ascending, and their titles' columns."""
        order = np.argsort(self.train.times, kind="stable")
        return self.train.times[order], rows_of(self.movie_ids, self.train.movie_ids[order])

    def raters(self, place: int, days: float = np.inf) -> Floats:
        """Ratings of each title [I] in the `days` before the moment of the person at `place`."""
        times, columns = self.by_time
        moment = self.moments[place]
        end = np.searchsorted(times, moment)
        start = np.searchsorted(times, moment - days * DAY) if np.isfinite(days) else 0
        counts = np.bincount(columns[start:end], minlength=len(self.movie_ids))
        return counts.astype(np.float64)

    def lists(self, scores: Callable[[int], Floats]) -> Ints:
        """The best unseen titles by the `scores` [I] of the person at each place."""
        found = np.full((len(self.people), LIST_LENGTH), -1, dtype=np.int64)
        for place, row in enumerate(self.user_rows.tolist()):
            own = scores(place)
            best = top_rows(np.where(self._rated(row), -np.inf, own), LIST_LENGTH)
            found[place, : len(best)] = self.movie_ids[best]
        return found

    def _rated(self, row: int) -> Mask:
        """True [I] for the titles of a row of `seen`; none of row -1."""
        return self.seen[row] > 0 if row >= 0 else np.zeros(len(self.movie_ids), dtype=np.bool_)

    def inner(self, rule: Rule) -> tuple[Question, Ratings]:
        """The same question inside train, and the rows that train holds out for it."""
        held = rule(self.train, self.seed)
        rest = self.train.take(held)
        return Question.of(self.train.take(~held), rest, self.movie_ids, self.seed), rest


Scorer = Callable[..., Callable[[int], Floats]]
"""`scorer(**parameters)(place)`: scores [I] for the person at a place of the question's people."""
Family = Callable[[Question], Scorer]
"""Prepares what all parameters share, once."""


def popularity(question: Question) -> Scorer:
    """How many people rated a title; at any time, as a release knows it."""
    counts: Floats = question.seen.sum(axis=0)
    return lambda: lambda place: counts


def popularity_lately(question: Question) -> Scorer:
    """Ratings of a title in the last days before the person asks; equal ones by those of all time
    before it."""
    places = range(len(question.people))
    ever = np.array([question.raters(place) for place in places]) / (len(question.train) + 1.0)

    def scorer(days: float) -> Callable[[int], Floats]:
        return lambda place: question.raters(place, days) + ever[place]

    return scorer


def sar(question: Question) -> Scorer:
    """Simple Algorithm for Recommendation with Jaccard similarity; time decay is off."""
    both = question.seen.T @ question.seen
    count = np.diag(both)
    either = count[:, None] + count - both
    similarity = np.divide(both, either, out=np.zeros_like(both), where=either > 0)
    return lambda: _personal(question, question.seen @ similarity)


def item_knn(question: Question) -> Scorer:
    """Cosines between titles' raters, shrunken for pairs with few; of each title the nearest (all
    that are as near as the last of them)."""
    columns, asked = np.flatnonzero(question.seen.any(axis=0)), np.unique(question.user_rows)
    asked = asked[asked >= 0]
    seen = question.seen[:, columns].astype(np.float32)
    both = seen.T @ seen
    norms = np.sqrt(np.diag(both))
    places = sorted({min(each["neighbours"], len(columns)) - 1 for each in ITEM_KNN})

    @lru_cache(maxsize=1)  # the grid goes through the neighbours of one shrinkage after another
    def nearest(shrinkage: float) -> tuple[Floats, Floats]:
        cosine = both / (np.outer(norms, norms) + np.float32(shrinkage))
        np.fill_diagonal(cosine, 0.0)
        return cosine, -np.partition(-cosine, places, axis=0)[places]

    def scorer(neighbours: int, shrinkage: float) -> Callable[[int], Floats]:
        cosine, bounds = nearest(shrinkage)
        bound = bounds[places.index(min(neighbours, len(columns)) - 1)]
        scores = np.zeros(question.seen.shape)
        near = np.where(cosine < bound, np.float32(0.0), cosine)
        scores[np.ix_(asked, columns)] = seen[asked] @ near
        return _personal(question, scores)

    return scorer


def ease(question: Question) -> Scorer:
    """Steck (WWW 2019), full weights, from one singular value decomposition for all penalties."""
    left, singular, right = np.linalg.svd(question.seen, full_matrices=False)

    def scorer(reg: float) -> Callable[[int], Floats]:
        # With P = (X'X + reg I)^-1 the scores are X (I - P / diag P).
        shrunken = singular / (singular**2 + reg)
        diagonal = (1.0 - (singular * shrunken) @ right**2) / reg
        return _personal(question, question.seen - (left * shrunken) @ right / diagonal)

    return scorer


def implicit_als(question: Question) -> Scorer:
    """The library `implicit`; a rated title's confidence is 1 + `alpha`, the rest's 1."""
    from implicit.als import AlternatingLeastSquares
    from scipy.sparse import csr_matrix

    sparse = csr_matrix(question.seen, dtype=np.float32)

    def scorer(rank: int, alpha: float, reg: float) -> Callable[[int], Floats]:
        model = AlternatingLeastSquares(
            factors=rank,
            regularization=reg,
            alpha=1.0,
            iterations=15,
            random_state=question.seed,
            num_threads=1,
        )
        model.fit((1.0 + alpha) * sparse, show_progress=False)
        scores = model.user_factors @ model.item_factors.T
        return _personal(question, scores.astype(np.float64))

    return scorer


def _personal(question: Question, scores: Floats) -> Callable[[int], Floats]:
    """The row of each person in `scores` [people of train, I], or else the popularity."""
    counts = question.seen.sum(axis=0)
    rows = question.user_rows.tolist()
    return lambda place: scores[rows[place]] if rows[place] >= 0 else counts


@dataclass(frozen=True)
class Peer:
    """A family with the grid it tries; called with a question it answers and says what it tried."""

    family: Family
    grid: Sequence[Parameters] = ({},)

    def __call__(self, question: Question, rule: Rule) -> tuple[Ints, list[Try]]:
        """Lists [people, 10], and what was tried on the inner split by `rule`, the best first."""
        tried = self.tried(question, rule) if len(self.grid) > 1 else [(0.0, self.grid[0])]
        return question.lists(self.family(question)(**tried[0][1])), tried

    def tried(self, question: Question, rule: Rule) -> list[Try]:
        """The inner mean nDCG@10 of each of the grid, best first; equal ones in its order."""
        inner, rest = question.inner(rule)
        if not len(rest):
            return [(0.0, self.grid[0])]
        relevant = Relevant.of(rest.user_ids, rest.movie_ids)
        scorer = self.family(inner)

        def ndcg(parameters: Parameters) -> float:
            hits = relevant.hits(inner.lists(scorer(**parameters)))
            return float(ranking_metrics(hits, relevant.counts)["ndcg"].mean())

        return sorted(((ndcg(each), each) for each in self.grid), key=lambda found: -found[0])


LATELY = [{"days": float(days)} for days in np.geomspace(1.0, 1500.0, 60).round(1)]
EASE = [{"reg": float(reg)} for reg in np.geomspace(5.0, 5000.0, 60).round(1)]
ITEM_KNN = [
    {"neighbours": k, "shrinkage": s}
    for s in (0.0, 5.0, 10.0, 20.0, 50.0, 100.0)
    for k in (5, 10, 20, 40, 80, 120, 160, 240, 320, 480)
]
IMPLICIT_ALS = [
    {"rank": rank, "alpha": alpha, "reg": reg}
    for rank in (16, 32, 64)
    for alpha in (1.0, 2.0, 4.0, 8.0, 16.0)
    for reg in (0.1, 3.0, 10.0, 30.0)
]

PEERS: dict[str, Peer] = {
    "popularity": Peer(popularity),
    "popularity lately": Peer(popularity_lately, LATELY),
    "SAR": Peer(sar),
    "item-kNN": Peer(item_knn, ITEM_KNN),
    "EASE": Peer(ease, EASE),
    "implicit ALS": Peer(implicit_als, IMPLICIT_ALS),
}
