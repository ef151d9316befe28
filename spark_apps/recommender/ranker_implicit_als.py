"""The ranker family `implicit_als`: a score is a person's factors times a title's.

Spark fits the factors to who rated what, whatever the stars. Its ridge grows with the number of
ratings only. One that counts the titles not rated too (Rendle et al., Revisiting the Performance of
iALS on Item Recommendation Benchmarks, RecSys 2022) ranks better: where a recipe gives a `person`
ridge, the driver continues under it from where Spark stopped.
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
from spark_apps.recommender.als import AlsFit, als_of, fit_als, save_als
from spark_apps.recommender.families import FittedRanker, RankerFamily
from spark_apps.recommender.recipes import Positive, RankerRecipe, Recipe, Share, Whole
from spark_apps.recommender.training_data import IndexedRatings


class PersonRidge(Recipe):
    """People's factors are solved once more, with the ridge `reg` (n + w I)^`power`: n of I titles
    are rated, and each of the rest has the weight w beside a rated one's 1. Before that, titles and
    people are solved alike in `sweeps` turns."""

    reg: Positive
    power: Share
    sweeps: Annotated[int, Field(ge=0, le=50)] = 0


class ImplicitAlsRecipe(RankerRecipe):
    """Implicit ALS over who rated what; `alpha` is the extra confidence of a rated title.

    Without `person`, people's factors are Spark's.
    """

    family: Literal["implicit_als"]
    rank: Whole
    alpha: Positive
    reg: Positive
    iterations: Whole
    person: PersonRidge | None = None

    @property
    def spark_iterations(self) -> int:
        """All of them."""
        return self.iterations


def fit_implicit_als(
    ratings: IndexedRatings, frame: DataFrame, recipe: ImplicitAlsRecipe, seed: int
) -> ImplicitAls:
    """By Spark, and further on the driver where the recipe gives a ridge of its own."""
    als = als_of(ratings, recipe, seed).setRatingCol("seen").setImplicitPrefs(True)
    fit = fit_als(als.setAlpha(recipe.alpha), ratings, frame)
    fit = _polished(ratings, fit, recipe) if recipe.person else fit
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
        """Titles with factors."""
        known: Mask = np.asarray(self.items.any(axis=1))
        return known

    def scores(self, user: int, rated: Rows) -> Floats:
        """By the person's trained factors."""
        return self._product(self.users[user])

    def folded(self, rated: Rows) -> Floats:
        """By factors solved from the rated titles."""
        return self._product(folded_person(self.items, rated, self.recipe))

    def _product(self, person: Floats | Singles) -> Floats:
        scores: Floats = self.items.astype(np.float64) @ person.astype(np.float64)
        return scores

    def facts(self) -> dict[str, Any]:
        """The family and its equations."""
        return {"family": self.recipe.family} | self.equations()

    def equations(self) -> dict[str, Any]:
        """What folds a person in."""
        own = self.recipe.person
        if own is None:
            return {"alpha": self.recipe.alpha, "reg": self.recipe.reg}
        return {"alpha": self.recipe.alpha, "reg": own.reg, "power": own.power}

    @property
    def spark_model(self) -> ALSModel | None:
        """Spark's, where its factors are shipped as they are."""
        return self.als.model if self.recipe.person is None else None

    def save(self, folder: Path) -> None:
        """As Spark saves an ALS model."""
        save_als(self.als, folder)


def _polished(ratings: IndexedRatings, fit: AlsFit, recipe: ImplicitAlsRecipe) -> AlsFit:
    """Titles and people solved in turn under the recipe's own ridge, people last."""
    sweeps = recipe.person.sweeps if recipe.person else 0
    by_title = RatingsMatrix.build(ratings.items, ratings.users, ratings.values, len(fit.items))
    users, items = _solved(ratings.matrix, fit.items, recipe), fit.items
    for _ in range(sweeps):
        items = _solved(by_title, users, recipe)
        users = _solved(ratings.matrix, items, recipe)
    return replace(fit, users=users, items=items)


def _solved(matrix: RatingsMatrix, fixed: Singles, recipe: ImplicitAlsRecipe) -> Singles:
    """Factors of the matrix's rows, those of its columns `fixed`; zero where a row is empty."""
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
    """Factors of somebody who rated these titles, the titles' factors `fixed`.

    One weighted least-squares problem over every title with factors (Hu, Koren and Volinsky,
    equation 4): a title not rated weighs 1 / (1 + alpha) of a rated one. A rated title without
    factors counts for nothing.
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
