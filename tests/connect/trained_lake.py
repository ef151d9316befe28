"""A lake in which both models were trained small, saved for Spark, and promoted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from marquee.lake import Lake
from marquee.run_folder import model_folder
from replica.make_world import make_world
from scoring.recommender.bundle import Title
from spark_apps import prepare_titles, train_budget
from spark_apps.recommender.recipes import read_recipe
from spark_apps.recommender.trainer import Trainer
from tests.scoring.made_up import make_ratings
from tests.serving.serving_bundles import promote_folder
from tests.small_recipes import RECOMMENDER
from tests.spark_budget.budget_lake import FOREST, RUN, lake_of_world

GENRES = ("Drama", "Comedy", "Action", "Horror", "Musical")
UNRATED = range(200, 206)
"""Titles that nobody rated: content lets them into lists."""
RECIPE: dict[str, Any] = RECOMMENDER | {
    "ranker": RECOMMENDER["ranker"]
    | {"recency": {"span": 7.0, "floor": 0.05, "span_back": 10.5, "floor_back": 0.1}},
    "lately": {"half_life": 20.0, "share": 0.6, "damping": 30.0},
}


def trained_lake(root: Path, spark: SparkSession) -> Lake:
    """Both champions, and their models for Spark below `runs/`."""
    make_world(root / "world", seed=5, people=20, titles=160)
    lake = lake_of_world(root / "lake", root / "world", recipes=[FOREST])
    flags = ["--lake", lake.root, "--run", RUN]
    assert prepare_titles.main(flags) == 0 and train_budget.main(flags) == 0
    fit = root / "recommender" / "shipped"
    trainer = Trainer(spark, titles(), (0.5, 5.0), "2026-01-04T03:00:00Z", seed=7)
    trainer.fit(make_ratings(80, 60), read_recipe(RECIPE), 0.5, fit)
    lake.publish(fit.parent, model_folder(RUN, "recommender"))
    promote_folder(lake, "recommender", fit / "bundle", run=RUN)
    budget = Path(lake.root.removeprefix("file://")) / model_folder(RUN, "budget")
    promote_folder(lake, "budget", budget / "shipped" / "bundle", run=RUN)
    return lake


def titles() -> dict[int, Title]:
    """Titles with genres and years, some of which nobody rated."""
    return {
        movie: Title(
            movie,
            f"tt{movie:07d}",
            f"Film {movie}",
            1950 + movie % 70,
            (GENRES[movie % 5], GENRES[(movie // 5) % 5]),
        )
        for movie in [*range(1, 121), *UNRATED]
    }
