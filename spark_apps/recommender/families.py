"""What a family of models is: what it registers, what its fit must give, how it is found by name.

The ranker family `ease` is the module `ranker_ease.py`, the predictor family `bayes` is
`predictor_bayes.py`, and so on for every name that a recipe may give. Such a module ends with its
registration, `FAMILY`. The scoring library registers every family too, in
`scoring/recommender/rankers.py` and `scoring/recommender/fold_in.py`: it reads what a fit wrote.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from pyspark.sql import DataFrame, SparkSession

from marquee.errors import RecipeError
from scoring.arrays import Floats, Mask, Rows, Singles
from spark_apps.recommender.training_data import IndexedRatings

if TYPE_CHECKING:
    from pyspark.ml.recommendation import ALSModel

    from spark_apps.recommender.recipes import RankerRecipe, RecommenderRecipe
    from spark_apps.recommender.training_data import SideInformation

Clip = tuple[float, float]
"""The lowest and the highest star of the scale."""


def _free(recipe: Any, size: Size) -> None:
    """A predictor whose cost nobody counts."""


def _unstated(recipe: Any, ratings: IndexedRatings) -> str:
    """A ranker whose cost nobody counts."""
    return ""


@dataclass(frozen=True)
class PredictorFamily:
    """`recipe` types the parameters, `fit` makes the predictor of a task and a recipe;
    `refuse_over_budget` raises RecipeError, before anything is started, where a problem of this
    size takes more bytes or operations than the recipe allows itself."""

    recipe: type[RecommenderRecipe]
    fit: Callable[[PredictorTask, Any], Predictor]
    refuse_over_budget: Callable[[Any, Size], None] = _free


@dataclass(frozen=True)
class RankerFamily:
    """`recipe` types the parameters, `fit` makes the ranker of the ratings, the same rows as a
    frame, a recipe and a seed; `cost` states bytes and operations in a sentence, and raises
    RecipeError where they are more than the recipe allows itself."""

    recipe: type[RankerRecipe]
    fit: Callable[[IndexedRatings, DataFrame, Any, int], FittedRanker]
    cost: Callable[[Any, IndexedRatings], str] = _unstated


PREDICTORS: dict[str, PredictorFamily] = {}
RANKERS: dict[str, RankerFamily] = {}
"""The families found so far, by name; code outside this folder may register its own here."""
Family = TypeVar("Family", PredictorFamily, RankerFamily)


def predictor_family(name: object) -> PredictorFamily:
    """The predictor family of that name; RecipeError where there is none."""
    return _family(PREDICTORS, "predictor", name)


def ranker_family(name: object) -> RankerFamily:
    """The ranker family of that name; RecipeError where there is none."""
    return _family(RANKERS, "ranker", name)


def _family(found: dict[str, Family], kind: str, name: object) -> Family:
    module = f"spark_apps.recommender.{kind}_{name}"
    if isinstance(name, str) and name in found:
        return found[name]
    if not (isinstance(name, str) and name.isidentifier() and find_spec(module)):
        known = ", ".join(sorted({*found, *_module_names(kind)}))
        raise RecipeError(
            f"no {kind} of the family {name!r} is known: the families are {known}",
            "correct `family` in [[recipes.recommender]]",
        )
    found[name] = import_module(module).FAMILY
    return found[name]


def _module_names(kind: str) -> set[str]:
    names = (path.stem for path in Path(__file__).parent.glob(f"{kind}_*.py"))
    return {name.removeprefix(f"{kind}_") for name in names}


def fit_ranker(
    ratings: IndexedRatings, frame: DataFrame, recipe: RankerRecipe, seed: int
) -> FittedRanker:
    """Fit by the recipe's family; RecipeError where it costs more than the recipe allows."""
    family = ranker_family(recipe.family)
    if cost := family.cost(recipe, ratings):
        print(f"[train_recommender] {cost}")
    return family.fit(ratings, frame, recipe, seed)


def fit_predictor(task: PredictorTask, recipe: RecommenderRecipe) -> Predictor:
    """Fit by the recipe's family."""
    return predictor_family(recipe.family).fit(task, recipe)


def refuse_over_budget(recipe: RecommenderRecipe, size: Size) -> None:
    """RecipeError where the predictor takes more than the recipe allows itself."""
    predictor_family(recipe.family).refuse_over_budget(recipe, size)


@dataclass(frozen=True)
class Size:
    """Rows of a problem."""

    ratings: int
    people: int
    titles: int


@dataclass(frozen=True)
class PredictorTask:
    """What a predictor is fitted to: `frame` holds the same rows as `ratings`."""

    spark: SparkSession
    ratings: IndexedRatings
    frame: DataFrame
    side_information: SideInformation
    weight: float  # one of the recipe's shares
    seed: int


@dataclass(frozen=True)
class FactorModel:
    """The form in which every predictor is shipped.

    stars = mean + user_bias [U] + item_bias [I] + user_factors [U, K] . item_factors [I, K]
    """

    mean: float
    user_bias: Floats
    item_bias: Floats
    user_factors: Floats
    item_factors: Floats

    def predict(self, users: Rows, items: Rows) -> Floats:
        """Stars of pairs, not clipped."""
        product = np.einsum("nk,nk->n", self.user_factors[users], self.item_factors[items])
        stars: Floats = self.mean + self.user_bias[users] + self.item_bias[items] + product
        return stars


class Predictor(ABC):
    """A fitted predictor of any family."""

    @abstractmethod
    def factor_model(self) -> FactorModel:
        """The model as the bundle ships it."""

    @abstractmethod
    def fold_in(self) -> dict[str, Any]:
        """What `scoring/recommender/fold_in.py` needs for a new person, as JSON."""

    @abstractmethod
    def answers(self, spark: SparkSession, users: Rows, items: Rows) -> Floats:
        """Stars of pairs for the golden queries, not clipped, not by the scorer under test."""

    @abstractmethod
    def folded(self, items: Rows, stars: Floats) -> tuple[float, Floats]:
        """The bias of a person who gave `stars` (at least one) to `items`, and their stars [I] of
        every title, not clipped; for the golden queries, not by the scorer under test."""

    @abstractmethod
    def save(self, folder: Path, spark: SparkSession) -> None:
        """Write the model as Spark saves one: `ALSModel.load` reads it."""

    def by_share(self, pairs: IndexedRatings, clip: Clip) -> dict[float, Floats]:
        """Stars of the pairs, clipped, for each of the recipe's shares."""
        return {1.0: self.factor_model().predict(pairs.users, pairs.items).clip(*clip)}

    def notes(self) -> list[str]:
        """Sentences for the card."""
        return []


@dataclass(frozen=True)
class FittedRanker(ABC):
    """A fitted ranker of any family, for a catalogue of so many `people` and `titles`.

    By default a ranker has no factors and no other arrays; a family overrides what it has. Scores
    here are plain arithmetic, never the scorer's: they judge recipes on the inner split and answer
    the golden queries that the scorer must repeat.
    """

    people: int
    titles: int

    @property
    @abstractmethod
    def known(self) -> Mask:
        """The titles [I] that it ranks."""

    @abstractmethod
    def scores(self, user: int, rated: Rows) -> Floats:
        """Scores [I] of a trained person who rated these titles, oldest first."""

    @abstractmethod
    def folded(self, rated: Rows) -> Floats:
        """Scores [I] of a stranger who rated these titles, oldest first."""

    @abstractmethod
    def facts(self) -> dict[str, Any]:
        """`fold_in.ranker` of `bundle.json`: the family, and the parameters that its scorer in
        `scoring/recommender/rankers.py` reads."""

    @property
    def users(self) -> Singles:
        """People's factors [U, L]; L is 0 for a family without factors."""
        return np.zeros((self.people, 0), dtype=np.float32)

    @property
    def items(self) -> Singles:
        """Titles' factors [I, L]."""
        return np.zeros((self.titles, 0), dtype=np.float32)

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """What the bundle keeps beside factors, named as the scorer's family names it."""
        return {}

    @property
    def spark_model(self) -> ALSModel | None:
        """Spark's model, where its own top lists are the ranker's."""
        return None

    def save(self, folder: Path) -> None:  # noqa: B027 (most families have none)
        """Write the form that Spark loads, where the family has one."""
