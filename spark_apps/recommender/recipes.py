"""A recipe of the recommender: a predictor's and a ranker's family with parameters, as data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from marquee.errors import RecipeError
from spark_apps.recommender.ranking.recipes import RankerRecipe
from spark_apps.recommender.recipe_parts import Part, Positive, Share, Whole


class RecommenderRecipe(Part):
    """Explicit ALS blended with the bias model, and a ranker.

    `blend` lists the shares of ALS to choose from on the inner split; `bias_reg_*` count as so
    many ratings at the mean.
    """

    name: str
    family: Literal["als_bias"]
    rank: Whole
    reg: Positive
    iterations: Whole
    bias_reg_user: Positive
    bias_reg_item: Positive
    blend: Annotated[tuple[Share, ...], Field(min_length=1)]
    ranker: RankerRecipe


def read_recipes(tables: Sequence[Mapping[str, Any]]) -> list[RecommenderRecipe]:
    """Type the tables of `inputs.json`; RecipeError names the recipe and every wrong key."""
    if not tables:
        raise RecipeError("the run names no recipe", "give one in [[recipes.recommender]]")
    return [read_recipe(table) for table in tables]


def read_recipe(table: Mapping[str, Any]) -> RecommenderRecipe:
    """Type one table; RecipeError names the recipe and every wrong key."""
    try:
        return RecommenderRecipe.model_validate(dict(table))
    except ValidationError as error:
        wrong = "; ".join(f"{_key(e['loc'])}: {e['msg']}" for e in error.errors())
        name = table.get("name", "without a name")
        raise RecipeError(f"recipe {name}: {wrong}", "correct [[recipes.recommender]]") from None


def _key(place: tuple[int | str, ...]) -> str:
    """The key's path; after `ranker` the union names the family, which is no key."""
    return ".".join(
        str(part) for at, part in enumerate(place) if at == 0 or place[at - 1] != "ranker"
    )
