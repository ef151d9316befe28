"""Recipes of the budget model, and the table of regressor families that they name.

A recipe is a family with its parameters, as data (`[[recipes.budget]]` in config/). Every recipe
fits a linear model. Its family fits ensembles of trees beside the linear model and gives each a
weight in the answer. A new family needs only an entry in FAMILIES.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pyspark.ml.regression import DecisionTreeRegressor, GBTRegressor, RandomForestRegressor
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from marquee.errors import RecipeError
from scoring.budget.predictor import FlatTrees
from spark_apps.budget.saved_models import read_saved_trees

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
RESIDUAL = "residual"
MAX_BINS = 32


class BudgetRecipe(BaseModel):
    """One recipe; an unknown key is an error.

    `linear_share` of the answer is the linear model's, because trees cannot extrapolate. A
    `boosted` answer has three parts:

        linear_share * linear model
        + direct_share * (mean + forests fitted to the target less its mean)
        + the rest * (linear model + forests fitted to its residuals)
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    family: str
    """A key of FAMILIES."""
    director_smoothing: Positive
    """Titles of the usual budget that are added to each track record."""
    rating_step: Annotated[float, Field(ge=0, le=5)] = 0.0
    """Ratings are rounded to multiples of this; 0: no rounding."""
    linear_share: Share = 0.0
    direct_share: Share = 0.0
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

    @model_validator(mode="after")
    def _shares_add_up(self) -> BudgetRecipe:
        if self.linear_share + self.direct_share > 1.0 + 1e-12:
            raise ValueError("linear_share and direct_share are more than the whole")
        if self.direct_share and not family_of(self).has_direct_share:
            families = ", ".join(name for name, f in FAMILIES.items() if f.has_direct_share)
            raise ValueError(f"direct_share is for recipes of the family {families}")
        return self

    @property
    def without_shares(self) -> BudgetRecipe:
        """The recipe with standard shares and no name; equal values share their fits."""
        return self.model_copy(update={"name": "", "linear_share": 0.5, "direct_share": 0.0})

    @property
    def cost(self) -> int:
        """The approximate number of Spark jobs of a fit."""
        return family_of(self).cost(self)


@dataclass(frozen=True)
class TrainingData:
    """The training rows of one question.

    `rows` hold `weight` and the columns that `features` (vector), `label` (target) and `line`
    (the linear model's answer) name. `mean` is the weighted mean of the target. A family names its
    prediction columns by `column`, because the questions share one frame later.
    """

    rows: DataFrame
    features: str
    label: str
    line: str
    mean: float
    suffix: str
    seed: int

    def column(self, name: str) -> str:
        """A column name that is unique to the question."""
        return f"{name}_{self.suffix}"


@dataclass(frozen=True)
class Weights:
    """answer = line * linear model + mean * mean of the target + sum of ensembles[name] * model."""

    line: float
    mean: float = 0.0
    ensembles: Mapping[str, float] = field(default_factory=dict)


Ensembles = dict[str, Sequence[Any]]
"""Fitted Spark models by the name of their ensemble."""


@dataclass(frozen=True)
class RegressorFamily:
    """What a family of regressors registers."""

    fit: Callable[[BudgetRecipe, TrainingData], Ensembles]
    weights: Callable[[BudgetRecipe], Weights]
    cost: Callable[[BudgetRecipe], int]
    """The approximate number of Spark jobs of a fit; it decides between equal errors."""
    read: Callable[[Path], FlatTrees] = read_saved_trees
    """Reads the folder in which Spark saved one fitted model."""
    recipe: type[BudgetRecipe] = BudgetRecipe
    """A subclass where the family has parameters of its own."""
    has_direct_share: bool = False
    """Whether recipes of the family may set `direct_share`."""


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


def _no_ensembles(recipe: BudgetRecipe, data: TrainingData) -> Ensembles:
    return {}


def _all_linear(recipe: BudgetRecipe) -> Weights:
    return Weights(line=1.0)


def _line_and_trees(recipe: BudgetRecipe) -> Weights:
    return Weights(recipe.linear_share, ensembles={"trees": 1.0 - recipe.linear_share})


def _tree(recipe: BudgetRecipe, data: TrainingData) -> Ensembles:
    return {"trees": [DecisionTreeRegressor(**_shared(recipe, data)).fit(data.rows)]}


def _forest(recipe: BudgetRecipe, data: TrainingData) -> Ensembles:
    forest = RandomForestRegressor(
        numTrees=recipe.trees, **_shared(recipe, data), **_sampled(recipe)
    )
    return {"trees": [forest.fit(data.rows)]}


def _gbt(recipe: BudgetRecipe, data: TrainingData) -> Ensembles:
    boosting = GBTRegressor(
        maxIter=recipe.trees, stepSize=recipe.step, **_shared(recipe, data), **_sampled(recipe)
    )
    return {"trees": [boosting.fit(data.rows)]}


def _shared(recipe: BudgetRecipe, data: TrainingData) -> dict[str, Any]:
    return {
        "featuresCol": data.features,
        "labelCol": data.label,
        "weightCol": "weight",
        "predictionCol": data.column("trees"),
        "maxDepth": recipe.depth,
        "minInstancesPerNode": recipe.min_instances,
        "maxBins": MAX_BINS,
        "seed": data.seed,
    }


def _sampled(recipe: BudgetRecipe) -> dict[str, Any]:
    return {
        "featureSubsetStrategy": str(recipe.feature_share),
        "subsamplingRate": recipe.subsample,
    }


def _boosted(recipe: BudgetRecipe, data: TrainingData) -> Ensembles:
    """Gradient boosting with a small forest at each step, from two starts: linear model and mean.

    Friedman, "Greedy function approximation", Annals of Statistics 29, 2001, with Breiman's
    bagging. A few forests reach the error of hundreds of boosted trees, and Spark grows thirty
    trees in the time of one.
    """
    starts = {"on_line": F.col(data.line), "direct": F.lit(data.mean)}
    return {
        name: _boost(recipe, data, start, name, data.seed + 1000 * number)
        for number, (name, start) in enumerate(starts.items())
    }


def _boost(
    recipe: BudgetRecipe, data: TrainingData, start: Column, name: str, seed: int
) -> Sequence[Any]:
    """The forests of `recipe.rounds` steps, fitted to the target less `start`.

    answer = start + recipe.step * sum of the forests' answers
    """
    residual = (F.col(data.label) - start).alias(RESIDUAL)
    # A checkpoint cuts the plan; a cache would let it grow by a forest a round.
    rows = data.rows.select(data.features, "weight", residual).localCheckpoint()
    models = []
    for number in range(recipe.rounds):
        model = _small_forest(recipe, data.features, seed + number).fit(rows)
        model = model.setPredictionCol(f"{data.column(name)}_{number}")
        models.append(model)
        if number + 1 < recipe.rounds:
            rest = F.col(RESIDUAL) - F.lit(recipe.step) * F.col(model.getPredictionCol())
            after = model.transform(rows).select(data.features, "weight", rest.alias(RESIDUAL))
            rows = after.localCheckpoint()
    return models


def _small_forest(recipe: BudgetRecipe, features: str, seed: int) -> RandomForestRegressor:
    return RandomForestRegressor(
        featuresCol=features,
        labelCol=RESIDUAL,
        weightCol="weight",
        numTrees=recipe.trees,
        maxDepth=recipe.depth,
        minInstancesPerNode=recipe.min_instances,
        maxBins=MAX_BINS,
        maxMemoryInMB=512,
        seed=seed,
        **_sampled(recipe),
    )


def _boosted_weights(recipe: BudgetRecipe) -> Weights:
    on_line, direct = 1.0 - recipe.linear_share - recipe.direct_share, recipe.direct_share
    ensembles = {"on_line": on_line * recipe.step, "direct": direct * recipe.step}
    return Weights(
        line=recipe.linear_share + on_line,
        mean=direct,
        ensembles={name: weight for name, weight in ensembles.items() if weight > 0},
    )


FAMILIES: dict[str, RegressorFamily] = {
    "linear": RegressorFamily(_no_ensembles, _all_linear, cost=lambda recipe: 1),
    "tree": RegressorFamily(_tree, _line_and_trees, cost=lambda recipe: recipe.depth),
    "forest": RegressorFamily(_forest, _line_and_trees, cost=lambda recipe: recipe.depth),
    "gbt": RegressorFamily(_gbt, _line_and_trees, cost=lambda recipe: recipe.trees * recipe.depth),
    "boosted": RegressorFamily(
        _boosted,
        _boosted_weights,
        cost=lambda recipe: 2 * recipe.rounds * recipe.depth,
        has_direct_share=True,
    ),
}
"""Families by the name in a recipe's `family`."""
