"""The default recipe: whose weights count how long, how many rounds there are, what an answer is
made of, and what it says where all films cost the same."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyspark.ml.linalg import Vectors
from pyspark.sql import DataFrame, SparkSession

from marquee.errors import RecipeError
from marquee.settings import load_settings
from scoring.budget.model import BudgetModel, BudgetQuery
from spark_apps.budget.families import BudgetRecipe, family_of, read_recipe, read_recipes
from spark_apps.budget.folds import FEWEST_EFFECTIVE, half_life, sized
from spark_apps.budget.regressors import TrainingData, fit_boosted
from tests.plugins.spark_session import spark  # noqa: F401
from tests.spark_budget.budget_lake import RUN, day_before, run_of, title_lines

MANY = np.repeat(np.arange(1960, 2020), 30)
FEW = np.repeat(np.arange(1980, 2020), 10)


def effective(years: np.ndarray, halving: float) -> float:
    weights = 0.5 ** ((years.max() - years) / halving)
    return float(weights.sum() ** 2 / (weights**2).sum())


def test_many_titles_keep_the_recipes_half_life() -> None:
    assert half_life(8.0, MANY) == 8.0


def test_few_titles_forget_more_slowly() -> None:
    found = half_life(8.0, FEW)
    assert found in (16.0, 32.0, 64.0)
    assert effective(FEW, found) >= FEWEST_EFFECTIVE > effective(FEW, found / 2)


@pytest.mark.parametrize(("recent", "years"), [(8.0, FEW[:100]), (0.0, MANY), (8.0, FEW[:1])])
def test_very_few_titles_or_no_half_life_weigh_alike(recent: float, years: np.ndarray) -> None:
    assert math.isinf(half_life(recent, years))


MANY_FILMS = {"films": 400, "rounds": 5, "step": 0.5, "feature_share": 0.2, "subsample": 0.8}


def test_a_fit_on_many_films_takes_other_rounds() -> None:
    recipe = boosted(rounds=1, many=MANY_FILMS)
    assert sized(recipe, 399) == recipe
    many = sized(recipe, 400)
    assert many.model_dump(include=MANY_FILMS.keys() - {"films"}).items() <= MANY_FILMS.items()
    assert (many.rounds, recipe.rounds, many.trees) == (5, 1, recipe.trees)
    assert sized(boosted(rounds=3), 10_000).rounds == 3


@pytest.mark.parametrize(
    "wrong", [{"films": 400}, MANY_FILMS | {"films": 0}, MANY_FILMS | {"trees": 5}]
)
def test_what_many_films_take_is_whole(wrong: dict[str, int]) -> None:
    with pytest.raises(RecipeError, match="many"):
        boosted(many=wrong)


def test_the_default_is_quick_wide_and_alone_in_a_quick_search_beside_the_linear_model() -> None:
    recipes = read_recipes(load_settings("local").recipes.budget)
    assert recipes[0].wide and recipes[0].trend
    quick = [recipe.name for recipe in recipes if recipe.tried_in == "quick" and not recipe.beside]
    assert quick == [recipes[0].name, "linear"]
    assert recipes[0].cost < next(r.cost for r in recipes if r.family == "gbt")


@pytest.mark.parametrize("start", [0.0, 0.7, 1.0])
@pytest.mark.parametrize("direct", [0.0, 0.3])
def test_the_parts_of_a_boosted_answer_add_up(start: float, direct: float) -> None:
    recipe = boosted(linear_share=0.2, start_share=start, direct_share=direct)
    weights = family_of(recipe).weights(recipe)
    on_line = 0.8 - direct
    assert weights.line + weights.mean == pytest.approx(1.0)
    assert weights.line == pytest.approx(0.2 + on_line * start)
    assert weights.ensembles["on_line"] == pytest.approx(on_line)
    assert weights.ensembles.get("direct", 0.0) == direct


def test_recipes_share_fits_only_where_they_fit_the_same_forests() -> None:
    one, other = boosted(direct_share=0.2), boosted(direct_share=0.4, linear_share=0.3)
    assert one.without_shares == other.without_shares
    assert one.without_shares != boosted().without_shares != boosted(start_share=0.5).without_shares


def test_the_step_is_in_the_forests_and_not_in_the_shares(
    spark: SparkSession,  # noqa: F811
) -> None:
    """The second forest learns from what half of the first one leaves."""
    recipe = boosted(step=0.5, rounds=2, trees=2, depth=2, start_share=0.7, linear_share=0.2)
    assert family_of(recipe).weights(recipe).ensembles == {"on_line": pytest.approx(0.8)}
    rng = np.random.default_rng(1)
    table = [
        (Vectors.dense(x), float(x[0] + x[1] * x[2]), float(x[0]), 1.0)
        for x in rng.normal(size=(60, 3))
    ]
    rows = spark.createDataFrame(table, ["features", "y", "line", "weight"]).coalesce(1)
    data = TrainingData(rows, "features", "y", "line", mean=0.0, suffix="q", seed=7)
    first, second = fit_boosted(recipe, data)["on_line"]
    whole = fit_boosted(recipe.model_copy(update={"step": 1.0, "rounds": 1}), data)["on_line"][0]
    half = column(first, rows)
    np.testing.assert_allclose(half, 0.5 * column(whole, rows), atol=1e-12)
    left = np.array([y - 0.7 * line for _, y, line, _ in table])
    errors = [np.mean((left - a) ** 2) for a in (0.0 * left, half, half + column(second, rows))]
    assert errors[0] > errors[1] > errors[2] > 0


def column(model: Any, rows: DataFrame) -> np.ndarray:
    found = model.transform(rows).select(model.getPredictionCol()).collect()
    return np.array([row[0] for row in found])


def test_films_of_one_price_are_answered_with_a_price_like_theirs(
    spark: SparkSession,  # noqa: F811
    tmp_path: Path,
) -> None:
    """A line through records that hardly differ once answered newcomers with 2.7e12 dollars."""
    same = {"amount": 1e7, "currency": "USD"}
    lines = [
        json.dumps(json.loads(line) | {"year": 1880 + i, "budget": same})
        for i, line in enumerate(title_lines(60))
    ]
    recipe = load_settings().recipes.budget[0] | {"trees": 4, "depth": 3}  # the line goes wrong
    as_of = day_before("2026-11-01T03:00:00Z")
    lake, status = run_of(tmp_path, lines, as_of, recipes=[recipe], search="none")
    assert status == 0
    folder = lake.fetch(f"runs/{RUN}/models/budget", tmp_path / "model")
    model = BudgetModel.load(folder / "shipped" / "bundle")
    assert model.check_golden().passed
    found = [model.estimate(query) for query in FAR]
    assert [e for e in found if not 0 < e.low <= e.median <= e.high <= 100 * e.median] == []
    assert [e.median for e in found if not 1e5 < e.median < 1e10] == []


FAR = [
    BudgetQuery((), (), 1874),
    BudgetQuery((), (), 2100),
    BudgetQuery(("nobody",), ("Nope",), 2001, 1.0),
    BudgetQuery((), (), 2001, 10.0, people={"cast": ("x",) * 50, "company": ("y",)}),
    BudgetQuery(("Director 1", "Director 1"), ("Drama", "Drama", "Action"), 1995, 7.0),
]
"""Questions about other years, people, genres and ratings than the films'."""


def boosted(**shares: object) -> BudgetRecipe:
    table = {"name": "b", "family": "boosted", "director_smoothing": 2.0, "step": 1.0}
    return read_recipe(table | shares)
