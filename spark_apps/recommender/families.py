"""The interface of model families: registration, fitted models, and how a name finds its family.

The ranker family `ease` is the module `ranker_ease.py`, the predictor family `bayes` is the module
`predictor_bayes.py`. Each such module defines its registration `FAMILY`. The scoring library has a
counterpart that reads a fit's files: for predictors in `scoring/recommender/fold_in.py`, for
rankers a line of RANKERS in `scoring/recommender/rankers.py` or a module `ranker_<name>.py` there.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from pyspark.sql import SparkSession

import spark_apps.recommender
from marquee.errors import RecipeError
from scoring.arrays import Floats, Mask, Rows, Singles
from scoring.recommender.ratings_arrays import History

if TYPE_CHECKING:
    from pyspark.ml.recommendation import ALSModel

    from spark_apps.recommender.indexed_ratings import Frame, IndexedRatings
    from spark_apps.recommender.recipes import RankerRecipe, RecommenderRecipe
    from spark_apps.recommender.training_data import SideInformation

Clip = tuple[float, float]
"""The lowest and the highest stars of the scale."""


def _without_limit(recipe: Any, size: Size) -> None:
    """For predictors that have no limit."""


def _without_cost(recipe: Any, ratings: IndexedRatings) -> str:
    """For rankers that state no cost."""
    return ""


@dataclass(frozen=True)
class PredictorFamily:
    """What a predictor family registers.

    `recipe` types the parameters. `fit` makes a predictor from a task and a recipe.
    `refuse_over_budget` raises RecipeError where a fit of this size needs more memory or operations
    than the recipe's limits.
    """

    recipe: type[RecommenderRecipe]
    fit: Callable[[PredictorTask, Any], Predictor]
    refuse_over_budget: Callable[[Any, Size], None] = _without_limit


@dataclass(frozen=True)
class RankerFamily:
    """What a ranker family registers.

    `recipe` types the parameters. `fit` makes a ranker from ratings, the same rows as a frame, a
    recipe and a seed. `cost` states bytes and operations in a sentence, and raises RecipeError
    where they exceed the recipe's limits.
    """

    recipe: type[RankerRecipe]
    fit: Callable[[IndexedRatings, Frame, Any, int], FittedRanker]
    cost: Callable[[Any, IndexedRatings], str] = _without_cost


PREDICTORS: dict[str, PredictorFamily] = {}
RANKERS: dict[str, RankerFamily] = {}
"""The families found so far, by name. Code outside this folder may add its own."""
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
    """The families that have a module; the package may lie in a zip."""
    names = (module.name for module in iter_modules(spark_apps.recommender.__path__))
    return {name.removeprefix(f"{kind}_") for name in names if name.startswith(f"{kind}_")}


def fit_ranker(
    ratings: IndexedRatings, frame: Frame, recipe: RankerRecipe, seed: int
) -> FittedRanker:
    """Fit by the recipe's family; RecipeError where the cost exceeds the recipe's limits."""
    family = ranker_family(recipe.family)
    if cost := family.cost(recipe, ratings):
        print(f"[train_recommender] {cost}")
    return family.fit(ratings, frame, recipe, seed)


def fit_predictor(task: PredictorTask, recipe: RecommenderRecipe) -> Predictor:
    """Fit by the recipe's family."""
    return predictor_family(recipe.family).fit(task, recipe)


def refuse_over_budget(recipe: RecommenderRecipe, size: Size) -> None:
    """RecipeError where the predictor's cost exceeds the recipe's limits."""
    predictor_family(recipe.family).refuse_over_budget(recipe, size)


@dataclass(frozen=True)
class Size:
    """Numbers of ratings, people and titles of a fit."""

    ratings: int
    people: int
    titles: int


@dataclass(frozen=True)
class PredictorTask:
    """The input of a predictor's fit; `frame` holds the same rows as `ratings`.

    `start` is `Predictor.last_states` of an earlier fit of the recipe, where the fit may go on from
    it. It must not have seen ratings that this fit is measured on.
    """

    spark: SparkSession
    ratings: IndexedRatings
    frame: Frame
    side_information: SideInformation
    blend_share: float  # the share of this model in its blend; one of the recipe's shares
    seed: int
    start: object = None


@dataclass(frozen=True)
class FactorModel:
    """The form of every predictor in a bundle.

    stars = mean + user_bias [U] + item_bias [I] + user_factors [U, K] . item_factors [I, K]
    """

    mean: float
    user_bias: Floats
    item_bias: Floats
    user_factors: Floats
    item_factors: Floats

    def predict(self, users: Rows, items: Rows) -> Floats:
        """Unclipped stars of the pairs."""
        product = np.einsum("nk,nk->n", self.user_factors[users], self.item_factors[items])
        stars: Floats = self.mean + self.user_bias[users] + self.item_bias[items] + product
        return stars


class Predictor(ABC):
    """A fitted predictor of any family."""

    @abstractmethod
    def factor_model(self) -> FactorModel:
        """The predictor as one factor model, for the bundle."""

    @abstractmethod
    def fold_in(self) -> dict[str, Any]:
        """The parameters of `scoring/recommender/fold_in.py`, as JSON."""

    @abstractmethod
    def answers(self, spark: SparkSession, users: Rows, items: Rows) -> Floats:
        """Unclipped stars of pairs, for the golden queries; without the scorer's code."""

    @abstractmethod
    def folded(self, items: Rows, stars: Floats) -> tuple[float, Floats]:
        """The bias of a new person who gave `stars` to `items`, and their unclipped stars [I].

        For the golden queries, without the scorer's code. There is at least one item.
        """

    @abstractmethod
    def save(self, folder: Path, spark: SparkSession) -> None:
        """Write the model in a form that Spark's `ALSModel.load` reads."""

    def by_share(self, pairs: IndexedRatings, clip: Clip) -> dict[float, Floats]:
        """Clipped stars of the pairs for each of the recipe's shares."""
        return {1.0: self.factor_model().predict(pairs.users, pairs.items).clip(*clip)}

    def last_states(self) -> object:
        """What `PredictorTask.start` of a later fit may go on from; None for most families."""
        return None

    def notes(self) -> list[str]:
        """Notes for the card."""
        return []


@dataclass(frozen=True)
class FittedRanker(ABC):
    """A fitted ranker of any family; `people` and `titles` are numbers of rows.

    The defaults are a ranker without factors and arrays. Scores are computed without the scorer's
    code, because the golden queries check the scorer with them.
    """

    people: int
    titles: int

    @property
    @abstractmethod
    def known(self) -> Mask:
        """The titles [I] that the ranker ranks."""

    @abstractmethod
    def scores(self, user: int, history: History) -> Floats:
        """Scores [I] for a person of the fit."""

    @abstractmethod
    def folded(self, history: History) -> Floats:
        """Scores [I] for a new person."""

    def liked(self, history: History) -> Mask:
        """The rated titles [n] that count for titles like them; all, if stars are not read."""
        return np.ones(len(history.rows), dtype=np.bool_)

    @abstractmethod
    def facts(self) -> dict[str, Any]:
        """`fold_in.ranker` of `bundle.json`: the family, and the parameters of its scorer."""

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
        """The bundle's arrays beside factors, by the names that the family's scorer reads."""
        return {}

    @property
    def spark_model(self) -> ALSModel | None:
        """Spark's model, where its top lists are equal to the ranker's; else None."""
        return None

    def save(self, folder: Path) -> None:  # noqa: B027 (optional for a family)
        """Write a form that Spark loads; most families have none."""
