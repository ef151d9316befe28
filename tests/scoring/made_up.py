"""A made-up recommender bundle and made-up ratings, small enough to reason about."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from scoring.recommender.bundle import RecommenderBundle, Title, write_bundle
from scoring.recommender.ratings_arrays import History, Ratings, RatingsMatrix

FOLD_IN = {
    "predictor": {
        "family": "als_bias",
        "rank": 3,
        "reg": 0.1,
        "weight": 0.5,
        "bias_reg_user": 5.0,
    },
    "ranker": {"family": "implicit_als", "alpha": 4.0, "reg": 0.2},
}
FACTS = {"mean": 3.5, "clip": [0.5, 5.0], "fold_in": FOLD_IN, "as_of": "x", "recipe": {}}
GOLDEN: dict[str, Any] = {"tolerance": 1e-5, "predictions": [], "rankings": []}


def history_of(rows: Any, stars: Any = 4.0) -> History:
    """Titles, oldest first, rated with these stars of 0.5 to 5."""
    found = np.array(rows, dtype=np.intp)
    return History.of(found, np.broadcast_to(np.asarray(stars, float), found.shape), (0.5, 5.0))


def make_bundle(
    people: int = 6, titles: int = 12, seed: int = 1, **changes: Any
) -> RecommenderBundle:
    """People 10, 20, … and titles 1, 3, 5, …; the last title is cold (all its factors are zero)."""
    rng = np.random.default_rng(seed)
    user_ids, movie_ids = np.arange(1, people + 1) * 10, np.arange(titles) * 2 + 1
    rated = rng.random((people, titles)) < 0.4
    rated[:, 0], rated[:, -1] = True, False
    users, items = np.nonzero(rated)
    fields: dict[str, Any] = {
        "user_ids": user_ids,
        "movie_ids": movie_ids,
        "user_bias": rng.normal(0, 0.3, people),
        "item_bias": rng.normal(0, 0.3, titles),
        "user_factors": rng.normal(0, 0.5, (people, 5)).astype(np.float32),
        "item_factors": rng.normal(0, 0.5, (titles, 5)).astype(np.float32),
        "rank_user_factors": rng.normal(0, 0.5, (people, 4)).astype(np.float32),
        "rank_item_factors": rng.normal(0, 0.5, (titles, 4)).astype(np.float32),
        "ratings": RatingsMatrix.build(users, items, rng.integers(1, 6, len(users)) * 1.0, people),
        "popularity": rated.sum(axis=0).astype(np.float64),
        "titles": {int(m): Title(int(m), None, f"Film {m}", 2000, ("Drama",)) for m in movie_ids},
        "facts": FACTS,
        "golden": GOLDEN,
    }
    fields["item_factors"][-1] = 0.0
    fields["item_bias"][-1] = 0.0
    fields["rank_item_factors"][-1] = 0.0
    return RecommenderBundle(**(fields | changes))


def save_bundle(folder: Path, **changes: Any) -> Path:
    """`make_bundle`, written."""
    return write_bundle(folder, make_bundle(**changes))


def make_ratings(people: int = 30, titles: int = 40, seed: int = 3, share: float = 0.4) -> Ratings:
    """Half stars from taste and biases; times ascend with no ties between a person's rows."""
    rng = np.random.default_rng(seed)
    users, items = np.nonzero(rng.random((people, titles)) < share)
    taste = rng.normal(0, 0.6, (people, 2)) @ rng.normal(0, 0.6, (2, titles))
    bias = rng.normal(0, 0.4, people)[:, None] + rng.normal(0, 0.4, titles)
    stars = np.round(2 * (3.5 + taste + bias + rng.normal(0, 0.3, taste.shape))) / 2
    order = rng.permutation(len(users))
    return Ratings(
        users[order] + 1,
        items[order] + 1,
        stars.clip(0.5, 5.0)[users[order], items[order]],
        1_000_000_000 + np.arange(len(users)) * 60,
    )


def joined(first: Ratings, second: Ratings) -> Ratings:
    """The rows of the first, then those of the second."""
    columns = ("user_ids", "movie_ids", "values", "times")
    return Ratings(*(np.concatenate([getattr(first, c), getattr(second, c)]) for c in columns))


def save_ratings(folder: Path, ratings: Ratings) -> Path:
    """As a folder of Parquet in the contract."""
    folder.mkdir(parents=True)
    table = {
        "user_id": ratings.user_ids.astype(np.int64),
        "movie_id": ratings.movie_ids.astype(np.int64),
        "rating": ratings.values,
        "time": ratings.times.astype(np.int64),
    }
    pq.write_table(pa.table(table), folder / "part-0.parquet")
    return folder
