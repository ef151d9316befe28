"""Job: the split to a model folder: evaluated, forecast, shipped and, where needed, incumbent.

One job for all fits, so that all but the first run warm. The driver reads the rows itself (it must
hold them anyway, to write each person's into the bundle) and hands them to Spark by row number.
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

from marquee.artefacts.card import card_json
from marquee.errors import RecipeError
from marquee.names import iso
from scoring.recommender.ratings import Ratings, count_rows, read_ratings
from scoring.recommender.splits import global_time
from spark_apps.drill import spoil, trainer_of
from spark_apps.job import Job, run_job
from spark_apps.recommender.affordable import affordable_recipes
from spark_apps.recommender.als import needs_checkpoints
from spark_apps.recommender.content.words import read_words
from spark_apps.recommender.fitting import Trainer
from spark_apps.recommender.recipes import (
    BayesRecipe,
    RecommenderRecipe,
    read_recipe,
    read_recipes,
)
from spark_apps.recommender.search import Choice, choose
from spark_apps.recommender.titles import read_titles, with_names, without_titles

MOST_ROWS = 20_000_000  # about 100 bytes each at the peak of this Python process: 2 GB
FEWEST_SWEEPS = 100  # of a chain that may be shortened for the forecast


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job; the exit status."""
    return run_job("train_recommender", argv, train)


def train(job: Job) -> None:
    """Choose a recipe, fit it twice (and the champion's once), publish the model folder."""
    target = job.path("models/recommender")
    if job.lake.exists(target):
        print(f"[train_recommender] {target} is published already: nothing to do")
        return
    recipes = read_recipes(job.inputs.models["recommender"].recipes)
    refuse_too_many_rows(job)
    with job.stopwatch("read"), ThreadPoolExecutor(1) as pool:
        session = pool.submit(lambda: job.spark)  # the session starts while the rows arrive
        rows, holdout = read_split(job)
        titles = read_titles(job.lake, job.inputs, job.run, job.scratch)
        titles = with_names(titles, job.lake, job.inputs, job.run, job.scratch)
        words = read_words(job.scratch / "titles", titles)
        degraded = [one.model_dump() for one in without_titles(job.lake, job.inputs, job.run)]
        session.result()
    facts = titles, job.inputs.ratings.scale, iso(job.inputs.as_of), job.inputs.seed
    named = job.inputs.ratings.text_ids
    trainer = trainer_of(job)(job.spark, *facts, words=words, text_ids=named)
    out = job.scratch / "recommender"
    recipes, notes = affordable_recipes(recipes, trainer, rows.join(holdout))
    with checkpoints(job, [*recipes, champion_recipe(job)]):
        with job.stopwatch("search"):
            choice = choose(trainer, rows, to_try(job, recipes))
        notes += fit_all(job, trainer, rows, holdout, choice, out)
    card = make_card(job, choice, rows.join(holdout), notes) | {"degraded": degraded}
    (out / "card.json").write_text(json.dumps(card_json(card), indent=1), "utf-8")
    spoil(job, out)
    with job.stopwatch("publish"):
        job.publish_folder(out, target, rows=card["rows"])
    print(f"[train_recommender] {choice.recipe.name}, fitted to {card['rows']} ratings", flush=True)


def refuse_too_many_rows(job: Job) -> None:
    """Say so before the driver runs out of memory rather than after."""
    rows = job.lake.manifest(job.path("split/ratings")).rows or 0
    if rows > MOST_ROWS:
        raise RecipeError(
            f"{rows} ratings are more than the {MOST_ROWS} this job's driver holds",
            "train on a smaller release, or on later ratings only",
        )


@contextmanager
def checkpoints(job: Job, recipes: Sequence[RecommenderRecipe | None]) -> Iterator[None]:
    """A checkpoint folder in the lake's staging (executors must see it), gone afterwards; none
    where every recipe is short enough to do without."""
    parts = [part for r in recipes if r for part in (r, r.ranker)]
    if not any(needs_checkpoints(part) for part in parts):
        yield
        return
    staged = job.lake.staging(job.path("checkpoints"))
    job.spark.sparkContext.setCheckpointDir(job.lake.uri(staged))
    try:
        yield
    finally:
        job.lake.delete(staged)


def to_try(job: Job, recipes: list[RecommenderRecipe]) -> list[RecommenderRecipe]:
    """All that the search is long enough for, the champion's first. Without a search the recipe
    that serves is trained again, or the default where config no longer names it."""
    champion, searches = champion_recipe(job), {"quick": ("quick",), "full": ("quick", "full")}
    if job.inputs.search == "none":
        return [champion] if champion and champion in recipes else recipes[:1]
    wanted = [r for r in recipes if r.tried_in in searches[job.inputs.search] or r == champion]
    return sorted(wanted, key=lambda r: r != champion)


def champion_recipe(job: Job) -> RecommenderRecipe | None:
    """The recipe of the model that serves, where one does."""
    champion = job.inputs.models["recommender"].champion
    return read_recipe(champion.recipe) if champion else None


def read_split(job: Job) -> tuple[Ratings, Ratings]:
    """Train and holdout, in an order that does not depend on how Spark wrote them."""
    folder = job.lake.fetch(job.path("split/ratings"), job.scratch / "split")
    train, holdout = folder / "train", folder / "holdout"
    rows = read_ratings(train, holdout)
    parts = rows.cut(count_rows(train))
    shutil.rmtree(folder)
    for part in parts:
        part.sort()
    return parts


def fit_all(
    job: Job, trainer: Trainer, rows: Ratings, holdout: Ratings, choice: Choice, out: Path
) -> list[str]:
    """All fits; returns notes for the card."""
    every = rows.join(holdout)
    late = global_time(every)
    with job.stopwatch("fit evaluated"):
        notes = trainer.fit(rows, choice.recipe, choice.weight, out / "evaluated", serves=False)
    if late.any():
        with job.stopwatch("fit forecast"):
            brief = shortened(choice.recipe)
            if isinstance(brief, BayesRecipe) and brief != choice.recipe:
                notes.append(f"the forecast's chains are half as long: {brief.sweeps} sweeps")
            trainer.fit_bundle(every.take(~late), brief, choice.weight, out / "forecast" / "bundle")
    with job.stopwatch("fit shipped"):
        trainer.fit(every, choice.recipe, choice.weight, out / "shipped")
    with job.stopwatch("fit incumbent"):
        return notes + fit_incumbent(job, trainer, rows, choice, out)


def shortened(recipe: RecommenderRecipe) -> RecommenderRecipe:
    """The recipe for the fit that is only looked at: chains of half the length lose 0.004 of inner
    RMSE on ml-latest-small."""
    if not isinstance(recipe, BayesRecipe) or recipe.sweeps < FEWEST_SWEEPS:
        return recipe
    return recipe.model_copy(update={"sweeps": recipe.sweeps // 2, "burn_in": recipe.burn_in // 2})


def fit_incumbent(
    job: Job, trainer: Trainer, rows: Ratings, choice: Choice, out: Path
) -> list[str]:
    """The champion's recipe on the same rows, unless that is what the challenger is."""
    recipe, champion = champion_recipe(job), job.inputs.models["recommender"].champion
    if recipe is None or champion is None:
        return ["no champion at as-of: nothing to compare with but the baselines"]
    if recipe != choice.recipe:
        own = choose(trainer, rows, [recipe])
        trainer.fit_bundle(rows, recipe, own.weight, out / "incumbent" / "bundle")
        return [f"the champion's recipe {recipe.name} was retrained on the same rows"]
    if champion.code == job.inputs.code:
        return ["the challenger has the champion's recipe and code"]
    # Retraining that recipe would repeat the challenger. What the champion's code made of it is in
    # its holdout record.
    return ["the challenger has the champion's recipe under other code: its record is compared"]


def make_card(job: Job, choice: Choice, rows: Ratings, notes: list[str]) -> dict[str, Any]:
    """`card.json`."""
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
