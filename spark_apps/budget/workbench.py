"""The films laid out in folds with their features, and fits on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from pyspark.ml import Transformer
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from scoring.budget.features import (
    BEFORE_RELEASE,
    NARROW,
    PLANNED,
    QUESTIONS,
    WIDE,
    WITH_RATING,
    Stages,
    is_rated,
)
from scoring.budget.trend import FLAT, Trend
from spark_apps.budget.features import TARGET, featured
from spark_apps.budget.fitting import FittedBudget, FittedParts, blend, fit_questions
from spark_apps.budget.folds import Fold, in_folds
from spark_apps.budget.recipes import BudgetRecipe
from spark_apps.budget.scores import PartScores, Scores, score_parts
from spark_apps.budget.trends import fit_trend
from spark_apps.budget.vocabularies import make_stages

FEWEST_RATED = 25
"""Films with a rating below which nothing is learnt from ratings."""


@dataclass
class Workbench:
    """Films with `place`, `log_budget` and what is told; features are made once for each
    smoothing, and a fit once for recipes that differ in nothing but shares."""

    spark: SparkSession
    films: DataFrame
    folds: Sequence[Fold]
    seed: int
    asked: Sequence[str] = QUESTIONS
    """Questions to be fitted, where the films tell enough."""
    _frames: dict[float, DataFrame] = field(default_factory=dict)
    _rows: dict[float, dict[str, list[Row]]] = field(default_factory=dict)
    _fits: dict[tuple[BudgetRecipe, str], FittedParts] = field(default_factory=dict)
    _scores: dict[tuple[BudgetRecipe, str], PartScores] = field(default_factory=dict)

    def frame(self, smoothing: float) -> DataFrame:
        """Featured films of every fold, in one partition in order of release."""
        if smoothing not in self._frames:
            rows = featured(in_folds(self.spark, self.films, list(self.folds)), smoothing)
            ordered = rows.repartition(1).sortWithinPartitions("fold", "place")
            # Its plan is long, and each of a hundred queries would be planned from its start.
            self._frames[smoothing] = ordered.localCheckpoint()
        return self._frames[smoothing]

    def rows(self, recipe: BudgetRecipe, fold: Fold) -> list[Row]:
        """What a fold learns from, collected: thousands at most, and the bundle holds them."""
        smoothing = recipe.director_smoothing
        if smoothing not in self._rows:
            by_fold: dict[str, list[Row]] = {f.name: [] for f in self.folds}
            for row in self.frame(smoothing).where("is_fitted").collect():
                by_fold[row["fold"]].append(row)
            self._rows[smoothing] = by_fold
        return self._rows[smoothing][fold.name]

    def stages(self, recipe: BudgetRecipe, fold: Fold) -> Stages:
        """The fold's vocabularies."""
        return make_stages(recipe, self.rows(recipe, fold))

    def trend(self, recipe: BudgetRecipe, fold: Fold) -> Trend:
        """The line that the fold's films follow through the years, where the recipe wants one."""
        if not recipe.trend:
            return FLAT
        rows = self.rows(recipe, fold)
        return fit_trend([r["year"] for r in rows], [r[TARGET] for r in rows])

    def questions(self, recipe: BudgetRecipe, fold: Fold, stages: Stages) -> list[str]:
        """What can be learnt from the fold's films."""
        rated = sum(row["rating"] is not None for row in self.rows(recipe, fold))
        tells = {
            BEFORE_RELEASE: True,
            WITH_RATING: rated >= FEWEST_RATED,
            PLANNED: _is_wider(stages, PLANNED),
            WIDE: _is_wider(stages, WIDE) and rated >= FEWEST_RATED,
        }
        return [q for q in QUESTIONS if tells[q] and q in self.asked]

    def fitted_films(self, recipe: BudgetRecipe, fold: Fold) -> DataFrame:
        """The featured films a fold learns from, with their `weight`."""
        films = self._of(recipe, fold, is_fitted=True)
        last = max(int(row["year"]) for row in self.rows(recipe, fold))
        weight = F.pow(F.lit(0.5), (F.lit(last) - F.col("year")) / (recipe.recent or 1.0))
        return films.withColumn("weight", weight if recipe.recent else F.lit(1.0))

    def fit(self, recipe: BudgetRecipe, fold: Fold) -> FittedBudget:
        """A recipe fitted on a fold's films."""
        return blend(recipe, self._parts(recipe, fold))

    def score(self, recipe: BudgetRecipe, fold: Fold) -> Scores:
        """Fit on a fold's films and answer for the later ones."""
        key = (recipe.parts, fold.name)
        if key not in self._scores:
            later = self._of(recipe, fold, is_fitted=False)
            self._scores[key] = score_parts(self._parts(recipe, fold), later)
        return self._scores[key].blended(recipe)

    def later(self, recipe: BudgetRecipe, fold: Fold) -> list[Row]:
        """The films a fold is scored on, collected, in the order of its scores."""
        found: list[Row] = self._of(recipe, fold, is_fitted=False).collect()
        return found

    def vector(self, recipe: BudgetRecipe, fold: Fold, question: str) -> tuple[Transformer, ...]:
        """The stages that make a question's vector of featured films."""
        return self._parts(recipe, fold).questions[question].vector

    def _parts(self, recipe: BudgetRecipe, fold: Fold) -> FittedParts:
        key = (recipe.parts, fold.name)
        if key not in self._fits:
            stages = self.stages(recipe, fold)
            questions = self.questions(recipe, fold, stages)
            films = self.fitted_films(recipe, fold).localCheckpoint()
            known = FittedParts(stages, {}, self.trend(recipe, fold))
            self._fits[key] = fit_questions(recipe, films, known, questions, self.seed)
        return self._fits[key]

    def _of(self, recipe: BudgetRecipe, fold: Fold, is_fitted: bool) -> DataFrame:
        of_fold = F.col("fold") == fold.name
        wanted = F.col("is_fitted") if is_fitted else ~F.col("is_fitted")
        return self.frame(recipe.director_smoothing).where(of_fold & wanted)


def _is_wider(stages: Stages, question: str) -> bool:
    narrow = NARROW[0] if is_rated(question) else NARROW[1]
    return len(stages.names(question)) > len(stages.names(narrow))
