"""A made-up recommender of any size, in the shape of MovieLens 32M, without any training.

    python -m bench.made_up_bundle FOLDER [--rows 32000204] [--split]

Writes FOLDER/shipped, a bundle of the default recipe's form: 33 numbers for each person and title,
item weights of the 2,500 most rated titles, content vectors, the times of ratings. Its numbers are
random, its ratings those of `bench.made_up_ratings`. With `--split` the last fifth of each person's
ratings is held out: FOLDER/evaluated holds the others, as do FOLDER/train and FOLDER/holdout in
Parquet. Golden answers are the bundle's own. `bench.scale_bundle` measures such a folder.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bench.made_up_ratings import FULL_ROWS, KINDS, MadeUpWorld, number_of_rows
from scoring.arrays import Mask, Rows, Singles, row_ends
from scoring.recommender.baselines import popularity
from scoring.recommender.bundle import RecommenderBundle, Title, write_bundle
from scoring.recommender.item_weights import ItemWeights
from scoring.recommender.model import Recommender
from scoring.recommender.ratings_arrays import Ratings, RatingsMatrix
from scoring.recommender.ratings_files import COLUMNS
from scoring.recommender.timed_titles import TimedTitles, last_times

FACTORS, COLUMNS_OF_CONTENT, CONTENT_MB = 32, 128, 32.0
WEIGHED, KEPT = 2_500, 200
HELD_OUT = 0.2
ROWS_IN_A_FILE = 500_000
GOLDEN_PEOPLE, GOLDEN_TITLES = 10, 4
RANKER = {
    "family": "ease",
    "recency": {"span": 7.0, "floor": 0.05, "span_back": 10.5, "floor_back": 0.1},
    "stars": {"neutral": 0.4},
}
PREDICTOR = {
    "family": "bayes",
    "noise": 0.6,
    "effects": np.zeros((FACTORS + 3, FACTORS + 1)).tolist(),
    "precision": (8.0 * np.eye(FACTORS + 1)).tolist(),
}
FACTS: dict[str, Any] = {
    "mean": 3.4,
    "clip": [0.5, 5.0],
    "as_of": "2026-01-01T00:00:00Z",
    "recipe": {"name": "made up"},
    "fold_in": {
        "predictor": PREDICTOR,
        "ranker": RANKER,
        "lately": {"half_life": 45.0, "share": 1.0, "damping": 1.0},
    },
    "content": {"ridge": 10.0, "optimism": 1.0},
}


def made_up_ratings(world: MadeUpWorld) -> Ratings:
    """All ratings, person by person in the order of time. Ids are 32-bit: half the memory."""
    users, movies = (np.empty(world.rows, dtype=np.int32) for _ in range(2))
    values, times = np.empty(world.rows, np.float32), np.empty(world.rows, np.int32)
    start = 0
    for block in world.blocks():
        end = start + len(block[0])
        for column, part in zip((users, movies, values, times), block, strict=True):
            column[start:end] = part
        start = end
    return Ratings(users, movies, values, times)  # type: ignore[arg-type]


def last_fifth(ratings: Ratings) -> Mask:
    """True for each person's rows after the first ceil(0.8 n), of rows in the order of time."""
    counts = np.bincount(ratings.user_ids)
    kept = np.ceil(np.round((1.0 - HELD_OUT) * counts, 9)).astype(np.int64)
    place = np.arange(len(ratings)) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.asarray(place >= np.repeat(kept, counts))


def made_up_bundle(world: MadeUpWorld, ratings: Ratings) -> RecommenderBundle:
    """The bundle of these ratings, without golden answers."""
    rng = np.random.default_rng([world.seed, 6])
    people, titles = world.people, world.titles
    users, items = ratings.user_ids - 1, ratings.movie_ids - 1
    wide = min(COLUMNS_OF_CONTENT, int(CONTENT_MB * 1e6 / (4 * titles)))
    return RecommenderBundle(
        user_ids=np.arange(1, people + 1),
        movie_ids=np.arange(1, titles + 1),
        user_bias=rng.normal(0, 0.4, people),
        item_bias=world.quality - world.quality.mean(),
        user_factors=0.2 * rng.standard_normal((people, FACTORS), dtype=np.float32),
        item_factors=0.2 * rng.standard_normal((titles, FACTORS), dtype=np.float32),
        rank_user_factors=np.zeros((people, 0), np.float32),
        rank_item_factors=np.zeros((titles, 0), np.float32),
        ratings=matrix_of(users, items, ratings, people),
        popularity=popularity(items, ratings.values, titles),
        titles=dict(map(title_of, range(1, titles + 1), world.kinds.tolist())),
        facts=FACTS,
        golden={"tolerance": 1e-5, "predictions": [], "rankings": []},
        rank_arrays=weights_of(items, titles, rng).arrays(),
        content_vectors=content_of(rng, titles, wide),
        timed=TimedTitles.build(items, ratings.times, last_times(users, ratings.times, people)),
    )


def matrix_of(users: Rows, items: Rows, ratings: Ratings, people: int) -> RatingsMatrix:
    """Sorted block by block, because 32 million rows at once take 1 GB more."""
    ends = row_ends(np.bincount(users, minlength=people))
    sorted_items, values, places = items.copy(), ratings.values.copy(), np.empty_like(items)
    for first in range(0, people, 2_000):
        span = slice(ends[first], ends[min(first + 2_000, people)])
        block = RatingsMatrix.build(
            users[span] - first, items[span], values[span], 2_000, ratings.times[span]
        )
        sorted_items[span], values[span], places[span] = (
            block.indices,
            block.values,
            block.places,
        )
    return RatingsMatrix(ends, sorted_items, values, places)  # type: ignore[arg-type]


def title_of(movie: int, kind: int) -> tuple[int, Title]:
    """As `made_up_ratings.write_release` names it."""
    genres = KINDS[kind], KINDS[movie % len(KINDS)]
    return movie, Title(movie, f"tt{movie:07d}", f"Film {movie}", 1950 + movie % 70, genres)


def weights_of(items: Rows, titles: int, rng: np.random.Generator) -> ItemWeights:
    """The 200 weights to each of the most rated titles, from others of them."""
    kept = np.sort(np.argsort(-np.bincount(items, minlength=titles), kind="stable")[:WEIGHED])
    width = min(KEPT, len(kept) - 1)
    scored = np.repeat(np.arange(len(kept)), width)
    steps = np.argsort(rng.random((len(kept), len(kept) - 1)), axis=1)[:, :width].ravel() + 1
    rated = (scored + steps) % len(kept)
    order = np.lexsort((scored, rated))
    counts = np.bincount(kept[rated], minlength=titles)
    values = rng.exponential(0.03, len(order)) * np.where(rng.random(len(order)) < 0.8, 1, -0.3)
    return ItemWeights(row_ends(counts), kept[scored[order]].astype(np.int32), values.astype("f4"))


def content_of(rng: np.random.Generator, titles: int, columns: int) -> Singles:
    """Vectors of length one; every twentieth title has none."""
    vectors = rng.standard_normal((titles, columns), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[19::20] = 0.0
    return np.asarray(vectors)


def golden_of(model: Recommender) -> dict[str, Any]:
    """As many queries as the training job writes, answered by the bundle itself."""
    rng = np.random.default_rng(7)
    users = rng.choice(model.user_ids, GOLDEN_PEOPLE * GOLDEN_TITLES)
    movies = rng.choice(model.movie_ids, len(users))
    stars = model.predict(users, movies).values
    rankings, folded = [], []
    for user in users[:GOLDEN_PEOPLE].tolist():
        found = model.recommend(user, 10)
        listed = {"movie_ids": [r.movie_id for r in found], "scores": [r.score for r in found]}
        rankings.append({"user_id": user, "n": 10} | listed)
        rated = dict(list(model.ratings_of(user).items())[-12:])
        given = model.recommend_for(rated, 10)
        folded.append(
            {
                "ratings": list(rated.items()),
                "strategy": model.strategy_for(rated),
                "predictions": [],
                "n": 10,
                "movie_ids": [r.movie_id for r in given],
                "scores": [r.score for r in given],
                "strategies": [r.strategy for r in given],
            }
        )
    rows = zip(users.tolist(), movies.tolist(), stars.tolist())
    predictions = [{"user_id": u, "movie_id": m, "value": v} for u, m, v in rows]
    answers = {"predictions": predictions, "rankings": rankings, "fold_in": folded}
    return {"tolerance": 1e-5} | answers


def save_bundle(folder: Path, world: MadeUpWorld, ratings: Ratings) -> None:
    """Write the bundle, then its golden answers."""
    write_bundle(folder, made_up_bundle(world, ratings))
    golden = golden_of(Recommender.load(folder))
    (folder / "golden.json").write_text(json.dumps(golden), "utf-8")


def save_ratings(folder: Path, ratings: Ratings) -> None:
    """Parquet in the `ratings` contract."""
    folder.mkdir(parents=True)
    kinds = (np.int64, np.int64, np.float64, np.int64)
    for number, start in enumerate(range(0, len(ratings), ROWS_IN_A_FILE)):
        part = ratings.take(slice(start, start + ROWS_IN_A_FILE))
        columns = (part.user_ids, part.movie_ids, part.values, part.times)
        table = pa.table({n: c.astype(k) for n, c, k in zip(COLUMNS, columns, kinds)})
        pq.write_table(table, folder / f"part-{number:04d}.parquet")


def write_folder(folder: Path, rows: int, seed: int, split: bool) -> None:
    """The bundle of all ratings; with `split` also that of the train rows, and these rows."""
    world = MadeUpWorld(rows, seed)
    ratings = made_up_ratings(world)
    save_bundle(folder / "shipped", world, ratings)
    if split:
        held = last_fifth(ratings)
        train = ratings.take(~held)
        save_ratings(folder / "train", train)
        save_ratings(folder / "holdout", ratings.take(held))
        save_bundle(folder / "evaluated", replace(world, rows=rows), train)


def main() -> int:
    """Write a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=number_of_rows, default=FULL_ROWS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--split", action="store_true")
    options = parser.parse_args()
    write_folder(options.folder, options.rows, options.seed, options.split)
    return 0


if __name__ == "__main__":
    sys.exit(main())
