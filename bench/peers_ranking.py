"""Rankers to be measured against, each tuned on an inner split of the rows it is given.

`PEERS[name](train, people, movie_ids, seed)` gives lists [people, 10] of movie ids, best first, -1
past the end: titles of `movie_ids` that the person did not rate in `train`. The held-out rows never
come here. A peer that has parameters tries its grid on a quarter of each person's training rows,
drawn by lot, and is then fitted on all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from scoring.arrays import Floats, Ints, rows_of, top_rows
from scoring.recommender.holdout import (
    LIST_LENGTH,
    Relevant,
    last_share,
    random_share,
    ranking_metrics,
)
from scoring.recommender.ratings_arrays import Ratings

Peer = Callable[[Ratings, Ints, Ints, int], Ints]
Fit = Callable[..., Floats]  # (who rated what [U, I], seed, **parameters) -> scores [U, I]
ITEM_KNN = [{"neighbours": k} for k in (10, 20, 40, 80, 160, 320)]
EASE = [{"reg": reg} for reg in (50.0, 100.0, 200.0, 300.0, 500.0, 700.0, 1000.0)]
IMPLICIT_ALS = [
    {"rank": rank, "alpha": alpha, "reg": reg}
    for rank in (16, 32, 64)
    for alpha in (1.0, 2.0, 4.0, 8.0, 16.0)
    for reg in (0.1, 3.0, 10.0, 30.0)
]


@dataclass(frozen=True)
class Seen:
    """Who rated what, dense [U, I], with the ids of its rows and columns."""

    user_ids: Ints
    movie_ids: Ints
    matrix: Floats

    @classmethod
    def of(cls, rows: Ratings, movie_ids: Ints) -> Seen:
        """People as they are in the rows; titles as they are given, ascending."""
        users = np.unique(rows.user_ids)
        matrix = np.zeros((len(users), len(movie_ids)))
        matrix[rows_of(users, rows.user_ids), rows_of(movie_ids, rows.movie_ids)] = 1.0
        return cls(users, movie_ids, matrix)

    def lists(self, scores: Floats, people: Ints) -> Ints:
        """The best unseen titles of `people`; those of nobody where they are not known."""
        found = np.full((len(people), LIST_LENGTH), -1, dtype=np.int64)
        for place, user in enumerate(rows_of(self.user_ids, people).tolist()):
            if user >= 0:
                best = top_rows(np.where(self.matrix[user] > 0, -np.inf, scores[user]), LIST_LENGTH)
                found[place, : len(best)] = self.movie_ids[best]
        return found


def popularity(seen: Floats, seed: int) -> Floats:
    """How many people rated a title."""
    return np.tile(seen.sum(axis=0), (len(seen), 1))


def sar(seen: Floats, seed: int) -> Floats:
    """Simple Algorithm for Recommendation with Jaccard similarity; time decay is off."""
    both = seen.T @ seen
    count = np.diag(both)
    either = count[:, None] + count - both
    similarity = np.divide(both, either, out=np.zeros_like(both), where=either > 0)
    scores: Floats = seen @ similarity
    return scores


def item_knn(seen: Floats, seed: int, neighbours: int) -> Floats:
    """Cosines between titles' raters; of each title the nearest count."""
    both = seen.T @ seen
    norms = np.sqrt(np.diag(both))
    scale = np.outer(norms, norms)
    cosine = np.divide(both, scale, out=np.zeros_like(both), where=scale > 0)
    np.fill_diagonal(cosine, 0.0)
    nearest = np.argsort(-cosine, axis=0, kind="stable")[:neighbours]
    kept = np.zeros_like(cosine)
    np.put_along_axis(kept, nearest, np.take_along_axis(cosine, nearest, 0), 0)
    scores: Floats = seen @ kept
    return scores


def ease(seen: Floats, seed: int, reg: float) -> Floats:
    """Steck (WWW 2019), full weights."""
    inverse = np.linalg.inv(seen.T @ seen + reg * np.eye(seen.shape[1]))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0.0)
    scores: Floats = seen @ weights
    return scores


def implicit_als(seen: Floats, seed: int, rank: int, alpha: float, reg: float) -> Floats:
    """The library `implicit`; a rated title's confidence is 1 + `alpha`, the rest's 1."""
    from implicit.als import AlternatingLeastSquares
    from scipy.sparse import csr_matrix

    model = AlternatingLeastSquares(
        factors=rank,
        regularization=reg,
        alpha=1.0,
        iterations=15,
        random_state=seed,
        num_threads=1,
    )
    model.fit(csr_matrix((1.0 + alpha) * seen, dtype=np.float32), show_progress=False)
    scores: Floats = (model.user_factors @ model.item_factors.T).astype(np.float64)
    return scores


def tuned(
    fit: Fit, grid: Iterable[Mapping[str, Any]], rows: Ratings, movies: Ints, seed: int, late: bool
) -> dict[str, Any]:
    """The parameters of the best mean nDCG@10 on an inner split of `rows`."""
    held = last_share(rows) if late else random_share(rows, seed)
    seen, rest = Seen.of(rows.take(~held), movies), rows.take(held)
    relevant = Relevant.of(rest.user_ids, rest.movie_ids)

    def inner(parameters: Mapping[str, Any]) -> float:
        lists = seen.lists(fit(seen.matrix, seed, **parameters), relevant.people)
        return float(ranking_metrics(relevant.hits(lists), relevant.counts)["ndcg"].mean())

    return dict(max(grid, key=inner))


def peer(fit: Fit, grid: Iterable[Mapping[str, Any]] = (), late: bool = False) -> Peer:
    """A peer of the form above. `late`: the inner split holds out each person's last rows, as
    the outer one does, instead of rows drawn by lot."""
    options = tuple(grid)

    def rank(train: Ratings, people: Ints, movie_ids: Ints, seed: int) -> Ints:
        movies = np.unique(np.concatenate([movie_ids, train.movie_ids]))
        best = tuned(fit, options, train, movies, seed, late) if options else {}
        seen = Seen.of(train, movies)
        scores = fit(seen.matrix, seed, **best)
        scores[:, ~np.isin(movies, movie_ids)] = -np.inf
        return seen.lists(scores, people)

    return rank


def peers(late: bool = False) -> dict[str, Peer]:
    """All by name; `late` as in `peer`."""
    return {
        "popularity": peer(popularity),
        "SAR": peer(sar),
        "item-kNN": peer(item_knn, ITEM_KNN, late),
        "EASE": peer(ease, EASE, late),
        "implicit ALS": peer(implicit_als, IMPLICIT_ALS, late),
    }


PEERS = peers()
