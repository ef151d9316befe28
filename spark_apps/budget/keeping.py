"""A recipe's scores on later films, and its fits as folders: bundle and saved pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from marquee.lake import Lake
from scoring.budget.bundle import write_bundle
from scoring.budget.features import BEFORE_RELEASE
from spark_apps.budget.bundles import Story, make_bundle, save_pipeline
from spark_apps.budget.choice import Tried
from spark_apps.budget.folds import Fold
from spark_apps.budget.golden import golden_queries, record_golden
from spark_apps.budget.intervals import Interval, make_interval
from spark_apps.budget.recipes import BudgetRecipe
from spark_apps.budget.scores import Scores, joined
from spark_apps.budget.workbench import Workbench

FOLDS_AT_ONCE = 2
"""Small fits mostly wait for the scheduler, so that two cost little more than one."""
FEWEST_ERRORS = 10
"""A question with fewer errors than that takes its interval from `before release`."""


@dataclass
class Keeper:
    """Fits of a run; what every bundle of it says is in `facts`."""

    lake: Lake
    bench: Workbench
    origins: list[Fold]
    facts: Mapping[str, Any]
    _scores: dict[BudgetRecipe, Scores] = field(default_factory=dict)

    def scores(self, recipe: BudgetRecipe) -> Scores:
        """The recipe on the films after each rolling origin."""
        if recipe not in self._scores:
            self.bench.rows(recipe, self.origins[0])  # features once, before the threads
            with ThreadPoolExecutor(FOLDS_AT_ONCE) as pool:
                parts = list(pool.map(lambda fold: self.bench.score(recipe, fold), self.origins))
            self._scores[recipe] = joined(parts)
        return self._scores[recipe]

    def tried(self, recipe: BudgetRecipe) -> Tried:
        """The same, as recipes are compared."""
        scores = self.scores(recipe)
        return Tried(recipe, scores.errors_as_asked(), scores.directors)

    def keep(self, recipe: BudgetRecipe, fold: Fold, folder: Path) -> list[str]:
        """Fit, save, carry over into `folder`/bundle; which questions it answers."""
        fitted = self.bench.fit(recipe, fold)
        films = self.bench.rows(recipe, fold)
        golden = record_golden(
            self.bench.spark,
            fitted,
            self.bench.fitted_films(recipe, fold),
            golden_queries(films, recipe.wide),
        )
        saved = save_pipeline(self.lake, fitted, folder / "spark")
        intervals = {q: self._interval(recipe, q) for q in fitted.answerers}
        bundle = make_bundle(fitted, saved, films, Story(self.facts, intervals, golden))
        write_bundle(folder / "bundle", bundle)
        return list(fitted.answerers)

    def _interval(self, recipe: BudgetRecipe, question: str) -> Interval:
        """From every origin's errors; too few of them: from `before release`."""
        scores = self.scores(recipe)
        asked = question if question in scores.answers else BEFORE_RELEASE
        if len(scores.errors(asked)) < FEWEST_ERRORS:
            asked = BEFORE_RELEASE
        answers = scores.answers[asked]
        found = np.isfinite(answers)
        errors = (scores.actual - answers)[found]
        directors = [name for name, kept in zip(scores.directors, found, strict=True) if kept]
        return make_interval(errors, answers[found], scores.beginners[found], directors)
