"""Fold-in: one person's factors from their ratings, titles fixed, by Spark's own equations.

Spark's ALS solves people last in an iteration, from the final item factors, so folding a training
person back in repeats the factors Spark gave them. Formulas: Zhou et al., Large-scale Parallel
Collaborative Filtering for the Netflix Prize (AAIM 2008), with the regularisation scaled by the
number of ratings, as Spark does. Rankers fold in by `marquee/scoring/rankers/`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from marquee.errors import BundleError
from marquee.scoring.arrays import Floats, Singles


@dataclass(frozen=True)
class PredictorFoldIn:
    """How the explicit side was fitted, and how it was blended with the biases."""

    rank: int
    reg: float
    weight: float
    bias_reg_user: float

    def person(
        self, mean: float, item_bias: Floats, item_factors: Singles, stars: Floats
    ) -> tuple[float, Floats]:
        """Bias and factors [K] of a person who gave `stars` to titles with these parameters.

        `item_bias` [n] and `item_factors` [n, K] belong to the rated titles. The last two of the
        K columns make the blend exact: see `spark_apps/recommender/blend.py`.
        """
        bias = float((stars - mean - item_bias).sum() / (len(stars) + self.bias_reg_user))
        titles = item_factors[:, : self.rank].astype(np.float64)
        # A title without ALS factors (all zero) says nothing about taste, and Spark never saw it.
        known = titles.any(axis=1)
        own = _ridge(titles[known], stars[known], self.reg) if known.any() else None
        if own is None or self.weight == 0.0:
            return bias, np.zeros(item_factors.shape[1])
        return bias, self.weight * np.concatenate([own, [-(mean + bias), -1.0]])


def read_fold_in(tree: Mapping[str, Any]) -> PredictorFoldIn:
    """The predictor's from `bundle.json`'s `fold_in`; BundleError where a parameter is missing."""
    try:
        predictor = dict(tree["predictor"])
        family = predictor.pop("family")
        if family != "als_bias":
            raise BundleError(f"no fold-in for the family {family!r}", "update Marquee")
        return PredictorFoldIn(**predictor)
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(
            f"fold_in in bundle.json is not complete: {error}", "train again"
        ) from None


def _ridge(titles: Floats, stars: Floats, reg: float) -> Floats:
    """argmin |stars - titles p|^2 + reg n |p|^2."""
    n, rank = titles.shape
    system = titles.T @ titles + reg * n * np.eye(rank)
    solution: Floats = np.linalg.solve(system, titles.T @ stars)
    return solution
