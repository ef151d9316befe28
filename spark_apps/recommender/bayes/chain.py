"""One Markov chain by block Gibbs: thresholds or noise, people, titles, and again.

It keeps the mean of the expected stars of *every* person and title, which is the posterior mean of
what is asked of the model (an average of draws' predictions, not of their vectors).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from marquee.progress import report_progress
from scoring.arrays import Floats, Rows, Singles
from spark_apps.recommender.bayes.likelihood import Likelihood, likelihood
from spark_apps.recommender.bayes.padding import Group, group_rows
from spark_apps.recommender.bayes.prior import Prior
from spark_apps.recommender.bayes.sides import Columns
from spark_apps.recommender.bayes.vectors import Seen, draw_vectors
from spark_apps.recommender.recipes import BayesRecipe

START = 0.1  # standard deviation of the first vectors


@dataclass(frozen=True)
class Problem:
    """Ratings by row, and the side columns of people and titles."""

    users: Rows
    items: Rows
    values: Floats
    people: Columns
    titles: Columns

    @property
    def shape(self) -> tuple[int, int]:
        """How many people and titles."""
        return len(self.people.values), len(self.titles.values)


@dataclass
class Side:
    """One side's present draw: vectors [n, 1 + factors] and their prior."""

    groups: list[Group]
    prior: Prior
    vectors: Floats

    @classmethod
    def start(
        cls, own: Rows, other: Rows, sizes: tuple[int, int], prior: Prior, lots: np.random.Generator
    ) -> Side:
        """`sizes`: rows of this side and of the other."""
        vectors = START * lots.normal(size=(sizes[0], len(prior.m)))
        return cls(group_rows(own, other, *sizes), prior, vectors)

    def step(self, other: Floats, seen: Seen, lots: np.random.Generator) -> None:
        """Draw the prior given the vectors, then the vectors."""
        self.prior.draw(self.vectors, lots)
        noise = lots.normal(size=self.vectors.shape)
        prior = self.prior
        self.vectors = draw_vectors(self.groups, prior.means(), prior.precision, other, seen, noise)


def run_chain(problem: Problem, recipe: BayesRecipe, seed: int, stage: str = "") -> Singles:
    """Mean expected stars [people, titles] over the draws kept; `stage` says whose sweeps."""
    lots = np.random.default_rng(seed)
    people, titles = start(problem, recipe.rank + 1, lots)
    stars = likelihood(recipe.likelihood, problem.values, problem.users, recipe.noise_shape)
    total, kept = np.zeros(problem.shape, dtype=np.float32), 0
    for number in range(recipe.sweeps):
        sweep(problem, people, titles, stars, lots)
        if recipe.keeps(number):
            total += stars.expected(all_scores(people.vectors, titles.vectors))
            kept += 1
        report_progress("sweep", number + 1, recipe.sweeps, stage)
    return total / np.float32(kept)


def sweep(
    problem: Problem, people: Side, titles: Side, stars: Likelihood, lots: np.random.Generator
) -> Seen:
    """Draw everything once, each part given all others; what the vectors were fitted to."""
    scores = pair_scores(people.vectors[problem.users], titles.vectors[problem.items])
    seen = stars.step(scores, lots)
    people.step(titles.vectors, seen, lots)
    titles.step(people.vectors, seen, lots)
    return seen


def start(problem: Problem, width: int, lots: np.random.Generator) -> tuple[Side, Side]:
    """Both sides before the first sweep."""
    n, m = problem.shape
    people, titles = Prior.start(problem.people, width), Prior.start(problem.titles, width)
    return (
        Side.start(problem.users, problem.items, (n, m), people, lots),
        Side.start(problem.items, problem.users, (m, n), titles, lots),
    )


def pair_scores(left: Floats, right: Floats) -> Floats:
    """Score of each pair of vectors [n, 1 + factors]: biases and the product of tastes."""
    product: Floats = np.einsum("nk,nk->n", left[:, 1:], right[:, 1:])
    return left[:, 0] + right[:, 0] + product


def all_scores(people: Floats, titles: Floats) -> Singles:
    """Scores of everybody with everything, in single precision: they are summed, not compared."""
    left, right = people.astype(np.float32), titles.astype(np.float32)
    scores: Singles = left[:, 1:] @ right[:, 1:].T
    return scores + left[:, :1] + right[:, 0]
