"""How exactly two models are compared on a release's holdout: the gate simulation's input.

    python -m bench.paired_errors --data FOLDER [--titles movie_metadata.csv] [--json FILE]

Two models of the same recipe and two seeds, and of two recipes, are fitted on all but the last
fifth and compared on it as the gate compares a challenger with the champion. A pair's error is the
standard error of the paired difference as a share of the figure, read off the 95 % bounds (people,
for budgets directors, resampled). Budgets are those that `--titles` states of the release's titles.
Nothing is chosen here: the holdout only tells how much it can tell.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from pyspark.sql import SparkSession

from bench.budget_titles import SCHEMA, read_budget_titles
from bench.spark_session import spark_session
from marquee.errors import MarqueeError, SourceError
from marquee.prices import PriceIndex
from marquee.settings import load_settings
from scoring.arrays import Floats
from scoring.model_comparison import paired_bootstrap
from scoring.recommender.holdout import (
    HoldoutScores,
    HoldoutSplit,
    compare_ndcg,
    compare_rmse,
    last_share,
)
from scoring.recommender.model import Recommender
from scoring.recommender.ratings_files import Release, read_any_release
from spark_apps.budget.families import read_recipes as read_budget_recipes
from spark_apps.budget.features import with_attributes, with_target
from spark_apps.budget.folds import Fold, FoldFits, with_place
from spark_apps.budget.out_of_sample import ScoredRecipe, squared_errors
from spark_apps.recommender.recipe_search import choose
from spark_apps.recommender.recipes import read_recipes
from spark_apps.recommender.trainer import Trainer
from spark_apps.train_budget import SMALL_DATA

AS_OF, SEEDS, SHARE, FEWEST_TITLES = "2026-01-01T00:00:00Z", (1, 2), 0.8, 50
BETWEEN_BOUNDS = 2 * 1.6449
"""Standard errors from one 95 % bound to the other."""
RECOMMENDERS = ("bayes-16", "bayes-16-all-alike")
"""The default recipe, and the one whose ranker is another."""
BUDGETS = ("gbt", "boosted")


def main() -> int:
    """Measure, print, write; 2 with one line where the input cannot be used."""
    options = _options()
    try:
        release = read_any_release(options.data)
        with spark_session("paired errors", "1500m") as spark:
            found = list(measure(spark, release, options.titles))
    except (MarqueeError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if options.json:
        facts = {"release": release.name, "command": "python -m bench.paired_errors"}
        options.json.write_text(json.dumps(facts | {"pairs": found}, indent=1) + "\n")
    return 0


def measure(
    spark: SparkSession, release: Release, titles: Path | None
) -> Iterator[Mapping[str, Any]]:
    """Every pair, printed as it is found."""
    found = [*recommender_pairs(spark, release)]
    found += [*budget_pairs(spark, release, titles)] if titles else []
    for pair in found:
        print(json.dumps(pair), flush=True)
        yield pair


def recommender_pairs(spark: SparkSession, release: Release) -> Iterator[dict[str, Any]]:
    """The default recipe with two seeds, then beside the other."""
    late = last_share(release.ratings)
    split = HoldoutSplit.of(release.ratings.take(~late), release.ratings.take(late))
    default, other = RECOMMENDERS
    fits = [(default, SEEDS[0]), (default, SEEDS[1]), (other, SEEDS[1])]
    scored = [_recommender(spark, release, split, name, seed) for name, seed in fits]
    for (ours, theirs), models in zip(pairwise(fits), pairwise(scored), strict=True):
        found = {
            "rmse": compare_rmse(split, models[0].values, models[1].values, SEEDS[0]),
            "ndcg@10": compare_ndcg(split, models[0].lists, models[1].lists, SEEDS[0]),
        }
        yield _pair("recommender", ours, theirs, {"people": len(split.people)}, found)


def _recommender(
    spark: SparkSession, release: Release, split: HoldoutSplit, name: str, seed: int
) -> HoldoutScores:
    recipes = {r.name: r for r in read_recipes(load_settings().recipes.recommender)}
    values = release.ratings.values
    clip = float(values.min()), float(values.max())
    trainer = Trainer(spark, release.titles, clip, AS_OF, seed)
    weight = choose(trainer, split.train, [recipes[name]]).blend_share
    with tempfile.TemporaryDirectory() as folder:
        trainer.fit_bundle(split.train, recipes[name], weight, Path(folder) / "bundle")
        return split.score(Recommender.load(Path(folder) / "bundle"))


def budget_pairs(spark: SparkSession, release: Release, titles: Path) -> Iterator[dict[str, Any]]:
    """The same of budget models, on the release's titles of which `titles` states a budget."""
    for key, value in SMALL_DATA.items():
        spark.conf.set(key, value)
    prices = PriceIndex.load(2100)
    wanted = {title.title_id for title in release.titles.values()}
    rows = [row for row in read_budget_titles(titles, prices).rows if row[0] in wanted]
    if len(rows) < FEWEST_TITLES:
        raise SourceError(
            f"{titles} states the budgets of {len(rows)} of the release's titles",
            f"give a file that knows {FEWEST_TITLES} of them",
        )
    titled = with_place(
        with_attributes(with_target(spark, spark.createDataFrame(rows, SCHEMA), prices))
    )
    fold = Fold("the last fifth", round(SHARE * len(rows)), len(rows))
    default, other = BUDGETS
    fits = [(default, SEEDS[0]), (default, SEEDS[1]), (other, SEEDS[1])]
    tried = [_budget(FoldFits(spark, titled, [fold], seed), name, fold) for name, seed in fits]
    for (ours, theirs), models in zip(pairwise(fits), pairwise(tried), strict=True):
        criterion = squared_errors(models)
        found = _compared(criterion.sums, criterion.weights)
        sizes = {"titles": len(models[0].errors), "directors": len(criterion.weights)}
        yield _pair("budget", ours, theirs, sizes, {"log_rmse": found})


def _budget(fits: FoldFits, name: str, fold: Fold) -> ScoredRecipe:
    recipes = {r.name: r for r in read_budget_recipes(load_settings().recipes.budget)}
    scores = fits.score(recipes[name], fold)
    return ScoredRecipe(recipes[name], scores.errors_with_rating(), scores.directors)


def _compared(sums: Floats, weights: Floats) -> dict[str, Any]:
    return paired_bootstrap(*sums, weights=weights, root=True, units="directors", seed=SEEDS[0])


def _pair(
    model: str,
    ours: Sequence[Any],
    theirs: Sequence[Any],
    sizes: Mapping[str, int],
    comparisons: Mapping[str, dict[str, Any] | None],
) -> dict[str, Any]:
    is_same = ours[0] == theirs[0]
    what = f"{ours[0]}, two seeds" if is_same else f"{ours[0]} and {theirs[0]}"
    metrics = {name: _noise(c) for name, c in comparisons.items() if c is not None}
    return {"model": model, "what": what, "holdout": dict(sizes), "metrics": metrics}


def _noise(comparison: Mapping[str, Any]) -> dict[str, float]:
    """The figure, and the standard error of the difference as a share of it."""
    width = comparison["upper95"] - comparison["lower95"]
    error = float(np.divide(width, BETWEEN_BOUNDS * comparison["other"]))
    return {"figure": round(comparison["other"], 4), "error": round(error, 6)}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="a folder with a release")
    parser.add_argument("--titles", type=Path, help="IMDB 5000's file, or one of your own")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
