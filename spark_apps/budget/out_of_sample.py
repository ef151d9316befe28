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
from dataclasses import dataclass, field

import numpy as np
from pyspark.sql import DataFrame, Row

from scoring import model_comparison
from scoring.arrays import Floats, Mask
from scoring.budget.features import (
    BEFORE_RELEASE,
    CORE_QUESTIONS,
    DIRECTOR,
    FURTHER,
    GENRE,
    QUESTIONS,
    WITH_RATING,
)
from scoring.budget.holdout import Clusters, cluster_key
from scoring.budget.lookup import VectorLayout
from scoring.budget.predictor import CONSTANT_SPREAD, ErrorSpread
from spark_apps.budget.families import BudgetRecipe
from spark_apps.budget.features import TARGET, WITHOUT, optional_fields, with_blanks
from spark_apps.budget.pipeline import FittedComponents, blend_components

SEED = 20190101
"""Of the bootstrap; equal errors give an equal choice."""
TAIL = 0.1
"""Share of titles on each side of an 80 % interval."""
FEWEST_FOR_A_SPREAD = 150
FEWEST_FOR_A_COST = 30
"""Titles that must state a field for its cost to be measured."""
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
    without: Mapping[str, Mapping[str, Floats]] = field(default_factory=dict)
    """Answers without one field, by question and field; NaN where the title does not state it."""

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
            {q: _joined([one.without.get(q, {}) for one in scores]) for q in questions},
        )

    def errors(self, question: str) -> Floats:
        """actual - answer of the titles that have an answer."""
        errors = self.actual - self.answers[question]
        found: Floats = errors[np.isfinite(errors)]
        return found

    def ratio(self, poorer: Floats, fuller: Floats) -> float | None:
        """The RMS error of one array of answers over that of another, on the titles of both.

        None for fewer than FEWEST_FOR_A_COST titles, or where the other has no error.
        """
        found = np.isfinite(poorer) & np.isfinite(fuller)
        if found.sum() < FEWEST_FOR_A_COST:
            return None
        squares = [float(np.mean((self.actual - a)[found] ** 2)) for a in (poorer, fuller)]
        return math.sqrt(squares[0] / squares[1]) if squares[1] > 0 < squares[0] else None

    def errors_with_rating(self) -> Floats:
        """One error a title; the question has a rating where the title has one, as at the gate."""
        answers = self.answers[BEFORE_RELEASE]
        if WITH_RATING in self.answers:
            rated = self.answers[WITH_RATING]
            answers = np.where(np.isfinite(rated), rated, answers)
        return self.actual - answers


def _joined(folds: Sequence[Mapping[str, Floats]]) -> dict[str, Floats]:
    """The folds' answers concatenated, for the fields that every fold has."""
    names = [name for name in folds[0] if all(name in fold for fold in folds)]
    return {name: np.concatenate([fold[name] for fold in folds]) for name in names}


@dataclass(frozen=True)
class ComponentScores:
    """The answers of every fitted model, in the columns of `rows`."""

    fitted: FittedComponents
    rows: Sequence[Row]
    blanked: Mapping[str, Sequence[Row]]  # the same titles without a field, by field

    def blended(self, recipe: BudgetRecipe) -> Scores:
        """Scores of the blend that the recipe's shares give."""
        rows = self.rows
        return Scores(
            tuple(cluster_key(row["directors"], row["title_id"]) for row in rows),
            np.array([_is_beginner(row) for row in rows], dtype=np.float64),
            np.array([row[TARGET] for row in rows]),
            {q: self._answers(recipe, q, rows) for q in self.fitted.questions},
            np.array([row["rating"] is not None for row in rows], dtype=np.bool_),
            {q: self._without(recipe, q) for q in self.fitted.questions},
        )

    def _answers(self, recipe: BudgetRecipe, question: str, rows: Sequence[Row]) -> Floats:
        blend = blend_components(recipe, self.fitted.questions[question].components)
        years = np.array([row["year"] for row in rows], dtype=np.int64)
        answers = blend.constant + self.fitted.trend.at(years)
        for weight, model in blend.terms:
            name = model.getPredictionCol()
            answers += weight * np.array([row[name] for row in rows], dtype=np.float64)
        # For a title without a rating, the answer would rest on an imputed rating.
        unrated = np.array([question == WITH_RATING and r["rating"] is None for r in rows])
        return np.where(unrated, np.nan, answers)

    def _without(self, recipe: BudgetRecipe, question: str) -> dict[str, Floats]:
        found = {}
        read = VectorLayout(self.fitted.stages, question).fields
        for name, rows in self.blanked.items():
            if name in read or (name == FURTHER and question not in CORE_QUESTIONS):
                stated = np.array([_states(row, name) for row in self.rows], dtype=np.bool_)
                found[name] = np.where(stated, self._answers(recipe, question, rows), np.nan)
        return found


def score_components(fitted: FittedComponents, later: DataFrame) -> ComponentScores:
    """The answers of every model of a fit for `later` titles, by Spark's transform.

    The same job answers for each title without each of `optional_fields`.
    """
    fields = optional_fields(fitted.stages)
    rows = with_blanks(later, fields)
    stated = ("title_id", "directors", "year", "rating", "record", "numbers", "labels", TARGET)
    kept = [*stated, WITHOUT]
    for question in fitted.questions.values():
        models = question.components.models
        whole = rows.columns
        for stage in (*question.vector, *models):
            rows = stage.transform(rows)
        kept += [model.getPredictionCol() for model in models]
        rows = rows.select(*dict.fromkeys([*whole, *kept]))
    by_field: dict[str, list[Row]] = {name: [] for name in ("", *fields)}
    for row in rows.select(*kept).collect():
        by_field[row[WITHOUT]].append(row)
    return ComponentScores(fitted, by_field.pop(""), by_field)


def _states(row: Row, name: str) -> bool:
    if name in (GENRE, FURTHER):
        return True
    return any(name in (row[column] or {}) for column in ("record", "numbers", "labels"))


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
