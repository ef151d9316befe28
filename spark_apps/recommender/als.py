"""Spark's ALS: fit it, and save it in Spark's own form.

`predictor_als_bias` fits explicit feedback, `ranker_implicit_als` implicit feedback. The number of
blocks follows from the number of rows alone, because the factors depend on it. One block on 100,000
ratings is 1.5 times as fast as Spark's default of ten, and leaves a core for a second fit.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.ml.recommendation import ALS, ALSModel
from pyspark.sql import DataFrame

from scoring.arrays import Singles
from spark_apps.recommender.indexed_ratings import Frame, IndexedRatings

ROWS_PER_BLOCK = 500_000
CHECKPOINT_EVERY = 10  # iterations; the lineage of twenty would overflow the stack
SPARK_PARAMS: dict[str, object] = {
    "userCol": "user",
    "itemCol": "item",
    "predictionCol": "prediction",
    "coldStartStrategy": "nan",
    "blockSize": 4096,
}
SPARK_SCHEMA = pa.schema(
    [
        pa.field("id", pa.int32(), nullable=False),
        pa.field("features", pa.list_(pa.field("element", pa.float32(), nullable=False))),
    ]
)


@dataclass(frozen=True)
class AlsFit:
    """A fitted model and its factors by row of the catalogue; rows without ratings are zero."""

    model: ALSModel
    users: Singles
    items: Singles


def blocks_for(rows: int) -> int:
    """The number of blocks of people, and of titles; at least one."""
    return max(1, -(-rows // ROWS_PER_BLOCK))


def needs_checkpoints(iterations: int) -> bool:
    """Whether a fit of so many iterations needs a checkpoint folder."""
    return iterations > CHECKPOINT_EVERY


class AlsParameters(Protocol):
    """The parameters that explicit and implicit ALS share."""

    @property
    def rank(self) -> int:
        """Factors of a person or title."""

    @property
    def iterations(self) -> int:
        """Rounds; each solves people, then titles."""

    @property
    def reg(self) -> float:
        """The ridge penalty, for each rating of the person or title."""


def make_als(ratings: IndexedRatings, recipe: AlsParameters, seed: int) -> ALS:
    """The settings that the explicit and the implicit fit share."""
    blocks = blocks_for(len(ratings.values))
    return ALS(
        rank=recipe.rank,
        maxIter=recipe.iterations,
        regParam=recipe.reg,
        numUserBlocks=blocks,
        numItemBlocks=blocks,
        userCol="user",
        itemCol="item",
        coldStartStrategy="nan",
        checkpointInterval=CHECKPOINT_EVERY if needs_checkpoints(recipe.iterations) else -1,
        seed=seed % 2**31,
    )


def fit_als(als: ALS, ratings: IndexedRatings, frame: Frame) -> AlsFit:
    """Fit, and collect the factors on the driver."""
    model = als.fit(frame())
    catalogue = ratings.catalogue
    users = _by_row(model.userFactors, len(catalogue.user_ids), model.rank)
    return AlsFit(model, users, _by_row(model.itemFactors, len(catalogue.movie_ids), model.rank))


def _by_row(factors: DataFrame, rows: int, rank: int) -> Singles:
    table = factors.toArrow().combine_chunks()
    flat = table["features"].combine_chunks().flatten().to_numpy()
    found: Singles = np.zeros((rows, rank), dtype=np.float32)
    found[table["id"].to_numpy()] = flat.reshape(-1, rank)
    return found


def save_als(fit: AlsFit, folder: Path) -> None:
    """Write an ALS model in Spark's form: `ALSModel.load` reads it, which a test checks.

    `model.write().save()` would cost three Spark jobs, and would leave its files on the executors'
    machines. Ids in the model are row numbers of the bundle's `user_ids.npy` and `movie_ids.npy`.
    """
    params = {p.name: value for p, value in fit.model.extractParamMap().items()}
    version = fit.model.userFactors.sparkSession.version
    _save(fit.users, fit.items, params, version, folder)


def save_factors(users: Singles, items: Singles, version: str, folder: Path) -> None:
    """Write factors [rows, K] as an ALS model of Spark `version`."""
    _save(users, items, SPARK_PARAMS, version, folder)


def _save(
    users: Singles, items: Singles, params: Mapping[str, object], version: str, folder: Path
) -> None:
    for name, factors in (("userFactors", users), ("itemFactors", items)):
        (folder / name).mkdir(parents=True)
        pq.write_table(_table(factors), folder / name / "part-00000.parquet")
    (folder / "metadata").mkdir()
    line = json.dumps(_metadata(params, version, users.shape[1]))
    (folder / "metadata" / "part-00000.txt").write_text(line + "\n", "utf-8")


def _table(factors: Singles) -> pa.Table:
    """The nonzero rows: with a zero vector Spark would predict 0 instead of NaN."""
    rows = np.flatnonzero(factors.any(axis=1)).astype(np.int32)
    rank = factors.shape[1]
    ends = pa.array(np.arange(len(rows) + 1, dtype=np.int32) * rank)
    features = pa.ListArray.from_arrays(ends, pa.array(factors[rows].ravel()))
    return pa.table(
        [pa.array(rows), features.cast(SPARK_SCHEMA.field("features").type)], schema=SPARK_SCHEMA
    )


def _metadata(params: Mapping[str, object], version: str, rank: int) -> dict[str, object]:
    return {
        "class": "org.apache.spark.ml.recommendation.ALSModel",
        "timestamp": 0,  # constant, so that equal fits make equal files
        "sparkVersion": version,
        "uid": "als",
        "paramMap": dict(params),
        "defaultParamMap": {},
        "rank": rank,
    }
