"""An ALS model as Spark saves one, written by the driver from the factors it already holds.

`model.write().save()` costs three Spark jobs a model and, to a local folder, leaves its files on
whatever machine an executor runs. The form is Spark's own (a metadata line and two Parquet
folders): `ALSModel.load` reads it, and a test holds its answers equal. Ids in it are row numbers
of the bundle's `user_ids.npy` and `movie_ids.npy`.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from marquee.scoring.arrays import Singles
from spark_apps.recommender.als import AlsFit

SCHEMA = pa.schema(
    [
        pa.field("id", pa.int32(), nullable=False),
        pa.field("features", pa.list_(pa.field("element", pa.float32(), nullable=False))),
    ]
)


def save_model(fit: AlsFit, folder: Path) -> None:
    """Write the model into `folder`."""
    for name, factors in (("userFactors", fit.users), ("itemFactors", fit.items)):
        (folder / name).mkdir(parents=True)
        pq.write_table(_table(factors), folder / name / "part-00000.parquet")
    (folder / "metadata").mkdir()
    (folder / "metadata" / "part-00000.txt").write_text(json.dumps(_metadata(fit)) + "\n", "utf-8")


def _table(factors: Singles) -> pa.Table:
    """Only rows that ALS knows: a zero vector would be an answer where Spark gives none."""
    rows = np.flatnonzero(factors.any(axis=1)).astype(np.int32)
    rank = factors.shape[1]
    ends = pa.array(np.arange(len(rows) + 1, dtype=np.int32) * rank)
    features = pa.ListArray.from_arrays(ends, pa.array(factors[rows].ravel()))
    return pa.table([pa.array(rows), features.cast(SCHEMA.field("features").type)], schema=SCHEMA)


def _metadata(fit: AlsFit) -> dict[str, object]:
    model = fit.model
    params = {p.name: value for p, value in model.extractParamMap().items()}
    return {
        "class": "org.apache.spark.ml.recommendation.ALSModel",
        "timestamp": 0,  # when it was fitted is in card.json; equal fits make equal files
        "sparkVersion": model.userFactors.sparkSession.version,
        "uid": "als",
        "paramMap": params,
        "defaultParamMap": {},
        "rank": model.rank,
    }
