"""Every feature stage saved by Spark, read by us and applied in NumPy: equal on every row."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyspark.ml import feature as M
from pyspark.ml.linalg import Vectors
from pyspark.sql import SparkSession

from marquee.errors import RecipeError
from scoring.budget.spark_stages import Grams
from spark_apps.budget.saved_models import read_saved_stage
from tests.plugins.spark_session import spark  # noqa: F401

WORDS = [["a", "space", "war"], ["war", "für", "ünïcode"], ["a"], ["space", "a", "a", "war"]]
FITTED = [
    (word, place, number, Vectors.dense(number, 3.0, -number), words)
    for word, place, number, words in zip("xyxz", [0.0, 1.0, 2.0, 1.0], [1.0, 2.5, 4.0, 9.0], WORDS)
]
LATER = [
    ("unseen", 3.0, 0.5, Vectors.dense(5.0, 1.0, 2.0), ["never", "heard", "war"]),
    (None, None, None, Vectors.dense(0.0, 0.0, 0.0), []),
    ("x", 0.0, float("nan"), Vectors.dense(1.0, 1.0, 1.0), ["a"]),
    ("y", 2.0, 2.5, Vectors.sparse(3, {1: 7.0}), ["a", "war"]),
]
CASES: dict[str, Callable[[], tuple[str, Any]]] = {
    "StringIndexer": lambda: (
        "word",
        M.StringIndexer(inputCol="word", outputCol="out", handleInvalid="keep"),
    ),
    "OneHotEncoder": lambda: (
        "place",
        M.OneHotEncoder(inputCol="place", outputCol="out", handleInvalid="keep"),
    ),
    "Bucketizer": lambda: (
        "number",
        M.Bucketizer(
            splits=[0.0, 1.0, 2.5, 9.0], inputCol="number", outputCol="out", handleInvalid="keep"
        ),
    ),
    "Binarizer": lambda: ("place", M.Binarizer(threshold=1.0, inputCol="place", outputCol="out")),
    "StandardScaler": lambda: (
        "vector",
        M.StandardScaler(inputCol="vector", outputCol="out", withMean=True),
    ),
    "MinMaxScaler": lambda: ("vector", M.MinMaxScaler(inputCol="vector", outputCol="out")),
    "NGram": lambda: ("words", M.NGram(n=2, inputCol="words", outputCol="out")),
    "HashingTF": lambda: (
        "words",
        M.HashingTF(numFeatures=32, inputCol="words", outputCol="out"),
    ),
    "Word2Vec": lambda: (
        "words",
        M.Word2Vec(vectorSize=4, minCount=1, seed=3, inputCol="words", outputCol="out"),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_saved_stage_does_the_same_without_spark(
    spark: SparkSession,  # noqa: F811
    tmp_path: Path,
    name: str,
) -> None:
    column, stage = CASES[name]()
    names = ["word", "place", "number", "vector", "words"]
    known = spark.createDataFrame(FITTED, names)
    rows = [row for row in LATER if row[names.index(column)] is not None or name not in NULL_FAILS]
    frame = spark.createDataFrame([*FITTED, *rows], names).coalesce(1)
    fitted = stage.fit(known) if hasattr(stage, "fit") else stage
    fitted.write().save((tmp_path / "stage").as_uri())
    loaded = type(fitted).load((tmp_path / "stage").as_uri())
    found = [row["out"] for row in loaded.transform(frame).select("out").collect()]
    ours, values = read_saved_stage(tmp_path / "stage"), [r[column] for r in frame.collect()]
    assert len(found) == len(values) >= 6
    if isinstance(ours, Grams):
        assert ours.words(values) == found and any(found)
        return
    numbers = [f.toArray() if hasattr(f, "toArray") else f for f in found]
    wanted = np.array([np.atleast_1d(np.nan if n is None else n) for n in numbers], dtype=float)
    tidy = [v.toArray() if hasattr(v, "toArray") else v for v in values]
    np.testing.assert_allclose(ours.apply(tidy), wanted, rtol=0, atol=1e-9)
    assert np.nanmax(wanted) > np.nanmin(wanted)


NULL_FAILS = ("OneHotEncoder", "Binarizer")
"""Spark itself refuses a null there."""


def test_a_stage_that_cannot_be_carried_is_refused(
    spark: SparkSession,  # noqa: F811
    tmp_path: Path,
) -> None:
    M.VectorSlicer(indices=[0]).write().save((tmp_path / "stage").as_uri())
    with pytest.raises(RecipeError, match="VectorSlicer cannot leave Spark — use one of String"):
        read_saved_stage(tmp_path / "stage")
