"""What a newcomer loses: answers folded in beside those of a fit that had their ratings.

    python -m bench.fold_in --data FOLDER [--recipes NAMES] [--seeds 1,2,3] [--json FILE]

A random tenth of the people is drawn. One bundle is fitted on everybody's first four fifths, one
without those people's rows. On their last fifth the first answers from their own factors and the
second folds them in from the very same ratings; `stranger` is its answer without any. Both are
asked for titles at the moment of the last of these ratings, as a newcomer is, so what is rated
lately, which counts after a pause, orders neither. The difference is folded in less personal: RMSE
in stars, nDCG@10 of titles rated at least 4. The default recipe of config/ alone is measured,
unless others are named; the last line of each recipe is the mean over the seeds.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from bench.recommender_splits import seed_list
from bench.spark_session import spark_session
from marquee.errors import MarqueeError, SourceError
from marquee.settings import load_settings
from scoring.arrays import Floats, Ints
from scoring.recommender.baselines import popular_lists
from scoring.recommender.holdout import (
    LIST_LENGTH,
    HoldoutSplit,
    compare_ndcg,
    compare_rmse,
    last_share,
    rmse,
)
from scoring.recommender.model import Recommender
from scoring.recommender.ratings_arrays import Ratings
from scoring.recommender.ratings_files import read_any_release
from spark_apps.recommender.recipe_search import choose
from spark_apps.recommender.recipes import RecommenderRecipe, read_recipes
from spark_apps.recommender.trainer import Trainer

AS_OF, SHARE, FEWEST = "2026-01-01T00:00:00Z", 0.1, 5


def main() -> int:
    """Measure every recipe with every seed; 2 with one line where the input cannot be used."""
    options = _options()
    try:
        release = read_any_release(options.data)
        recipes = _recipes(options.recipes)
        found = []
        with spark_session("fold-in bench", "2g") as spark:
            for seed in options.seeds:
                clip = float(release.ratings.values.min()), float(release.ratings.values.max())
                trainer = Trainer(spark, release.titles, clip, AS_OF, seed)
                for recipe in recipes:
                    found.append(measure(trainer, release.ratings, recipe))
                    print(_line(found[-1]), flush=True)
        for recipe in recipes:
            print(_mean_line([line for line in found if line["recipe"] == recipe.name]))
    except MarqueeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")
    return 0


def measure(trainer: Trainer, ratings: Ratings, recipe: RecommenderRecipe) -> dict[str, Any]:
    """One recipe: both fits, and the answers of each for the newcomers."""
    late = last_share(ratings)
    newcomers = _drawn(ratings.user_ids[late], trainer.seed)
    is_new = np.isin(ratings.user_ids, newcomers)
    train, without = ratings.take(~late), ratings.take(~late & ~is_new)
    weight = choose(trainer, without, [recipe]).blend_share
    split = HoldoutSplit.of(train, ratings.take(late & is_new))
    with tempfile.TemporaryDirectory() as folder:
        known, others = Path(folder) / "known", Path(folder) / "others"
        trainer.fit_bundle(train, recipe, weight, known)
        trainer.fit_bundle(without, recipe, weight, others)
        personal, model = Recommender.load(known), Recommender.load(others)
    values, lists = folded(model, split)
    own_values = personal.predict(split.holdout.user_ids, split.holdout.movie_ids).values
    own_lists = personal.top_unseen(split.people, LIST_LENGTH, last_moments(split))
    stranger = model.predict(split.holdout.user_ids, split.holdout.movie_ids).values
    seed = trainer.seed
    popular = popular_lists(split, np.union1d(model.movie_ids, train.movie_ids))
    return {
        "recipe": recipe.name,
        "seed": seed,
        "people": len(split.people),
        "rows": len(split.holdout),
        "rmse": compare_rmse(split, values, own_values, seed)
        | {"stranger": rmse(stranger, split.holdout.values)},
        "ndcg@10": (compare_ndcg(split, lists, own_lists, seed) or {})
        | {"popularity": float(split.ranking_liked(popular)["ndcg"].mean())},
    }


def last_moments(split: HoldoutSplit) -> Ints:
    """The time of each person's last rating in train [people]; all have one."""
    users, rows = np.unique(split.train.user_ids, return_inverse=True)
    last = np.full(len(users), np.iinfo(np.int64).min)
    np.maximum.at(last, rows, split.train.times)
    return last[np.searchsorted(users, split.people)]


def folded(model: Recommender, split: HoldoutSplit) -> tuple[Floats, Ints]:
    """Stars of every row and ten titles a person, by a model fitted without them, folded in from
    each person's rows of train, oldest first."""
    values, lists = (
        np.empty(len(split.holdout)),
        np.full((len(split.people), LIST_LENGTH), -1, np.int64),
    )
    for place, person in enumerate(split.people.tolist()):
        given = split.train.take(split.train.user_ids == person)
        order = np.lexsort((given.movie_ids, given.times))
        stars = dict(zip(given.movie_ids[order].tolist(), given.values[order].tolist()))
        own = split.holdout.user_ids == person
        values[own] = model.predict_for(stars, split.holdout.movie_ids[own]).values
        best = [r.movie_id for r in model.recommend_for(stars, LIST_LENGTH)]
        lists[place, : len(best)] = best
    return values, lists


def _drawn(people: Ints, seed: int) -> Ints:
    """A tenth of the people who have something held out; SourceError where that is too few."""
    known = np.unique(people)
    if len(known) * SHARE < FEWEST:
        raise SourceError(
            f"{len(known)} people with a holdout are too few to draw a tenth of",
            f"give a release with {int(FEWEST / SHARE)} people of five ratings and more",
        )
    return np.sort(np.random.default_rng(seed).choice(known, round(len(known) * SHARE), False))


def _recipes(names: str) -> list[RecommenderRecipe]:
    known = {recipe.name: recipe for recipe in read_recipes(load_settings().recipes.recommender)}
    wanted = [name for name in names.split(",") if name] or [next(iter(known))]
    if unknown := set(wanted) - set(known):
        raise SourceError(f"no recipe is called {', '.join(unknown)}", f"use {', '.join(known)}")
    return [known[name] for name in wanted]


def _line(found: dict[str, Any]) -> str:
    cells = [f"{found['recipe']:<20} seed {found['seed']:<3} {found['people']:>4} people"]
    for metric, other in (("rmse", "stranger"), ("ndcg@10", "popularity")):
        value = found[metric]
        if "difference" in value:
            low, high = value["interval"]
            cells.append(
                f"{metric} personal {value['other']:.4f} folded in {value['challenger']:.4f} "
                f"({value['difference']:+.4f}, 95 % {low:+.4f} to {high:+.4f}) "
                f"{other} {value[other]:.4f}"
            )
    return "  ".join(cells)


def _mean_line(found: list[dict[str, Any]]) -> str:
    """One recipe over its seeds."""
    cells = [f"{found[0]['recipe']:<20} mean of {len(found)} seeds"]
    for metric, other in (("rmse", "stranger"), ("ndcg@10", "popularity")):
        compared = [line[metric] for line in found if "difference" in line[metric]]
        if compared:
            own, folded, rest = (
                float(np.mean([value[key] for value in compared]))
                for key in ("other", "challenger", other)
            )
            cells.append(f"{metric} personal {own:.4f} folded in {folded:.4f} {other} {rest:.4f}")
    return "  ".join(cells)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="a folder with a release")
    parser.add_argument(
        "--recipes", default="", help="of config/, joined by commas; left out: the default"
    )
    parser.add_argument("--seeds", type=seed_list, default=[1, 2, 3], help="joined by commas")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
