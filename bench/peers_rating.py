"""Peers that predict ratings, on the same rows: `PEERS[name](task)` gives stars for the holdout.

Each peer's package is imported inside its function, so that nobody needs all of them. Parameters
are the packages' own defaults; myFM's factors are chosen on an inner split of train. Peers get the
release's side information of people and titles, demographics too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from scoring.arrays import Floats, Ints
from scoring.recommender.baselines import fit_bias
from scoring.recommender.holdout import last_share, random_share, rmse
from scoring.recommender.ratings_arrays import Ratings
from spark_apps.recommender.training_data import SideInformation

RANKS = (8, 10, 16)  # of myFM
ITERATIONS = 200  # of its fit on train
INNER_ITERATIONS = 60  # of each try: enough to tell numbers of factors apart
REG = 5.0  # of the bias model that answers what stock ALS cannot


@dataclass(frozen=True)
class Task:
    """Rows to learn from, rows to answer, the scale's ends; `spark` only for the peer that asks."""

    train: Ratings
    holdout: Ratings
    clip: tuple[float, float]
    seed: int
    side_information: SideInformation = field(default_factory=SideInformation)
    spark: Any = None
    late: bool = False  # whether the holdout is what came later, rather than rows by lot

    def inner(self) -> Task:
        """A tenth of train held out by the rule of the holdout, the rest to learn from."""
        rule = last_share if self.late else random_share
        args = (0.9,) if self.late else (self.seed, 0.9)
        held = rule(self.train, *args)
        return replace(self, train=self.train.take(~held), holdout=self.train.take(held))


def stock_als(task: Task) -> Floats:
    """Spark's ALS with its defaults (rank 10); pairs it cannot answer take the bias model's."""
    from pyspark.ml.recommendation import ALS

    users, movies = _ids(task)
    frame = task.spark.createDataFrame(
        list(zip(*_rows(task.train, users, movies), task.train.values.tolist(), strict=True)),
        "user int, item int, rating double",
    )
    to_answer = _rows(task.holdout, users, movies)
    pairs = task.spark.createDataFrame(
        list(zip(range(len(task.holdout)), *to_answer, strict=True)), "n int, user int, item int"
    )
    model = ALS(userCol="user", itemCol="item", ratingCol="rating", seed=task.seed).fit(frame)
    stars = np.full(len(task.holdout), np.nan)
    for row in model.transform(pairs).collect():
        stars[row["n"]] = row["prediction"]
    return np.where(np.isnan(stars), _bias(task), stars).clip(*task.clip)


def surprise_svd(task: Task) -> Floats:
    """Surprise's SVD with its defaults (100 factors, 20 epochs)."""
    from surprise import SVD

    return _surprise(task, SVD(random_state=task.seed))


def surprise_svdpp(task: Task) -> Floats:
    """Surprise's SVD++ with its defaults (20 factors, 20 epochs)."""
    from surprise import SVDpp

    return _surprise(task, SVDpp(random_state=task.seed))


def myfm(task: Task) -> Floats:
    """myFM's Bayesian factorisation machine, as the ML-100K example of its documentation: implicit
    sets on both sides over the root of their size, 200 iterations, a group a kind of column. Each
    person's and title's columns are held once (relation blocks): the same model, many times as
    fast. The number of factors is the best of `RANKS` on an inner split of train."""
    inner = task.inner()
    answers = {rank: _myfm(inner, rank, INNER_ITERATIONS) for rank in RANKS}
    tried = {rank: rmse(stars, inner.holdout.values) for rank, stars in answers.items()}
    return _myfm(task, min(RANKS, key=lambda rank: tried[rank]), ITERATIONS)


def _myfm(task: Task, rank: int, iterations: int) -> Floats:
    from myfm import MyFMRegressor, RelationBlock
    from scipy import sparse

    users, movies = _ids(task)
    given = [f.of(users) for f in task.side_information.people.values()]
    traits = [f.of(movies) for f in task.side_information.titles.values()]
    seen = sparse.csr_matrix(
        (np.ones(len(task.train)), _rows(task.train, users, movies)), (len(users), len(movies))
    )
    people = sparse.hstack([sparse.eye(len(users)), _set(seen), *map(sparse.csr_matrix, given)])
    titles = sparse.hstack([sparse.eye(len(movies)), _set(seen.T), *map(sparse.csr_matrix, traits)])
    model = MyFMRegressor(rank=rank, random_seed=task.seed)
    groups = [len(users), len(movies), *(g.shape[1] for g in given)]
    groups += [len(movies), len(users), *(t.shape[1] for t in traits)]
    blocks = [
        [RelationBlock(rows, side.tocsr()) for rows, side in zip(pair, (people, titles))]
        for pair in (_rows(rows, users, movies) for rows in (task.train, task.holdout))
    ]
    shapes = [g for g in groups if g]
    model.fit(None, task.train.values, X_rel=blocks[0], n_iter=iterations, group_shapes=shapes)
    stars: Floats = model.predict(None, X_rel=blocks[1]).clip(*task.clip)
    return stars


PEERS: dict[str, Callable[[Task], Floats]] = {
    "Spark ALS (cold: bias)": stock_als,
    "Surprise SVD": surprise_svd,
    "Surprise SVD++": surprise_svdpp,
    "myFM with implicit sets": myfm,
}


def _surprise(task: Task, model: Any) -> Floats:
    from surprise import Dataset, Reader

    frame = _frame(task.train)
    data = Dataset.load_from_df(frame, Reader(rating_scale=task.clip)).build_full_trainset()
    model.fit(data)
    pairs = zip(task.holdout.user_ids.tolist(), task.holdout.movie_ids.tolist(), strict=True)
    return np.array([model.predict(u, m).est for u, m in pairs])


def _frame(rows: Ratings) -> Any:
    import pandas as pd

    return pd.DataFrame({"user": rows.user_ids, "item": rows.movie_ids, "rating": rows.values})


def _ids(task: Task) -> tuple[Ints, Ints]:
    return (
        np.union1d(task.train.user_ids, task.holdout.user_ids),
        np.union1d(task.train.movie_ids, task.holdout.movie_ids),
    )


def _rows(rows: Ratings, users: Ints, movies: Ints) -> tuple[list[int], list[int]]:
    return (
        np.searchsorted(users, rows.user_ids).tolist(),
        np.searchsorted(movies, rows.movie_ids).tolist(),
    )


def _set(seen: Any) -> Any:
    """Rows over the root of how many they hold."""
    from scipy import sparse

    sizes = np.asarray(seen.sum(axis=1)).ravel()
    return sparse.diags(1.0 / np.sqrt(np.maximum(sizes, 1.0))) @ seen


def _bias(task: Task) -> Floats:
    users, movies = _ids(task)
    own = [np.array(r, dtype=np.intp) for r in _rows(task.train, users, movies)]
    model = fit_bias(own[0], own[1], task.train.values, len(users), len(movies), REG, REG)
    to_answer = [np.array(r, dtype=np.intp) for r in _rows(task.holdout, users, movies)]
    return model.predict(to_answer[0], to_answer[1])
