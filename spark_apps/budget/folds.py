"""Folds of the titles in order of release, and the fits of recipes on them.

A fold is fitted on the places 1 to `fitted` and scored on the places `fitted` + 1 to `scored`. The
rolling origins inside train choose the recipe and give the residuals of the interval. The folds
`evaluated` and `shipped` give the two fits of a model folder. `trainer` and the benchmarks call
`FoldFits`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from pyspark.ml import Transformer
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from scoring.arrays import Ints
from scoring.budget.features import (
    ALL_BEFORE_RELEASE,
    ALL_KNOWN,
    BEFORE_RELEASE,
    CORE_QUESTIONS,
    QUESTIONS,
    WITH_RATING,
    FeatureEncoder,
    is_rated,
)
from scoring.budget.predictor import NO_TREND, Trend
from spark_apps.budget.families import BudgetRecipe
from spark_apps.budget.feature_vectors import make_stages
from spark_apps.budget.features import TARGET, featured
from spark_apps.budget.out_of_sample import ComponentScores, Scores, score_components
from spark_apps.budget.pipeline import (
    FittedBudget,
    FittedComponents,
    blend_pipeline,
    fit_questions,
    fit_trend,
)

EVALUATED, SHIPPED = "evaluated", "shipped"
ORIGINS = (0.55, 0.7, 0.85)
"""Shares of train that the rolling origins are fitted on; each is scored up to the next share."""
FEWEST_EFFECTIVE, LONGEST_HALF_LIFE = 350.0, 128.0
FEWEST_RATED = 25
"""Titles with a rating that a fit with ratings needs."""


@dataclass(frozen=True)
class Fold:
    """Titles at places 1 to `fitted` are for the fit, `fitted` + 1 to `scored` for scores."""

    name: str
    fitted: int
    scored: int


def half_life(recent: float, years: Ints) -> float:
    """The years in which a title's weight halves: `recent`, doubled while the titles of `years`
    count for fewer than FEWEST_EFFECTIVE; infinite for 0, or where no doubling is enough.

    Unequal weights count for (sum of weights)^2 / sum of squares (Kish, Survey Sampling, 1965). Few
    titles cannot spare the old ones.
    """
    while recent and recent < LONGEST_HALF_LIFE:
        weights = 0.5 ** ((years.max() - years) / recent)
        if weights.sum() ** 2 / (weights @ weights) >= FEWEST_EFFECTIVE:
            return recent
        recent *= 2.0
    return math.inf


def sized(recipe: BudgetRecipe, films: int) -> BudgetRecipe:
    """The recipe of a fit on so many films: with the parameters of `many` from its films on.

    A round costs as much again, and few films leave nothing for a further one to find (ADR 35).
    """
    if recipe.many is None or films < recipe.many.films:
        return recipe
    return recipe.model_copy(update=recipe.many.model_dump(exclude={"films"}))


def make_folds(train: int, holdout: int) -> tuple[list[Fold], list[Fold]]:
    """The rolling origins inside `train` titles, and the two fits of the model folder.

    The evaluated fit's later titles are the holdout, for recipes that stand beside the model.
    """
    stops = [round(train * share) for share in (*ORIGINS, 1.0)]
    origins = [Fold(f"origin {a}", a, b) for a, b in pairwise(stops)]
    whole = train + holdout
    return origins, [Fold(EVALUATED, train, whole), Fold(SHIPPED, whole, whole)]


def with_place(titles: DataFrame, *first: str) -> DataFrame:
    """Add `place`, from 1, in the order of the columns `first`, year, release date, title id."""
    by_release = "year", F.asc_nulls_first("release_date"), "title_id"
    ordered = titles.repartition(1).sortWithinPartitions(*first, *by_release)
    return ordered.withColumn("place", F.monotonically_increasing_id() + 1)


def in_folds(spark: SparkSession, titles: DataFrame, folds: list[Fold]) -> DataFrame:
    """One row for each fold and title of the fold, with `fold` and `is_fitted`."""
    table = spark.createDataFrame(
        [(f.name, f.fitted, f.scored) for f in folds], "fold string, fitted int, scored int"
    )
    return (
        titles.join(F.broadcast(table), on=F.col("place") <= F.col("scored"), how="inner")
        .withColumn("is_fitted", F.col("place") <= F.col("fitted"))
        .drop("fitted", "scored")
    )


@dataclass
class FoldFits:
    """Fits of recipes on folds, cached.

    `titles` have `place`, `log_budget` and attributes. Recipes of equal `director_smoothing` share
    their features. Recipes that differ only in shares share their fitted models.
    """

    spark: SparkSession
    titles: DataFrame
    folds: Sequence[Fold]
    seed: int
    wanted: Sequence[str] = QUESTIONS
    """Questions to fit; a question that the titles cannot teach is omitted."""
    _frames: dict[float, DataFrame] = field(default_factory=dict)
    _rows: dict[float, dict[str, list[Row]]] = field(default_factory=dict)
    _fits: dict[tuple[BudgetRecipe, str], FittedComponents] = field(default_factory=dict)
    _scores: dict[tuple[BudgetRecipe, str], ComponentScores] = field(default_factory=dict)

    def fit(self, recipe: BudgetRecipe, fold: Fold) -> FittedBudget:
        """Fit a recipe on a fold's training titles."""
        return blend_pipeline(recipe, self._components(recipe, fold))

    def score(self, recipe: BudgetRecipe, fold: Fold) -> Scores:
        """Fit on a fold's training titles and answer for its later titles."""
        key = (recipe.without_shares, fold.name)
        if key not in self._scores:
            later = self._titles_of(recipe, fold, is_fitted=False)
            self._scores[key] = score_components(self._components(recipe, fold), later)
        return self._scores[key].blended(recipe)

    def _components(self, recipe: BudgetRecipe, fold: Fold) -> FittedComponents:
        key = (recipe.without_shares, fold.name)
        if key not in self._fits:
            stages = self.stages(recipe, fold)
            questions = self.questions(recipe, fold, stages)
            titles = self.fitted_titles(recipe, fold).localCheckpoint()
            vocabulary = FittedComponents(stages, {}, self.trend(recipe, fold))
            ours = sized(recipe, len(self.rows(recipe, fold)))
            self._fits[key] = fit_questions(ours, titles, vocabulary, questions, self.seed)
        return self._fits[key]

    def stages(self, recipe: BudgetRecipe, fold: Fold) -> FeatureEncoder:
        """The fold's vocabularies and ranges."""
        return make_stages(recipe, self.rows(recipe, fold))

    def questions(self, recipe: BudgetRecipe, fold: Fold, stages: FeatureEncoder) -> list[str]:
        """The questions for which the fold's titles state enough."""
        rated = sum(row["rating"] is not None for row in self.rows(recipe, fold))
        can_learn = {
            BEFORE_RELEASE: True,
            WITH_RATING: rated >= FEWEST_RATED,
            ALL_BEFORE_RELEASE: _is_wider(stages, ALL_BEFORE_RELEASE),
            ALL_KNOWN: _is_wider(stages, ALL_KNOWN) and rated >= FEWEST_RATED,
        }
        return [q for q in QUESTIONS if can_learn[q] and q in self.wanted]

    def trend(self, recipe: BudgetRecipe, fold: Fold) -> Trend:
        """The trend of the fold's titles; NO_TREND where the recipe has none."""
        if not recipe.trend:
            return NO_TREND
        rows = self.rows(recipe, fold)
        return fit_trend([r["year"] for r in rows], [r[TARGET] for r in rows])

    def fitted_titles(self, recipe: BudgetRecipe, fold: Fold) -> DataFrame:
        """The fold's featured training titles, with `weight`: it halves every `half_life` years."""
        titles = self._titles_of(recipe, fold, is_fitted=True)
        years = np.array([int(row["year"]) for row in self.rows(recipe, fold)])
        if math.isinf(halving := half_life(recipe.recent, years)):
            return titles.withColumn("weight", F.lit(1.0))
        age = (F.lit(int(years.max())) - F.col("year")) / halving
        return titles.withColumn("weight", F.pow(F.lit(0.5), age))

    def rows(self, recipe: BudgetRecipe, fold: Fold) -> list[Row]:
        """The fold's featured training titles, collected: a few thousand."""
        smoothing = recipe.director_smoothing
        if smoothing not in self._rows:
            by_fold: dict[str, list[Row]] = {f.name: [] for f in self.folds}
            for row in self.frame(smoothing).where("is_fitted").collect():
                by_fold[row["fold"]].append(row)
            self._rows[smoothing] = by_fold
        return self._rows[smoothing][fold.name]

    def scored_titles(self, recipe: BudgetRecipe, fold: Fold) -> list[Row]:
        """The titles that a fold is scored on, collected, in the order of its scores."""
        found: list[Row] = self._titles_of(recipe, fold, is_fitted=False).collect()
        return found

    def vector(self, recipe: BudgetRecipe, fold: Fold, question: str) -> tuple[Transformer, ...]:
        """The fold's fitted stages from featured titles to a question's vector."""
        return self._components(recipe, fold).questions[question].vector

    def frame(self, smoothing: float) -> DataFrame:
        """Featured titles of every fold, in one partition in order of release."""
        if smoothing not in self._frames:
            rows = featured(in_folds(self.spark, self.titles, list(self.folds)), smoothing)
            ordered = rows.repartition(1).sortWithinPartitions("fold", "place")
            # The checkpoint spares later queries the analysis of this long plan.
            self._frames[smoothing] = ordered.localCheckpoint()
        return self._frames[smoothing]

    def _titles_of(self, recipe: BudgetRecipe, fold: Fold, is_fitted: bool) -> DataFrame:
        of_fold = F.col("fold") == fold.name
        wanted = F.col("is_fitted") if is_fitted else ~F.col("is_fitted")
        return self.frame(recipe.director_smoothing).where(of_fold & wanted)


def _is_wider(stages: FeatureEncoder, question: str) -> bool:
    narrow = CORE_QUESTIONS[0] if is_rated(question) else CORE_QUESTIONS[1]
    return len(stages.names(question)) > len(stages.names(narrow))
