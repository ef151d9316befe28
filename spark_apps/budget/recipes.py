"""A recipe of the budget model: a family of Spark ML regressors with its parameters, as data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from marquee.errors import RecipeError

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class BudgetRecipe(BaseModel):
    """One recipe; a key that is unknown is an error.

    Every family may lean on a linear model: the answer is linear_share of it and the rest of the
    trees. A `linear` recipe is all linear. Trees cannot go beyond what they saw, a line can.

    `boosted` is forests added in `rounds` (`spark_apps.budget.boosting`): direct_share of the
    answer starts from the mean, what linear_share and direct_share leave starts from the line.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    family: Literal["linear", "tree", "forest", "gbt", "boosted"]
    director_smoothing: Positive
    """Counts as so many films at the mean of their time."""
    rating_step: Annotated[float, Field(ge=0, le=5)] = 0.0
    """Ratings are rounded to whole steps before anything sees them; 0: as they are."""
    linear_share: Share = 0.0
    direct_share: Share = 0.0
    recent: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    """Years in which a film's weight halves; 0: old films count as much as new ones."""
    trend: bool = False
    """The models learn what is above the line that budgets follow through the years
    (`spark_apps.budget.trends`), and the line is carried forward."""
    wide: bool = False
    """Also answers with cast, companies, running time and more, where titles tell them."""
    rounds: Annotated[int, Field(ge=1, le=20)] = 1
    reg: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.05
    elastic: Share = 0.0
    trees: Annotated[int, Field(ge=1, le=1000)] = 1
    depth: Annotated[int, Field(ge=1, le=15)] = 5
    min_instances: Annotated[int, Field(ge=1)] = 3
    feature_share: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Of the features, tried at each split."""
    step: Annotated[float, Field(gt=0, le=1)] = 0.1
    subsample: Annotated[float, Field(gt=0, le=1)] = 1.0

    @model_validator(mode="after")
    def _shares_add_up(self) -> BudgetRecipe:
        if self.linear_share + self.direct_share > 1.0 + 1e-12:
            raise ValueError("linear_share and direct_share are more than the whole")
        if self.direct_share and self.family != "boosted":
            raise ValueError("direct_share is for boosted recipes")
        return self

    @property
    def parts(self) -> BudgetRecipe:
        """The same without its shares and name: recipes that agree in it share their fits."""
        return self.model_copy(update={"name": "", "linear_share": 0.5, "direct_share": 0.0})

    @property
    def share_of_linear(self) -> float:
        """How much of the answer is the linear model's."""
        return 1.0 if self.family == "linear" else self.linear_share

    @property
    def share_on_line(self) -> float:
        """How much of the answer is the line's with boosted forests on what it leaves over."""
        return 1.0 - self.linear_share - self.direct_share if self.family == "boosted" else 0.0

    @property
    def cost(self) -> int:
        """Spark jobs a fit takes, roughly: levels of trees grown one after the other."""
        rounds = {"gbt": self.trees, "boosted": 2 * self.rounds}.get(self.family, 1)
        return 1 if self.family == "linear" else rounds * self.depth


def read_recipes(tables: Sequence[Mapping[str, Any]]) -> list[BudgetRecipe]:
    """Type the tables of `inputs.json`; RecipeError names the recipe and every wrong key."""
    if not tables:
        raise RecipeError("the run names no budget recipe", "give one in [[recipes.budget]]")
    return [read_recipe(table) for table in tables]


def read_recipe(table: Mapping[str, Any]) -> BudgetRecipe:
    """Type one table; RecipeError names the recipe and every wrong key."""
    try:
        return BudgetRecipe.model_validate(dict(table))
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        name = table.get("name", "without a name")
        raise RecipeError(f"recipe {name}: {wrong}", "correct [[recipes.budget]]") from None
