"""Feature stages as Spark saved them, into what NumPy can apply (`scoring.budget.stages`).

A stage that cannot be carried over is refused *before* anything is trained (`refuse_uncarried`),
with what to use in its place. Today's recipes make their vectors in SQL, whose twin in NumPy is
`scoring.budget.features.vector`; the readers here are for those that will not.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from marquee.errors import RecipeError
from scoring.budget.stages import (
    Binary,
    Buckets,
    Grams,
    Hashed,
    Indexer,
    OneHot,
    Scale,
    Stage,
    Vectors,
)

Row = Mapping[str, Any]
TWINS = ("SQLTransformer", "VectorAssembler")
"""What `spark_apps.budget.vectors` makes; golden queries hold it to its twin."""
SUBSTITUTES = {
    "QuantileDiscretizer": "Bucketizer with splits worked out beforehand",
    "PCA": "the columns themselves, scaled by StandardScaler",
    "VectorIndexer": "StringIndexer and OneHotEncoder",
    "FeatureHasher": "StringIndexer and OneHotEncoder, or HashingTF",
    "RobustScaler": "StandardScaler",
    "RFormula": "the stages it stands for",
}


def refuse_uncarried(stages: Iterable[Any]) -> None:
    """RecipeError for the first stage, fitted or not, that could not leave Spark."""
    for stage in stages:
        name = type(stage).__name__.removesuffix("Model")
        if name not in READERS and name not in TWINS:
            instead = SUBSTITUTES.get(name, f"one of {', '.join(sorted(READERS))}")
            raise RecipeError(f"the stage {name} cannot leave Spark", f"use {instead}")


def read_saved_stage(folder: Path) -> Stage:
    """One saved stage; RecipeError where it is none that can be carried."""
    metadata = json.loads(next((folder / "metadata").glob("part-*")).read_text("utf-8"))
    name = metadata["class"].rsplit(".", 1)[-1].removesuffix("Model")
    if name not in READERS:
        raise RecipeError(f"the stage {name} cannot leave Spark", "see SUBSTITUTES")
    params = {**metadata["defaultParamMap"], **metadata["paramMap"]}
    return READERS[name](params, folder)


def _indexer(params: Row, folder: Path) -> Stage:
    return Indexer(tuple(_data(folder)[0]["labelsArray"][0]))


def _one_hot(params: Row, folder: Path) -> Stage:
    size = int(_data(folder)[0]["categorySizes"][0])
    return OneHot(size, bool(params["dropLast"]), params["handleInvalid"] == "keep")


def _buckets(params: Row, folder: Path) -> Stage:
    return Buckets(tuple(float(split) for split in params["splits"]))


def _binary(params: Row, folder: Path) -> Stage:
    return Binary(float(params["threshold"]))


def _standard(params: Row, folder: Path) -> Stage:
    row = _data(folder)[0]
    mean, std = _dense(row["mean"]), _dense(row["std"])
    factor = np.divide(1.0, std, out=np.zeros_like(std), where=std != 0)
    none = np.zeros_like(mean)
    return Scale(
        mean if params["withMean"] else none, factor if params["withStd"] else none + 1.0, none
    )


def _min_max(params: Row, folder: Path) -> Stage:
    row, low, high = _data(folder)[0], float(params["min"]), float(params["max"])
    least, most = _dense(row["originalMin"]), _dense(row["originalMax"])
    span = most - least
    factor = np.divide(high - low, span, out=np.zeros_like(span), where=span != 0)
    return Scale(least, factor, np.where(span != 0, low, (low + high) / 2))


def _grams(params: Row, folder: Path) -> Stage:
    return Grams(int(params["n"]))


def _hashed(params: Row, folder: Path) -> Stage:
    return Hashed(int(params["numFeatures"]), bool(params["binary"]))


def _vectors(params: Row, folder: Path) -> Stage:
    rows = _data(folder)
    words = {row["word"]: np.array(row["vector"], dtype=np.float64) for row in rows}
    return Vectors(words, int(params["vectorSize"]))


READERS: dict[str, Callable[[Row, Path], Stage]] = {
    "StringIndexer": _indexer,
    "OneHotEncoder": _one_hot,
    "Bucketizer": _buckets,
    "Binarizer": _binary,
    "StandardScaler": _standard,
    "MinMaxScaler": _min_max,
    "NGram": _grams,
    "HashingTF": _hashed,
    "Word2Vec": _vectors,
}


def _data(folder: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(folder / "data").to_pylist()
    return found


def _dense(vector: Row) -> np.ndarray[Any, np.dtype[np.float64]]:
    """A saved vector: dense (type 1) or sparse (type 0)."""
    values = np.array(vector["values"], dtype=np.float64)
    if vector["type"] == 1:
        return values
    whole = np.zeros(int(vector["size"]))
    whole[list(vector["indices"])] = values
    return whole
