"""Recipes of the recommender: a family of models with its parameters, as data.

A recommender has a predictor of stars and a ranker, each with its own family. The types here hold
the parameters that all recipes share. A family's module adds its own parameters, and `families.py`
finds the module by name. Recipes come from `inputs.json` (config's `[[recipes.recommender]]`) and
from the champion's bundle.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializeAsAny,
    ValidationError,
)
from pydantic_core import PydanticCustomError

from marquee.errors import RecipeError
from scoring.arrays import Floats
from spark_apps.recommender.families import predictor_family, ranker_family

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Whole = Annotated[int, Field(ge=1, le=500)]
Share = Annotated[float, Field(ge=0, le=1)]
Search = Literal["quick", "full"]
"""The smallest search that tries a recipe: a `quick` one is also tried by the full search."""


class Recipe(BaseModel):
    """A frozen table; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @property
    def spark_iterations(self) -> int:
        """The most iterations of Spark's ALS in a fit of the recipe."""
        return 0


class StarsRecipe(Recipe):
    """The weight of a rating: (liking - neutral) / (1 - neutral).

    The liking is the share of the highest star: see `scoring.recommender.ratings_arrays.liking_of`.
    """

    neutral: Annotated[float, Field(gt=0, lt=1)]

    def weights(self, liking: Floats) -> Floats:
        """Weights of ratings; the highest star has 1."""
        return (liking - self.neutral) / (1.0 - self.neutral)


class LatelyRecipe(Recipe):
    """What is rated lately: a rating counts 2^(-age / `half_life`), in days.

    In the lists of people who come back, the logarithm of these counts has the weight `share` times
    `History.away`. For a person of n ratings, n / (n + `damping`) of the logarithm of the count
    that a title's share of all time would give is taken off. All in standard deviations.
    """

    half_life: Positive
    share: NotNegative
    damping: Positive


class RankerRecipe(Recipe):
    """A ranker's family and, in subclasses, its parameters."""

    family: str


class ContentRecipe(Recipe):
    """How titles become content vectors.

    The `words` that most titles have are counted and reduced to `columns` numbers a title. The
    columns are fewer where all vectors would take more than `most_megabytes`. `optimism` standard
    errors are added to a cold title's score before the comparison with warm titles.
    """

    words: Annotated[int, Field(ge=1, le=20_000)] = 2_000
    columns: Annotated[int, Field(ge=1, le=1_000)] = 128
    optimism: NotNegative = 1.0
    most_megabytes: Positive = 32.0

    def affordable_columns(self, titles: int) -> int:
        """Columns (float32) of so many titles within `most_megabytes`; at least one."""
        return max(1, min(self.columns, int(self.most_megabytes * 1e6 / (4 * max(titles, 1)))))


def read_ranker_recipe(table: object) -> RankerRecipe:
    """Type a ranker's table by its family; ValidationError names every wrong key."""
    if isinstance(table, RankerRecipe):
        return table
    if not isinstance(table, Mapping):
        raise PydanticCustomError("ranker", "give a table with a family")
    try:
        family = ranker_family(table.get("family"))
    except RecipeError as error:
        raise PydanticCustomError("ranker_family", "{reason}", {"reason": error.message}) from None
    return family.recipe.model_validate(dict(table))


AnyRanker = Annotated[SerializeAsAny[RankerRecipe], BeforeValidator(read_ranker_recipe)]


class RecommenderRecipe(Recipe):
    """A predictor's family, and the recipes of the ranker, of content and of what is rated lately.

    Subclasses add the predictor's parameters.
    """

    name: str
    tried_in: Search = "quick"
    family: str
    ranker: AnyRanker
    content: ContentRecipe = ContentRecipe()
    lately: LatelyRecipe | None = None

    @property
    def spark_iterations(self) -> int:
        """The ranker's iterations; a predictor with ALS overrides this."""
        return self.ranker.spark_iterations

    @property
    def shares(self) -> tuple[float, ...]:
        """The model's shares in a blend with a simpler model; the inner split chooses one.

        1 is the model alone.
        """
        return (1.0,)

    def shortened(self) -> tuple[RecommenderRecipe, str]:
        """A cheaper recipe for the forecast, which never serves, and a note for the card.

        By default: this recipe, and an empty note.
        """
        return self, ""


def read_recipes(tables: Sequence[Mapping[str, Any]]) -> list[RecommenderRecipe]:
    """Type the tables of `inputs.json`; RecipeError names the recipe and every wrong key."""
    if not tables:
        raise RecipeError("the run names no recipe", "give one in [[recipes.recommender]]")
    return [read_recipe(table) for table in tables]


def read_recipe(table: Mapping[str, Any]) -> RecommenderRecipe:
    """Type one table by its family; RecipeError names the recipe and every wrong key."""
    name = table.get("name", "without a name")
    try:
        return predictor_family(table.get("family")).recipe.model_validate(dict(table))
    except ValidationError as error:
        wrong = "; ".join(f"{_key(e['loc'])}: {e['msg']}" for e in error.errors())
    except RecipeError as error:
        wrong = f"family: {error.message}"
    raise RecipeError(f"recipe {name}: {wrong}", "correct [[recipes.recommender]]")


def _key(place: tuple[int | str, ...]) -> str:
    return ".".join(map(str, place))
