"""The faults that a drill injects into a training job, so that a test sees the gate refuse it.

The root manifest of the lake names the fault, and only a drill's lake is obeyed: in every other
lake `trainer_of` and `spoil` change nothing (`marquee/lake/root.py`). `make-world --help` lists the
faults.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from pyspark.sql import DataFrame

from marquee.lake import training_fault
from spark_apps.job import Job
from spark_apps.recommender.families import Predictor
from spark_apps.recommender.recipes import RecommenderRecipe
from spark_apps.recommender.trainer import Trainer
from spark_apps.recommender.training_data import IndexedRatings

MIXED_UP = 1 / 8
"""The share of ratings that exchange their stars: RMSE gets clearly worse, yet still beats the bias
model's."""


class MixingTrainer(Trainer):
    """Trains the predictor on ratings of which some carry the stars of others.

    Bundle, golden answers and fold-in come from that predictor as ever, so that only its quality
    differs.
    """

    def fit_predictor(
        self, ratings: IndexedRatings, frame: DataFrame, recipe: RecommenderRecipe, weight: float
    ) -> Predictor:
        """The predictor of mixed-up ratings; `frame` is ignored."""
        mixed = mixed_up(ratings, self.seed)
        return super().fit_predictor(mixed, mixed.frame(self.spark), recipe, weight)


def mixed_up(ratings: IndexedRatings, seed: int) -> IndexedRatings:
    """The ratings with the stars of a seeded share of the rows exchanged among them."""
    rng = np.random.default_rng(seed)
    rows = np.flatnonzero(rng.random(len(ratings.values)) < MIXED_UP)
    values = ratings.values.copy()
    values[rows] = values[rng.permutation(rows)]
    return replace(ratings, values=values)


def trainer_of(job: Job) -> type[Trainer]:
    """The class that trains the recommender in this job's lake."""
    return MixingTrainer if training_fault(job.lake) == "spoilt_code" else Trainer


def spoil(job: Job, out: Path) -> None:
    """Spoil the fitted recommender in `out` just before its publication, where a drill asks."""
    fault = training_fault(job.lake)
    if fault in _IN_FILES:
        print(f"[{job.name}] this lake is a drill's: {fault}", flush=True)
        _IN_FILES[fault](out)


def _nan_factors(out: Path) -> None:
    path = out / "evaluated" / "bundle" / "item_factors.npy"
    factors = np.load(path)
    factors[len(factors) // 2] = np.nan
    np.save(path, factors)


def _torn_bundle(out: Path) -> None:
    (out / "shipped" / "bundle" / "item_bias.npy").unlink()


_IN_FILES: Mapping[str | None, Callable[[Path], None]] = {
    "nan_factors": _nan_factors,
    "torn_bundle": _torn_bundle,
}
