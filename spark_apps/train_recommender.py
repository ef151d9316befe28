"""Job `train_recommender`: from the split to a model folder with up to three fits.

- `evaluated` is fitted on train and measured on the holdout.
- `shipped` is fitted on all ratings and serves.
- `incumbent` is the champion's recipe, fitted on train; only where the chosen recipe is another.

One job does all fits, because the first fit in a Spark session is much slower than later ones. The
driver reads all ratings, because the bundle holds them, and holds them once: train is a part that
lives as long as its fits. What this takes is known before anything is read (`refuse_too_large`).
"""

from __future__ import annotations

import json
import math
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from marquee.artefacts.model_card import card_json
from marquee.clock import iso
from marquee.errors import RecipeError
from marquee.host_needs import DataSize, memory_of_machine, training_bytes
from marquee.run_folder import figures_of_run
from scoring.arrays import Mask
from scoring.recommender.bundle import Title
from spark_apps.drill import inject_fault, trainer_class
from spark_apps.job import Job, run_job, with_champion
from spark_apps.recommender.als import needs_checkpoints
from spark_apps.recommender.indexed_ratings import IndexedRatings, read_indexed
from spark_apps.recommender.recipe_search import Choice, affordable_recipes, choose
from spark_apps.recommender.recipes import RecommenderRecipe, read_recipe, read_recipes
from spark_apps.recommender.trainer import Trainer
from spark_apps.recommender.training_titles import (
    read_titles,
    read_words,
    with_names,
    without_titles,
)


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
    trainer, split = read_training(job)
    degraded = [one.model_dump() for one in without_titles(job.lake, job.inputs, job.run)]
    out = job.scratch / "recommender"
    recipes, notes = affordable_recipes(recipes, split.every)
    with checkpoints(job, [*recipes, champion_recipe(job)]):
        with job.stopwatch("search"):
            choice = choose(trainer, split.train(), recipes_to_try(job, recipes))
        notes += fit_all(job, trainer, split, choice, out)
    card = make_card(job, choice, split.every, notes) | {"degraded": degraded}
    (out / "card.json").write_text(json.dumps(card_json(card), indent=1), "utf-8")
    inject_fault(job, out)
    with job.stopwatch("publish"):
        job.publish_folder(out, target, rows=card["rows"])
    print(f"[train_recommender] {choice.recipe.name}, fitted to {card['rows']} ratings", flush=True)


@dataclass(frozen=True)
class Split:
    """All ratings of a run, and which of them [ratings] are `held` out of train."""

    every: IndexedRatings
    held: Mask

    def train(self) -> IndexedRatings:
        """A copy of train's rows; whoever holds it holds them twice."""
        return self.every.where(~self.held)


def read_training(job: Job) -> tuple[Trainer, Split]:
    """A trainer with the titles that the run knows, and the ratings of train and holdout."""
    refuse_too_large(size_of_split(job), memory_of_machine())
    with job.stopwatch("read"), ThreadPoolExecutor(1) as pool:
        session = pool.submit(lambda: job.spark)  # the session starts while the rows arrive
        titles = read_titles(job.lake, job.inputs, job.run, job.scratch)
        titles = with_names(titles, job.lake, job.inputs, job.run, job.scratch)
        words = read_words(job.scratch / "titles", titles)
        split = read_split(job, titles)
        session.result()
    facts = titles, job.inputs.ratings.scale, iso(job.inputs.as_of), job.inputs.seed
    named = job.inputs.ratings.text_ids
    return trainer_class(job)(job.spark, *facts, words=words, text_ids=named), split


def size_of_split(job: Job) -> DataSize:
    """The ratings of train and holdout; people and titles as `prepare_ratings` recorded them."""
    rows = job.lake.manifest(job.path("split/ratings")).rows or 0
    figures = figures_of_run(job.lake, job.run).ratings
    people, titles = (figures.people, figures.titles) if figures else (None, None)
    return DataSize.of(rows, people or 0, titles or 0)


def refuse_too_large(size: DataSize, memory: int) -> None:
    """RecipeError where training needs more than `memory` bytes, as `marquee plan` counts them."""
    wanted = training_bytes(size)
    if wanted > memory:
        raise RecipeError(
            f"training on {size.ratings} ratings needs about {math.ceil(wanted / 1e8) / 10} GB of "
            f"memory, and this machine has {math.floor(memory / 1e8) / 10}",
            "train on a larger machine, a smaller release, or later ratings only; `marquee plan` "
            "says what fits",
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
    recipes = with_champion(recipes, champion)
    if job.inputs.search == "none":
        return [champion] if champion and champion in recipes else recipes[:1]
    wanted = [r for r in recipes if r.tried_in in searches[job.inputs.search] or r == champion]
    return sorted(wanted or recipes[:1], key=lambda r: r != champion)


def champion_recipe(job: Job) -> RecommenderRecipe | None:
    """The champion's recipe; None without a champion."""
    champion = job.inputs.models["recommender"].champion
    return read_recipe(champion.recipe) if champion else None


def read_split(job: Job, titles: Mapping[int, Title]) -> Split:
    """Train and holdout, in an order to which that of Spark's files does not matter."""
    folder = job.lake.fetch(job.path("split/ratings"), job.scratch / "split")
    every, place = read_indexed((folder / "train", folder / "holdout"), titles)
    shutil.rmtree(folder)
    return Split(every, place == 1)


def fit_all(job: Job, trainer: Trainer, split: Split, choice: Choice, out: Path) -> list[str]:
    """Make all fits of the model folder; notes for the card.

    The shipped fit is last: then train's copy of the ratings is no longer in memory.
    """
    notes = fit_on_train(job, trainer, split.train(), choice, out)
    with job.stopwatch("calibrate"):
        held = split.every.where(split.held).by_id()
        calibrated = trainer.with_intervals(out / "evaluated" / "bundle", held)
    with job.stopwatch("fit shipped"):
        # The shipped fit is measured on nothing, so it may go on from the others.
        shipped = calibrated.going_on()
        shipped.fit(split.every, choice.recipe, choice.blend_share, out / "shipped")
    return notes


def fit_on_train(
    job: Job, trainer: Trainer, rows: IndexedRatings, choice: Choice, out: Path
) -> list[str]:
    """The evaluated fit and the incumbent's."""
    with job.stopwatch("fit evaluated"):
        notes = trainer.fit(
            rows, choice.recipe, choice.blend_share, out / "evaluated", serves=False
        )
    with job.stopwatch("fit incumbent"):
        return notes + fit_incumbent(job, trainer, rows, choice, out)


def fit_incumbent(
    job: Job, trainer: Trainer, rows: IndexedRatings, choice: Choice, out: Path
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


def make_card(job: Job, choice: Choice, rows: IndexedRatings, notes: list[str]) -> dict[str, Any]:
    """The content of `card.json`."""
    return {
        "model": "recommender",
        "recipe": choice.recipe.model_dump(mode="json"),
        "recipes_tried": choice.tried(),
        "rows": len(rows),
        "people": len(rows.catalogue.user_ids),
        "titles": int(np.count_nonzero(rows.title_counts)),
        "as_of": iso(job.inputs.as_of),
        "seconds": dict(job.work),
        "notes": notes,
    }


if __name__ == "__main__":
    sys.exit(main())
