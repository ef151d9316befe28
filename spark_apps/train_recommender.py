"""Job `train_recommender`: from the split to a model folder with up to three fits.

- `evaluated` is fitted on train and measured on the holdout.
- `shipped` is fitted on all ratings and serves.
- `incumbent` is the champion's recipe, fitted on train; only where the chosen recipe is another.

One job does all fits, because the first fit in a Spark session is much slower than later ones. The
driver reads all ratings, because the bundle holds them.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from marquee.artefacts.model_card import card_json
from marquee.clock import iso
from marquee.errors import RecipeError
from scoring.recommender.ratings_arrays import Ratings
from scoring.recommender.ratings_files import count_rows, read_ratings
from spark_apps.drill import inject_fault, trainer_class
from spark_apps.job import Job, run_job
from spark_apps.recommender.als import needs_checkpoints
from spark_apps.recommender.recipe_search import Choice, affordable_recipes, choose
from spark_apps.recommender.recipes import RecommenderRecipe, read_recipe, read_recipes
from spark_apps.recommender.trainer import Trainer
from spark_apps.recommender.training_titles import (
    read_titles,
    read_words,
    with_names,
    without_titles,
)

MOST_ROWS = 20_000_000  # about 100 bytes each at the peak of this Python process: 2 GB


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job; the exit status."""
    return run_job("train_recommender", argv, train)


def train(job: Job) -> None:
    """Choose a recipe, make the fits, publish the model folder."""
    target = job.path("models/recommender")
    if job.lake.exists(target):
        print(f"[train_recommender] {target} is published already: nothing to do")
        return
    recipes = read_recipes(job.inputs.models["recommender"].recipes)
    trainer, rows, holdout = read_training(job)
    degraded = [one.model_dump() for one in without_titles(job.lake, job.inputs, job.run)]
    out = job.scratch / "recommender"
    recipes, notes = affordable_recipes(recipes, trainer, rows.join(holdout))
    with checkpoints(job, [*recipes, champion_recipe(job)]):
        with job.stopwatch("search"):
            choice = choose(trainer, rows, recipes_to_try(job, recipes))
        notes += fit_all(job, trainer, rows, holdout, choice, out)
    card = make_card(job, choice, rows.join(holdout), notes) | {"degraded": degraded}
    (out / "card.json").write_text(json.dumps(card_json(card), indent=1), "utf-8")
    inject_fault(job, out)
    with job.stopwatch("publish"):
        job.publish_folder(out, target, rows=card["rows"])
    print(f"[train_recommender] {choice.recipe.name}, fitted to {card['rows']} ratings", flush=True)


def read_training(job: Job) -> tuple[Trainer, Ratings, Ratings]:
    """A trainer with the titles that the run knows, and the rows of train and holdout."""
    refuse_too_many_rows(job)
    with job.stopwatch("read"), ThreadPoolExecutor(1) as pool:
        session = pool.submit(lambda: job.spark)  # the session starts while the rows arrive
        rows, holdout = read_split(job)
        titles = read_titles(job.lake, job.inputs, job.run, job.scratch)
        titles = with_names(titles, job.lake, job.inputs, job.run, job.scratch)
        words = read_words(job.scratch / "titles", titles)
        session.result()
    facts = titles, job.inputs.ratings.scale, iso(job.inputs.as_of), job.inputs.seed
    named = job.inputs.ratings.text_ids
    return trainer_class(job)(job.spark, *facts, words=words, text_ids=named), rows, holdout


def refuse_too_many_rows(job: Job) -> None:
    """RecipeError where the ratings exceed the driver's memory."""
    rows = job.lake.manifest(job.path("split/ratings")).rows or 0
    if rows > MOST_ROWS:
        raise RecipeError(
            f"{rows} ratings are more than the {MOST_ROWS} this job's driver holds",
            "train on a smaller release, or on later ratings only",
        )


@contextmanager
def checkpoints(job: Job, recipes: Sequence[RecommenderRecipe | None]) -> Iterator[None]:
    """Give Spark a checkpoint folder in the lake's staging, which every executor can write.

    Without a recipe of many iterations there is none.
    """
    if not any(needs_checkpoints(recipe.spark_iterations) for recipe in recipes if recipe):
        yield
        return
    staged = job.lake.staging(job.path("checkpoints"))
    job.spark.sparkContext.setCheckpointDir(job.lake.uri(staged))
    try:
        yield
    finally:
        job.lake.delete(staged)


def recipes_to_try(job: Job, recipes: list[RecommenderRecipe]) -> list[RecommenderRecipe]:
    """The recipes of the search, the champion's first.

    Without a search: the champion's recipe if config still names it, else the default.
    """
    champion, searches = champion_recipe(job), {"quick": ("quick",), "full": ("quick", "full")}
    if job.inputs.search == "none":
        return [champion] if champion and champion in recipes else recipes[:1]
    wanted = [r for r in recipes if r.tried_in in searches[job.inputs.search] or r == champion]
    return sorted(wanted or recipes[:1], key=lambda r: r != champion)


def champion_recipe(job: Job) -> RecommenderRecipe | None:
    """The champion's recipe; None without a champion."""
    champion = job.inputs.models["recommender"].champion
    return read_recipe(champion.recipe) if champion else None


def read_split(job: Job) -> tuple[Ratings, Ratings]:
    """Train and holdout, sorted, so that the order of Spark's files changes no fit."""
    folder = job.lake.fetch(job.path("split/ratings"), job.scratch / "split")
    train, holdout = folder / "train", folder / "holdout"
    rows = read_ratings(train, holdout)
    split = rows.cut(count_rows(train))
    shutil.rmtree(folder)
    for ratings in split:
        ratings.sort()
    return split


def fit_all(
    job: Job, trainer: Trainer, rows: Ratings, holdout: Ratings, choice: Choice, out: Path
) -> list[str]:
    """Make all fits of the model folder; notes for the card."""
    with job.stopwatch("fit evaluated"):
        notes = trainer.fit(
            rows, choice.recipe, choice.blend_share, out / "evaluated", serves=False
        )
    with job.stopwatch("calibrate"):
        calibrated = trainer.with_intervals(out / "evaluated" / "bundle", holdout)
    with job.stopwatch("fit shipped"):
        shipped = calibrated.going_on()  # it is measured on nothing: it may go on from the others
        shipped.fit(rows.join(holdout), choice.recipe, choice.blend_share, out / "shipped")
    with job.stopwatch("fit incumbent"):
        return notes + fit_incumbent(job, trainer, rows, choice, out)


def fit_incumbent(
    job: Job, trainer: Trainer, rows: Ratings, choice: Choice, out: Path
) -> list[str]:
    """Fit the champion's recipe on the same rows, unless the challenger has it; notes."""
    recipe, champion = champion_recipe(job), job.inputs.models["recommender"].champion
    if recipe is None or champion is None:
        return ["no champion at as-of: nothing to compare with but the baselines"]
    if recipe != choice.recipe:
        own = choose(trainer, rows, [recipe])
        trainer.fit_bundle(rows, recipe, own.blend_share, out / "incumbent" / "bundle")
        return [f"the champion's recipe {recipe.name} was retrained on the same rows"]
    if champion.code == job.inputs.code:
        return ["the challenger has the champion's recipe and code"]
    # A fit of that recipe under this code is the challenger itself. The gate compares it with the
    # champion's holdout record, which the champion's code wrote.
    return ["the challenger has the champion's recipe under other code: its record is compared"]


def make_card(job: Job, choice: Choice, rows: Ratings, notes: list[str]) -> dict[str, Any]:
    """The content of `card.json`."""
    return {
        "model": "recommender",
        "recipe": choice.recipe.model_dump(mode="json"),
        "recipes_tried": choice.tried(),
        "rows": len(rows),
        "people": len(np.unique(rows.user_ids)),
        "titles": len(np.unique(rows.movie_ids)),
        "as_of": iso(job.inputs.as_of),
        "seconds": dict(job.work),
        "notes": notes,
    }


if __name__ == "__main__":
    sys.exit(main())
