"""The ranker family `implicit_als`: a score is the product of a person's and a title's factors.

Spark fits the factors to the pairs that have a rating, and ignores the stars. Its ridge penalty
grows with the number of ratings alone. A penalty that also counts unrated titles ranks better
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
from pyspark.sql import DataFrame

from scoring.arrays import Floats, Mask, Rows, Singles
from scoring.recommender.ratings_arrays import RatingsMatrix
from spark_apps.recommender.als import AlsFit, fit_als, make_als, save_als
from spark_apps.recommender.families import FittedRanker, RankerFamily
from spark_apps.recommender.recipes import Positive, RankerRecipe, Recipe, Share, Whole
from spark_apps.recommender.training_data import IndexedRatings


class PersonRidge(Recipe):
    """The ridge penalty `reg` (n + w I)^`power` of a person who rated n of I titles.

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

    @property
    def spark_iterations(self) -> int:
        """Every iteration is Spark's."""
        return self.iterations


def fit_implicit_als(
    ratings: IndexedRatings, frame: DataFrame, recipe: ImplicitAlsRecipe, seed: int
) -> ImplicitAls:
    """Fit with Spark; refine on the driver where the recipe has a `person` ridge."""
    als = make_als(ratings, recipe, seed).setRatingCol("seen").setImplicitPrefs(True)
    fit = fit_als(als.setAlpha(recipe.alpha), ratings, frame)
    fit = _refined(ratings, fit, recipe) if recipe.person else fit
    return ImplicitAls(*ratings.catalogue.shape, recipe, fit)


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

    def scores(self, user: int, rated: Rows) -> Floats:
        """Scores [I] from the person's trained factors."""
        return self._product(self.users[user])

    def folded(self, rated: Rows) -> Floats:
        """Scores [I] from factors that are solved from the rated titles."""
        return self._product(folded_person(self.items, rated, self.recipe))

    def _product(self, person: Floats | Singles) -> Floats:
        scores: Floats = self.items.astype(np.float64) @ person.astype(np.float64)
        return scores

    def facts(self) -> dict[str, Any]:
        """The family and its fold-in parameters."""
        return {"family": self.recipe.family} | self.fold_in_parameters()

    def fold_in_parameters(self) -> dict[str, Any]:
        """The parameters of fold-in: confidence and ridge."""
        own = self.recipe.person
        if own is None:
            return {"alpha": self.recipe.alpha, "reg": self.recipe.reg}
        return {"alpha": self.recipe.alpha, "reg": own.reg, "power": own.power}

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
    users, items = _solved(ratings.matrix, fit.items, recipe), fit.items
    for _ in range(sweeps):
        items = _solved(by_title, users, recipe)
        users = _solved(ratings.matrix, items, recipe)
    return replace(fit, users=users, items=items)


def _solved(matrix: RatingsMatrix, fixed: Singles, recipe: ImplicitAlsRecipe) -> Singles:
    """Factors of the matrix's rows given its columns' factors `fixed`; 0 for an empty row."""
    factors = fixed.astype(np.float64)
    rest = 1.0 / (1.0 + recipe.alpha)
    everything, known = rest * (factors.T @ factors), int(factors.any(axis=1).sum())
    found: Floats = np.zeros((len(matrix.indptr) - 1, recipe.rank))
    for row in np.flatnonzero(np.diff(matrix.indptr)).tolist():
        rated = factors[matrix.items(row)]
        ridge = _ridge(recipe, len(rated), rest * known)
        system = everything + (1.0 - rest) * (rated.T @ rated) + ridge * np.eye(recipe.rank)
        found[row] = np.linalg.solve(system, rated.sum(axis=0))
    return found.astype(np.float32)


def folded_person(fixed: Singles, rated: Rows, recipe: ImplicitAlsRecipe) -> Floats:
    """Factors of a person who rated these titles, given the titles' factors `fixed`.

    Weighted least squares over every title with factors (Hu, Koren and Volinsky, equation 4). An
    unrated title has the weight 1 / (1 + alpha), a rated one 1.
    """
    known = np.flatnonzero(fixed.any(axis=1))
    seen = np.isin(known, rated)
    rest = 1.0 / (1.0 + recipe.alpha)
    weights = np.sqrt(np.where(seen, 1.0, rest))
    ridge = _ridge(recipe, int(seen.sum()), rest * len(known))
    design = np.vstack([fixed[known] * weights[:, None], np.sqrt(ridge) * np.eye(recipe.rank)])
    targets = np.concatenate([weights * seen, np.zeros(recipe.rank)])
    found: Floats = np.linalg.lstsq(design.astype(np.float64), targets)[0]
    return found


def _ridge(recipe: ImplicitAlsRecipe, rated: int, rest: float) -> float:
    if recipe.person is None:
        return recipe.reg * rated / (1.0 + recipe.alpha)
    return float(recipe.person.reg * (rated + rest) ** recipe.person.power)


FAMILY = RankerFamily(ImplicitAlsRecipe, fit_implicit_als)
