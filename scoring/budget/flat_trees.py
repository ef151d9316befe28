"""Weighted sums of regression trees as flat arrays: one walk through all, their sum, their files.

`spark_apps.budget.saved_models` makes FlatTrees of what Spark saved, and `predictor` answers with
them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from marquee.errors import BundleError
from scoring.arrays import Floats, ShortInts

LEAF = -1
REMEDY = "train it again, or copy the bundle again from the lake"
DTYPES = {
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
    """A weighted sum of T regression trees with N nodes in all, as flat arrays.

    A row goes left where its value is at most the threshold, as in Spark. `feature` is LEAF (-1) at
    a leaf. Inner nodes have a value too. A tree's answer is the root's value plus, for each split
    on the path, the child's value minus the parent's. `contributions` adds this difference to the
    split's feature (Saabas, "Interpreting random forests", 2014).
    """

    feature: ShortInts  # [N]
    threshold: Floats  # [N]
    left: ShortInts  # [N] node numbers
    right: ShortInts  # [N]
    value: Floats  # [N]
    root: ShortInts  # [T]
    weight: Floats  # [T]

    @property
    def base(self) -> float:
        """The weighted sum of the roots' values."""
        return float(self.weight @ self.value[self.root])

    def predict(self, rows: Floats) -> Floats:
        """Answers [R] for `rows` [R, features]."""
        for nodes in self._levels(rows):
            last = nodes
        answers: Floats = self.value.take(last) @ self.weight
        return answers

    def contributions(self, rows: Floats) -> Floats:
        """What each feature adds [R, features]: a row's sum plus `base` is its `predict`."""
        paths = np.stack(list(self._levels(rows)))  # [levels, R, T]
        gains = np.diff(self.value.take(paths), axis=0) * self.weight
        count, width = rows.shape
        cells = self._walk.feature.take(paths[:-1]) + width * np.arange(count)[:, None]
        added = np.bincount(cells.ravel(), weights=gains.ravel(), minlength=count * width)
        return added.astype(np.float64).reshape(count, width)

    def _levels(self, rows: Floats) -> Iterator[NDArray[np.intp]]:
        """The node of each row in each tree [R, T], from the roots to the leaves.

        A leaf is its own child, so that every walk has as many steps.
        """
        walk, flat = self._walk, np.ascontiguousarray(rows).ravel()
        start = rows.shape[1] * np.arange(len(rows))[:, None]
        nodes = np.zeros_like(start) + walk.root
        yield nodes
        for _ in range(walk.depth):
            is_left = flat.take(walk.feature.take(nodes) + start) <= self.threshold.take(nodes)
            nodes = walk.children.take(2 * nodes + is_left)
            yield nodes

    @cached_property
    def _walk(self) -> Walk:
        nodes = np.arange(len(self.feature), dtype=np.intp)
        is_leaf = self.feature == LEAF
        left, right = np.where(is_leaf, nodes, self.left), np.where(is_leaf, nodes, self.right)
        depth, reached = 0, np.unique(self.root)
        while len(inner := reached[~is_leaf[reached]]):
            depth, reached = depth + 1, np.unique(np.concatenate([left[inner], right[inner]]))
        children = np.stack([right, left], axis=1).ravel()
        feature = np.where(is_leaf, 0, self.feature).astype(np.intp)
        return Walk(self.root.astype(np.intp), feature, children, depth)


class Walk(NamedTuple):
    """What a walk through FlatTrees reads, made once."""

    root: NDArray[np.intp]  # [T]
    feature: NDArray[np.intp]  # [N]; 0 at a leaf
    children: NDArray[np.intp]  # [2 N]: the right child of node n at 2 n, the left one at 2 n + 1
    depth: int  # splits on the longest path


def join_trees(weighted: Sequence[tuple[float, FlatTrees]], constant: float = 0.0) -> FlatTrees:
    """The weighted sum of several FlatTrees as one, plus a constant (kept as a single leaf)."""
    leaf = _leaf(constant)
    terms = [*weighted, *([(1.0, leaf)] if constant else [])]
    starts = np.cumsum([0, *(len(trees.feature) for _, trees in terms)])[:-1]

    def shifted(name: str) -> ShortInts:
        arrays = [getattr(t, name) + start for start, (_, t) in zip(starts, terms, strict=True)]
        return np.concatenate(arrays).astype(np.int32)

    def joined(name: str) -> NDArray[Any]:
        return np.concatenate([getattr(trees, name) for _, trees in terms])

    weight = np.concatenate([share * trees.weight for share, trees in terms])
    return FlatTrees(
        joined("feature"), joined("threshold"), shifted("left"), shifted("right"), joined("value"),
        shifted("root"), weight,
    )  # fmt: skip


def _leaf(value: float) -> FlatTrees:
    whole, zero = np.zeros(1, dtype=np.int32), np.zeros(1)
    return FlatTrees(whole + LEAF, zero, whole, whole, zero + value, whole, zero + 1.0)


def save_trees(trees: FlatTrees, folder: Path, prefix: str) -> None:
    """Write `<prefix>_<array>.npy` files."""
    for field in fields(trees):
        np.save(folder / f"{prefix}_{field.name}.npy", getattr(trees, field.name))


def load_trees(folder: Path, prefix: str, features: int) -> FlatTrees:
    """Read and check the files of `save_trees`; raises BundleError where an array does not fit."""
    trees = FlatTrees(**{name: _load(folder / f"{prefix}_{name}.npy") for name in DTYPES})
    wrong = _fault(trees, features)
    if wrong:
        raise BundleError(f"{folder}/{prefix}_*.npy: {wrong}", REMEDY)
    return trees


def _load(path: Path) -> NDArray[Any]:
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise BundleError(f"cannot read {path}: {error}", REMEDY) from None
    dtype = DTYPES[path.stem.rsplit("_", 1)[-1]]
    if array.dtype != dtype or array.ndim != 1:
        raise BundleError(f"{path} holds {array.dtype}{list(array.shape)}, not a row of {dtype}")
    return np.asarray(array)


def _fault(trees: FlatTrees, features: int) -> str:
    """What is wrong with the arrays, in a sentence; empty where all fits."""
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
    # Children come after their parent, so every walk ends.
    if (len(inner) and (children <= np.tile(inner, 2)).any()) or (children >= nodes).any():
        return "a child that does not come after its parent"
    return ""
