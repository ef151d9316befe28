"""An ALS model as Spark saves one, written by the driver from the factors it already holds.

`model.write().save()` costs three Spark jobs a model and, to a local folder, leaves its files on
whatever machine an executor runs. The form is Spark's own (a metadata line and two Parquet
folders): `ALSModel.load` reads it, and a test holds its answers equal. Ids in it are row numbers
of the bundle's `user_ids.npy` and `movie_ids.npy`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from scoring.arrays import Singles
from spark_apps.recommender.als import AlsFit

PARAMS: dict[str, object] = {
    "userCol": "user",
    "itemCol": "item",
    "predictionCol": "prediction",
    "coldStartStrategy": "nan",
    "blockSize": 4096,
}
SCHEMA = pa.schema(
    [
        pa.field("id", pa.int32(), nullable=False),
        pa.field("features", pa.list_(pa.field("element", pa.float32(), nullable=False))),
    ]
)


def save_model(fit: AlsFit, folder: Path) -> None:
    """Write Spark's model into `folder`."""
    params = {p.name: value for p, value in fit.model.extractParamMap().items()}
    version = fit.model.userFactors.sparkSession.version
    _save(fit.users, fit.items, params, version, folder)


def save_factors(users: Singles, items: Singles, version: str, folder: Path) -> None:
    """Write factors [rows, K] of any origin as a model of Spark `version`."""
    _save(users, items, PARAMS, version, folder)


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
    """Only rows that ALS knows: a zero vector would be an answer where Spark gives none."""
    rows = np.flatnonzero(factors.any(axis=1)).astype(np.int32)
    rank = factors.shape[1]
    ends = pa.array(np.arange(len(rows) + 1, dtype=np.int32) * rank)
    features = pa.ListArray.from_arrays(ends, pa.array(factors[rows].ravel()))
    return pa.table([pa.array(rows), features.cast(SCHEMA.field("features").type)], schema=SCHEMA)


def _metadata(params: Mapping[str, object], version: str, rank: int) -> dict[str, object]:
    return {
        "class": "org.apache.spark.ml.recommendation.ALSModel",
        "timestamp": 0,  # when it was fitted is in card.json; equal fits make equal files
        "sparkVersion": version,
        "uid": "als",
        "paramMap": dict(params),
        "defaultParamMap": {},
        "rank": rank,
    }
