"""The tables that a Spark session answers from: a join and a sum give the ranker's own scores."""

from __future__ import annotations

import numpy as np
import pytest
from pyspark.sql import functions as F

from scoring.recommender.model import Recommender
from spark_apps.recommender.recipes import read_recipe
from spark_apps.recommender.trainer import Trainer
from tests.plugins.spark_session import spark  # noqa: F401
from tests.scoring.made_up import make_ratings
from tests.spark_recommender.made_up import RECIPE

EASE = {"family": "ease", "titles": 30, "keep": 8, "reg": 5.0}
RECENT = EASE | {"recency": {"span": 4.0, "floor": 0.1}, "stars": {"neutral": 0.45}}


@pytest.mark.parametrize("ranker", [EASE, RECENT])
def test_a_join_and_a_sum_are_the_rankers_scores(spark, tmp_path, ranker):  # noqa: F811
    trainer = Trainer(spark, {}, (0.5, 5.0), "x", seed=7)
    recipe = read_recipe(RECIPE | {"rank": 2, "iterations": 2, "ranker": ranker})
    trainer.fit(make_ratings(30, 40), recipe, 0.5, tmp_path)
    model = Recommender.load(tmp_path / "bundle")
    weights, history = (spark.read.parquet(f"{tmp_path}/spark/ranker/{n}") for n in TABLES)
    importance = F.lit(1.0)
    if ranker is RECENT:
        recency = 0.1 + 0.9 * F.exp(-F.col("age") / 4.0)
        importance = recency * (F.col("stars") / 5.0 - 0.45) / 0.55
    summed = history.join(weights, on=F.col("item") == F.col("rated"))
    summed = summed.groupBy("user", "added").agg(F.sum(F.col("w") * importance).alias("score"))
    found = np.zeros((len(model.user_ids), len(model.movie_ids)))
    for row in summed.collect():
        found[row["user"], row["added"]] = row["score"]
    for user in range(0, len(model.user_ids), 7):
        own = model.ranker.personal(user, model.bundle.history(user))
        assert found[user] == pytest.approx(own, abs=1e-9) and own.any()


TABLES = ("weights", "history")


def test_ids_and_biases_are_those_of_the_bundle(spark, tmp_path):  # noqa: F811
    trainer = Trainer(spark, {}, (0.5, 5.0), "x", seed=7)
    trainer.fit(make_ratings(30, 40), read_recipe(RECIPE), 0.5, tmp_path)
    bundle = Recommender.load(tmp_path / "bundle").bundle
    people = spark.read.parquet(f"{tmp_path}/spark/people").orderBy("user").toPandas()
    titles = spark.read.parquet(f"{tmp_path}/spark/titles").orderBy("item").toPandas()
    assert people["user_id"].tolist() == bundle.user_ids.tolist()
    assert titles["movie_id"].tolist() == bundle.movie_ids.tolist()
    assert np.array_equal(people["bias"], bundle.user_bias) and len(people) == 30
    assert np.array_equal(titles["bias"], bundle.item_bias)


def test_a_fit_that_does_not_serve_has_no_tables(spark, tmp_path):  # noqa: F811
    trainer = Trainer(spark, {}, (0.5, 5.0), "x", seed=7)
    trainer.fit(make_ratings(30, 40), read_recipe(RECIPE), 0.5, tmp_path, serves=False)
    assert sorted(folder.name for folder in (tmp_path / "spark").iterdir()) == [
        "predictor",
        "ranker",
    ]
