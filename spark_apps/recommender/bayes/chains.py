"""Chains as Spark tasks: one task a chain, on whatever executor has a free core.

A chain needs all ratings, so the problem is broadcast; what comes back is the chain's packed mean.
Spark gives its Python workers OMP_NUM_THREADS = spark.task.cpus, so that two chains on two cores
do not fight over them.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from pyspark import Broadcast
from pyspark.sql import SparkSession

from marquee.progress import stage_now
from spark_apps.recommender.bayes.chain import Problem, run_chain
from spark_apps.recommender.bayes.packing import Packed, pack
from spark_apps.recommender.recipes import BayesRecipe

SPARE = 2  # times the final rank that a chain packs its own mean into


def run_chains(
    spark: SparkSession, problem: Problem, recipe: BayesRecipe, seed: int
) -> list[Packed]:
    """The packed mean of every chain, in the order of their seeds."""
    context = spark.sparkContext
    seeds = [int(s) for s in np.random.SeedSequence(seed).generate_state(recipe.chains)]
    shared = context.broadcast(problem)
    try:
        tasks = context.parallelize(seeds, recipe.chains)
        chain = partial(_packed_chain, shared, recipe, stage_now())
        found: list[Packed] = tasks.map(chain).collect()
        return found
    finally:
        shared.destroy()


def _packed_chain(shared: Broadcast[Problem], recipe: BayesRecipe, stage: str, seed: int) -> Packed:
    """On an executor."""
    return pack(run_chain(shared.value, recipe, seed, stage), SPARE * recipe.packed_rank, seed)
