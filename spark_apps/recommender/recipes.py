"""A recipe of the recommender: a predictor's and a ranker's family with parameters, as data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from marquee.errors import RecipeError
from spark_apps.recommender.content.recipe import ContentRecipe
from spark_apps.recommender.ranking.recipes import RankerRecipe
from spark_apps.recommender.recipe_parts import Part, Positive, Share, Whole

Search = Literal["quick", "full"]
"""The least search that tries a recipe; without a search the first is taken."""


class AlsRecipe(Part):
    """Explicit ALS blended with the bias model, and a ranker.

    `blend` lists the shares of ALS to choose from on the inner split; `bias_reg_*` count as so
    many ratings at the mean.
    """

    name: str
    tried_in: Search = "quick"
    family: Literal["als_bias"]
    rank: Whole
    reg: Positive
    iterations: Whole
    bias_reg_user: Positive
    bias_reg_item: Positive
    blend: Annotated[tuple[Share, ...], Field(min_length=1)]
    ranker: RankerRecipe
    content: ContentRecipe = ContentRecipe()


class BayesRecipe(Part):
    """Bayesian matrix factorisation with side information, and a ranker.

    `chains` Markov chains of `sweeps` each, of which every `every`-th after `burn_in` is kept;
    stars are normal around a score or cut from it at thresholds, with noise that differs between
    people the less the larger `noise_shape`; vectors of `rank` tastes; at most `side_columns` for
    each set of rated titles or of raters; the posterior is shipped with `packed_rank` factors.
    Refused where arithmetic says that it takes more than `most_*`.
    """

    name: str
    tried_in: Search = "quick"
    family: Literal["bayes"]
    likelihood: Literal["normal", "ordered"]
    noise_shape: Positive
    rank: Annotated[int, Field(ge=1, le=64)]
    chains: Annotated[int, Field(ge=1, le=64)]
    sweeps: Annotated[int, Field(ge=2, le=10_000)]
    burn_in: Annotated[int, Field(ge=0)]
    every: Annotated[int, Field(ge=1)]
    side_columns: Annotated[int, Field(ge=1, le=500)]
    packed_rank: Whole
    most_gigabytes: Positive
    most_teraoperations: Positive
    ranker: RankerRecipe
    content: ContentRecipe = ContentRecipe()

    @model_validator(mode="after")
    def _keeps_a_draw(self) -> Self:
        if self.kept < 1:
            raise ValueError("burn_in leaves no sweep to keep: give fewer, or more sweeps")
        return self

    def keeps(self, sweep: int) -> bool:
        """Whether the draw after this sweep (from 0) counts."""
        return sweep >= self.burn_in and (sweep - self.burn_in) % self.every == 0

    @property
    def kept(self) -> int:
        """Draws kept of a chain."""
        return max(0, -(-(self.sweeps - self.burn_in) // self.every))


RecommenderRecipe = Annotated[AlsRecipe | BayesRecipe, Field(discriminator="family")]
_ANY: TypeAdapter[AlsRecipe | BayesRecipe] = TypeAdapter(RecommenderRecipe)


def read_recipes(tables: Sequence[Mapping[str, Any]]) -> list[RecommenderRecipe]:
    """Type the tables of `inputs.json`; RecipeError names the recipe and every wrong key."""
    if not tables:
        raise RecipeError("the run names no recipe", "give one in [[recipes.recommender]]")
    return [read_recipe(table) for table in tables]


def read_recipe(table: Mapping[str, Any]) -> RecommenderRecipe:
    """Type one table; RecipeError names the recipe and every wrong key."""
    try:
        return _ANY.validate_python(dict(table))
    except ValidationError as error:
        wrong = "; ".join(f"{_key(e['loc'])}: {e['msg']}" for e in error.errors())
        name = table.get("name", "without a name")
        raise RecipeError(f"recipe {name}: {wrong}", "correct [[recipes.recommender]]") from None


def _key(place: tuple[int | str, ...]) -> str:
    """The key's path; unions add the family they read as, which nobody wrote: in front, and after
    `ranker`."""
    kept = place[1:] if place[:1] in {("als_bias",), ("bayes",)} else place
    return ".".join(
        str(part) for at, part in enumerate(kept) if at == 0 or kept[at - 1] != "ranker"
    )
