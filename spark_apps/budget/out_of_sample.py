"""What errors on titles after the fit decide: the recipe that is chosen, the width of intervals.

`folds` scores each fit on the titles after a rolling origin: `score_components` answers with every
fitted model once, and `ComponentScores.blended` weighs the answers by the shares of any recipe
without another fit. `choose` then compares recipes on the errors of all rolling origins, and
`trainer` makes an interval for each question from the errors of the chosen one (`make_interval`). A
bundle holds the interval, and `scoring.budget.model` applies it.
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
from scoring.budget.predictor import CONSTANT_SPREAD, Spread
from spark_apps.budget.families import BudgetRecipe
from spark_apps.budget.features import TARGET
from spark_apps.budget.pipeline import FittedComponents, blend_components

SEED = 20190101
"""Of the resampling; the titles and the errors decide the rest."""
TAIL = 0.1
"""On each side of an 80 % interval."""
FEWEST_FOR_A_SPREAD = 150
LEAST_ERROR = 0.01
"""log10: no title is answered better than to 2 %, even where all cost the same."""


@dataclass(frozen=True)
class Scores:
    """Titles after a fold's last fitted one, with the fit's answers; every array is [titles]."""

    directors: tuple[str, ...]  # the first of each title; its title id where it has none
    beginners: Floats  # 1 where none of the directors has a title in the fit
    actual: Floats
    answers: Mapping[str, Floats]  # by question; NaN where the title lacks what it requires
    rated: Mask

    @classmethod
    def joined(cls, scores: Sequence[Scores]) -> Scores:
        """Several folds' scores as one; a question counts only where every fold answers it."""
        questions = [q for q in QUESTIONS if all(q in one.answers for one in scores)]
        return cls(
            tuple(d for one in scores for d in one.directors),
            np.concatenate([one.beginners for one in scores]),
            np.concatenate([one.actual for one in scores]),
            {q: np.concatenate([one.answers[q] for one in scores]) for q in questions},
            np.concatenate([one.rated for one in scores]),
        )

    def errors(self, question: str) -> Floats:
        """actual - answer, where there is an answer."""
        errors = self.actual - self.answers[question]
        found: Floats = errors[np.isfinite(errors)]
        return found

    def errors_with_rating(self) -> Floats:
        """One error a title, with its rating where it has one: what the gate will measure."""
        answers = self.answers[BEFORE_RELEASE]
        if WITH_RATING in self.answers:
            rated = self.answers[WITH_RATING]
            answers = np.where(np.isfinite(rated), rated, answers)
        return self.actual - answers


@dataclass(frozen=True)
class ComponentScores:
    """The answers of every fitted model, so that any shares can be tried without a fit."""

    fitted: FittedComponents
    rows: Sequence[Row]

    def blended(self, recipe: BudgetRecipe) -> Scores:
        """Scores under the recipe's shares."""
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
        # A missing rating was imputed with the usual one: no answer that means anything.
        unrated = np.array([question == WITH_RATING and r["rating"] is None for r in self.rows])
        return np.where(unrated, np.nan, answers)

    def _column(self, name: str) -> Floats:
        return np.array([row[name] for row in self.rows], dtype=np.float64)


def score_components(fitted: FittedComponents, later: DataFrame) -> ComponentScores:
    """The answers of every model of a fit for `later` titles, by Spark's own transform."""
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
    directors: tuple[str, ...]  # of each title, the first: titles of one director go together

    @property
    def log_rmse(self) -> float:
        return math.sqrt(float(np.mean(self.errors**2)))

    @property
    def rank(self) -> tuple[float, float]:
        """Smaller is better: the error, the cost among equals. NaN is worse than any error."""
        error = self.log_rmse
        return (math.inf if math.isnan(error) else error), self.recipe.cost


def choose(scored: Sequence[ScoredRecipe], champion: BudgetRecipe | None) -> ScoredRecipe:
    """The recipe of the challenger.

    Without a champion among them it is the one of least error, the cheaper of equals. Otherwise
    another takes the champion's place only if its squared error is clearly smaller, whole directors
    resampled, as at the gate (`scoring.model_comparison`: of equal recipes, however many are tried,
    any is chosen in at most one search of twenty).
    """
    serving = next((s for s in scored if s.recipe == champion), None)
    if serving is None:
        return min(scored, key=lambda s: s.rank)
    rows = [serving, *(s for s in scored if s is not serving)]
    costs = [s.recipe.cost for s in rows]
    return rows[model_comparison.choose_recipe([squared_errors(rows)], costs, seed=SEED)]


def squared_errors(scored: Sequence[ScoredRecipe]) -> model_comparison.Criterion:
    """Squared errors of the same titles, summed by director."""
    clusters = Clusters.of_keys(scored[0].directors)
    sums = np.stack([clusters.sums(s.errors**2) for s in scored])
    return model_comparison.Criterion(sums, clusters.sizes, root=True)


# The interval of an answer


@dataclass(frozen=True)
class Interval:
    """Quantiles of errors in spreads, and the spread they are multiplied with."""

    residuals: tuple[float, float]
    spread: Spread = CONSTANT_SPREAD


def make_interval(
    errors: Floats, answers: Floats, beginners: Floats, directors: Sequence[str]
) -> Interval:
    """The interval of out-of-sample errors (actual - answer, log10).

    `answers` [titles] are what the errors are of, `beginners` [titles] is 1 where the director has
    made nothing before, and `directors` names the first director of each title.
    """
    spread = fit_spread(errors, answers, beginners)
    scaled = errors / spread.of(answers, beginners)
    return Interval(interval_of(scaled, len(set(directors))), spread)


def interval_of(errors: Floats, directors: int) -> tuple[float, float]:
    """The errors (actual - answer, log10) below and above which a tenth of new titles fall.

    The order statistics of split conformal prediction (Vovk, Gammerman and Shafer, Algorithmic
    Learning in a Random World, 2005): one title more than there are is counted, so that few errors
    give a wide interval. The tails are `safe_tail`'s: titles of a director err alike, and titles to
    come drift. The interval always holds the answer itself.
    """
    ranked, ranks, tail = np.sort(errors), len(errors) + 1, safe_tail(directors)
    low, high = math.floor(tail * ranks), math.ceil((1 - tail) * ranks)
    below = ranked[max(low, 1) - 1]
    above = ranked[min(high, len(ranked)) - 1]
    return min(float(below), 0.0), max(float(above), 0.0)


def safe_tail(directors: int) -> float:
    """TAIL less one standard error of a share seen on so many directors: the lower end of Wilson's
    interval (Journal of the American Statistical Association 22, 1927)."""
    share = TAIL + 0.5 / directors
    error = math.sqrt(TAIL * (1 - TAIL) / directors + 0.25 / directors**2)
    return (share - error) / (1 + 1 / directors)


def fit_spread(errors: Floats, answers: Floats, beginners: Floats) -> Spread:
    """The size of errors as a log-linear function of the answer and of a director's being new.

    Least squares on log |error|, which a few wild errors cannot bend; CONSTANT_SPREAD below
    FEWEST_FOR_A_SPREAD titles.
    """
    if len(errors) < FEWEST_FOR_A_SPREAD:
        return CONSTANT_SPREAD
    centre = float(answers.mean())
    rows = np.column_stack([np.ones(len(errors)), answers - centre, beginners])
    sizes = np.log(np.maximum(np.abs(errors), LEAST_ERROR))
    _, by_estimate, by_beginner = np.linalg.lstsq(rows, sizes, rcond=None)[0].tolist()
    level = max(float(np.abs(errors).mean()), LEAST_ERROR)
    return Spread(level, by_estimate, by_beginner, centre)
