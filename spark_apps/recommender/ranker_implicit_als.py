"""The ranker family `implicit_als`: a score is the product of a person's and a title's factors.

Spark fits the factors to the pairs that have a rating. With `stars` a liked title counts by its
weight, and a disliked title as one not wanted, with more confidence than an unrated one (Spark's
extension of implicit ALS to negative ratings). Spark's ridge penalty grows with the number of
liked titles alone. A penalty that also counts unrated titles ranks better
(Rendle et al., Revisiting the Performance of iALS on Item Recommendation Benchmarks, RecSys 2022).
A recipe with a `person` ridge starts from Spark's factors and refines them on the driver.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field
from pyspark.ml.recommendation import ALSModel
from pyspark.sql import Column
from pyspark.sql import functions as F

from scoring.arrays import Floats, Mask, Singles
from scoring.recommender.ratings_arrays import History, RatingsMatrix, liking_of
from spark_apps.recommender.als import AlsFit, fit_als, make_als, save_als
from spark_apps.recommender.families import FittedRanker, RankerFamily
from spark_apps.recommender.indexed_ratings import Frame, IndexedRatings
from spark_apps.recommender.recipes import (
    Positive,
    RankerRecipe,
    Recipe,
    Share,
    StarsRecipe,
    Whole,
)


class PersonRidge(Recipe):
    """The ridge penalty `reg` (n + w I)^`power` of a person who liked n of I titles.

    An unrated title has the weight w = 1 / (1 + alpha), a rated one 1. The driver solves people's
    factors once, then titles' and people's factors in `sweeps` turns.
    """

    reg: Positive
    power: Share
    sweeps: Annotated[int, Field(ge=0, le=50)] = 0


class ImplicitAlsRecipe(RankerRecipe):
    """Implicit ALS; `alpha` is the extra confidence of a rated title.

    Without `person` the factors are Spark's.
    """

    family: Literal["implicit_als"]
    rank: Whole
    alpha: Positive
    reg: Positive
    iterations: Whole
    person: PersonRidge | None = None
    stars: StarsRecipe | None = None

    @property
    def spark_iterations(self) -> int:
        """Every iteration is Spark's."""
        return self.iterations


def fit_implicit_als(
    ratings: IndexedRatings, frame: Frame, recipe: ImplicitAlsRecipe, seed: int
) -> ImplicitAls:
    """Fit with Spark; refine on the driver where the recipe has a `person` ridge."""
    als = make_als(ratings, recipe, seed).setImplicitPrefs(True).setAlpha(recipe.alpha)
    if recipe.stars is None:
        fit = fit_als(als.setRatingCol("seen"), ratings, frame)
    else:
        weight = _weight_column(recipe.stars, _scale(ratings))
        weighted = Frame(lambda: frame().withColumn("weight", weight))
        fit = fit_als(als.setRatingCol("weight"), ratings, weighted)
    fit = _refined(ratings, fit, recipe) if recipe.person else fit
    return ImplicitAls(*ratings.catalogue.shape, recipe, fit)


def _scale(ratings: IndexedRatings) -> tuple[float, float]:
    """The scale as the rows of a fit show it; of positive stars it begins near 0.

    Some rows may lack the scale's lowest star.
    """
    low, high = float(ratings.values.min()), float(ratings.values.max())
    return (low if low <= 0.0 else min(low, high / 3.0)), high


def _weight_column(stars: StarsRecipe, scale: tuple[float, float]) -> Column:
    """`StarsRecipe.weights` of the column `rating`."""
    none, one = liking_of(np.array([0.0, 1.0]), scale).tolist()
    liking = F.col("rating") * (one - none) + none
    return ((liking - stars.neutral) / (1.0 - stars.neutral)).cast("float")


@dataclass(frozen=True)
class ImplicitAls(FittedRanker):
    """Factors of people and titles."""

    recipe: ImplicitAlsRecipe
    als: AlsFit

    @property
    def users(self) -> Singles:
        """People's factors [U, L]."""
        return self.als.users

    @property
    def items(self) -> Singles:
        """Titles' factors [I, L]."""
        return self.als.items

    @property
    def known(self) -> Mask:
        """Titles [I] with factors."""
        known: Mask = np.asarray(self.items.any(axis=1))
        return known

    def scores(self, user: int, history: History) -> Floats:
        """Scores [I] from the person's trained factors."""
        return self._product(self.users[user])

    def folded(self, history: History) -> Floats:
        """Scores [I] from factors that are solved from the history."""
        return self._product(folded_person(self.items, history, self.recipe))

    def liked(self, history: History) -> Mask:
        """The rated titles with a positive weight."""
        liked: Mask = _weights(self.recipe, history.liking) > 0.0
        return liked

    def _product(self, person: Floats | Singles) -> Floats:
        scores: Floats = self.items.astype(np.float64) @ person.astype(np.float64)
        return scores

    def facts(self) -> dict[str, Any]:
        """The family and its fold-in parameters."""
        return {"family": self.recipe.family} | self.fold_in_parameters()

    def fold_in_parameters(self) -> dict[str, Any]:
        """The parameters of fold-in: confidence and ridge."""
        own, stars = self.recipe.person, self.recipe.stars
        facts: dict[str, Any] = {"alpha": self.recipe.alpha, "reg": self.recipe.reg}
        facts |= {"reg": own.reg, "power": own.power} if own else {}
        return facts | {"stars": stars.model_dump()} if stars else facts

    @property
    def spark_model(self) -> ALSModel | None:
        """Spark's model; None where the driver refined its factors."""
        return self.als.model if self.recipe.person is None else None

    def save(self, folder: Path) -> None:
        """Save the factors in the form of a Spark ALS model."""
        save_als(self.als, folder)


def _refined(ratings: IndexedRatings, fit: AlsFit, recipe: ImplicitAlsRecipe) -> AlsFit:
    """Solve titles' and people's factors in turns under the `person` ridge, people last."""
    sweeps = recipe.person.sweeps if recipe.person else 0
    by_title = RatingsMatrix.build(ratings.items, ratings.users, ratings.values, len(fit.items))
    scale = _scale(ratings)
    users, items = _solved(ratings.matrix, fit.items, recipe, scale), fit.items
    for _ in range(sweeps):
        items = _solved(by_title, users, recipe, scale)
        users = _solved(ratings.matrix, items, recipe, scale)
    return replace(fit, users=users, items=items)


def _solved(
    matrix: RatingsMatrix, fixed: Singles, recipe: ImplicitAlsRecipe, scale: tuple[float, float]
) -> Singles:
    """Factors of the matrix's rows given its columns' factors `fixed`; 0 for an empty row."""
    factors = fixed.astype(np.float64)
    rest = 1.0 / (1.0 + recipe.alpha)
    everything, known = rest * (factors.T @ factors), int(factors.any(axis=1).sum())
    weights = _weights(recipe, liking_of(matrix.values, scale))
    found: Floats = np.zeros((len(matrix.indptr) - 1, recipe.rank))
    for row in np.flatnonzero(np.diff(matrix.indptr)).tolist():
        rated = factors[matrix.items(row)]
        own = weights[matrix.indptr[row] : matrix.indptr[row + 1]]
        more = (1.0 - rest) * np.abs(own)  # the confidence beyond that of an unrated title
        ridge = _ridge(recipe, int((own > 0.0).sum()), rest * known)
        system = everything + (rated * more[:, None]).T @ rated + ridge * np.eye(recipe.rank)
        found[row] = np.linalg.solve(system, np.where(own > 0.0, rest + more, 0.0) @ rated)
    return found.astype(np.float32)


def folded_person(fixed: Singles, history: History, recipe: ImplicitAlsRecipe) -> Floats:
    """Factors of a person with this history, given the titles' factors `fixed`.

    Weighted least squares over every title with factors (Hu, Koren and Volinsky, equation 4). An
    unrated title has the weight 1 / (1 + alpha), one with the highest star 1.
    """
    known = fixed.any(axis=1)
    rest = 1.0 / (1.0 + recipe.alpha)
    confidence, wanted = np.full(len(fixed), rest), np.zeros(len(fixed))
    own = _weights(recipe, history.liking)
    confidence[history.rows] += (1.0 - rest) * np.abs(own)
    wanted[history.rows] = own > 0.0
    weights, targets = np.sqrt(confidence[known]), wanted[known]
    ridge = _ridge(recipe, max(int(targets.sum()), 1), rest * int(known.sum()))
    design = np.vstack([fixed[known] * weights[:, None], np.sqrt(ridge) * np.eye(recipe.rank)])
    answers = np.concatenate([weights * targets, np.zeros(recipe.rank)])
    found: Floats = np.linalg.lstsq(design.astype(np.float64), answers)[0]
    return found


def _weights(recipe: ImplicitAlsRecipe, liking: Floats) -> Floats:
    """The weights of ratings; 1 where the recipe does not read stars."""
    return recipe.stars.weights(liking) if recipe.stars else np.ones(len(liking))


def _ridge(recipe: ImplicitAlsRecipe, rated: int, rest: float) -> float:
    if recipe.person is None:
        return recipe.reg * rated / (1.0 + recipe.alpha)
    return float(recipe.person.reg * (rated + rest) ** recipe.person.power)


FAMILY = RankerFamily(ImplicitAlsRecipe, fit_implicit_als)
