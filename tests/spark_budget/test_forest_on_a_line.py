"""The default recipe's arithmetic: whose weights count how long, and what an answer is made of."""

from __future__ import annotations

import math

import numpy as np
import pytest

from marquee.settings import load_settings
from spark_apps.budget.families import BudgetRecipe, family_of, read_recipe, read_recipes
from spark_apps.budget.folds import FEWEST_EFFECTIVE, half_life

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


def boosted(**shares: float) -> BudgetRecipe:
    table = {"name": "b", "family": "boosted", "director_smoothing": 2.0, "step": 1.0}
    return read_recipe(table | shares)
