"""The arithmetic of an answer: linear model, trees and curves, the trend, the spread of errors.

    answer   = linear_share * linear + tree_share * trees + curves + trend of the year
                                                                                (log10 dollars)
    interval = answer + spread * (10th and 90th percentile of out-of-sample residuals)

A bundle holds one Predictor for each question, and one Trend for all. `spark_apps.budget` fits
them; `model` applies them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from scoring.arrays import Floats, Ints
from scoring.budget.features import NO_COSTS, FieldCosts
from scoring.budget.flat_trees import FlatTrees
from scoring.budget.spark_stages import Curve

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
    costs: FieldCosts = NO_COSTS
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
