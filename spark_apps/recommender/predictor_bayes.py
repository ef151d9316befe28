"""The predictor family `bayes`: Bayesian matrix factorisation with side information.

Its Markov chains (`gibbs_sampler.py`) sample the model of `bayes_model.py`. The posterior mean of
the stars of all people and titles is one factor model (`posterior_mean.py`). A prior for new people
is fitted to the trained people. Memory and operations are estimated before a fit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator
from pyspark.sql import SparkSession

from marquee.errors import RecipeError
from scoring.arrays import Floats, Rows
from scoring.recommender.fold_in import BayesFoldIn
from scoring.recommender.ratings_arrays import RatingsMatrix
from spark_apps.recommender.als import save_factors
from spark_apps.recommender.families import (
    FactorModel,
    Predictor,
    PredictorFamily,
    PredictorTask,
    Size,
)
from spark_apps.recommender.gibbs_sampler import ChainPlan, LastStates, Problem, run_chains
from spark_apps.recommender.indexed_ratings import IndexedRatings
from spark_apps.recommender.posterior_mean import Packed, mean_of_chains, random_pairs
from spark_apps.recommender.rating_blocks import blocks_of
from spark_apps.recommender.recipes import Positive, RecommenderRecipe, Whole
from spark_apps.recommender.training_data import feature_blocks, rated_matrix

CHAIN_WIDTH = 2  # a chain's own mean is packed into this many times the final rank
FEWEST_SWEEPS = 100  # chains of fewer sweeps are not shortened for the forecast
SINGLE, DOUBLE = 4, 8  # bytes
COPIES = 5  # of a side's vectors in a chain: draw, means, table, solutions, effects of columns
GIVEN_COLUMNS = 60  # of side information beside the set columns, about
BLOCK_BYTES = 50_000_000  # a mapped block and the arrays of a gather
RIDGE = 10.0  # ridge penalty of the regression behind the prior
VARIANCE_FLOOR = 1e-6  # added to variances, because one person alone has a variance of 0
NOISE_VARIANCES = (0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.5)  # variances of a star
NOISE_PEOPLE = 60  # people on whom the noise is chosen


class BayesRecipe(RecommenderRecipe):
    """Bayesian matrix factorisation with side information.

    - `chains` Markov chains make `sweeps` sweeps each and keep every `every`-th after `burn_in`.
    - `burn_in_warm`: the burn-in of chains that go on from the last states of an earlier fit.
    - `noise_shape`: the larger it is, the less the noise differs between people.
    - `rank`: factors of a vector; `packed_rank`: factors of the shipped model.
    - `side_columns`: most columns for the rated titles of people, and for the raters of titles.
    - `most_gigabytes`, `most_teraoperations`: the recipe is refused where the estimate is higher.
    """

    family: Literal["bayes"]
    noise_shape: Positive
    rank: Annotated[int, Field(ge=1, le=64)]
    chains: Annotated[int, Field(ge=1, le=64)]
    sweeps: Annotated[int, Field(ge=2, le=10_000)]
    burn_in: Annotated[int, Field(ge=0)]
    burn_in_warm: Annotated[int, Field(ge=1)] = 10
    every: Annotated[int, Field(ge=1)]
    side_columns: Annotated[int, Field(ge=1, le=500)]
    packed_rank: Whole
    most_gigabytes: Positive
    most_teraoperations: Positive

    @model_validator(mode="before")
    @classmethod
    def _without_likelihood(cls, table: object) -> object:
        """Earlier bundles name the one likelihood that is left."""
        if isinstance(table, Mapping) and table.get("likelihood") == "normal":
            return {key: value for key, value in table.items() if key != "likelihood"}
        return table

    @model_validator(mode="after")
    def _keeps_a_draw(self) -> Self:
        if self.kept < 1:
            raise ValueError("burn_in leaves no sweep to keep: give fewer, or more sweeps")
        return self

    @property
    def kept(self) -> int:
        """The number of draws that a chain keeps."""
        return self.plan().kept

    def plan(self) -> ChainPlan:
        """The parameters of each chain.

        A chain packs its mean at CHAIN_WIDTH times the final rank, for a smaller loss.
        """
        return ChainPlan(
            self.noise_shape,
            self.rank,
            self.sweeps,
            self.burn_in,
            self.every,
            CHAIN_WIDTH * self.packed_rank,
        )

    def shortened(self) -> tuple[BayesRecipe, str]:
        """Half the sweeps: this adds 0.004 to the inner RMSE on ml-latest-small."""
        if self.sweeps < FEWEST_SWEEPS:
            return self, ""
        half = {"sweeps": self.sweeps // 2, "burn_in": self.burn_in // 2}
        brief = self.model_copy(update=half)
        return brief, f"the forecast's chains are half as long: {brief.sweeps} sweeps"


def fit_bayes(task: PredictorTask, recipe: BayesRecipe) -> BayesFit:
    """Run the chains on executors, pack on the driver; RecipeError where the cost is too high.

    Where `task.start` holds the last states of a fit, the chains go on from them.
    """
    ratings, seed = task.ratings, task.seed
    shape = ratings.catalogue.shape
    refuse_over_budget(recipe, Size(len(ratings), *shape))
    columns = feature_blocks(ratings, task.side_information, recipe.side_columns, seed)
    (mean, variance), pairs = ratings.moments, random_pairs(shape, seed)
    problem = Problem(ratings.levels - mean, variance, *columns, pairs)
    blocks = blocks_of(ratings.indptr, ratings.indices, ratings.stars, shape[1])
    plan, starts = recipe.plan(), []
    if isinstance(task.start, LastStates):
        plan, starts = plan.after_burn_in_of(recipe.burn_in_warm), task.start.at(ratings.catalogue)
    ran = run_chains(task.spark, problem, blocks, plan, recipe.chains, seed, starts)
    packed = mean_of_chains([one for one, _ in ran], mean, recipe.packed_rank, pairs)
    prior = learn_prior(packed.model, ratings, seed)
    ids = ratings.catalogue.user_ids, ratings.catalogue.movie_ids
    return BayesFit(recipe, packed, prior, LastStates(*ids, tuple(state for _, state in ran)))


@dataclass(frozen=True)
class BayesFit(Predictor):
    """The packed posterior mean, and the `prior` of a new person."""

    recipe: BayesRecipe
    packed: Packed
    prior: dict[str, Any]
    states: LastStates

    def last_states(self) -> LastStates:
        """The last state of each chain, from which a fit on other ratings may go on."""
        return self.states

    def factor_model(self) -> FactorModel:
        """The packed model in double precision."""
        return self.packed.model

    def fold_in(self) -> dict[str, Any]:
        """The prior of a new person's bias and factors, given the titles they rated."""
        return self.prior

    def answers(self, spark: SparkSession, users: Rows, items: Rows) -> Floats:
        """The stars of the pairs by the double-precision model."""
        return self.packed.model.predict(users, items)

    def folded(self, items: Rows, stars: Floats) -> tuple[float, Floats]:
        """The posterior mean, by a system of n stars; the scorer solves one of K factors.

        start + S D' (D S D' + noise I)^-1 residuals, with the prior's covariance S and the design D
        (Rasmussen and Williams, Gaussian Processes for Machine Learning, section 2.1).
        """
        model, prior = self.packed.model, self.prior
        rated = np.column_stack([model.item_bias[items], model.item_factors[items]])
        effects, n = np.array(prior["effects"]), len(items)
        start = effects[0] + np.log1p(n) * effects[1] + rated.sum(axis=0) / np.sqrt(n) @ effects[2:]
        design = np.column_stack([np.ones(n), rated[:, 1:]])
        gain = np.linalg.inv(np.array(prior["precision"])) @ design.T
        residuals = stars - model.mean - rated[:, 0] - design @ start
        own = start + gain @ np.linalg.solve(design @ gain + prior["noise"] * np.eye(n), residuals)
        bias = float(own[0])
        return bias, model.mean + bias + model.item_bias + model.item_factors @ own[1:]

    def save(self, folder: Path, spark: SparkSession) -> None:
        """Save biases as two more factors, so that Spark's product is the whole prediction."""
        model = self.packed.model
        base = model.mean + model.user_bias
        users = np.column_stack([model.user_factors, base, np.ones(len(base))])
        ones = np.ones(len(model.item_bias))
        items = np.column_stack([model.item_factors, ones, model.item_bias])
        save_factors(users.astype(np.float32), items.astype(np.float32), spark.version, folder)

    def notes(self) -> list[str]:
        """The packing's loss and the fold-in's error, both in stars."""
        rank = self.packed.model.user_factors.shape[1]
        draws = self.recipe.chains * self.recipe.kept
        return [
            f"{draws} draws of {self.recipe.chains} chains were packed into {rank} factors; "
            f"root mean square loss {self.packed.loss:.4f} stars over random pairs",
            f"folding known people in comes within {self.prior['distance']:.3f} stars "
            "(root mean square) of their own answers",
        ]


def learn_prior(model: FactorModel, ratings: IndexedRatings, seed: int) -> dict[str, Any]:
    """The prior of a new person's [bias, factors]: `fold_in.predictor` of `bundle.json`.

    `effects` are a ridge regression of trained people's [bias, factors] on the titles they rated
    (`rated_columns`). `precision` is the inverse covariance of its residuals. `noise` is the value
    of NOISE_VARIANCES with the least `distance`: the root mean square difference in stars between
    folded-in and trained predictions of known people.
    """
    vectors = np.column_stack([model.user_bias, model.user_factors])
    columns = _columns(model, ratings)
    system = columns.T @ columns + RIDGE * np.eye(columns.shape[1])
    effects = np.linalg.solve(system, columns.T @ vectors)
    residuals = vectors - columns @ effects
    spread: Floats = residuals.T @ residuals / len(residuals) + VARIANCE_FLOOR * np.eye(
        vectors.shape[1]
    )
    prior = {"effects": _rounded(effects), "precision": _rounded(np.linalg.inv(spread))}
    people = np.random.default_rng(seed).permutation(len(vectors))[:NOISE_PEOPLE]
    tried = {
        v: _distance(BayesFoldIn.of(noise=v, **prior), model, ratings.matrix, people)
        for v in NOISE_VARIANCES
    }
    best = min(tried, key=lambda v: tried[v])
    return {"family": "bayes", "noise": best, "distance": tried[best], **prior}


def _columns(model: FactorModel, ratings: IndexedRatings) -> Floats:
    """The scorer's `rated_columns` of all people [U, K + 3], from one sparse product."""
    rated = rated_matrix(ratings)
    counts = np.diff(rated.indptr)
    sums = rated @ np.column_stack([model.item_bias, model.item_factors])
    sums /= np.sqrt(np.maximum(counts, 1))[:, None]
    return np.column_stack([np.ones(len(counts)), np.log1p(counts), sums])


def _distance(
    fold_in: BayesFoldIn, model: FactorModel, rated: RatingsMatrix, people: Rows
) -> float:
    """Root mean square difference between folded-in and trained stars of all titles."""
    squares = []
    for user in people:
        items, stars = rated.items(user), rated.stars(user).astype(np.float64)
        bias, factors = fold_in.person(
            model.mean, model.item_bias[items], model.item_factors[items].astype(np.float32), stars
        )
        difference = bias - model.user_bias[user]
        squares.append(
            np.mean((difference + model.item_factors @ (factors - model.user_factors[user])) ** 2)
        )
    return float(np.sqrt(np.mean(squares)))


def _rounded(table: NDArray[np.floating[Any]]) -> list[list[float]]:
    """Seven digits: the precision of the factors (float32)."""
    return [[float(f"{x:.7g}") for x in row] for row in table]


def refuse_over_budget(recipe: BayesRecipe, size: Size) -> None:
    """RecipeError where memory or operations exceed the recipe's limits."""
    needs = (bytes_needed(recipe, size) / 1e9, operations_needed(recipe, size) / 1e12)
    if needs[0] <= recipe.most_gigabytes and needs[1] <= recipe.most_teraoperations:
        return
    raise RecipeError(
        f"recipe {recipe.name} on {size.ratings} ratings of {size.people} people and "
        f"{size.titles} titles needs {needs[0]:.3g} GB a chain and {needs[1]:.3g} million million "
        f"operations, more than its {recipe.most_gigabytes:g} and {recipe.most_teraoperations:g}",
        "give an als_bias recipe beside it, or raise most_gigabytes and most_teraoperations",
    )


def bytes_needed(recipe: BayesRecipe, size: Size) -> int:
    """Peak bytes of one chain: vectors, side information, columns of the running mean.

    They grow with people + titles. The ratings are in files, of which one block is mapped.
    """
    rows, width = size.people + size.titles, recipe.rank + 1
    columns = recipe.side_columns + GIVEN_COLUMNS
    mean = 2 * CHAIN_WIDTH * recipe.packed_rank * SINGLE
    return rows * (DOUBLE * (COPIES * width + columns) + mean) + BLOCK_BYTES


def operations_needed(recipe: BayesRecipe, size: Size) -> int:
    """Multiplications and additions of all chains, largest terms only.

    A sweep makes a K x K product for each rating of a side, and a Cholesky factor for each person
    or title. A kept draw's factors are multiplied with the columns of the running mean.
    """
    width, rows = recipe.rank + 1, size.people + size.titles
    columns = recipe.side_columns + GIVEN_COLUMNS
    sweep = 4 * size.ratings * (width + 1) ** 2
    sweep += rows * (width**3 // 3 + 3 * width**2 + 4 * columns * width)
    draw = 6 * rows * CHAIN_WIDTH * recipe.packed_rank * 2 * recipe.rank
    return recipe.chains * (recipe.sweeps * sweep + recipe.kept * draw)


FAMILY = PredictorFamily(BayesRecipe, fit_bayes, refuse_over_budget)
