"""The holdout: which ratings are held out, and the metrics of a model on them.

The evaluations, the searches of the training job and the benchmarks measure through this module.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from marquee.errors import ContractError
from scoring.arrays import Floats, Ints, Mask, rows_of
from scoring.recommender.fallback import PERSONAL
from scoring.recommender.model import Recommender
from scoring.recommender.ratings_arrays import Ratings

# Split rules: masks over `Ratings`, True for the holdout
#
# They depend on row *values* only, so that Spark (`spark_apps/preparation/rating_dataset.py`)
# and this module hold out the same rows, whatever the order of the rows.

TRAIN_SHARE = 0.8
FEWEST_RATINGS = 5
"""People with fewer ratings hold out none."""


def last_share(ratings: Ratings, share: float = TRAIN_SHARE, fewest: int = FEWEST_RATINGS) -> Mask:
    """Each person's rows after the first ceil(share n) by (time, movie id)."""
    order = np.lexsort((ratings.movie_ids, ratings.times, ratings.user_ids))
    return _after_share(ratings.user_ids, order, share, fewest)


def random_share(ratings: Ratings, seed: int, share: float = 0.75, fewest: int = 1) -> Mask:
    """Each person's rows after the first ceil(share n) in a seeded random order."""
    canonical = np.lexsort((ratings.movie_ids, ratings.user_ids))
    keys: Floats = np.empty(len(ratings))
    keys[canonical] = np.random.default_rng(seed).random(len(ratings))
    order = np.lexsort((keys, ratings.user_ids))
    return _after_share(ratings.user_ids, order, share, fewest)


def global_time(ratings: Ratings, share: float = TRAIN_SHARE) -> Mask:
    """Rows from the moment before which `share` of all rows lie: forecasting, not taste.

    None is held out where all rows are of one moment.
    """
    if not len(ratings):
        return np.zeros(0, dtype=np.bool_)
    late: Mask = ratings.times >= np.sort(ratings.times)[int(np.ceil(share * len(ratings))) - 1]
    return late if not late.all() else np.zeros(len(ratings), dtype=np.bool_)


def _after_share(users: Ints, order: Ints, share: float, fewest: int) -> Mask:
    """True for rows past ceil(share n) of their person's n, counted along `order`."""
    held: Mask = np.zeros(len(users), dtype=np.bool_)
    if not len(users):
        return held
    sorted_users = users[order]
    start = np.flatnonzero(np.append(True, sorted_users[1:] != sorted_users[:-1]))
    count = np.diff(np.append(start, len(users)))
    # Rounding first keeps ceil(0.8 * 5) at 4: 0.8 is a little more than four fifths in binary.
    kept = np.where(count >= fewest, np.ceil(np.round(share * count, 9)), count).astype(np.int64)
    held[order] = np.arange(len(users)) >= np.repeat(start + kept, count)
    return held


# A split, and one model's answers on it

LIKED = 4.0
"""Stars from which a held-out title counts as relevant at the gate."""
LIST_LENGTH = 10
"""Titles in the lists that ranking metrics judge."""


@dataclass(frozen=True)
class HoldoutScores:
    """One model on the holdout: `values` [rows] in stars, `lists` [people, 10] of movie ids, and
    `personal` [rows]: which stars come from the person's own factors."""

    values: Floats
    lists: Ints
    personal: Mask


@dataclass(frozen=True)
class HoldoutSplit:
    """The rows a model has learnt from and the rows it is measured on.

    `people` are those of the holdout, ascending. `relevant` counts any held-out title as relevant,
    `liked` only those with at least `LIKED` stars.
    """

    train: Ratings
    holdout: Ratings
    people: Ints
    relevant: Relevant
    liked: Relevant

    @classmethod
    def of(cls, train: Ratings, holdout: Ratings) -> HoldoutSplit:
        """Raises ContractError where either has no rows."""
        if not len(train) or not len(holdout):
            raise ContractError(
                f"{len(train)} rows of train and {len(holdout)} of holdout measure nothing",
                f"people need {FEWEST_RATINGS} ratings each before any of theirs is held out",
            )
        good = holdout.take(holdout.values >= LIKED)
        relevant = Relevant.of(holdout.user_ids, holdout.movie_ids)
        liked = Relevant.of(good.user_ids, good.movie_ids)
        return cls(train, holdout, relevant.people, relevant, liked)

    def score(self, model: Recommender) -> HoldoutScores:
        """The model's stars for every row and its list for every person."""
        answers = model.predict(self.holdout.user_ids, self.holdout.movie_ids)
        personal: Mask = answers.strategies == PERSONAL
        return HoldoutScores(answers.values, model.top_unseen(self.people, LIST_LENGTH), personal)

    def errors(self, values: Floats) -> tuple[Floats, Floats]:
        """Squared errors and number of rows of each person."""
        return squared_errors_by_person(self.holdout.user_ids, values, self.holdout.values)

    def ranking(self, lists: Ints) -> dict[str, Floats]:
        """Metrics at ten of each person; any held-out title is relevant."""
        return ranking_metrics(self.relevant.hits(lists), self.relevant.counts)

    def ranking_liked(self, lists: Ints) -> dict[str, Floats]:
        """Metrics at ten of each person who liked a held-out title; only those are relevant."""
        lists = lists[np.isin(self.people, self.liked.people)]
        return ranking_metrics(self.liked.hits(lists), self.liked.counts)

    def ratings_in_train(self, of: str) -> Ints:
        """The train rows of each holdout row's person (`user_ids`) or title (`movie_ids`)."""
        known, counts = np.unique(getattr(self.train, of), return_counts=True)
        rows = rows_of(known, getattr(self.holdout, of))
        return np.where(rows >= 0, counts[rows], 0)


# Metrics, vectorised; tests check each against a slow twin
#
# Relevance is binary, and lists are drawn from the whole catalogue less what the person rated in
# train. nDCG is that of Jaervelin and Kekaelaeinen (ACM TOIS 20(4), 2002) with log2 discounts and
# the ideal list as norm; MAP is average precision at ten divided by min(10, relevant).


@dataclass(frozen=True)
class Relevant:
    """Relevant titles of people as pairs; `people` [P] ascending are those with at least one."""

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
        list_keys = np.arange(len(lists))[:, None] * len(movies) + place
        known: Mask = movies[place] == lists
        return known & np.isin(list_keys, keys)


def ranking_metrics(hits: Mask, relevant: Ints) -> dict[str, Floats]:
    """nDCG, recall, precision and average precision [P] of lists with these `hits` [P, n];
    `relevant` [P] are each person's relevant titles."""
    length = hits.shape[1]
    best = np.minimum(relevant, length)
    gains = 1.0 / np.log2(np.arange(length) + 2.0)
    ideal = np.concatenate([[0.0], np.cumsum(gains)])
    precision_so_far = np.cumsum(hits, axis=1) / (np.arange(length) + 1.0)
    return {
        "ndcg": hits @ gains / ideal[best],
        "recall": hits.sum(axis=1) / relevant,
        "precision": hits.sum(axis=1) / length,
        "map": (precision_so_far * hits).sum(axis=1) / best,
    }


def mean_or_zero(values: Floats) -> float:
    """0 where there is nobody to average: the gate reads it as a ranking that found nothing."""
    return float(values.mean()) if len(values) else 0.0


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
    """Mean of -log2(share of people who rated it) over the listed titles, in bits.

    `movie_ids` ascend; a title nobody rated counts as rated by half a person.
    """
    rows = np.searchsorted(movie_ids, lists[lists >= 0])
    if not len(rows):
        return 0.0
    return float(-np.log2(np.maximum(raters[rows], 0.5) / people).mean())


def gini(lists: Ints, catalogue: int) -> float:
    """How unequally titles are listed: 0 for all alike, towards 1 for a few titles only."""
    _, counts = np.unique(lists[lists >= 0], return_counts=True)
    each = np.sort(np.concatenate([np.zeros(max(catalogue - len(counts), 0)), counts]))
    if not each.sum():
        return 0.0
    n = len(each)
    return float((2 * np.arange(1, n + 1) - n - 1) @ each / (n * each.sum()))
