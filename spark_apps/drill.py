"""Faults for tests of the gate: they make a training job publish a model that the gate must refuse.

The root manifest of a drill's lake names the fault (`marquee/lake/root.py`). In every other lake
`trainer_class` and `inject_fault` change nothing. `make-world --help` lists the faults.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from marquee.lake import drill_fault
from spark_apps.job import Job
from spark_apps.recommender.families import Predictor
from spark_apps.recommender.indexed_ratings import Frame, IndexedRatings
from spark_apps.recommender.recipes import RecommenderRecipe
from spark_apps.recommender.trainer import Trainer

SHARE_MIXED = 1 / 8
"""Share of the ratings that exchange their stars. The RMSE gets clearly worse, but the bias model's
RMSE is still higher."""


class MixedStarsTrainer(Trainer):
    """Trains the predictor on ratings of which some carry the stars of others.

    The bundle agrees with its golden answers, so only the model's quality differs.
    """

    def fit_predictor(
        self,
        ratings: IndexedRatings,
        frame: Frame,
        recipe: RecommenderRecipe,
        blend_share: float,
    ) -> Predictor:
        """Fit on mixed ratings; `frame` is ignored, because it holds the original stars."""
        mixed = with_mixed_stars(ratings, self.seed)
        return super().fit_predictor(mixed, mixed.frame(self.spark), recipe, blend_share)


def with_mixed_stars(ratings: IndexedRatings, seed: int) -> IndexedRatings:
    """The ratings, with the stars of a seeded SHARE_MIXED of the rows permuted."""
    rng = np.random.default_rng(seed)
    rows = np.flatnonzero(rng.random(len(ratings)) < SHARE_MIXED)
    stars = ratings.stars.copy()
    stars[rows] = stars[rng.permutation(rows)]
    return replace(ratings, stars=stars)


def trainer_class(job: Job) -> type[Trainer]:
    """`Trainer`, or `MixedStarsTrainer` in a drill's lake with the fault `spoilt_code`."""
    return MixedStarsTrainer if drill_fault(job.lake) == "spoilt_code" else Trainer


def inject_fault(job: Job, out: Path) -> None:
    """Damage a file of the model folder `out` where a drill's lake names such a fault."""
    fault = drill_fault(job.lake)
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
