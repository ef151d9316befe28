"""The shipped recommender as tables for Spark: Parquet files beside the saved ALS models.

    people/   user int, user_id long, bias double      a person's row, id and bias
    titles/   item int, movie_id long, bias double     a title's row, id and bias
    ranker/weights/  rated int, added int, w float     what a rated title adds to another's score
    ranker/history/  user int, item int, age int, stars float   `age` ratings were later

The two tables of the ranker are written where its family has item weights (`ease`). A score is then
a join and a sum: of `history` and `weights` over `item = rated`, by person and `added`. Rows are
those of the bundle's `user_ids.npy` and `movie_ids.npy`; `spark_connect` reads all four.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from scoring.arrays import Floats, Ints
from scoring.recommender.item_weights import WEIGHT_ARRAYS, ItemWeights
from scoring.recommender.ratings_arrays import RATINGS_AT_ONCE, RatingsMatrix, people_at_once
from spark_apps.recommender.families import FittedRanker
from spark_apps.recommender.golden_queries import FittedRecommender

ROWS_PER_GROUP = 131_072
"""Spark skips whole groups of `history`, whose people ascend; it reads a person from one or two."""
HISTORY = pa.schema(
    [("user", pa.int32()), ("item", pa.int32()), ("age", pa.int32()), ("stars", pa.float32())]
)


def save_tables(fitted: FittedRecommender, folder: Path) -> None:
    """Write the tables of a fit below `folder`, the `spark/` of its model folder."""
    catalogue, model = fitted.ratings.catalogue, fitted.predictor.factor_model()
    _save_ids(catalogue.user_ids, model.user_bias, ("user", "user_id"), folder / "people")
    _save_ids(catalogue.movie_ids, model.item_bias, ("item", "movie_id"), folder / "titles")
    weights = weights_of(fitted.ranker)
    if weights is not None:
        _save(_weights_table(weights), folder / "ranker" / "weights")
        _save_history(fitted.ratings.matrix, folder / "ranker" / "history")


def weights_of(ranker: FittedRanker) -> ItemWeights | None:
    """The ranker's item weights; None for a family whose scores are not these weights alone."""
    only_weights = set(ranker.arrays) == set(WEIGHT_ARRAYS) and not ranker.items.shape[1]
    return ItemWeights.from_arrays(ranker.arrays) if only_weights else None


def _save_ids(ids: Ints, bias: Floats, names: tuple[str, str], folder: Path) -> None:
    rows = np.arange(len(ids), dtype=np.int32)
    columns = [pa.array(rows), pa.array(ids), pa.array(np.asarray(bias, dtype=np.float64))]
    _save(pa.table(columns, names=[*names, "bias"]), folder)


def _weights_table(weights: ItemWeights) -> pa.Table:
    counts = np.diff(weights.indptr)
    rated = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    columns = [pa.array(column) for column in (rated, weights.indices, weights.values)]
    return pa.table(columns, names=["rated", "added", "w"])


def _save(table: pa.Table, folder: Path) -> None:
    folder.mkdir(parents=True)
    pq.write_table(table, folder / "part-00000.parquet", row_group_size=ROWS_PER_GROUP)


def _save_history(ratings: RatingsMatrix, folder: Path) -> None:
    """Some people at a time: the columns of all ratings would take 16 bytes of each."""
    folder.mkdir(parents=True)
    with pq.ParquetWriter(folder / "part-00000.parquet", HISTORY) as writer:
        for table in _history_tables(ratings):
            writer.write_table(table, row_group_size=ROWS_PER_GROUP)


def _history_tables(ratings: RatingsMatrix) -> Iterator[pa.Table]:
    for people in people_at_once(ratings.indptr, RATINGS_AT_ONCE):
        ends = ratings.indptr[people.start : people.stop + 1]
        span = slice(int(ends[0]), int(ends[-1]))
        users = np.repeat(np.arange(people.start, people.stop, dtype=np.int32), np.diff(ends))
        items = ratings.indices[span]
        ages = np.zeros(len(items), np.int32) if ratings.places is None else ratings.places[span]
        columns = [users, items, ages, ratings.values[span]]
        yield pa.table([pa.array(np.asarray(c)) for c in columns], schema=HISTORY)
