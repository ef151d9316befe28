"""The arithmetic of an answer: linear model, trees and curves, the trend, the spread of errors.

    answer   = linear_share * linear + tree_share * trees + curves + trend of the year
                                                                                (log10 dollars)
    interval = answer + spread * (10th and 90th percentile of out-of-sample residuals)

A bundle holds one Predictor for each question, and one Trend for all. `spark_apps.budget` fits
them; `model` applies them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marquee.errors import BundleError
from scoring.arrays import Floats, Ints, ShortInts
from scoring.budget.spark_stages import Curve

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
        return float(self.at(np.array([year]))[0])


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
        nodes = np.broadcast_to(self.root, (len(rows), len(self.root)))
        while (inner := self.feature[nodes] != LEAF).any():
            nodes = np.where(inner, self._next(nodes, rows), nodes)
        answers: Floats = self.value[nodes] @ self.weight
        return answers

    def contributions(self, rows: Floats) -> Floats:
        """What each feature adds [R, features]: a row's sum plus `base` is its `predict`."""
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


@dataclass(frozen=True)
class Predictor:
    """The fitted model of one question: linear_share * linear + tree_share * trees + curves."""

    linear_share: float
    intercept: float
    coefficients: Floats  # [features]; zeros where the recipe has no linear model
    trees: FlatTrees | None
    means: Floats  # [features], the mean over the titles in training
    residuals: tuple[float, float]  # 10th and 90th percentile out of sample, divided by spread
    spread: ErrorSpread = CONSTANT_SPREAD
    tree_share: float | None = None  # None: 1 - linear_share
    curves: tuple[tuple[float, Curve], ...] = ()  # pairs of weight and curve

    @property
    def share_of_trees(self) -> float:
        """`tree_share`, by default 1 - `linear_share`."""
        return 1.0 - self.linear_share if self.tree_share is None else self.tree_share

    def predict(self, rows: Floats) -> Floats:
        """Answers [titles] for rows [titles, features], log10 dollars without the trend."""
        answers: Floats = self.linear_share * (rows @ self.coefficients + self.intercept)
        if self.trees is not None:
            answers = answers + self.share_of_trees * self.trees.predict(rows)
        for weight, curve in self.curves:
            answers = answers + weight * curve.predict(rows)
        return answers

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
        for weight, curve in self.curves:
            typical, parts = curve.contributions(row, self.means)
            shares, base = shares + weight * parts, base + weight * typical
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
