"""A weighted sum of regression trees as flat arrays, walked for many rows at once.

A row goes left where its value is at most the threshold, as Spark's continuous splits do. Inner
nodes keep their own prediction too, so that what a split adds can be told (the path attribution of
Saabas, "Interpreting random forests", 2014): a tree's answer is its root's value plus, for every
split on the way, the child's value less the parent's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marquee.errors import BundleError
from scoring.arrays import Floats, ShortInts

LEAF = -1
REMEDY = "train it again, or copy the bundle again from the lake"
KINDS = {
    "feature": np.int32,
    "threshold": np.float64,
    "left": np.int32,
    "right": np.int32,
    "value": np.float64,
    "root": np.int32,
    "weight": np.float64,
}


@dataclass(frozen=True)
class FlatTrees:
    """N nodes of T trees; `feature` is LEAF (-1) at a leaf."""

    feature: ShortInts  # [N]
    threshold: Floats  # [N]
    left: ShortInts  # [N] node numbers
    right: ShortInts  # [N]
    value: Floats  # [N]
    root: ShortInts  # [T]
    weight: Floats  # [T]

    @property
    def base(self) -> float:
        """What the trees say before they look at any feature."""
        return float(self.weight @ self.value[self.root])

    def predict(self, rows: Floats) -> Floats:
        """Weighted sum over trees for each row of `rows` [R, features]."""
        nodes = np.broadcast_to(self.root, (len(rows), len(self.root)))
        while (inner := self.feature[nodes] != LEAF).any():
            nodes = np.where(inner, self._next(nodes, rows), nodes)
        answers: Floats = self.value[nodes] @ self.weight
        return answers

    def contributions(self, rows: Floats) -> Floats:
        """What each feature adds to `base`, [R, features]; a row's sum plus base is predict."""
        added = np.zeros(rows.shape)
        nodes = np.broadcast_to(self.root, (len(rows), len(self.root)))
        while (inner := self.feature[nodes] != LEAF).any():
            onward = np.where(inner, self._next(nodes, rows), nodes)
            gains = self.weight * (self.value[onward] - self.value[nodes])
            row, tree = np.nonzero(inner)
            np.add.at(added, (row, self.feature[nodes[row, tree]]), gains[row, tree])
            nodes = onward
        return added

    def _next(self, nodes: ShortInts, rows: Floats) -> ShortInts:
        feature = np.maximum(self.feature[nodes], 0)
        values = np.take_along_axis(rows, feature.astype(np.intp), axis=1)
        onward: ShortInts = np.where(
            values <= self.threshold[nodes], self.left[nodes], self.right[nodes]
        )
        return onward


def join_trees(parts: Sequence[tuple[float, FlatTrees]], constant: float = 0.0) -> FlatTrees:
    """One weighted sum of several, each with its own weight, plus a constant (a lone leaf)."""
    leaf = _leaf(constant)
    every = [*parts, *([(1.0, leaf)] if constant else [])]
    starts = np.cumsum([0, *(len(trees.feature) for _, trees in every)])[:-1]

    def moved(name: str) -> ShortInts:
        arrays = [getattr(t, name) + start for start, (_, t) in zip(starts, every, strict=True)]
        return np.concatenate(arrays).astype(np.int32)

    def kept(name: str) -> NDArray[Any]:
        return np.concatenate([getattr(trees, name) for _, trees in every])

    weight = np.concatenate([share * trees.weight for share, trees in every])
    return FlatTrees(
        kept("feature"), kept("threshold"), moved("left"), moved("right"), kept("value"),
        moved("root"), weight,
    )  # fmt: skip


def _leaf(value: float) -> FlatTrees:
    whole, zero = np.zeros(1, dtype=np.int32), np.zeros(1)
    return FlatTrees(whole + LEAF, zero, whole, whole, zero + value, whole, zero + 1.0)


def save_trees(trees: FlatTrees, folder: Path, prefix: str) -> None:
    """Write `<prefix>_<array>.npy` files."""
    for field in fields(trees):
        np.save(folder / f"{prefix}_{field.name}.npy", getattr(trees, field.name))


def load_trees(folder: Path, prefix: str, features: int) -> FlatTrees:
    """Read what `save_trees` wrote and check that every walk ends; BundleError otherwise."""
    trees = FlatTrees(**{name: _load(folder / f"{prefix}_{name}.npy") for name in KINDS})
    wrong = _fault(trees, features)
    if wrong:
        raise BundleError(f"{folder}/{prefix}_*.npy: {wrong}", REMEDY)
    return trees


def _load(path: Path) -> NDArray[Any]:
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise BundleError(f"cannot read {path}: {error}", REMEDY) from None
    kind = KINDS[path.stem.rsplit("_", 1)[-1]]
    if array.dtype != kind or array.ndim != 1:
        raise BundleError(f"{path} holds {array.dtype}{list(array.shape)}, not a row of {kind}")
    return np.asarray(array)


def _fault(trees: FlatTrees, features: int) -> str:
    """What is wrong with the arrays, or nothing."""
    nodes = len(trees.feature)
    if not len(trees.root) or len(trees.weight) != len(trees.root):
        return "no trees, or not one weight a tree"
    if any(len(a) != nodes for a in (trees.threshold, trees.left, trees.right, trees.value)):
        return "arrays of different lengths"
    numbers = (trees.threshold, trees.value, trees.weight)
    if not all(np.isfinite(a).all() for a in numbers):
        return "a value that is not finite"
    if trees.feature.min() < LEAF or trees.feature.max() >= features:
        return f"a split on a feature outside 0 to {features - 1}"
    if trees.root.min() < 0 or trees.root.max() >= nodes:
        return "a root outside the nodes"
    inner = np.flatnonzero(trees.feature != LEAF)
    children = np.concatenate([trees.left[inner], trees.right[inner]])
    # Children come after their parent, so no walk can turn in a circle.
    if (len(inner) and (children <= np.tile(inner, 2)).any()) or (children >= nodes).any():
        return "a child that does not come after its parent"
    return ""
