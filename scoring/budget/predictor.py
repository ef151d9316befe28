"""The arithmetic of an answer: a linear model and trees, the trend, and the spread of errors.

    answer   = linear_share * linear + tree_share * trees + trend of the year      (log10 dollars)
    interval = answer + spread * (10th and 90th percentile of out-of-sample residuals)

A bundle holds one Predictor for each question, and one Trend for all. `spark_apps.budget` fits
them; `model` applies them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from marquee.errors import BundleError
from scoring.arrays import Floats, Ints, ShortInts
from scoring.budget.features import NO_COSTS, FieldCosts

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
LEAST_SPREAD, MOST_SPREAD = 0.4, 2.5
"""A spread is clipped to these multiples of `level`."""
YEARS_AHEAD = 10
"""The trend is extrapolated so many years beyond the newest title, and constant later."""


@dataclass(frozen=True)
class ErrorSpread:
    """The expected size of an error: its log is linear in the answer and in being a beginner.

    Errors of cheap titles and of beginners are larger. Training therefore divides each error by its
    spread and takes quantiles; an interval is the answer's spread times these quantiles (normalised
    conformal prediction: Papadopoulos, Gammerman and Vovk, "Normalized nonconformity measures for
    regression conformal prediction", 2008).
    """

    level: float  # the spread of a typical title, log10 dollars
    by_estimate: float  # what a tenfold answer adds to log(spread)
    by_beginner: float  # what a director without earlier titles adds to log(spread)
    centre: float  # the typical answer, log10 dollars

    def of(self, answers: Floats, beginners: Floats) -> Floats:
        """The spread of each answer, log10 dollars; `beginners` holds 0 or 1."""
        shift = self.by_estimate * (answers - self.centre) + self.by_beginner * beginners
        scales: Floats = self.level * np.clip(np.exp(shift), LEAST_SPREAD, MOST_SPREAD)
        return scales

    def of_one(self, answer: float, is_beginner: bool) -> float:
        """`of` for one answer."""
        shift = self.by_estimate * (answer - self.centre) + self.by_beginner * is_beginner
        return self.level * min(max(math.exp(shift), LEAST_SPREAD), MOST_SPREAD)


CONSTANT_SPREAD = ErrorSpread(1.0, 0.0, 0.0, 0.0)
"""For recipes without a spread: 1 for every title, so residuals are in log10 dollars."""


def read_spread(table: Mapping[str, float] | None) -> ErrorSpread:
    """The spread in `bundle.json`; CONSTANT_SPREAD for None.

    Raises ValueError for a level that is not positive or a number that is not finite.
    """
    if table is None:
        return CONSTANT_SPREAD
    spread = ErrorSpread(**{name: float(value) for name, value in table.items()})
    if not np.isfinite(list(table.values())).all() or not spread.level > 0:
        raise ValueError("a spread that is not a positive number")
    return spread


@dataclass(frozen=True)
class Trend:
    """How budgets move with the years beyond prices: per_year * (year - centre).

    Trees cannot extrapolate beyond the last year of training, and a ridge shrinks the year's
    coefficient. The models are therefore fitted on log10 dollars minus this line, and the line is
    added to their answers.
    """

    per_year: float
    centre: float
    first: int
    last: int  # years outside `first` to `last` are clipped

    def at(self, years: Ints | Floats) -> Floats:
        """What is added to answers for `years`, in log10 dollars."""
        followed = np.clip(years, self.first, self.last).astype(np.float64)
        return self.per_year * (followed - self.centre)

    def of(self, year: int) -> float:
        """`at` for one year."""
        return self.per_year * (float(min(max(year, self.first), self.last)) - self.centre)


NO_TREND = Trend(0.0, 0.0, 0, 0)
"""The trend of bundles without one."""


def read_trend(table: Mapping[str, float] | None) -> Trend:
    """The trend in `bundle.json`; NO_TREND for None.

    Raises ValueError for a number that is not finite, or `first` after `last`.
    """
    if table is None:
        return NO_TREND
    trend = Trend(
        per_year=float(table["per_year"]),
        centre=float(table["centre"]),
        first=int(table["first"]),
        last=int(table["last"]),
    )
    if not np.isfinite([trend.per_year, trend.centre]).all() or trend.first > trend.last:
        raise ValueError("a trend that is no line between two years")
    return trend


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
        nodes = np.broadcast_to(self.root.astype(np.intp), (len(rows), len(self.root)))
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
        return Walk(np.where(is_leaf, 0, self.feature).astype(np.intp), children, depth)


class Walk(NamedTuple):
    """What a walk through FlatTrees reads, made once."""

    feature: NDArray[np.intp]  # [N]; 0 at a leaf
    children: NDArray[np.intp]  # [2 N]: the right child of node n at 2 n, the left one at 2 n + 1
    depth: int  # splits on the longest path


@dataclass(frozen=True)
class Predictor:
    """The fitted model of one question: linear_share * linear + tree_share * trees."""

    linear_share: float
    intercept: float
    coefficients: Floats  # [features]; zeros where the recipe has no linear model
    trees: FlatTrees | None
    means: Floats  # [features], the mean over the titles in training
    residuals: tuple[float, float]  # 10th and 90th percentile out of sample, divided by spread
    spread: ErrorSpread = CONSTANT_SPREAD
    tree_share: float | None = None  # None: 1 - linear_share
    costs: FieldCosts = NO_COSTS

    @property
    def share_of_trees(self) -> float:
        """`tree_share`, by default 1 - `linear_share`."""
        return 1.0 - self.linear_share if self.tree_share is None else self.tree_share

    def predict(self, rows: Floats) -> Floats:
        """Answers [titles] for rows [titles, features], log10 dollars without the trend."""
        linear = rows @ self.coefficients + self.intercept
        if self.trees is None:
            return self.linear_share * linear
        return self.linear_share * linear + self.share_of_trees * self.trees.predict(rows)

    def contributions(self, row: Floats) -> tuple[float, Floats]:
        """The answer for a typical title, and what each feature adds [features].

        Their sum is the answer for `row` [features], without the trend.
        """
        linear = self.linear_share * self.coefficients
        shares = linear * (row - self.means)
        base = self.linear_share * self.intercept + float(linear @ self.means)
        if self.trees is not None:
            shares = shares + self.share_of_trees * self.trees.contributions(row[None, :])[0]
            base += self.share_of_trees * self.trees.base
        return base, shares

    def imputed(self, row: Floats) -> Floats:
        """A title's features, with `means` in place of NaN."""
        return np.where(np.isnan(row), self.means, row)


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
