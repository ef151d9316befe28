"""A fitted pipeline as files: saved by Spark, then read from what was saved into a bundle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyspark.sql import Row

from marquee.lake import Lake
from scoring.arrays import Floats
from scoring.budget.bundle import BudgetBundle, Fit
from scoring.budget.features import DIRECTOR
from scoring.budget.records import Film
from scoring.budget.trees import join_trees
from spark_apps.budget.answerers import Answerer
from spark_apps.budget.features import TARGET
from spark_apps.budget.fitting import FittedBudget
from spark_apps.budget.intervals import Interval
from spark_apps.budget.saved_trees import read_saved_trees


@dataclass(frozen=True)
class Story:
    """What a bundle says beside its numbers."""

    facts: Mapping[str, Any]
    intervals: Mapping[str, Interval]
    golden: Mapping[str, Any]


def save_pipeline(lake: Lake, fitted: FittedBudget, folder: Path) -> Path:
    """Save with Spark into the lake's staging (every executor sees it), then copy it here."""
    staged = lake.staging("budget-pipeline")
    fitted.pipeline.write().overwrite().save(lake.uri(staged))
    _copy_out(lake, staged, folder)
    lake.delete(staged)
    return folder


def make_bundle(
    fitted: FittedBudget, saved: Path, films: Sequence[Row], story: Story
) -> BudgetBundle:
    """The bundle of a saved pipeline; `films` are the rows it was fitted on."""
    fits = {
        question: _fit(answerer, saved, fitted.means[question], story.intervals[question])
        for question, answerer in fitted.answerers.items()
    }
    facts = {**story.facts, "recipe": fitted.recipe.model_dump(mode="json")}
    known = tuple(map(_film, films))
    return BudgetBundle(fitted.stages, fits, known, facts, story.golden, fitted.trend)


def _fit(answerer: Answerer, saved: Path, means: Floats, interval: Interval) -> Fit:
    linear = answerer.parts.linear
    parts = [(w.weight, read_saved_trees(_stage(saved, w.model.uid))) for w in answerer.weighted]
    return Fit(
        linear_share=answerer.linear_share,
        intercept=float(linear.intercept),
        coefficients=linear.coefficients.toArray(),
        trees=join_trees(parts, answerer.constant) if parts else None,
        means=means,
        residuals=interval.residuals,
        spread=interval.spread,
        tree_share=1.0 if parts else 0.0,
    )


def _stage(saved: Path, uid: str) -> Path:
    """Spark names a saved stage `<number>_<uid>`."""
    return next((saved / "stages").glob(f"*_{uid}"))


def _film(row: Row) -> Film:
    people = {role: tuple(names) for role, names in row["people"].items() if role != DIRECTOR}
    return Film(
        title_id=row["title_id"],
        title=row["title"],
        year=int(row["year"]),
        directors=tuple(row["directors"]),
        director_names=tuple(row["director_names"]),
        genres=tuple(row["genres"]),
        rating=row["rating"],
        log_budget=float(row[TARGET]),
        above_time=row["above_time"],
        people=people,
        numbers=dict(row["numbers"]),
        labels=dict(row["labels"]),
    )


def _copy_out(lake: Lake, path: str, folder: Path) -> None:
    """What Spark saved, without its markers and checksums."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in lake.names(path):
        if lake.is_folder(f"{path}/{name}"):
            _copy_out(lake, f"{path}/{name}", folder / name)
        elif not name.startswith(("_", ".")):
            lake.copy_out(f"{path}/{name}", folder / name)
