"""The block Gibbs sampler of the family `bayes`: Markov chains over the model of `bayes_model.py`.

A sweep draws the likelihood's own parameters, then people's priors and vectors, then titles'. A
chain keeps the mean of the expected stars of *every* person and title: that is the posterior mean
of what the model is used for (an average of the draws' predictions, not of their vectors).

Chains run as Spark tasks, one task a chain, on whatever executor has a free core. A chain needs all
ratings, so the problem is broadcast; the task returns the chain's mean, packed into a factor model.
Spark gives its Python workers OMP_NUM_THREADS = spark.task.cpus, so that two chains on two cores do
not compete for them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from pyspark import Broadcast
from pyspark.sql import SparkSession

from marquee.progress import report_progress, stage_now
from scoring.arrays import Floats, Ints, Rows, Singles
from spark_apps.recommender.bayes_model import LatentStars, Likelihood, Prior, likelihood_of
from spark_apps.recommender.families import FactorModel
from spark_apps.recommender.training_data import FeatureBlocks, leading

START = 0.1  # standard deviation of the first vectors
SLACK = 1.3  # the longest row of a group over its shortest
SPARE = 4  # short rows may differ by this many
CELLS = 400_000  # of a rectangle at most: 60 MB a gather of 20 columns


@dataclass(frozen=True)
class Problem:
    """Ratings by row, and the side information of people and titles as columns."""

    users: Rows
    items: Rows
    values: Floats
    people: FeatureBlocks
    titles: FeatureBlocks

    @property
    def shape(self) -> tuple[int, int]:
        """How many people and titles."""
        return len(self.people.values), len(self.titles.values)


@dataclass(frozen=True)
class ChainPlan:
    """What a chain does: executors get this and no recipe, whose types would import Spark's ML.

    `sweeps` sweeps, of which every `every`-th after `burn_in` is kept; vectors of `rank` tastes;
    the mean is packed into `packed_rank` factors where it ran.
    """

    likelihood: str
    noise_shape: float
    rank: int
    sweeps: int
    burn_in: int
    every: int
    packed_rank: int

    @property
    def kept(self) -> int:
        """Draws kept of a chain."""
        return max(0, -(-(self.sweeps - self.burn_in) // self.every))

    def keeps(self, sweep: int) -> bool:
        """Whether the draw after this sweep (from 0) counts."""
        return sweep >= self.burn_in and (sweep - self.burn_in) % self.every == 0


def run_chains(
    spark: SparkSession, problem: Problem, plan: ChainPlan, chains: int, seed: int
) -> list[Packed]:
    """The packed mean of every Markov chain, in the order of their seeds."""
    context = spark.sparkContext
    seeds = [int(s) for s in np.random.SeedSequence(seed).generate_state(chains)]
    shared = context.broadcast(problem)
    try:
        tasks = context.parallelize(seeds, chains)
        chain = partial(_packed_chain, shared, plan, stage_now())
        found: list[Packed] = tasks.map(chain).collect()
        return found
    finally:
        shared.destroy()


def _packed_chain(shared: Broadcast[Problem], plan: ChainPlan, stage: str, seed: int) -> Packed:
    """On an executor."""
    stars = run_chain(shared.value, plan, seed, stage)
    return pack(stars, plan.packed_rank, seed)


def run_chain(problem: Problem, plan: ChainPlan, seed: int, stage: str = "") -> Singles:
    """Mean expected stars [people, titles] over the draws kept; `stage` names the fit in what is
    reported of its progress."""
    rng = np.random.default_rng(seed)
    people, titles = initial_state(problem, plan.rank + 1, rng)
    stars = likelihood_of(plan.likelihood, problem.values, problem.users, plan.noise_shape)
    total, kept = np.zeros(problem.shape, dtype=np.float32), 0
    for number in range(plan.sweeps):
        sweep(problem, people, titles, stars, rng)
        if plan.keeps(number):
            total += stars.expected(all_scores(people.vectors, titles.vectors))
            kept += 1
        report_progress("sweep", number + 1, plan.sweeps, stage)
    return total / np.float32(kept)


def initial_state(
    problem: Problem, width: int, rng: np.random.Generator
) -> tuple[VectorState, VectorState]:
    """People and titles before the first sweep."""
    n, m = problem.shape
    people, titles = Prior.start(problem.people, width), Prior.start(problem.titles, width)
    return (
        VectorState.start(problem.users, problem.items, (n, m), people, rng),
        VectorState.start(problem.items, problem.users, (m, n), titles, rng),
    )


@dataclass
class VectorState:
    """The present draw of people's or of titles' vectors [n, 1 + factors], and of their prior."""

    groups: list[Group]
    prior: Prior
    vectors: Floats

    @classmethod
    def start(
        cls, own: Rows, other: Rows, sizes: tuple[int, int], prior: Prior, rng: np.random.Generator
    ) -> VectorState:
        """`own` and `other` are the ratings' rows, `sizes` how many rows there are of each."""
        vectors = START * rng.normal(size=(sizes[0], len(prior.m)))
        return cls(group_rows(own, other, *sizes), prior, vectors)

    def draw(self, other: Floats, stars: LatentStars, rng: np.random.Generator) -> None:
        """Draw the prior given the vectors, then the vectors given the `other` vectors."""
        self.prior.draw(self.vectors, rng)
        noise = rng.normal(size=self.vectors.shape)
        prior = self.prior
        self.vectors = draw_vectors(
            self.groups, prior.means(), prior.precision, other, stars, noise
        )


def sweep(
    problem: Problem,
    people: VectorState,
    titles: VectorState,
    stars: Likelihood,
    rng: np.random.Generator,
) -> LatentStars:
    """Draw everything once, each block given all others; returns what the vectors were fitted
    to."""
    scores = pair_scores(people.vectors[problem.users], titles.vectors[problem.items])
    latent = stars.draw(scores, rng)
    people.draw(titles.vectors, latent, rng)
    titles.draw(people.vectors, latent, rng)
    return latent


def pair_scores(people: Floats, titles: Floats) -> Floats:
    """Score of each pair of vectors [n, 1 + factors]: biases and the product of tastes."""
    product: Floats = np.einsum("nk,nk->n", people[:, 1:], titles[:, 1:])
    return people[:, 0] + titles[:, 0] + product


def all_scores(people: Floats, titles: Floats) -> Singles:
    """Scores of everybody with everything, in single precision: they are summed, not compared."""
    users, items = people.astype(np.float32), titles.astype(np.float32)
    scores: Singles = users[:, 1:] @ items[:, 1:].T
    return scores + users[:, :1] + items[:, 0]


def draw_vectors(
    groups: list[Group],
    means: Floats,
    precision: Floats,
    other: Floats,
    stars: LatentStars,
    noise: Floats,
) -> Floats:
    """New vectors [n, K] of people or titles, all rows at once.

    Given are the prior's `means` [n, K] and `precision` [K, K], the `other` vectors [m, K] (titles'
    for people, people's for titles), and standard normal `noise` [n, K]. A row's vector
    [bias, taste] has a Gaussian posterior:

        precision = L + p X'X,   precision x mean = L mean_n + p X'(z - other bias),
        X = [1, taste]

    Salakhutdinov and Mnih (ICML 2008), equation 12, with the bias as the first column. A draw is
    the solution of two triangular systems (Rue, Fast Sampling of Gaussian Markov Random Fields,
    2001).
    """
    design = np.vstack([other, np.zeros(other.shape[1])])  # the last row is the padding's
    design[:-1, 0] = 1.0
    bias = np.append(other[:, 0], 0.0)
    z, weight = np.append(stars.z, 0.0), np.append(stars.precision, 0.0)
    drawn = np.empty_like(means)
    for group in groups:
        x = design[group.others]
        weighted = (x * weight[group.places][..., None]).transpose(0, 2, 1)
        residual = (z[group.places] - bias[group.others])[..., None]
        drawn[group.own] = _draw(
            precision + weighted @ x,
            means[group.own] @ precision + (weighted @ residual)[..., 0],
            noise[group.own],
        )
    return drawn


def _draw(systems: Floats, targets: Floats, noise: Floats) -> Floats:
    """Draws of N(system^-1 target, system^-1) for a stack of systems [g, K, K]."""
    lower = np.linalg.cholesky(systems)
    half = np.linalg.solve(lower, targets[..., None])[..., 0] + noise
    drawn: Floats = np.linalg.solve(lower.transpose(0, 2, 1), half[..., None])[..., 0]
    return drawn


@dataclass(frozen=True)
class Group:
    """Rows `own` [g] of people (or titles) with about as many ratings each, their partners
    `others` [g, longest] and the `places` of their ratings.

    NumPy multiplies a stack of equal matrices fast and a list of unequal ones slowly. Rows are
    padded to the longest of their group with the number of partners (or ratings): one past the
    last.
    """

    own: Rows
    others: Rows
    places: Rows


def group_rows(own: Rows, others: Rows, count: int, partners: int) -> list[Group]:
    """Every row 0..count-1 is in exactly one group, those without ratings in one of width 0."""
    order = np.argsort(own, kind="stable")
    counts = np.bincount(own, minlength=count)
    starts = np.concatenate([[0], np.cumsum(counts)])
    by_size = np.argsort(counts, kind="stable")
    groups = []
    for rows in _alike(by_size, counts[by_size]):
        steps = np.arange(counts[rows].max())[None]
        inside = steps < counts[rows][:, None]
        where = np.minimum(starts[rows][:, None] + steps, len(own) - 1)
        places = np.where(inside, order[where], len(own))
        partner = np.where(inside, others[order[where]], partners)
        groups.append(Group(rows, partner, places))
    return groups


def _alike(by_size: Ints, sizes: Ints) -> list[Rows]:
    """Consecutive runs of rows of nearly one size, none with more than CELLS cells."""
    runs, start = [], 0
    while start < len(by_size):
        limit = max(sizes[start] * SLACK, sizes[start] + SPARE) if sizes[start] else 0
        end = int(np.searchsorted(sizes, limit, side="right"))
        end = min(end, start + max(1, int(CELLS // max(sizes[end - 1], 1))))
        runs.append(by_size[start:end])
        start = end
    return runs


@dataclass(frozen=True)
class Packed:
    """A factor model packed from a matrix, and the root mean square, in stars, of what it leaves
    out of that matrix."""

    model: FactorModel
    loss: float


def pack(stars: Singles | Floats, rank: int, seed: int) -> Packed:
    """The factor model of this rank that is nearest to `stars` [people, titles] in the
    least-squares sense: row and column means become biases, and the leading singular directions
    of the residual become factors."""
    mean = float(stars.mean(dtype=np.float64))
    user_bias = stars.mean(axis=1, dtype=np.float64) - mean
    item_bias = stars.mean(axis=0, dtype=np.float64) - mean
    residual = stars - user_bias[:, None] - item_bias - mean
    rank = min(rank, *stars.shape)
    left, values, right = leading(residual, rank, seed)
    lost = max(float((residual**2).sum() - (values**2).sum()), 0.0)
    root = np.sqrt(values)
    loss = (lost / stars.size) ** 0.5
    model = FactorModel(mean, user_bias, item_bias, left * root, right * root)
    return Packed(model, loss)
