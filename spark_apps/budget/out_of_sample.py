"""Errors on titles later than the fit: they choose the recipe and set the interval.

- `score_components` answers the later titles of a fold with every fitted model.
- `ComponentScores.blended` weighs these answers by a recipe's shares, without a fit.
- `choose` compares recipes by their errors after all rolling origins.
- `make_interval` makes the 80 % interval of a question from the chosen recipe's errors. The bundle
  holds it, and `scoring.budget.model` applies it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from pyspark.sql import DataFrame, Row

from scoring import model_comparison
from scoring.arrays import Floats, Mask
from scoring.budget.features import BEFORE_RELEASE, DIRECTOR, QUESTIONS, WITH_RATING
from scoring.budget.holdout import Clusters, cluster_key
from scoring.budget.predictor import CONSTANT_SPREAD, ErrorSpread
from spark_apps.budget.families import BudgetRecipe
from spark_apps.budget.features import TARGET
from spark_apps.budget.pipeline import FittedComponents, blend_components

SEED = 20190101
"""Of the bootstrap; equal errors give an equal choice."""
TAIL = 0.1
"""Share of titles on each side of an 80 % interval."""
FEWEST_FOR_A_SPREAD = 150
LEAST_ERROR = 0.01
"""In log10 dollars: 2 % of a budget. Smaller errors count as this."""


@dataclass(frozen=True)
class Scores:
    """A fit's answers for later titles; every array is [titles], in log10 dollars."""

    directors: tuple[str, ...]  # first director of each title; without one, the title id
    beginners: Floats  # 1 where no director of the title has a title in the fit
    actual: Floats
    answers: Mapping[str, Floats]  # by question; NaN where the title lacks an input
    rated: Mask

    @classmethod
    def joined(cls, scores: Sequence[Scores]) -> Scores:
        """The folds' scores concatenated, for the questions that every fold answers."""
        questions = [q for q in QUESTIONS if all(q in one.answers for one in scores)]
        return cls(
            tuple(d for one in scores for d in one.directors),
            np.concatenate([one.beginners for one in scores]),
            np.concatenate([one.actual for one in scores]),
            {q: np.concatenate([one.answers[q] for one in scores]) for q in questions},
            np.concatenate([one.rated for one in scores]),
        )

    def errors(self, question: str) -> Floats:
        """actual - answer of the titles that have an answer."""
        errors = self.actual - self.answers[question]
        found: Floats = errors[np.isfinite(errors)]
        return found

    def errors_with_rating(self) -> Floats:
        """One error a title; the question has a rating where the title has one, as at the gate."""
        answers = self.answers[BEFORE_RELEASE]
        if WITH_RATING in self.answers:
            rated = self.answers[WITH_RATING]
            answers = np.where(np.isfinite(rated), rated, answers)
        return self.actual - answers


@dataclass(frozen=True)
class ComponentScores:
    """The answers of every fitted model, in the columns of `rows`."""

    fitted: FittedComponents
    rows: Sequence[Row]

    def blended(self, recipe: BudgetRecipe) -> Scores:
        """Scores of the blend that the recipe's shares give."""
        rows = self.rows
        return Scores(
            tuple(cluster_key(row["directors"], row["title_id"]) for row in rows),
            np.array([_is_beginner(row) for row in rows], dtype=np.float64),
            np.array([row[TARGET] for row in rows]),
            {q: self._answers(recipe, q) for q in self.fitted.questions},
            np.array([row["rating"] is not None for row in rows], dtype=np.bool_),
        )

    def _answers(self, recipe: BudgetRecipe, question: str) -> Floats:
        blend = blend_components(recipe, self.fitted.questions[question].components)
        years = np.array([row["year"] for row in self.rows], dtype=np.int64)
        answers = blend.constant + self.fitted.trend.at(years)
        for weight, model in blend.terms:
            answers += weight * self._column(model.getPredictionCol())
        # For a title without a rating, the answer would rest on an imputed rating.
        unrated = np.array([question == WITH_RATING and r["rating"] is None for r in self.rows])
        return np.where(unrated, np.nan, answers)

    def _column(self, name: str) -> Floats:
        return np.array([row[name] for row in self.rows], dtype=np.float64)


def score_components(fitted: FittedComponents, later: DataFrame) -> ComponentScores:
    """The answers of every model of a fit for `later` titles, by Spark's transform."""
    kept = ["title_id", "directors", "year", "rating", "record", TARGET]
    rows = later
    for question in fitted.questions.values():
        models = question.components.models
        for stage in (*question.vector, *models):
            rows = stage.transform(rows)
        kept += [model.getPredictionCol() for model in models]
        rows = rows.select(*dict.fromkeys([*later.columns, *kept]))
    return ComponentScores(fitted, rows.select(*kept).collect())


def _is_beginner(row: Row) -> bool:
    record = (row["record"] or {}).get(DIRECTOR)
    return record is None or not record["films"]


# The choice of a recipe


@dataclass(frozen=True)
class ScoredRecipe:
    """A recipe's out-of-sample errors (log10 dollars), one a title of the rolling origins."""

    recipe: BudgetRecipe
    errors: Floats
    directors: tuple[str, ...]  # first director of each title; the cluster of the bootstrap

    @property
    def log_rmse(self) -> float:
        return math.sqrt(float(np.mean(self.errors**2)))

    @property
    def rank(self) -> tuple[float, float]:
        """(RMSE, cost), smaller is better; a NaN counts as infinite."""
        error = self.log_rmse
        return (math.inf if math.isnan(error) else error), self.recipe.cost


def choose(scored: Sequence[ScoredRecipe], champion: BudgetRecipe | None) -> ScoredRecipe:
    """The recipe of the challenger.

    Without the champion's recipe in `scored`: the least error, and the cheaper of equals. With it:
    the champion's recipe, unless another has a clearly smaller squared error. The bootstrap draws
    whole directors, as at the gate. Where all recipes are equal, at most one search in twenty
    replaces the champion's recipe, however many are compared (`scoring.model_comparison`).
    """
    serving = next((s for s in scored if s.recipe == champion), None)
    if serving is None:
        return min(scored, key=lambda s: s.rank)
    rows = [serving, *(s for s in scored if s is not serving)]
    costs = [s.recipe.cost for s in rows]
    return rows[model_comparison.choose_recipe([squared_errors(rows)], costs, seed=SEED)]


def squared_errors(scored: Sequence[ScoredRecipe]) -> model_comparison.Criterion:
    """Squared errors [recipes, directors], summed by director."""
    clusters = Clusters.of_keys(scored[0].directors)
    sums = np.stack([clusters.sums(s.errors**2) for s in scored])
    return model_comparison.Criterion(sums, clusters.sizes, root=True)


# The interval of an answer


@dataclass(frozen=True)
class Interval:
    """interval = answer + residuals * spread; `residuals` are two quantiles of error / spread."""

    residuals: tuple[float, float]
    spread: ErrorSpread = CONSTANT_SPREAD


def make_interval(
    errors: Floats, answers: Floats, beginners: Floats, directors: Sequence[str]
) -> Interval:
    """The interval from out-of-sample errors (actual - answer, log10); every argument is [titles].

    `beginners` is 1 where no director has a title in the fit. `directors` are first directors.
    """
    spread = fit_spread(errors, answers, beginners)
    scaled = errors / spread.of(answers, beginners)
    return Interval(interval_of(scaled, len(set(directors))), spread)


def interval_of(errors: Floats, directors: int) -> tuple[float, float]:
    """Two quantiles of `errors`: at most a tenth of new titles lie below, and a tenth above.

    Split conformal prediction (Vovk, Gammerman and Shafer, Algorithmic Learning in a Random World,
    2005). Of n sorted errors it takes the one at rank t * (n + 1) and the one at rank (1 - t) * (n
    + 1), where t is `tail_share`. The lower quantile is at most 0 and the upper at least 0.
    """
    ranked, ranks, tail = np.sort(errors), len(errors) + 1, tail_share(directors)
    low, high = math.floor(tail * ranks), math.ceil((1 - tail) * ranks)
    below = ranked[max(low, 1) - 1]
    above = ranked[min(high, len(ranked)) - 1]
    return min(float(below), 0.0), max(float(above), 0.0)


def tail_share(directors: int) -> float:
    """The share of errors beyond each end of the interval: TAIL less its standard error.

    The standard error counts directors, not titles: errors of one director's titles are correlated.
    The share is the lower end of Wilson's interval (Journal of the American Statistical Association
    22, 1927).
    """
    share = TAIL + 0.5 / directors
    error = math.sqrt(TAIL * (1 - TAIL) / directors + 0.25 / directors**2)
    return (share - error) / (1 + 1 / directors)


def fit_spread(errors: Floats, answers: Floats, beginners: Floats) -> ErrorSpread:
    """The size of errors as a log-linear function of the answer and of `beginners`.

    Least squares on log |error|, because a logarithm limits the effect of outliers. Fewer than
    FEWEST_FOR_A_SPREAD titles give CONSTANT_SPREAD.
    """
    if len(errors) < FEWEST_FOR_A_SPREAD:
        return CONSTANT_SPREAD
    centre = float(answers.mean())
    rows = np.column_stack([np.ones(len(errors)), answers - centre, beginners])
    sizes = np.log(np.maximum(np.abs(errors), LEAST_ERROR))
    _, by_estimate, by_beginner = np.linalg.lstsq(rows, sizes, rcond=None)[0].tolist()
    level = max(float(np.abs(errors).mean()), LEAST_ERROR)
    return ErrorSpread(level, by_estimate, by_beginner, centre)
