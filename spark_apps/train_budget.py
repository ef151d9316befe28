"""Job: from the titles' split to a model folder: `evaluated`, `shipped`, at times `incumbent`.

spark-submit spark_apps/train_budget.py --lake URI --webhdfs URL --run R
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from marquee.artefacts.model_card import card_json
from marquee.clock import iso
from marquee.errors import ContractError, SourceError
from marquee.prices import PriceIndex
from spark_apps.budget.families import BudgetRecipe, read_recipe, read_recipes
from spark_apps.budget.features import with_attributes, with_target
from spark_apps.budget.folds import Fold, FoldFits, make_folds, with_place
from spark_apps.budget.out_of_sample import choose
from spark_apps.budget.trainer import FOLDS_AT_ONCE, Trainer, make_card, notes_of
from spark_apps.job import Job, run_job, with_champion

MODEL, SPLIT, TITLES = "models/budget", "split/titles", "prepared/titles"
BESIDE = "beside"
IN_HOLDOUT = "in_holdout"
SMALL_DATA = {
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
}
"""On thousands of rows, Spark's code generation takes longer than interpretation."""
FEWEST_TITLES = 40
"""Titles in train; fewer are too few for three rolling origins."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job; the exit status."""
    return run_job("train_budget", argv, train)


def train(job: Job) -> None:
    """Choose a recipe, make the fits, publish the model folder."""
    if job.lake.exists(job.path(MODEL)):
        print("[train_budget] the model folder is published already: nothing to do")
        return
    model = job.inputs.models["budget"]
    champion = read_recipe(model.champion.recipe) if model.champion else None
    all_recipes = read_recipes(model.recipes)
    recipes = candidates(all_recipes, champion, job.inputs.search)
    train, holdout = count_titles(job)
    with job.stopwatch("read"):
        trainer, (evaluated, shipped) = set_up(job, train, holdout)
    with job.stopwatch("search"):
        scored = [trainer.score_recipe(recipe) for recipe in recipes]
        chosen = choose(scored, champion).recipe
    out = job.scratch / "budget"
    beside = [recipe for recipe in all_recipes if recipe.beside and recipe != chosen]
    with job.stopwatch("fit"):
        questions = fit_all(trainer, chosen, (evaluated, shipped), beside, out)
    with job.stopwatch("fit incumbent"):
        notes = write_incumbent(job, trainer, chosen, champion, evaluated, out)
    notes = [*notes_of(job.lake.manifest(job.path(TITLES)).facts, questions), *notes]
    card = make_card(job, scored, chosen, shipped.fitted, notes)
    (out / "card.json").write_text(json.dumps(card_json(card), indent=1), "utf-8")
    with job.stopwatch("publish"):
        job.publish_folder(out, job.path(MODEL), rows=shipped.fitted)
    print(f"[train_budget] {chosen.name}, fitted to {shipped.fitted} films", flush=True)


def fit_all(
    trainer: Trainer,
    chosen: BudgetRecipe,
    kept: tuple[Fold, Fold],
    beside: Sequence[BudgetRecipe],
    out: Path,
) -> list[str]:
    """Write the evaluated and the shipped fit, and the answers of the recipes `beside` them.

    The questions of the shipped fit. Two fits run at once, as those of the origins do.
    """
    with ThreadPoolExecutor(FOLDS_AT_ONCE) as pool:
        fits = [pool.submit(trainer.write_fit, chosen, fold, out / fold.name) for fold in kept]
        others = [pool.submit(trainer.write_answers, r, kept[0], out / BESIDE) for r in beside]
        for other in others:
            other.result()
        return [fit.result() for fit in fits][-1]


def candidates(
    recipes: Sequence[BudgetRecipe], champion: BudgetRecipe | None, search: str
) -> list[BudgetRecipe]:
    """The recipes to score: those of config, and the champion's.

    Without a search: the champion's recipe if config still names it, else the default. No search
    tries a recipe with `beside`, unless the run names no other. The only recipe of a run is tried
    alone.
    """
    candidates = [recipe for recipe in recipes if not recipe.beside] or list(recipes)
    recipes = with_champion(candidates, champion)
    if len(recipes) == 1:
        return recipes
    if search == "none":
        return [champion] if champion and champion in recipes else [recipes[0]]
    tried = [recipe for recipe in recipes if search == "full" or recipe.tried_in == search]
    return list(dict.fromkeys([*(tried or recipes[:1]), *filter(None, [champion])]))


def count_titles(job: Job) -> tuple[int, int]:
    """Titles in train and in the holdout; SourceError below FEWEST_TITLES in train."""
    counted = job.lake.manifest(job.path(SPLIT)).facts
    train, holdout = int(counted["train"]), int(counted["holdout"])
    if train < FEWEST_TITLES:
        titles = job.lake.manifest(job.path(TITLES)).facts
        raise SourceError(
            f"{train} films in train have a budget, a year and a genre, of {titles['titles']} "
            f"titles ({titles['with_budget']} with a budget); a budget model takes {FEWEST_TITLES}",
            "crawl more titles, or load a source of titles with budgets",
        )
    return train, holdout


def set_up(job: Job, train: int, holdout: int) -> tuple[Trainer, list[Fold]]:
    """The trainer on all titles, budgets in dollars of the newest price year; and the two folds
    that are kept."""
    spark = job.spark
    for key, value in SMALL_DATA.items():
        spark.conf.set(key, value)
    prices = PriceIndex.load(job.inputs.as_of.year)
    both = read_split(job, {"train": train, "holdout": holdout})
    titles = with_place(with_attributes(with_target(spark, both, prices)), IN_HOLDOUT)
    origins, kept = make_folds(train, holdout)
    fits = FoldFits(spark, titles, [*origins, *kept], job.inputs.seed)
    facts = {"as_of": iso(job.inputs.as_of), "price_year": prices.last}
    return Trainer(job.lake, fits, origins, facts), kept


def read_split(job: Job, sizes: Mapping[str, int]) -> DataFrame:
    """The titles of train and holdout, with the column IN_HOLDOUT.

    Folds order titles by IN_HOLDOUT first, so that the evaluated fit sees no holdout title.
    ContractError where the rows of one are not as many as its manifest states.
    """
    halves = []
    for name, size in sizes.items():
        path = job.path(f"{SPLIT}/{name}")
        titles = job.spark.read.parquet(job.lake.uri(path))
        if (found := titles.count()) != size:
            raise ContractError(
                f"{path} holds {found} films and its manifest states {size}",
                "run prepare_titles again in a new run",
            )
        halves.append(titles.withColumn(IN_HOLDOUT, F.lit(name == "holdout")))
    return halves[0].unionByName(halves[1])


def write_incumbent(
    job: Job,
    trainer: Trainer,
    chosen: BudgetRecipe,
    champion: BudgetRecipe | None,
    evaluated: Fold,
    out: Path,
) -> list[str]:
    """Fit the champion's recipe on the same titles, unless the challenger has it; notes."""
    if champion is None:
        return ["no champion at as-of: nothing to compare with but the baselines"]
    if champion != chosen:
        trainer.write_fit(champion, evaluated, out / "incumbent")
        return [f"the champion's recipe {champion.name} was retrained on the same films"]
    serving = job.inputs.models["budget"].champion
    if serving and serving.code == job.inputs.code:
        return ["the challenger has the champion's recipe and code"]
    # A fit of the champion's recipe under this code would equal the challenger's fit.
    shutil.copytree(out / "evaluated" / "bundle", out / "incumbent" / "bundle")
    return ["the champion's recipe under today's code is the challenger's own fit"]


if __name__ == "__main__":
    sys.exit(main())
