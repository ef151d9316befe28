"""Metrics of predictions and rankings, vectorised; each is checked against a slow twin in tests.

Rankings are judged at ten, binary relevance, over the whole catalogue less what the person rated
in train. nDCG is that of Jaervelin and Kekaelaeinen (ACM TOIS 20(4), 2002) with log2 discounts and
the ideal list as norm; MAP is average precision at ten divided by min(10, relevant).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scoring.arrays import Floats, Ints, Mask

AT = 10


@dataclass(frozen=True)
class Relevant:
    """Relevant titles of people as pairs; `people` [P] ascending are those who have any."""

    people: Ints
    user_ids: Ints
    movie_ids: Ints

    @classmethod
    def of(cls, user_ids: Ints, movie_ids: Ints) -> Relevant:
        """From pairs in any order."""
        return cls(np.unique(user_ids), user_ids, movie_ids)

    @property
    def counts(self) -> Ints:
        """How many titles are relevant to each of `people`."""
        rows = np.searchsorted(self.people, self.user_ids)
        return np.bincount(rows, minlength=len(self.people)).astype(np.int64)

    def hits(self, lists: Ints) -> Mask:
        """Which places of `lists` [P, n] (movie ids, -1 for none) hold a relevant title."""
        movies = np.unique(self.movie_ids)
        keys = np.searchsorted(self.people, self.user_ids) * len(movies)
        keys = np.sort(keys + np.searchsorted(movies, self.movie_ids))
        place = np.minimum(np.searchsorted(movies, lists), max(len(movies) - 1, 0))
        asked = np.arange(len(lists))[:, None] * len(movies) + place
        known: Mask = movies[place] == lists
        return known & np.isin(asked, keys)


def ranking_values(hits: Mask, relevant: Ints) -> dict[str, Floats]:
    """Per-person nDCG, recall, precision and average precision of lists with these `hits`."""
    at = hits.shape[1]
    best = np.minimum(relevant, at)
    gains = 1.0 / np.log2(np.arange(at) + 2.0)
    ideal = np.concatenate([[0.0], np.cumsum(gains)])
    precision_so_far = np.cumsum(hits, axis=1) / (np.arange(at) + 1.0)
    return {
        "ndcg": hits @ gains / ideal[best],
        "recall": hits.sum(axis=1) / relevant,
        "precision": hits.sum(axis=1) / at,
        "map": (precision_so_far * hits).sum(axis=1) / best,
    }


def rmse(predicted: Floats, actual: Floats) -> float:
    """Root mean squared error."""
    return float(np.sqrt(np.mean((predicted - actual) ** 2)))


def mae(predicted: Floats, actual: Floats) -> float:
    """Mean absolute error."""
    return float(np.mean(np.abs(predicted - actual)))


def squared_errors_by_person(
    user_ids: Ints, predicted: Floats, actual: Floats
) -> tuple[Floats, Floats]:
    """Sum of squared errors and number of rows of each person, people ascending."""
    _, rows = np.unique(user_ids, return_inverse=True)
    errors = np.bincount(rows, weights=(predicted - actual) ** 2).astype(np.float64)
    return errors, np.bincount(rows).astype(np.float64)


def catalogue_coverage(lists: Ints, catalogue: int) -> float:
    """Share of the catalogue that is in anybody's list."""
    return float(len(np.unique(lists[lists >= 0])) / catalogue) if catalogue else 0.0


def novelty(lists: Ints, movie_ids: Ints, raters: Ints, people: int) -> float:
    """Mean of -log2(share of people who rated it) over what is listed, in bits; `movie_ids`
    ascend, and a title nobody rated counts as rated by half a person."""
    rows = np.searchsorted(movie_ids, lists[lists >= 0])
    if not len(rows):
        return 0.0
    return float(-np.log2(np.maximum(raters[rows], 0.5) / people).mean())


def gini(lists: Ints, catalogue: int) -> float:
    """How unequally the catalogue is listed: 0 all alike, towards 1 a few titles only."""
    _, counts = np.unique(lists[lists >= 0], return_counts=True)
    each = np.sort(np.concatenate([np.zeros(max(catalogue - len(counts), 0)), counts]))
    if not each.sum():
        return 0.0
    n = len(each)
    return float((2 * np.arange(1, n + 1) - n - 1) @ each / (n * each.sum()))
