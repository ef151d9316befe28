"""The holdout: which ratings are held out, metrics on them, and paired comparisons of two models.

Called by the evaluations, the recipe searches of the training job and the benchmarks.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from marquee.errors import ContractError
from scoring.arrays import Floats, Ints, Mask, ShortInts, row_ends, rows_of
from scoring.model_comparison import paired_bootstrap
from scoring.recommender.fallback import PERSONAL
from scoring.recommender.model import Recommender
from scoring.recommender.ratings_arrays import DAY, Ratings
from scoring.recommender.top_n import top_unseen

# Split rules: masks over `Ratings`, True for the holdout
#
# A rule depends on the values of rows and not on their order. Spark therefore holds out the same
# rows (`spark_apps/preparation/rating_dataset.py`).

TRAIN_SHARE = 0.8
FEWEST_RATINGS = 5
"""People with fewer ratings hold out none."""


def last_share(ratings: Ratings, share: float = TRAIN_SHARE, fewest: int = FEWEST_RATINGS) -> Mask:
    """Each person's rows after the first ceil(share * n) in order of (time, movie id)."""
    order = np.lexsort((ratings.movie_ids, ratings.times, ratings.user_ids))
    return _after_share(ratings.user_ids, order, share, fewest)


def last_session(ratings: Ratings, gap: int = DAY, fewest: int = FEWEST_RATINGS) -> Mask:
    """Each person's last sitting: all rows after their last pause of at least `gap` seconds.

    People without a pause hold out none, nor do those with fewer than `fewest` rows before it.
    """
    users, times = np.unique(ratings.user_ids, return_inverse=True)[1], ratings.times
    order = np.lexsort((times, users))
    paused = (np.diff(users[order]) == 0) & (np.diff(times[order]) >= gap)
    resumed = np.full(users.max(initial=-1) + 1, np.iinfo(np.int64).min)
    np.maximum.at(resumed, users[order[1:][paused]], times[order[1:][paused]])
    late: Mask = times >= resumed[users]  # of a person without a pause: all, and none is left
    return late & (np.bincount(users, ~late, len(resumed)) >= fewest)[users]


def random_share(ratings: Ratings, seed: int, share: float = 0.75, fewest: int = 1) -> Mask:
    """Each person's rows after the first ceil(share * n) in a random order."""
    canonical = np.lexsort((ratings.movie_ids, ratings.user_ids))
    keys: Floats = np.empty(len(ratings))
    keys[canonical] = np.random.default_rng(seed).random(len(ratings))
    order = np.lexsort((keys, ratings.user_ids))
    return _after_share(ratings.user_ids, order, share, fewest)


def global_time(times: Ints, share: float = TRAIN_SHARE) -> Mask:
    """All rows from one moment on; `share` of the rows lie before it.

    A model measured on them must forecast. No row is held out where all have the same time.
    """
    if not len(times):
        return np.zeros(0, dtype=np.bool_)
    late: Mask = times >= np.sort(times)[int(np.ceil(share * len(times))) - 1]
    return late if not late.all() else np.zeros(len(times), dtype=np.bool_)


def _after_share(users: Ints, order: Ints, share: float, fewest: int) -> Mask:
    """True for a person's rows after the first ceil(share * n), counted along `order`."""
    held: Mask = np.zeros(len(users), dtype=np.bool_)
    if not len(users):
        return held
    sorted_users = users[order]
    start = np.flatnonzero(np.append(True, sorted_users[1:] != sorted_users[:-1]))
    count = np.diff(np.append(start, len(users)))
    # Without rounding ceil(0.8 * 5) would be 5: the binary 0.8 is slightly above four fifths.
    kept = np.where(count >= fewest, np.ceil(np.round(share * count, 9)), count).astype(np.int64)
    held[order] = np.arange(len(users)) >= np.repeat(start + kept, count)
    return held


# A split, and one model's answers on it

LIKED = 4.0
"""Stars from which the gate counts a held-out title as relevant."""
LIST_LENGTH = 10
"""Length of the lists in ranking metrics."""


@dataclass(frozen=True)
class HoldoutScores:
    """One model's answers on the holdout.

    `values` [rows] are stars, `lists` [people, 10] movie ids. `personal` [rows] is True where the
    stars come from the person's own factors.
    """

    values: Floats
    lists: Ints
    personal: Mask


@dataclass(frozen=True)
class HoldoutSplit:
    """The rows of a model's training and the rows it is measured on.

    `people` are those of the holdout, ascending. `relevant` holds every held-out title, `liked`
    those with at least `LIKED` stars.
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
        """The model's stars for every holdout row, and its list for every person."""
        answers = model.predict(self.holdout.user_ids, self.holdout.movie_ids)
        personal: Mask = answers.strategies == PERSONAL
        lists = top_unseen(model, self.people, LIST_LENGTH, self.moments)
        return HoldoutScores(answers.values, lists, personal)

    @property
    def moments(self) -> Ints | None:
        """When each person asks [people]: their first held-out time; None where none is known."""
        if not self.holdout.times.any():
            return None
        rows = np.searchsorted(self.people, self.holdout.user_ids)
        first = np.full(len(self.people), np.iinfo(np.int64).max)
        np.minimum.at(first, rows, self.holdout.times)
        return first

    @cached_property
    def learnt_people(self) -> tuple[Ints, Ints]:
        """The people of train, ascending, and the number of their train rows."""
        return np.unique(self.train.user_ids, return_counts=True)

    @cached_property
    def learnt_titles(self) -> tuple[Ints, Ints]:
        """The titles of train, ascending, and the number of their train rows."""
        return np.unique(self.train.movie_ids, return_counts=True)

    @cached_property
    def train_rows(self) -> tuple[ShortInts, ShortInts]:
        """Each train row's person and title, as places in `learnt_people` and `learnt_titles`."""
        people = np.searchsorted(self.learnt_people[0], self.train.user_ids)
        titles = np.searchsorted(self.learnt_titles[0], self.train.movie_ids)
        return people.astype(np.int32), titles.astype(np.int32)

    @cached_property
    def rated(self) -> tuple[Ints, ShortInts]:
        """Train as compressed rows: the end of each person's rows from 0 on, and the titles."""
        users, titles = self.train_rows
        ascend = bool((np.diff(users) >= 0).all())
        ordered = titles if ascend else titles[np.argsort(users, kind="stable")]
        return row_ends(self.learnt_people[1]), ordered

    def errors(self, values: Floats) -> tuple[Floats, Floats]:
        """Each person's sum of squared errors and number of rows, [people] each."""
        return squared_errors_by_person(self.holdout.user_ids, values, self.holdout.values)

    def ranking(self, lists: Ints) -> dict[str, Floats]:
        """`ranking_metrics` [people] where every held-out title is relevant."""
        return ranking_metrics(self.relevant.hits(lists), self.relevant.counts)

    def ranking_liked(self, lists: Ints) -> dict[str, Floats]:
        """`ranking_metrics` [people who liked one]; only their liked titles are relevant."""
        lists = lists[np.isin(self.people, self.liked.people)]
        return ranking_metrics(self.liked.hits(lists), self.liked.counts)

    def ratings_in_train(self, of: str) -> Ints:
        """Train rows of each holdout row's person (`user_ids`) or title (`movie_ids`)."""
        known, counts = self.learnt_people if of == "user_ids" else self.learnt_titles
        rows = rows_of(known, getattr(self.holdout, of))
        return np.where(rows >= 0, counts[rows], 0)


def training_ratings(model: Recommender) -> Ratings:
    """The training rows that a bundle holds. Times are 0: a bundle holds none."""
    kept = model.bundle.ratings
    users = np.repeat(model.user_ids, np.diff(kept.indptr))
    movies = model.movie_ids[kept.indices]
    return Ratings(users, movies, kept.values.astype(np.float64), np.zeros_like(users))


# Paired comparisons of two models on one holdout; people are resampled


def compare_rmse(split: HoldoutSplit, ours: Floats, other: Floats, seed: int) -> dict[str, Any]:
    """`paired_bootstrap` of two models' RMSE; `ours` and `other` are stars [rows]."""
    (errors, rows), (others, _) = split.errors(ours), split.errors(other)
    return paired_bootstrap(errors, others, weights=rows, root=True, seed=seed)


def compare_ndcg(split: HoldoutSplit, ours: Ints, other: Ints, seed: int) -> dict[str, Any] | None:
    """`paired_bootstrap` of two models' nDCG@10; `ours` and `other` are lists [people, 10].

    None where nobody liked a held-out title.
    """
    if not len(split.liked.people):
        return None
    ndcg = (split.ranking_liked(lists)["ndcg"] for lists in (ours, other))
    return paired_bootstrap(*ndcg, seed=seed)


# Metrics; tests compare each with a slow implementation
#
# Relevance is binary. Lists hold titles of the whole catalogue that the person did not rate in
# train. nDCG is that of Jaervelin and Kekaelaeinen (ACM TOIS 20(4), 2002): log2 discounts, divided
# by the ideal list's. MAP divides a person's sum of precisions by min(10, relevant).


@dataclass(frozen=True)
class Relevant:
    """Pairs of a person and a relevant title; `people` [P] are those with a pair, ascending."""

    people: Ints
    user_ids: Ints
    movie_ids: Ints

    @classmethod
    def of(cls, user_ids: Ints, movie_ids: Ints) -> Relevant:
        """From pairs in any order."""
        return cls(np.unique(user_ids), user_ids, movie_ids)

    @property
    def counts(self) -> Ints:
        """The number of relevant titles of each person, [P]."""
        rows = np.searchsorted(self.people, self.user_ids)
        return np.bincount(rows, minlength=len(self.people)).astype(np.int64)

    def hits(self, lists: Ints) -> Mask:
        """True where `lists` [P, n] (movie ids, -1 for none) hold a relevant title."""
        movies = np.unique(self.movie_ids)
        keys = np.searchsorted(self.people, self.user_ids) * len(movies)
        keys = np.sort(keys + np.searchsorted(movies, self.movie_ids))
        place = np.minimum(np.searchsorted(movies, lists), max(len(movies) - 1, 0))
        list_keys = np.arange(len(lists))[:, None] * len(movies) + place
        known: Mask = movies[place] == lists
        return known & np.isin(list_keys, keys)


def ranking_metrics(hits: Mask, relevant: Ints) -> dict[str, Floats]:
    """nDCG, recall, precision and average precision [P] of lists with these `hits` [P, n].

    `relevant` [P] are the numbers of each person's relevant titles.
    """
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
    """The mean; 0 of no values, which the gate reads as a ranking without hits."""
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
    """Each person's sum of squared errors and number of rows, people ascending."""
    _, rows = np.unique(user_ids, return_inverse=True)
    errors = np.bincount(rows, weights=(predicted - actual) ** 2).astype(np.float64)
    return errors, np.bincount(rows).astype(np.float64)
