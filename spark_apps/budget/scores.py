"""What fits said of films that came after them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from pyspark.sql import DataFrame, Row

from scoring.arrays import Floats, Mask
from scoring.budget.clusters import cluster_key
from scoring.budget.features import BEFORE_RELEASE, QUESTIONS, WITH_RATING
from spark_apps.budget.answerers import answerer, of_models
from spark_apps.budget.features import TARGET
from spark_apps.budget.fitting import FittedParts
from spark_apps.budget.recipes import BudgetRecipe


@dataclass(frozen=True)
class Scores:
    """Films after a fold's clock was stopped, with what the fit said of them."""

    directors: tuple[str, ...]  # the first of each film; its title id where it has none
    beginners: Floats  # 1 where none of the directors has a film in the fit
    actual: Floats
    answers: Mapping[str, Floats]  # by question; NaN where it cannot be put
    rated: Mask

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


@dataclass(frozen=True)
class PartScores:
    """The same of every fitted part, so that any shares can be tried without a fit."""

    fitted: FittedParts
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
        used = answerer(recipe, self.fitted.questions[question].parts)
        years = np.array([row["year"] for row in self.rows], dtype=np.int64)
        said = used.constant + self.fitted.trend.at(years)
        if used.linear_share:
            said += used.linear_share * self._column(used.parts.linear.getPredictionCol())
        for part in used.weighted:
            said += part.weight * self._column(part.model.getPredictionCol())
        # A rating that is missing was filled with the usual one: no answer that means anything.
        unasked = np.array([question == WITH_RATING and r["rating"] is None for r in self.rows])
        return np.where(unasked, np.nan, said)

    def _column(self, name: str) -> Floats:
        return np.array([row[name] for row in self.rows], dtype=np.float64)


def score_parts(fitted: FittedParts, later: DataFrame) -> PartScores:
    """What every part of a fit says of `later` films, by Spark's own transform."""
    kept = ["title_id", "directors", "year", "rating", "record", TARGET]
    rows = later
    for question in fitted.questions.values():
        models = question.parts.models
        for stage in (*question.vector, *models):
            rows = stage.transform(rows)
        kept += of_models(models)
        rows = rows.select(*dict.fromkeys([*later.columns, *kept]))
    return PartScores(fitted, rows.select(*kept).collect())


def joined(parts: Sequence[Scores]) -> Scores:
    """Several folds' scores as one; a question counts only where every fold can answer it."""
    questions = [q for q in QUESTIONS if all(q in part.answers for part in parts)]
    return Scores(
        tuple(d for part in parts for d in part.directors),
        np.concatenate([part.beginners for part in parts]),
        np.concatenate([part.actual for part in parts]),
        {q: np.concatenate([part.answers[q] for part in parts]) for q in questions},
        np.concatenate([part.rated for part in parts]),
    )


def _is_beginner(row: Row) -> bool:
    record = (row["record"] or {}).get("director")
    return record is None or not record["films"]
