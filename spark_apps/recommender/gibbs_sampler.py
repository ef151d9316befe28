"""The block Gibbs sampler of the family `bayes`: Markov chains over the model of `bayes_model.py`.

A sweep draws people's prior and vectors, then their noise, then titles' prior and vectors. A chain
returns the sum over its draws of the expected stars of every person and title, as a product of
few columns (`FactorSum`). It sums predictions, because the average of the draws' vectors has no
meaning. It clips none: the scorer clips the answer.

Each chain is one Spark task. Its rating blocks come to it through Spark, and it maps them from a
file of its own (`rating_blocks.py`). Every draw is seeded by (chain, sweep, side, block), so a
chain that is started again after a lost worker repeats itself. Spark sets OMP_NUM_THREADS =
spark.task.cpus for its Python workers, so that two chains on two cores do not compete.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from pyspark import Broadcast
from pyspark.sql import SparkSession

from marquee.progress import current_stage, report_progress
from scoring.arrays import Floats, Ints, Rows, Singles, rows_of
from spark_apps.recommender.bayes_model import Noise, Prior, RowPosterior
from spark_apps.recommender.posterior_mean import ChainMean, MeanSum
from spark_apps.recommender.rating_blocks import (
    PEOPLE,
    RATINGS_A_BLOCK,
    TITLES,
    BlockFile,
    Blocks,
    SentBlock,
)
from spark_apps.recommender.training_data import FeatureBlocks

if TYPE_CHECKING:  # executors import this module, and read no Parquet
    from spark_apps.recommender.indexed_ratings import Catalogue

INITIAL_DEVIATION = 0.1  # standard deviation of the initial vectors
NOISE, START = 2, 3  # beside PEOPLE and TITLES: what a seed is for


@dataclass(frozen=True)
class Problem:
    """What every chain is given beside its blocks.

    `z` are the distinct stars minus the mean of all ratings, `variance` that of the ratings.
    `people` and `titles` are side information [n, F]. `pairs` [2, P] are rows of people and titles
    whose posterior means are kept exactly.
    """

    z: Floats
    variance: float
    people: FeatureBlocks
    titles: FeatureBlocks
    pairs: Rows

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

    def after_burn_in_of(self, sweeps: int) -> ChainPlan:
        """The same number of kept draws after another burn-in."""
        return replace(self, sweeps=self.sweeps - self.burn_in + sweeps, burn_in=sweeps)


@dataclass(frozen=True)
class ChainState:
    """Where a chain ended: vectors, people's precisions and their rate. NaN rows are unknown."""

    people: Singles
    titles: Singles
    precision: Singles
    rate: float


@dataclass(frozen=True)
class LastStates:
    """The last state of each chain of a fit, by ascending ids."""

    user_ids: Ints
    movie_ids: Ints
    chains: tuple[ChainState, ...]

    def at(self, catalogue: Catalogue) -> list[ChainState]:
        """The same states for the people and titles of another catalogue."""
        users = rows_of(self.user_ids, catalogue.user_ids)
        items = rows_of(self.movie_ids, catalogue.movie_ids)
        return [
            ChainState(
                _rows(one.people, users),
                _rows(one.titles, items),
                _rows(one.precision, users),
                one.rate,
            )
            for one in self.chains
        ]


def _rows(table: Singles, rows: Rows) -> Singles:
    found = np.full((len(rows), *table.shape[1:]), np.nan, dtype=np.float32)
    found[rows >= 0] = table[rows[rows >= 0]]
    return found


def run_chains(
    spark: SparkSession,
    problem: Problem,
    blocks: Iterable[SentBlock],
    plan: ChainPlan,
    chains: int,
    seed: int,
    starts: Sequence[ChainState] = (),
) -> list[tuple[ChainMean, ChainState]]:
    """The mean and the last state of each Markov chain, in the order of the chains' seeds.

    `starts` are states to go on from; chains share them in turn.
    """
    context = spark.sparkContext
    seeds = [int(s) for s in np.random.SeedSequence(seed).generate_state(chains)]
    shared = context.broadcast((problem, list(starts)))
    try:
        chain = partial(_chain_task, shared, plan, seeds, current_stage())
        held = list(blocks)
        sent = context.parallelize(held, len(held)).flatMap(partial(_to_each, chains))
        del held  # the JVM has them now
        tasks = sent.partitionBy(chains, int).mapPartitionsWithIndex(chain)
        found: list[tuple[ChainMean, ChainState, float]] = tasks.collect()
        took = sum(seconds for *_, seconds in found) / (plan.sweeps * len(found))
        print(f"[chains] a sweep took {took:.4f} CPU s", flush=True)
        return [(mean, state) for mean, state, _ in found]
    finally:
        shared.destroy()


def _to_each(chains: int, block: SentBlock) -> list[tuple[int, SentBlock]]:
    return [(chain, block) for chain in range(chains)]


def _chain_task(
    shared: Broadcast[tuple[Problem, list[ChainState]]],
    plan: ChainPlan,
    seeds: list[int],
    stage: str,
    number: int,
    blocks: Iterator[tuple[int, SentBlock]],
) -> Iterator[tuple[ChainMean, ChainState, float]]:
    """Spool the blocks, then run one chain; called on an executor. Its CPU seconds are last."""
    spooled = BlockFile.spool(block for _, block in blocks)
    problem, starts = shared.value
    start = starts[number % len(starts)] if starts else None
    chain = Chain.start(
        problem, (spooled.side(PEOPLE), spooled.side(TITLES)), plan, seeds[number], start
    )
    before = time.process_time()
    mean = chain.run(stage)
    yield mean, chain.state(), time.process_time() - before


@dataclass
class Vectors:
    """The current draw of people's or of titles' vectors [n, 1 + factors], and of their prior."""

    blocks: Blocks
    prior: Prior
    drawn: Floats


@dataclass
class Chain:
    """A Markov chain and its current draw."""

    problem: Problem
    plan: ChainPlan
    seed: int
    people: Vectors
    titles: Vectors
    noise: Noise
    counts: Floats  # [people]: their numbers of ratings

    @classmethod
    def start(
        cls,
        problem: Problem,
        blocks: tuple[Blocks, Blocks],
        plan: ChainPlan,
        seed: int,
        state: ChainState | None = None,
    ) -> Chain:
        """Before the first sweep: small random vectors, or those of a `state`."""
        people, titles = (
            Vectors(own, Prior.start(columns, plan.rank + 1), np.empty(0))
            for own, columns in zip(blocks, (problem.people, problem.titles), strict=True)
        )
        noise = Noise.start(plan.noise_shape, problem.variance, problem.shape[0])
        counts = np.zeros(problem.shape[0])
        for block in blocks[PEOPLE]:
            counts[block.rows] = block.counts
        chain = cls(problem, plan, seed, people, titles, noise, counts)
        for side, vectors in enumerate((people, titles)):
            size = problem.shape[side], plan.rank + 1
            vectors.drawn = INITIAL_DEVIATION * chain.rng(START, side).normal(size=size)
        if state is not None:
            chain.resume(state)
        return chain

    def rng(self, *purpose: int) -> np.random.Generator:
        """The generator of one purpose: it depends on no other draw."""
        return np.random.default_rng([self.seed, *purpose])

    def resume(self, state: ChainState) -> None:
        """Take over a state; rows that it does not know keep their start."""
        for vectors, known in ((self.people, state.people), (self.titles, state.titles)):
            vectors.drawn = np.where(np.isnan(known), vectors.drawn, known)
        expected = self.noise.shape / state.rate
        precision = np.where(np.isnan(state.precision), expected, state.precision)
        self.noise = Noise(self.noise.shape, state.rate, precision.astype(np.float64))

    def state(self) -> ChainState:
        """The current draw, in single precision."""
        single = (self.people.drawn, self.titles.drawn, self.noise.precision)
        people, titles, precision = (table.astype(np.float32) for table in single)
        return ChainState(people, titles, precision, self.noise.rate)

    def run(self, stage: str = "") -> ChainMean:
        """Make all sweeps; the mean over the kept draws. `stage` is for progress lines."""
        total = MeanSum.start(self.problem.shape, self.plan.packed_rank, self.problem.pairs)
        for number in range(self.plan.sweeps):
            self.sweep(number)
            if self.plan.keeps(number):
                total.add(self.people.drawn, self.titles.drawn)
            report_progress("sweep", number + 1, self.plan.sweeps, stage)
        return total.mean()

    def sweep(self, number: int) -> None:
        """One Gibbs sweep: draw each group of parameters given all others."""
        precision = self.noise.precision
        squares = self._draw(PEOPLE, number, own=precision)
        self.noise.draw(self.counts, squares, self.rng(number, NOISE))
        self._draw(TITLES, number, weights=self.noise.precision)

    def _draw(
        self, side: int, number: int, weights: Floats | None = None, own: Floats | None = None
    ) -> Floats:
        """Draw the prior and the vectors of one side; the rows' squared errors [n]."""
        mine, partners = self._sides(side)
        mine.prior.draw(mine.drawn, self.rng(number, side, 0))
        given = (partners.drawn, self.problem.z, weights, own, self.kind)
        posterior = RowPosterior(mine.prior, *given)
        solved, squares = np.empty_like(mine.drawn), np.zeros(len(mine.drawn))
        for block in mine.blocks:
            rng = self.rng(number, side, 1 + block.number)
            noise = rng.normal(size=(len(block.rows), self.plan.rank + 1))
            errors = rng.normal(size=posterior.errors_needed(block))
            solved[block.rows], squares[block.rows] = posterior.draw(block, noise, errors)
        mine.drawn = posterior.vectors(solved)
        return squares

    @property
    def kind(self) -> type[np.floating[Any]]:
        """The precision of products: single from RATINGS_A_BLOCK ratings on.

        It halves the time of gathers and products, and moves a vector by less than 1e-4.
        """
        return np.float64 if self.counts.sum() < RATINGS_A_BLOCK else np.float32

    def _sides(self, side: int) -> tuple[Vectors, Vectors]:
        sides = (self.people, self.titles)
        return sides[side], sides[1 - side]
