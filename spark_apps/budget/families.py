"""Recipes of the budget model, and the table of regressor families that they name.

A recipe is a family with its parameters, as data (`[[recipes.budget]]` in config/). A family fits
ensembles of trees or a curve beside a linear model, and gives each a weight in the answer. The
features are track records, or what the recipe's `stages` make (`stage_recipes`). A new family needs
only an entry in FAMILIES.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from marquee.errors import RecipeError
from scoring.budget.features import BEFORE_RELEASE
from scoring.budget.flat_trees import FlatTrees
from scoring.budget.spark_stages import Curve
from scoring.budget.stage_chain import CORE_FIELDS, FIELDS
from spark_apps.budget.regressors import (
    Ensembles,
    TrainingData,
    Weights,
    all_linear,
    boosted_weights,
    curve_alone,
    fit_boosted,
    fit_forest,
    fit_gbt,
    fit_generalized,
    fit_isotonic,
    fit_survival,
    fit_tree,
    line_and_trees,
    no_ensembles,
)
from spark_apps.budget.saved_models import (
    read_saved_generalized,
    read_saved_isotonic,
    read_saved_survival,
    read_saved_trees,
)
from spark_apps.budget.stage_recipes import (
    NUMERIC,
    TRANSFORMERS,
    StagePlan,
    StageRecipe,
    plan_stages,
)

__all__ = [
    "FAMILIES",
    "BudgetRecipe",
    "Ensembles",
    "RegressorFamily",
    "TrainingData",
    "Weights",
    "family_of",
    "read_recipe",
    "read_recipes",
]

_UNSHARED = {"name": "", "tried_in": "quick", "beside": False}
"""What does not change the fits of a recipe."""
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
LINKS = {
    "gaussian": ("identity", "log", "inverse"),
    "poisson": ("log", "identity", "sqrt"),
    "gamma": ("inverse", "identity", "log"),
}
"""Spark's links of each distribution that a positive target may have."""


class ManyFilms(BaseModel, extra="forbid", frozen=True):
    """The parameters that a fit on at least `films` films takes in place of the recipe's own."""

    films: Annotated[int, Field(ge=1)]
    rounds: Annotated[int, Field(ge=1, le=20)]
    step: Annotated[float, Field(gt=0, le=1)]
    feature_share: Annotated[float, Field(gt=0, le=1)]
    subsample: Annotated[float, Field(gt=0, le=1)]


class BudgetRecipe(BaseModel):
    """One recipe; an unknown key is an error.

    `linear_share` of the answer is the linear model's, because trees cannot extrapolate. A
    `boosted` answer has three parts:

        linear_share * linear model
        + direct_share * (mean + forests fitted to the target less its mean)
        + the rest * (start + forests fitted to the target less the start)

    where start = mean + start_share * (linear model - mean).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    family: str
    """A key of FAMILIES."""
    tried_in: Literal["quick", "full"] = "quick"
    """The smallest search that tries the recipe."""
    director_smoothing: Positive
    """Titles of the usual budget that are added to each track record."""
    rating_step: Annotated[float, Field(ge=0, le=5)] = 0.0
    """Ratings are rounded to multiples of this; 0: no rounding."""
    linear_share: Share = 0.0
    direct_share: Share = 0.0
    """Share of forests that start from the mean; where it is 0 they are not fitted."""
    start_share: Share = 1.0
    """Share of the linear model in the start of the other forests."""
    recent: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    """Years in which a title's weight halves; 0: all titles have the same weight."""
    trend: bool = False
    """Whether the models are fitted to the residuals of the trend (`pipeline.fit_trend`)."""
    wide: bool = False
    """Whether cast, companies, running time and other attributes are features too."""
    rounds: Annotated[int, Field(ge=1, le=20)] = 1
    reg: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.05
    elastic: Share = 0.0
    trees: Annotated[int, Field(ge=1, le=1000)] = 1
    depth: Annotated[int, Field(ge=1, le=15)] = 5
    min_instances: Annotated[int, Field(ge=1)] = 3
    feature_share: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of the features that are tried at each split."""
    step: Annotated[float, Field(gt=0, le=1)] = 0.1
    subsample: Annotated[float, Field(gt=0, le=1)] = 1.0
    many: ManyFilms | None = None
    stages: tuple[StageRecipe, ...] = ()
    """Spark's transformers, which make the features in place of track records."""
    features: tuple[str, ...] = ()
    """Outputs of stages, and numbers of a title: the vector. A recipe with `stages` needs them."""
    beside: bool = False
    """Whether it is fitted on train for the report alone; no search tries it."""

    @model_validator(mode="after")
    def _shares_add_up(self) -> BudgetRecipe:
        if self.linear_share + self.direct_share > 1.0 + 1e-12:
            raise ValueError("linear_share and direct_share are more than the whole")
        if (self.direct_share or self.many) and not family_of(self).has_direct_share:
            families = ", ".join(name for name, f in FAMILIES.items() if f.has_direct_share)
            raise ValueError(f"direct_share and many are for recipes of the family {families}")
        return self

    @model_validator(mode="after")
    def _stages_fit(self) -> BudgetRecipe:
        check_stages(self.stages, self.features)
        if self.features and not self.plan(BEFORE_RELEASE).features:
            raise ValueError("no feature is known before release")
        return self

    def plan(self, question: str) -> StagePlan:
        """What a question keeps of the stages."""
        return plan_stages(self.stages, self.features, question)

    @property
    def reads_more(self) -> bool:
        """Whether any field is read beyond directors, genres, year and rating."""
        read = {name for stage in self.stages for name in stage.input} | set(self.features)
        return self.wide or any(name in FIELDS and name not in CORE_FIELDS for name in read)

    @property
    def has_line(self) -> bool:
        """Whether a linear model is fitted; with stages only where the answer needs one."""
        return not self.features or family_of(self).weights(self).line > 0

    @property
    def without_shares(self) -> BudgetRecipe:
        """The recipe with standard shares and no name; equal values share their fits."""
        line, direct = 0.5 if self.has_line else 0.0, 0.5 if self.direct_share else 0.0
        shares = {"linear_share": line, "direct_share": direct}
        return self.model_copy(update=_UNSHARED | shares)

    @property
    def cost(self) -> int:
        """The approximate number of Spark jobs of a fit."""
        return family_of(self).cost(self)


class GeneralizedRecipe(BudgetRecipe):
    """A generalised linear model of log10 dollars."""

    distribution: Literal["gaussian", "poisson", "gamma"] = "gamma"
    link: Literal["identity", "log", "inverse", "sqrt"] = "log"

    @model_validator(mode="after")
    def _is_spark_link(self) -> GeneralizedRecipe:
        if self.link not in LINKS[self.distribution]:
            links = ", ".join(LINKS[self.distribution])
            raise ValueError(f"the link of {self.distribution} is one of {links}")
        return self


class IsotonicRecipe(BudgetRecipe):
    """A monotone function of one feature."""

    @model_validator(mode="after")
    def _has_one_feature(self) -> IsotonicRecipe:
        if len(self.features) != 1:
            raise ValueError("isotonic regression reads one feature: give one in `features`")
        return self


@dataclass(frozen=True)
class RegressorFamily:
    """What a family of regressors registers."""

    fit: Callable[[Any, TrainingData], Ensembles]
    weights: Callable[[BudgetRecipe], Weights]
    cost: Callable[[BudgetRecipe], int]
    """The approximate number of Spark jobs of a fit; it decides between equal errors."""
    read: Callable[[Path], FlatTrees | Curve] = read_saved_trees
    """Reads the folder in which Spark saved one fitted model."""
    recipe: type[BudgetRecipe] = BudgetRecipe
    """A subclass where the family has parameters of its own."""
    has_direct_share: bool = False
    """Whether recipes of the family may set `direct_share`."""


def check_stages(stages: Sequence[StageRecipe], features: Sequence[str]) -> None:
    """ValueError for a stage or feature that reads what is not there or is of another kind."""
    kinds = dict(FIELDS)
    for stage in stages:
        kind = TRANSFORMERS[stage.transformer]
        _refuse_wrong_kind(stage.transformer, stage.input, kinds, kind.reads)
        if stage.output in kinds:
            raise ValueError(f"'{stage.output}' is there already: give another output")
        kinds[stage.output] = kind.writes
    _refuse_wrong_kind("the vector", features, kinds, NUMERIC)
    if stages and not features:
        raise ValueError("name the outputs that make the vector in `features`")


def _refuse_wrong_kind(
    reader: str, read: Sequence[str], kinds: Mapping[str, str], wanted: Sequence[str]
) -> None:
    for name in read:
        if name not in kinds:
            raise ValueError(f"{reader} reads '{name}', which is no field and no earlier output")
        if kinds[name] not in wanted:
            raise ValueError(f"{reader} reads {' or '.join(wanted)}, and '{name}' is {kinds[name]}")


def read_recipes(tables: Sequence[Mapping[str, Any]]) -> list[BudgetRecipe]:
    """Type the tables of `inputs.json`; RecipeError names the recipe and every wrong key."""
    if not tables:
        raise RecipeError("the run names no budget recipe", "give one in [[recipes.budget]]")
    return [read_recipe(table) for table in tables]


def read_recipe(table: Mapping[str, Any]) -> BudgetRecipe:
    """Type one table; RecipeError names the recipe and every wrong key, or the unknown family."""
    name = str(table.get("name", "without a name"))
    family = _registered(str(table.get("family")), name)
    try:
        return family.recipe.model_validate(dict(table))
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise RecipeError(f"recipe {name}: {wrong}", "correct [[recipes.budget]]") from None


def family_of(recipe: BudgetRecipe) -> RegressorFamily:
    """The recipe's family; RecipeError where it is not registered."""
    return _registered(recipe.family, recipe.name)


def _registered(family: str, recipe: str) -> RegressorFamily:
    if family not in FAMILIES:
        raise RecipeError(
            f"recipe {recipe}: there is no family '{family}'", f"use one of {', '.join(FAMILIES)}"
        )
    return FAMILIES[family]


FAMILIES: dict[str, RegressorFamily] = {
    "linear": RegressorFamily(no_ensembles, all_linear, cost=lambda recipe: 1),
    "tree": RegressorFamily(fit_tree, line_and_trees, cost=lambda recipe: recipe.depth),
    "forest": RegressorFamily(fit_forest, line_and_trees, cost=lambda recipe: recipe.depth),
    "gbt": RegressorFamily(fit_gbt, line_and_trees, cost=lambda r: r.trees * r.depth),
    "boosted": RegressorFamily(
        fit_boosted,
        boosted_weights,
        cost=lambda recipe: (1 + (recipe.direct_share > 0)) * recipe.rounds * recipe.depth,
        has_direct_share=True,
    ),
    "generalized_linear": RegressorFamily(
        fit_generalized, curve_alone, lambda r: 10, read_saved_generalized, GeneralizedRecipe
    ),
    "aft_survival": RegressorFamily(fit_survival, curve_alone, lambda r: 50, read_saved_survival),
    "isotonic": RegressorFamily(
        fit_isotonic, curve_alone, lambda r: 2, read_saved_isotonic, IsotonicRecipe
    ),
}
"""Families by the name in a recipe's `family`."""
