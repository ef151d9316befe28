"""What a drill spoils in a training job, so that the gate can be seen to notice.

Which fault it is stands in the lake's root manifest, and only a drill's lake is obeyed: in every
other one `trainer_of` and `spoil` do nothing (`marquee/drill.py`). The faults stand in the table
of `make-world --help`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from pyspark.sql import DataFrame

from marquee.drill import training_fault
from spark_apps.job import Job
from spark_apps.recommender.catalogue import IndexedRatings
from spark_apps.recommender.factor_model import Predictor
from spark_apps.recommender.fitting import Trainer
from spark_apps.recommender.recipes import RecommenderRecipe

MIXED_UP = 1 / 8
"""The share of ratings whose stars are another one's: RMSE is clearly worse, and still better than
the bias model's."""


class MixingTrainer(Trainer):
    """Learns predictions from ratings some of which say what others said.

    Whatever comes after (bundle, golden answers, fold-in) is made as ever from what was learnt, so
    that only quality differs.
    """

    def fit_predictor(
        self, ratings: IndexedRatings, frame: DataFrame, recipe: RecommenderRecipe, weight: float
    ) -> Predictor:
        """The predictor of mixed-up ratings; `frame` is not used."""
        mixed = mixed_up(ratings, self.seed)
        return super().fit_predictor(mixed, mixed.frame(self.spark), recipe, weight)


def mixed_up(ratings: IndexedRatings, seed: int) -> IndexedRatings:
    """A share of the rows, seeded, exchange their stars."""
    rng = np.random.default_rng(seed)
    rows = np.flatnonzero(rng.random(len(ratings.values)) < MIXED_UP)
    values = ratings.values.copy()
    values[rows] = values[rng.permutation(rows)]
    return replace(ratings, values=values)


def trainer_of(job: Job) -> type[Trainer]:
    """Who trains the recommender."""
    return MixingTrainer if training_fault(job.lake) == "spoilt_code" else Trainer


def spoil(job: Job, out: Path) -> None:
    """Spoil the fitted recommender in `out`, just before it is published, where a drill asks."""
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
