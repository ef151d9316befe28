"""Job `forecast_recommender`: the approved recipe as a forecast.

It fits the recipe to everybody's ratings before a moment and measures it on all later ones
(`evaluate_forecast`). The fit serves nobody and is not kept; only `forecast.json` is. The job runs
after the gate, because no decision reads a forecast (ADR 38).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from marquee.artefacts.model_card import Card, forecast_json, read_card
from marquee.clock import iso
from marquee.errors import NotFoundError
from marquee.run_folder import forecast_path, forecast_sentence, model_folder, read_forecast
from scoring.arrays import Mask
from scoring.recommender.bundle import read_bundle
from scoring.recommender.holdout import global_time
from scoring.recommender.holdout_evaluation import evaluate_forecast
from scoring.recommender.ratings_arrays import Ratings
from spark_apps.job import Job, run_job
from spark_apps.recommender.indexed_ratings import IndexedRatings
from spark_apps.recommender.recipes import RecommenderRecipe, read_recipe
from spark_apps.recommender.trainer import Trainer
from spark_apps.recommender.training_data import FeatureTable
from spark_apps.train_recommender import checkpoints, read_training


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job; the exit status."""
    return run_job("forecast_recommender", argv, forecast)


def forecast(job: Job) -> None:
    """Fit, measure, and write `forecast.json` once."""
    target = forecast_path(job.run)
    if job.lake.exists(target):
        print(f"[forecast_recommender] {target} is written already: nothing to do")
        return
    card = trained_card(job)
    trainer, split = read_training(job)
    late = global_time(split.every.times)
    if late.any():
        trainer = calibrated(job, trainer, split.every.where(split.held & ~late).by_id())
    figures, notes = measure(job, trainer, split.every, late, card)
    job.write_once(
        target,
        lambda: forecast_json(
            {
                "run": job.run,
                "as_of": iso(job.inputs.as_of),
                "code": job.inputs.code,
                "recipe": dict(card.recipe),
                "figures": figures,
                "notes": notes,
            }
        ),
    )
    print(f"[forecast_recommender] {forecast_sentence(read_forecast(job.lake, job.run))}")


def trained_card(job: Job) -> Card:
    """The card of the model that this run trained."""
    path = f"{model_folder(job.run, 'recommender')}/card.json"
    return read_card(job.lake.read_bytes(path), job.lake.uri(path))


def calibrated(job: Job, trainer: Trainer, held: Ratings) -> Trainer:
    """A trainer whose intervals are calibrated on earlier ratings that the evaluated fit lacks.

    Without that fit in the lake there are no intervals to measure.
    """
    below, folder = "evaluated/bundle", job.scratch / "evaluated"
    try:
        job.lake.fetch(model_folder(job.run, "recommender"), folder, below)
    except NotFoundError:
        return trainer
    with job.stopwatch("calibrate"):
        return trainer.with_intervals(folder, held)


def measure(
    job: Job, trainer: Trainer, ratings: IndexedRatings, late: Mask, card: Card
) -> tuple[dict[str, Any] | None, list[str]]:
    """The figures on the `late` ratings, and notes on the fit; None where none is late."""
    if not late.any():
        return None, ["all ratings have the same time"]
    recipe = read_recipe(card.recipe)
    brief, note = recipe.shortened()
    bundle: Path = job.scratch / "forecast"
    take_content_vectors(job, trainer, recipe)
    with job.stopwatch("fit"), checkpoints(job, [brief]):
        trainer.fit_bundle(ratings.where(~late), brief, blend_share(card, recipe), bundle)
    with job.stopwatch("evaluate"):
        return evaluate_forecast(bundle, ratings.by_id(), job.inputs.seed), [note] if note else []


def take_content_vectors(job: Job, trainer: Trainer, recipe: RecommenderRecipe) -> None:
    """Give the trainer the content vectors of the shipped bundle, which do not depend on ratings.

    A bundle has none where no title has words; then the trainer has none, too.
    """
    with suppress(NotFoundError):
        below = "shipped/bundle"
        folder = job.lake.fetch(
            model_folder(job.run, "recommender"), job.scratch / "shipped", below
        )
        bundle = read_bundle(folder)
        if bundle.content_vectors is not None:
            vectors = np.asarray(bundle.content_vectors, dtype=np.float64)
            trainer.vectors[recipe.content] = FeatureTable(bundle.movie_ids, vectors)


def blend_share(card: Card, recipe: RecommenderRecipe) -> float:
    """The share that the search chose for this recipe; the smallest where it had no choice."""
    chosen = [float(tried["weight"]) for tried in card.recipes_tried if tried.get("chosen")]
    return chosen[0] if chosen else min(recipe.shares)


if __name__ == "__main__":
    sys.exit(main())
