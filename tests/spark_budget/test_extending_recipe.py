"""A family of regressors registered from outside trains, ships and answers through the real path.

`docs/guides/extending.md` walks through the same steps.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import pytest
from pydantic import Field
from pyspark.ml.regression import DecisionTreeRegressor
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from marquee.errors import RecipeError
from scoring.budget.features import BudgetQuery
from scoring.budget.holdout_evaluation import evaluate_budget
from scoring.budget.model import BudgetModel
from spark_apps.budget.families import (
    FAMILIES,
    BudgetRecipe,
    Ensembles,
    RegressorFamily,
    TrainingData,
    Weights,
    read_recipe,
)
from tests.spark_budget.budget_lake import LINEAR, RUN, run_of, title_lines


class StumpRecipe(BudgetRecipe):
    """The family has one parameter of its own."""

    damping: Annotated[float, Field(gt=0, le=1)]


def fit_stump(recipe: BudgetRecipe, data: TrainingData) -> Ensembles:
    """One split on what the line leaves over."""
    rows = data.rows.withColumn("residual", F.col(data.label) - F.col(data.line))
    stump = DecisionTreeRegressor(
        featuresCol=data.features,
        labelCol="residual",
        weightCol="weight",
        predictionCol=data.column("stump"),
        maxDepth=1,
        seed=data.seed,
    )
    return {"stumps": [stump.fit(rows)]}


def stump_weights(recipe: BudgetRecipe) -> Weights:
    assert isinstance(recipe, StumpRecipe)
    return Weights(line=1.0, ensembles={"stumps": recipe.damping})


STUMP = LINEAR | {"name": "stump", "family": "stump", "damping": 0.5, "reg": 2.0}


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    family = RegressorFamily(fit_stump, stump_weights, cost=lambda recipe: 2, recipe=StumpRecipe)
    monkeypatch.setitem(FAMILIES, "stump", family)


def test_a_registered_family_is_trained_shipped_and_measured(
    tmp_path: Path, spark: SparkSession
) -> None:
    lake, status = run_of(
        tmp_path, title_lines(80), "2026-10-31T00:00:00Z", recipes=[STUMP, LINEAR], search="none"
    )
    assert status == 0
    folder = lake.fetch(f"runs/{RUN}/models/budget", tmp_path / "model")
    card = json.loads((folder / "card.json").read_text())
    assert [tried["name"] for tried in card["recipes_tried"]] == ["stump"]
    assert card["recipe"]["family"] == "stump" and card["recipe"]["damping"] == 0.5
    model = BudgetModel.load(folder / "shipped/bundle")
    assert model.check_golden().passed
    action, drama = (model.estimate(BudgetQuery((), (g,), 1999)) for g in ("Action", "Drama"))
    assert action.median > drama.median
    assert all(predictor.trees is not None for predictor in model.bundle.predictors.values())
    split = lake.fetch(f"runs/{RUN}/split/titles", tmp_path / "split")
    bundles = folder / "evaluated/bundle", folder / "shipped/bundle"
    found = evaluate_budget(*bundles, None, split / "train", split / "holdout", seed=7)
    assert found["metrics"]["answered"] == 1.0 and found["shipped"]["loads"]


def test_parameters_belong_to_their_family() -> None:
    assert read_recipe(STUMP).cost == 2
    with pytest.raises(RecipeError, match="recipe linear: damping"):
        read_recipe(LINEAR | {"damping": 0.5})
    with pytest.raises(RecipeError, match="recipe stump: damping"):
        read_recipe(STUMP | {"damping": 2.0})


def test_an_unknown_family_is_named_with_those_there_are() -> None:
    with pytest.raises(RecipeError, match="recipe stump: there is no family 'stomp'") as refused:
        read_recipe(STUMP | {"family": "stomp"})
    assert f"use one of {', '.join(FAMILIES)}" in str(refused.value) and "stump" in FAMILIES
