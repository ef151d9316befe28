"""Readers of trees, curves and feature stages that Spark saved, for NumPy.

Trees become `scoring.budget.flat_trees.FlatTrees`. Spark's `data/` holds a row a node: treeID,
nodeData{id, prediction, leftChild, rightChild, split{featureIndex, leftCategoriesOrThreshold,
numCategories}}. Ids of children count within their tree and are greater than their parent's.
`treesMetadata/` holds the weights.

Feature stages and curves become `scoring.budget.spark_stages`. `stage_recipes` refuses any other
transformer before a fit, with its substitute.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from marquee.errors import BundleError, RecipeError
from scoring.arrays import Floats
from scoring.budget.flat_trees import LEAF, FlatTrees
from scoring.budget.spark_stages import (
    Binary,
    Buckets,
    Grams,
    Hashed,
    Indexer,
    Isotonic,
    Linked,
    OneHot,
    Scale,
    Stage,
    Vectors,
)
from spark_apps.budget.regressors import median_shift

Row = Mapping[str, Any]
CONTINUOUS = -1
TREE_FACTORS: Mapping[str, Callable[[int], float]] = {
    "DecisionTreeRegressionModel": lambda trees: 1.0,
    "GBTRegressionModel": lambda trees: 1.0,
    "RandomForestRegressionModel": lambda trees: 1.0 / trees,
}
"""Factors of a tree's saved weight: a forest answers with the mean of its trees."""
SUBSTITUTES = {
    "QuantileDiscretizer": "Bucketizer with splits worked out beforehand",
    "PCA": "the columns themselves, scaled by StandardScaler",
    "VectorIndexer": "StringIndexer and OneHotEncoder",
    "FeatureHasher": "StringIndexer and OneHotEncoder, or HashingTF",
    "RobustScaler": "StandardScaler",
    "RFormula": "the stages it stands for",
}
"""What a recipe names in place of a transformer that cannot leave Spark."""


def read_saved_trees(folder: Path) -> FlatTrees:
    """The flat arrays of one saved tree, forest or boosted ensemble.

    BundleError for a split over more than two categories, and for a model of another class.
    """
    rows = pq.read_table(_folder(folder, "data")).to_pylist()
    nodes = sorted(map(_node, rows), key=lambda n: (n["tree"], n["id"]))
    count = len(nodes)
    trees = np.array([n["tree"] for n in nodes])
    root = np.flatnonzero(np.diff(trees, prepend=-1)).astype(np.int32)
    first = root[np.searchsorted(trees[root], trees)]
    split = [_split(n) for n in nodes]
    inner = np.array([s[0] != LEAF for s in split])
    child = {
        name: np.where(inner, first + np.array([s[i] for s in split]), 0).astype(np.int32)
        for name, i in (("left", 2), ("right", 3))
    }
    return FlatTrees(
        feature=np.array([s[0] for s in split], dtype=np.int32).reshape(count),
        threshold=np.array([s[1] for s in split], dtype=np.float64),
        left=child["left"],
        right=child["right"],
        value=np.array([n["prediction"] for n in nodes], dtype=np.float64),
        root=root,
        weight=_weights(folder, len(root)),
    )


def _node(row: Row) -> dict[str, Any]:
    """A row with its tree's number; rows of a single tree have none and get 0."""
    if "nodeData" in row:
        return {"tree": row["treeID"], **row["nodeData"]}
    return {"tree": 0, **row}


def _split(node: Row) -> tuple[int, float, int, int]:
    """(feature, threshold, left, right) of a node; LEAF where it has no children."""
    if node["leftChild"] < 0:
        return LEAF, 0.0, 0, 0
    split, left, right = node["split"], node["leftChild"], node["rightChild"]
    values = list(split["leftCategoriesOrThreshold"])
    if split["numCategories"] == CONTINUOUS:
        return split["featureIndex"], values[0], left, right
    if split["numCategories"] == 2 and len(values) == 1:  # categories 0 and 1: threshold 0.5
        children = (left, right) if values[0] == 0.0 else (right, left)
        return split["featureIndex"], 0.5, *children
    raise BundleError(
        f"a split over {split['numCategories']} categories cannot leave Spark",
        "encode the column as 0/1 columns",
    )


def _weights(folder: Path, trees: int) -> Floats:
    weights = np.ones(trees)
    metadata = folder / "treesMetadata"
    if metadata.exists():
        for row in pq.read_table(metadata).to_pylist():
            weights[row["_1"] if "_1" in row else row["treeID"]] = row.get("_3", row.get("weights"))
    text = next((folder / "metadata").glob("part-*")).read_text("utf-8")
    share = next((share for name, share in TREE_FACTORS.items() if name in text), None)
    if share is None:
        raise BundleError(
            f"{folder} holds none of {', '.join(TREE_FACTORS)}",
            "give the family a reader of its own",
        )
    return weights * share(trees)


def _folder(folder: Path, name: str) -> Path:
    path = folder / name
    if not path.exists():
        raise BundleError(f"{folder} holds no saved trees", "train it again")
    return path


def read_saved_generalized(folder: Path) -> Linked:
    """A saved generalised linear model, whose link is a parameter."""
    row = _data(folder)[0]
    return Linked(_dense(row["coefficients"]), float(row["intercept"]), _params(folder)["link"])


def read_saved_survival(folder: Path) -> Linked:
    """The median of a saved AFT model, log10 dollars: it is linear (`regressors.median_shift`)."""
    row, ten = _data(folder)[0], math.log(10.0)
    intercept = float(row["intercept"]) / ten + median_shift(float(row["scale"]))
    return Linked(_dense(row["coefficients"]) / ten, intercept, "identity")


def read_saved_isotonic(folder: Path) -> Isotonic:
    """A saved isotonic regression."""
    row = _data(folder)[0]
    boundaries, values = (np.array(row[k], np.float64) for k in ("boundaries", "predictions"))
    return Isotonic(int(_params(folder)["featureIndex"]), boundaries, values)


def read_saved_stage(folder: Path) -> Stage:
    """One saved stage; RecipeError where its class has no reader."""
    name = _metadata(folder)["class"].rsplit(".", 1)[-1].removesuffix("Model")
    if name not in READERS:
        raise RecipeError(
            f"the stage {name} cannot leave Spark", f"use one of {', '.join(READERS)}"
        )
    return READERS[name](_params(folder), folder)


def _metadata(folder: Path) -> dict[str, Any]:
    text = next((folder / "metadata").glob("part-*")).read_text("utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def _params(folder: Path) -> dict[str, Any]:
    metadata = _metadata(folder)
    return {**metadata["defaultParamMap"], **metadata["paramMap"]}


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
    mean, deviation = _dense(row["mean"]), _dense(row["std"])
    factor = np.divide(1.0, deviation, out=np.zeros_like(deviation), where=deviation != 0)
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


def _dense(vector: Row) -> Floats:
    """A saved vector: dense (type 1) or sparse (type 0)."""
    values = np.array(vector["values"], dtype=np.float64)
    if vector["type"] == 1:
        return values
    whole = np.zeros(int(vector["size"]))
    whole[list(vector["indices"])] = values
    return whole
