"""The block Gibbs sampler of the family `bayes`: Markov chains over the model of `bayes_model.py`.

A sweep draws the likelihood's parameters, then people's prior and vectors, then titles' prior and
vectors. A chain returns the mean over its draws of the expected stars of every person and title.
It averages predictions, because the average of the draws' vectors has no meaning.

Each chain is one Spark task. The ratings are broadcast, because every chain needs all of them. A
task returns its mean, packed into a factor model. Spark sets OMP_NUM_THREADS = spark.task.cpus for
its Python workers, so that two chains on two cores do not compete.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from pyspark import Broadcast
from pyspark.sql import SparkSession

from marquee.progress import current_stage, report_progress
from scoring.arrays import Floats, Ints, Rows, Singles
from spark_apps.recommender.bayes_model import LatentStars, Likelihood, Prior, likelihood_of
from spark_apps.recommender.families import FactorModel
from spark_apps.recommender.training_data import FeatureBlocks, truncated_svd

INITIAL_DEVIATION = 0.1  # standard deviation of the initial vectors
MOST_SIZE_RATIO = 1.3  # largest ratio of the longest to the shortest row of a group
MOST_SIZE_DIFFERENCE = 4  # difference of ratings that short rows of a group may always have
MOST_CELLS = 400_000  # most cells of a group's padded rectangle: 60 MB with 20 columns


@dataclass(frozen=True)
class Problem:
    """Ratings by row, and the side information [n, F] of people and of titles."""

    users: Rows
    items: Rows
    values: Floats
    people: FeatureBlocks
    titles: FeatureBlocks

    @property
    def shape(self) -> tuple[int, int]:
        """(number of people, number of titles)"""
        return len(self.people.values), len(self.titles.values)


@dataclass(frozen=True)
class ChainPlan:
    """The parameters of a chain, as executors get them; a recipe would import Spark's ML there.

    A chain makes `sweeps` sweeps and keeps every `every`-th draw after `burn_in`. Vectors are a
    bias and `rank` factors. The chain's mean is packed into `packed_rank` factors.
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
        """The number of draws that a chain keeps."""
        return max(0, -(-(self.sweeps - self.burn_in) // self.every))

    def keeps(self, sweep: int) -> bool:
        """Whether the draw of this sweep (counted from 0) is kept."""
        return sweep >= self.burn_in and (sweep - self.burn_in) % self.every == 0


def run_chains(
    spark: SparkSession, problem: Problem, plan: ChainPlan, chains: int, seed: int
) -> list[Packed]:
    """The packed mean of each Markov chain, in the order of the chains' seeds."""
    context = spark.sparkContext
    seeds = [int(s) for s in np.random.SeedSequence(seed).generate_state(chains)]
    shared = context.broadcast(problem)
    try:
        tasks = context.parallelize(seeds, chains)
        chain = partial(_packed_chain, shared, plan, current_stage())
        found: list[Packed] = tasks.map(chain).collect()
        return found
    finally:
        shared.destroy()


def _packed_chain(shared: Broadcast[Problem], plan: ChainPlan, stage: str, seed: int) -> Packed:
    """Run and pack one chain; called on an executor."""
    stars = run_chain(shared.value, plan, seed, stage)
    return pack(stars, plan.packed_rank, seed)


def run_chain(problem: Problem, plan: ChainPlan, seed: int, stage: str = "") -> Singles:
    """Mean expected stars [people, titles] over the kept draws; `stage` is for progress lines."""
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
    """The current draw of people's or of titles' vectors [n, 1 + factors], and of their prior."""

    groups: list[Group]
    prior: Prior
    vectors: Floats

    @classmethod
    def start(
        cls, own: Rows, other: Rows, sizes: tuple[int, int], prior: Prior, rng: np.random.Generator
    ) -> VectorState:
        """`own`, `other` [ratings]: rows of these vectors and of the partners."""
        vectors = INITIAL_DEVIATION * rng.normal(size=(sizes[0], len(prior.m)))
        return cls(group_rows(own, other, *sizes), prior, vectors)

    def draw(self, other: Floats, stars: LatentStars, rng: np.random.Generator) -> None:
        """Draw the prior given the vectors, then the vectors given the partners' (`other`)."""
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
    """One Gibbs sweep: draw each block given all others; returns the latent stars drawn."""
    scores = pair_scores(people.vectors[problem.users], titles.vectors[problem.items])
    latent = stars.draw(scores, rng)
    people.draw(titles.vectors, latent, rng)
    titles.draw(people.vectors, latent, rng)
    return latent


def pair_scores(people: Floats, titles: Floats) -> Floats:
    """Scores [n] of pairs of vectors [n, 1 + factors]: both biases plus the factors' product."""
    product: Floats = np.einsum("nk,nk->n", people[:, 1:], titles[:, 1:])
    return people[:, 0] + titles[:, 0] + product


def all_scores(people: Floats, titles: Floats) -> Singles:
    """Scores [people, titles] in single precision, which is enough for a mean over draws."""
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

    Given are the prior's `means` [n, K] and `precision` [K, K], the partners' vectors `other`
    [m, K], and standard normal `noise` [n, K]. A row's vector [bias, factors] has a Gaussian
    posterior:

        precision = L + p X'X,   precision x mean = L mean_n + p X'(z - other bias),
        X = [1, factors of the partners]

    Salakhutdinov and Mnih (ICML 2008), equation 12, with the bias as the first column. A draw is
    the solution of two triangular systems (Rue, Fast Sampling of Gaussian Markov Random Fields,
    2001).
    """
    design = np.vstack([other, np.zeros(other.shape[1])])  # the last row is for the padding
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
    """People (or titles) with similar numbers of ratings, as one stack for NumPy.

    `own` [g] are their rows, `others` [g, longest] the partners' rows, `places` [g, longest] the
    indices of their ratings. Padding is one past the last valid value.
    """

    own: Rows
    others: Rows
    places: Rows


def group_rows(own: Rows, others: Rows, count: int, partners: int) -> list[Group]:
    """Groups of the rows 0..count-1; rows without ratings form a group of width 0."""
    order = np.argsort(own, kind="stable")
    counts = np.bincount(own, minlength=count)
    starts = np.concatenate([[0], np.cumsum(counts)])
    by_size = np.argsort(counts, kind="stable")
    groups = []
    for rows in _similar_sizes(by_size, counts[by_size]):
        steps = np.arange(counts[rows].max())[None]
        inside = steps < counts[rows][:, None]
        where = np.minimum(starts[rows][:, None] + steps, len(own) - 1)
        places = np.where(inside, order[where], len(own))
        partner = np.where(inside, others[order[where]], partners)
        groups.append(Group(rows, partner, places))
    return groups


def _similar_sizes(by_size: Ints, sizes: Ints) -> list[Rows]:
    """Consecutive runs of rows of similar size, each with at most MOST_CELLS cells."""
    runs, start = [], 0
    while start < len(by_size):
        limit = (
            max(sizes[start] * MOST_SIZE_RATIO, sizes[start] + MOST_SIZE_DIFFERENCE)
            if sizes[start]
            else 0
        )
        end = int(np.searchsorted(sizes, limit, side="right"))
        end = min(end, start + max(1, int(MOST_CELLS // max(sizes[end - 1], 1))))
        runs.append(by_size[start:end])
        start = end
    return runs


@dataclass(frozen=True)
class Packed:
    """A factor model packed from a matrix, and its root mean square error in stars."""

    model: FactorModel
    loss: float


def pack(stars: Singles | Floats, rank: int, seed: int) -> Packed:
    """Pack `stars` [people, titles] into a factor model of this rank.

    Row and column means become biases. The truncated SVD of the residual becomes the factors, which
    is the least-squares fit of this rank.
    """
    mean = float(stars.mean(dtype=np.float64))
    user_bias = stars.mean(axis=1, dtype=np.float64) - mean
    item_bias = stars.mean(axis=0, dtype=np.float64) - mean
    residual = stars - user_bias[:, None] - item_bias - mean
    rank = min(rank, *stars.shape)
    left, values, right = truncated_svd(residual, rank, seed)
    lost = max(float((residual**2).sum() - (values**2).sum()), 0.0)
    root = np.sqrt(values)
    loss = (lost / stars.size) ** 0.5
    model = FactorModel(mean, user_bias, item_bias, left * root, right * root)
    return Packed(model, loss)
