"""The films laid out in folds with their features, and fits on them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from marquee.scoring.arrays import Floats
from marquee.scoring.budget_features import BEFORE_RELEASE, QUESTIONS, WITH_RATING, director_key
from spark_apps.budget.features import TARGET, featured
from spark_apps.budget.fitting import FittedBudget, answer_column, fit_budget
from spark_apps.budget.folds import Fold, in_folds
from spark_apps.budget.recipes import BudgetRecipe

Shaping = tuple[float, float]
"""A recipe's director_smoothing and rating_step."""
FEWEST_RATED = 25
"""Films with a rating below which nothing is learnt from ratings."""
FEWEST_OF_A_GENRE = 3


@dataclass(frozen=True)
class Scores:
    """Films after a fold's clock was stopped, with what the fit said of them."""

    directors: tuple[str, ...]
    actual: Floats
    answers: Mapping[str, Floats]  # by question; NaN where it cannot be put

    def errors(self, question: str) -> Floats:
        """actual - answer, where there is an answer."""
        apart = self.actual - self.answers[question]
        found: Floats = apart[np.isfinite(apart)]
        return found

    def errors_as_asked(self) -> Floats:
        """With the rating where there is one, one error a film: what the gate will measure."""
        answers = self.answers[BEFORE_RELEASE]
        if WITH_RATING in self.answers:
            rated = self.answers[WITH_RATING]
            answers = np.where(np.isfinite(rated), rated, answers)
        return self.actual - answers


@dataclass
class Workbench:
    """Films with `place` and `log_budget`; features are made once for each shaping."""

    spark: SparkSession
    films: DataFrame
    folds: Sequence[Fold]
    seed: int
    _frames: dict[Shaping, DataFrame] = field(default_factory=dict)
    _rows: dict[Shaping, list[Row]] = field(default_factory=dict)

    def frame(self, shaping: Shaping) -> DataFrame:
        """Featured films of every fold, in one partition in order of release, cached."""
        if shaping not in self._frames:
            rows = featured(in_folds(self.spark, self.films, list(self.folds)), *shaping)
            ordered = rows.repartition(1).sortWithinPartitions("fold", "place")
            self._frames[shaping] = ordered.cache()
        return self._frames[shaping]

    def rows(self, shaping: Shaping, fold: Fold) -> list[Row]:
        """What a fold learns from, collected: thousands at most, and the bundle holds them."""
        if shaping not in self._rows:
            self._rows[shaping] = self.frame(shaping).where("is_fitted").collect()
        return [row for row in self._rows[shaping] if row["fold"] == fold.name]

    def genres(self, shaping: Shaping, fold: Fold) -> list[str]:
        """The fold's vocabulary, in alphabetical order."""
        counts = Counter(g for row in self.rows(shaping, fold) for g in set(row["genres"]))
        return sorted(genre for genre, films in counts.items() if films >= FEWEST_OF_A_GENRE)

    def questions(self, shaping: Shaping, fold: Fold) -> list[str]:
        """What can be learnt from the fold's films."""
        rated = sum(row["rating"] is not None for row in self.rows(shaping, fold))
        return [q for q in QUESTIONS if q == BEFORE_RELEASE or rated >= FEWEST_RATED]

    def fitted_films(self, shaping: Shaping, fold: Fold) -> DataFrame:
        """The featured films a fold learns from."""
        return self.frame(shaping).where((F.col("fold") == fold.name) & F.col("is_fitted"))

    def fit(self, recipe: BudgetRecipe, fold: Fold) -> FittedBudget:
        """Fit a recipe on a fold's films."""
        shaping = recipe.shaping
        films = self.fitted_films(shaping, fold)
        genres, questions = self.genres(shaping, fold), self.questions(shaping, fold)
        return fit_budget(recipe, films, genres, questions, self.seed)

    def score(self, recipe: BudgetRecipe, fold: Fold) -> Scores:
        """Fit on a fold's films and answer for the later ones."""
        fitted = self.fit(recipe, fold)
        later = self.frame(recipe.shaping).where((F.col("fold") == fold.name) & ~F.col("is_fitted"))
        columns = [answer_column(q) for q in fitted.answerers]
        scored = fitted.pipeline.transform(later).select("directors", "rating", TARGET, *columns)
        return _scores(scored.collect(), list(fitted.answerers))


def joined(parts: Sequence[Scores]) -> Scores:
    """Several folds' scores as one; a question counts only where every fold can answer it."""
    questions = [q for q in QUESTIONS if all(q in part.answers for part in parts)]
    return Scores(
        tuple(d for part in parts for d in part.directors),
        np.concatenate([part.actual for part in parts]),
        {q: np.concatenate([part.answers[q] for part in parts]) for q in questions},
    )


def _scores(rows: Sequence[Row], questions: Sequence[str]) -> Scores:
    answers = {q: np.array([_answer(row, q) for row in rows], dtype=np.float64) for q in questions}
    directors = tuple(director_key(row["directors"][0]) if row["directors"] else "" for row in rows)
    return Scores(directors, np.array([row[TARGET] for row in rows]), answers)


def _answer(row: Row, question: str) -> float:
    """Vectors with a missing rating give Spark no answer that means anything."""
    unasked = question == WITH_RATING and row["rating"] is None
    return float("nan") if unasked else float(row[answer_column(question)])
