"""Trees as flat arrays, read from what Spark saved of a fitted tree, forest or boosting.

`data/` holds a row a node: treeID, nodeData{id, prediction, leftChild, rightChild, split{
featureIndex, leftCategoriesOrThreshold, numCategories}}; children are numbered within their tree
and come after their parent. `treesMetadata/` holds the weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from marquee.errors import BundleError
from scoring.budget.trees import LEAF, FlatTrees

CONTINUOUS = -1


def read_saved_trees(folder: Path) -> FlatTrees:
    """The flat arrays of one saved model; a forest's weights become 1/T, as it takes the mean.

    Raises BundleError for a split that cannot be carried (a category set of more than two).
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
        side: np.where(inner, first + np.array([s[i] for s in split]), 0).astype(np.int32)
        for side, i in (("left", 2), ("right", 3))
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


def _node(row: Mapping[str, Any]) -> dict[str, Any]:
    """A single tree's rows are bare nodes; an ensemble's name their tree."""
    if "nodeData" in row:
        return {"tree": row["treeID"], **row["nodeData"]}
    return {"tree": 0, **row}


def _split(node: Mapping[str, Any]) -> tuple[int, float, int, int]:
    """(feature, threshold, left, right) of a node; LEAF where it has no children."""
    if node["leftChild"] < 0:
        return LEAF, 0.0, 0, 0
    split, left, right = node["split"], node["leftChild"], node["rightChild"]
    values = list(split["leftCategoriesOrThreshold"])
    if split["numCategories"] == CONTINUOUS:
        return split["featureIndex"], values[0], left, right
    if split["numCategories"] == 2 and len(values) == 1:  # 0 or 1: a threshold between them
        sides = (left, right) if values[0] == 0.0 else (right, left)
        return split["featureIndex"], 0.5, *sides
    raise BundleError(
        f"a split over {split['numCategories']} categories cannot leave Spark",
        "encode the column as 0/1 columns",
    )


def _weights(folder: Path, trees: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    metadata = folder / "treesMetadata"
    weights = np.ones(trees)
    if metadata.exists():
        for row in pq.read_table(metadata).to_pylist():
            weights[row["_1"] if "_1" in row else row["treeID"]] = row.get("_3", row.get("weights"))
    is_forest = "RandomForest" in next((folder / "metadata").glob("part-*")).read_text("utf-8")
    return weights / trees if is_forest else weights


def _folder(folder: Path, name: str) -> Path:
    path = folder / name
    if not path.exists():
        raise BundleError(f"{folder} holds no saved trees", "train it again")
    return path
