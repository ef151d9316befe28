"""A fitted pipeline as files: saved by Spark, then read from what was saved into a bundle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pyspark.sql import Row

from marquee.lake import Lake
from marquee.scoring.arrays import Floats
from marquee.scoring.budget_bundle import BudgetBundle, Fit
from marquee.scoring.budget_features import WITH_RATING, Film, Stages
from spark_apps.budget.features import RECORD, TARGET
from spark_apps.budget.fitting import Answerer, FittedBudget
from spark_apps.budget.saved_trees import read_saved_trees


@dataclass(frozen=True)
class Story:
    """What a bundle says beside its numbers."""

    facts: Mapping[str, Any]
    residuals: Mapping[str, tuple[float, float]]
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
    years = [int(film["year"]) for film in films]
    stages = Stages(fitted.genres, min(years), max(years), *fitted.recipe.shaping)
    fits = {}
    for question, answerer in fitted.answerers.items():
        means = _vectors(films, fitted.genres, question).mean(axis=0)
        fits[question] = _fit(fitted, answerer, saved, means, story.residuals[question])
    facts = {**story.facts, "recipe": fitted.recipe.model_dump(mode="json")}
    return BudgetBundle(stages, fits, tuple(map(_film, films)), facts, story.golden)


def _fit(
    fitted: FittedBudget,
    answerer: Answerer,
    saved: Path,
    means: Floats,
    residuals: tuple[float, float],
) -> Fit:
    linear, trees = answerer.linear, answerer.trees
    return Fit(
        linear_share=fitted.recipe.share_of_linear,
        intercept=float(linear.intercept) if linear else 0.0,
        coefficients=linear.coefficients.toArray() if linear else np.zeros(len(means)),
        trees=read_saved_trees(_stage(saved, trees.uid)) if trees else None,
        means=means,
        residuals=residuals,
    )


def _stage(saved: Path, uid: str) -> Path:
    """Spark names a saved stage `<number>_<uid>`."""
    return next((saved / "stages").glob(f"*_{uid}"))


def _vectors(films: Sequence[Row], genres: Sequence[str], question: str) -> Floats:
    """The vectors a question was fitted on, [films, features], in the pipeline's order."""
    rated = [f for f in films if question != WITH_RATING or f["rating"] is not None]
    rating = ["rating_rounded"] if question == WITH_RATING else []
    names = ["year_clipped", *RECORD, "genre_count", *rating]
    return np.array(
        [[float(f[n]) for n in names] + [float(g in f["genres"]) for g in genres] for f in rated]
    )


def _film(row: Row) -> Film:
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
    )


def _copy_out(lake: Lake, path: str, folder: Path) -> None:
    """What Spark saved, without its markers and checksums."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in lake.names(path):
        if lake.is_folder(f"{path}/{name}"):
            _copy_out(lake, f"{path}/{name}", folder / name)
        elif not name.startswith(("_", ".")):
            lake.copy_out(f"{path}/{name}", folder / name)
