"""Spark's explicit and implicit ALS, each alone, as config ships them: what Spark says serves."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from pyspark.ml.recommendation import ALSModel
from pyspark.sql import SparkSession

from marquee.settings import load_settings
from scoring.recommender.bundle import Title
from scoring.recommender.model import Recommender
from spark_apps.recommender.recipe_search import choose
from spark_apps.recommender.recipes import read_recipes
from spark_apps.recommender.trainer import Trainer
from tests.plugins.spark_session import spark  # noqa: F401
from tests.scoring.made_up import make_ratings

TITLES = {m: Title(m, None, f"Film {m}", 1950 + m, ("Drama",)) for m in range(1, 41)}
FLOAT32 = 1e-5


def test_explicit_and_implicit_als_alone_are_a_recipe(
    spark: SparkSession,  # noqa: F811
    tmp_path: Path,
) -> None:
    shipped = {r.name: r for r in read_recipes(load_settings("local").recipes.recommender)}
    recipe = shipped["als"]
    assert recipe.family == "als_bias" and recipe.shares == (1.0,)
    rows, trainer = make_ratings(40, 40), Trainer(spark, TITLES, (0.5, 5.0), "x", seed=7)
    trainer.fit(rows, recipe, choose(trainer, rows, [recipe]).blend_share, tmp_path)
    model = Recommender.load(tmp_path / "bundle")
    assert model.check_golden().passed
    facts = json.loads((tmp_path / "bundle/bundle.json").read_text())
    assert facts["fold_in"]["ranker"]["family"] == "implicit_als"
    saved = ALSModel.load((tmp_path / "spark/predictor").as_uri())
    users, movies = (np.load(tmp_path / f"bundle/{name}_ids.npy") for name in ("user", "movie"))
    pairs = [(u, m) for u in range(len(users)) for m in range(len(movies))]
    answers = saved.transform(spark.createDataFrame(pairs, "user int, item int")).collect()
    asked = [(users[row.user], movies[row.item]) for row in answers]
    found = model.predict(*(np.array(column) for column in zip(*asked, strict=True)))
    wanted = np.clip([row.prediction for row in answers], 0.5, 5.0)
    assert len(wanted) > 500
    np.testing.assert_allclose(found.values, wanted, rtol=0, atol=FLOAT32)
