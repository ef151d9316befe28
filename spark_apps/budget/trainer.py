"""Scores the recipes of a run on later titles, and writes the folders of the chosen fits.

A fit's folder holds `spark/` (the pipeline as Spark saves it) and `bundle/` (its numbers, which
serving loads without Spark). `card.json` states the recipes tried, the recipe chosen, and notes on
the data. `spark_apps/train_budget.py` calls this.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from pyspark.sql import Row

from marquee.clock import iso
from marquee.lake import Lake
from scoring.arrays import Floats
from scoring.budget.bundle import BudgetBundle, write_bundle
from scoring.budget.features import (
    ALL_BEFORE_RELEASE,
    ALL_KNOWN,
    BEFORE_RELEASE,
    DIRECTOR,
    FURTHER,
    GENRE,
    NO_COSTS,
    WITH_RATING,
    FieldCosts,
)
from scoring.budget.flat_trees import FlatTrees, join_trees
from scoring.budget.predictor import Predictor
from scoring.budget.spark_stages import Stage
from scoring.budget.stage_chain import StageChain
from spark_apps.budget.families import BudgetRecipe, family_of
from spark_apps.budget.features import known_title
from spark_apps.budget.folds import Fold, FoldFits
from spark_apps.budget.golden_queries import golden_queries, record_golden
from spark_apps.budget.out_of_sample import Interval, ScoredRecipe, Scores, make_interval
from spark_apps.budget.pipeline import Blend, FittedBudget
from spark_apps.budget.saved_models import read_saved_stage
from spark_apps.job import Job

FOLDS_AT_ONCE = 2
"""Two small fits take little longer than one, because Spark's scheduler is the bottleneck."""
FEWEST_ERRORS = 10
"""A question with fewer errors takes its interval from the errors `before release`."""


@dataclass(frozen=True)
class BundleContext:
    """The facts, intervals and golden queries of a bundle."""

    facts: Mapping[str, Any]
    intervals: Mapping[str, Interval]  # by question
    costs: Mapping[str, FieldCosts]  # of missing fields, by question
    golden: Mapping[str, Any]


@dataclass
class Trainer:
    """The fits of a run; `facts` go into every bundle."""

    lake: Lake
    fits: FoldFits
    origins: list[Fold]
    facts: Mapping[str, Any]
    _scores: dict[BudgetRecipe, Scores] = field(default_factory=dict)

    def score_recipe(self, recipe: BudgetRecipe) -> ScoredRecipe:
        """The recipe with its errors after all rolling origins."""
        scores = self.scores(recipe)
        return ScoredRecipe(recipe, scores.errors_with_rating(), scores.directors)

    def scores(self, recipe: BudgetRecipe) -> Scores:
        """The recipe's answers for the titles after each rolling origin."""
        if recipe not in self._scores:
            self.fits.rows(recipe, self.origins[0])  # compute the features before the threads start
            with ThreadPoolExecutor(FOLDS_AT_ONCE) as pool:
                scores = list(pool.map(lambda fold: self.fits.score(recipe, fold), self.origins))
            self._scores[recipe] = Scores.joined(scores)
        return self._scores[recipe]

    def write_fit(self, recipe: BudgetRecipe, fold: Fold, folder: Path) -> list[str]:
        """Fit on a fold, write `folder`/spark and `folder`/bundle; the fitted questions."""
        fitted = self.fits.fit(recipe, fold)
        titles = self.fits.rows(recipe, fold)
        golden = record_golden(
            self.fits.spark,
            fitted,
            self.fits.fitted_titles(recipe, fold),
            golden_queries(titles, recipe.reads_more),
        )
        saved = save_pipeline(self.lake, fitted, folder / "spark")
        intervals = {q: self._interval(recipe, q) for q in fitted.blends}
        scores = self.scores(recipe)
        costs = {q: field_costs(scores, q) for q in fitted.blends}
        context = BundleContext(self.facts, intervals, costs, golden)
        write_bundle(folder / "bundle", make_bundle(fitted, saved, titles, context))
        return list(fitted.blends)

    def write_answers(self, recipe: BudgetRecipe, fold: Fold, folder: Path) -> None:
        """Fit on a fold, and write the answers for the titles that it is scored on.

        `folder`/<name>.json holds the recipe, and by title id log10 dollars with the rating where
        there is one, and before release. The evaluation compares them with the model.
        """
        scores = self.fits.score(recipe, fold)
        titles = self.fits.scored_titles(recipe, fold)
        rated, before = scores.actual - scores.errors_with_rating(), scores.answers[BEFORE_RELEASE]
        answers = {
            row["title_id"]: [float(a), float(b)]
            for row, a, b in zip(titles, rated, before, strict=True)
        }
        folder.mkdir(parents=True, exist_ok=True)
        value = {"recipe": recipe.model_dump(mode="json"), "answers": answers}
        (folder / f"{recipe.name}.json").write_text(json.dumps(value, allow_nan=False), "utf-8")

    def _interval(self, recipe: BudgetRecipe, question: str) -> Interval:
        """From the question's errors; below FEWEST_ERRORS, from the errors `before release`."""
        scores = self.scores(recipe)
        source = question if question in scores.answers else BEFORE_RELEASE
        if len(scores.errors(source)) < FEWEST_ERRORS:
            source = BEFORE_RELEASE
        answers = scores.answers[source]
        found = np.isfinite(answers)
        errors = (scores.actual - answers)[found]
        directors = [name for name, kept in zip(scores.directors, found, strict=True) if kept]
        return make_interval(errors, answers[found], scores.beginners[found], directors)


def field_costs(scores: Scores, question: str) -> FieldCosts:
    """The costs of a question's missing fields, from the answers for the same titles without them.

    A field that fewer than FEWEST_FOR_A_COST titles state has no cost.
    """
    answers = scores.answers.get(question)
    if answers is None:
        return NO_COSTS
    without = scores.without.get(question, {})
    ratios = {name: scores.ratio(blank, answers) for name, blank in without.items()}
    together = ratios.pop(FURTHER, None)
    ratios |= {
        name: scores.ratio(answers, scores.answers[other])
        for name, other in _fuller(question).items()
        if other in scores.answers
    }
    found = {name: ratio for name, ratio in ratios.items() if ratio is not None}
    return FieldCosts(found, _joint(found, together))


def _fuller(question: str) -> dict[str, str]:
    """The questions that know a rating, or all further fields, beside what this one knows."""
    return {
        WITH_RATING: {FURTHER: ALL_KNOWN},
        BEFORE_RELEASE: {"rating": WITH_RATING, FURTHER: ALL_BEFORE_RELEASE},
        ALL_BEFORE_RELEASE: {"rating": ALL_KNOWN},
        ALL_KNOWN: {},
    }[question]


def _joint(ratios: Mapping[str, float], together: float | None) -> float:
    further = [r for name, r in ratios.items() if name not in (DIRECTOR, GENRE, "rating", FURTHER)]
    alone = sum(max(ratio**2 - 1.0, 0.0) for ratio in further)
    return max(1.0, (together**2 - 1.0) / alone) if together and alone else 1.0


def save_pipeline(lake: Lake, fitted: FittedBudget, folder: Path) -> Path:
    """Save with Spark into the lake's staging, which executors can write; copy to `folder`."""
    staged = lake.staging("budget-pipeline")
    fitted.pipeline.write().overwrite().save(lake.uri(staged))
    _copy_out(lake, staged, folder)
    lake.delete(staged)
    return folder


def _copy_out(lake: Lake, path: str, folder: Path) -> None:
    """Copy Spark's files, except markers and checksums."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in lake.names(path):
        if lake.is_folder(f"{path}/{name}"):
            _copy_out(lake, f"{path}/{name}", folder / name)
        elif not name.startswith(("_", ".")):
            lake.copy_out(f"{path}/{name}", folder / name)


def make_bundle(
    fitted: FittedBudget, saved: Path, titles: Sequence[Row], context: BundleContext
) -> BudgetBundle:
    """The bundle of a pipeline saved in `saved`; `titles` are its training rows."""
    recipe = fitted.recipe
    predictors = {
        q: replace(
            _predictor(recipe, blend, saved, fitted.means[q], context.intervals[q]),
            costs=context.costs[q],
        )
        for q, blend in fitted.blends.items()
    }
    facts = {**context.facts, "recipe": recipe.model_dump(mode="json")}
    known = tuple(map(known_title, titles))
    encoder = replace(fitted.stages, chains=read_chains(fitted, saved))
    return BudgetBundle(encoder, predictors, known, facts, context.golden, fitted.trend)


def read_chains(fitted: FittedBudget, saved: Path) -> dict[str, StageChain]:
    """The stages of each question from the saved pipeline; none for a recipe without `stages`."""

    def read(uid: str) -> Stage:
        return read_saved_stage(_stage(saved, uid))

    return {question: vector.chain(read) for question, vector in fitted.vectors.items()}


def _predictor(
    recipe: BudgetRecipe, blend: Blend, saved: Path, means: Floats, interval: Interval
) -> Predictor:
    linear, read = blend.components.linear, family_of(recipe).read
    parts = [(weight, read(_stage(saved, model.uid))) for weight, model in blend.weighted]
    trees = [(weight, part) for weight, part in parts if isinstance(part, FlatTrees)]
    has_trees = bool(trees or blend.constant)  # the constant becomes a tree of one leaf
    return Predictor(
        linear_share=blend.linear_share,
        intercept=float(linear.intercept) if linear else 0.0,
        coefficients=linear.coefficients.toArray() if linear else np.zeros(len(means)),
        trees=join_trees(trees, blend.constant) if has_trees else None,
        curves=tuple((w, part) for w, part in parts if not isinstance(part, FlatTrees)),
        means=means,
        residuals=interval.residuals,
        spread=interval.spread,
        tree_share=1.0 if has_trees else 0.0,
    )


def _stage(saved: Path, uid: str) -> Path:
    """Spark names a saved stage `<number>_<uid>`."""
    return next((saved / "stages").glob(f"*_{uid}"))


def notes_of(facts: Mapping[str, Any], questions: Sequence[str]) -> list[str]:
    """Notes for the card; `facts` come from the manifest of the prepared titles."""
    notes = []
    if WITH_RATING not in questions:
        notes.append(
            "no crawl precedes as-of, so no rating was known then: answers before release only"
        )
    if earlier := facts.get("budgets_at_an_earlier_rate"):
        notes.append(f"{earlier} budgets were converted at the last exchange rate known")
    if refused := facts.get("budgets_refused"):
        notes.append(f"{refused} stated budgets were put aside (quarantine says why)")
    return notes


def make_card(
    job: Job,
    scored: Sequence[ScoredRecipe],
    chosen: BudgetRecipe,
    titles: int,
    notes: Sequence[str],
) -> Mapping[str, Any]:
    """The content of `card.json`; `titles` is the number of titles of the shipped fit."""
    return {
        "model": "budget",
        "recipe": chosen.model_dump(mode="json"),
        "recipes_tried": [
            {
                "name": s.recipe.name,
                "chosen": s.recipe == chosen,
                "inner_log_rmse": s.log_rmse,
                "inner_titles": len(s.errors),
            }
            for s in scored
        ],
        "rows": titles,
        "people": None,
        "titles": titles,
        "as_of": iso(job.inputs.as_of),
        "seconds": dict(job.work),
        "notes": list(notes),
    }
