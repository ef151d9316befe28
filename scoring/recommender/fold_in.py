"""Fold-in: the bias and factors of a new person from their ratings, titles fixed.

Each predictor family has its own equations:

- ALS: Spark solves people last in an iteration, from the final item factors. Folding in a person
  of the training rows therefore repeats Spark's factors (Zhou et al., Large-scale Parallel
  Collaborative Filtering for the Netflix Prize, AAIM 2008; the regularisation is multiplied by the
  number of ratings, as in Spark).
- Bayes: the mean of the Gaussian posterior under the prior that training learned (Bishop, Pattern
  Recognition and Machine Learning, section 3.3).

`ImplicitFoldIn` is that of the rankers by factors. Rankers by item weights need none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from marquee.errors import BundleError
from scoring.arrays import Floats, Singles
from scoring.recommender.item_weights import StarWeights


class PredictorFoldIn(Protocol):
    """The fold-in of a predictor of any family."""

    @property
    def rank(self) -> int:
        """The least number of columns of `item_factors`."""
        ...

    def person(
        self, mean: float, item_bias: Floats, item_factors: Singles, stars: Floats
    ) -> tuple[float, Floats]:
        """Bias and factors [K] of a person who gave `stars` [n] to n titles.

        `item_bias` [n] and `item_factors` [n, K] are those of the rated titles.
        """
        ...


@dataclass(frozen=True)
class AlsFoldIn:
    """The parameters of an ALS fit on stars, and its `weight` in the blend with the biases."""

    rank: int
    reg: float
    weight: float
    bias_reg_user: float

    def person(
        self, mean: float, item_bias: Floats, item_factors: Singles, stars: Floats
    ) -> tuple[float, Floats]:
        """The last two of the K columns hold the blend with the biases: see
        `spark_apps/recommender/predictor_als_bias.py`."""
        bias = float((stars - mean - item_bias).sum() / (len(stars) + self.bias_reg_user))
        titles = item_factors[:, : self.rank].astype(np.float64)
        # A title whose ALS factors are all zero was not in the fit.
        known = titles.any(axis=1)
        own = _ridge(titles[known], stars[known], self.reg) if known.any() else None
        if own is None or self.weight == 0.0:
            return bias, np.zeros(item_factors.shape[1])
        return bias, self.weight * np.concatenate([own, [-(mean + bias), -1.0]])


@dataclass(frozen=True)
class BayesFoldIn:
    """The prior of a person's [bias, factors] is N(columns @ effects, precision^-1).

    `columns` are the `rated_columns` of the titles they rated. `noise` is the variance of a rating.
    """

    effects: Floats  # [K + 3, K + 1]
    precision: Floats  # [K + 1, K + 1]
    noise: float

    @classmethod
    def of(
        cls, effects: Sequence[Sequence[float]], precision: Sequence[Sequence[float]], noise: float
    ) -> BayesFoldIn:
        """From the lists of `bundle.json`; raises ValueError where shapes or values do not fit."""
        tables = (np.array(effects, dtype=np.float64), np.array(precision, dtype=np.float64))
        width = len(tables[1])
        if tables[0].shape != (width + 2, width) or tables[1].shape != (width, width):
            raise ValueError(f"effects {tables[0].shape} and precision {tables[1].shape}")
        if not (noise > 0.0 and all(np.isfinite(t).all() for t in tables)):
            raise ValueError("a number is not finite, or the noise is not positive")
        return cls(*tables, float(noise))

    @property
    def rank(self) -> int:
        """The number of factors."""
        return len(self.precision) - 1

    def person(
        self, mean: float, item_bias: Floats, item_factors: Singles, stars: Floats
    ) -> tuple[float, Floats]:
        """The posterior mean."""
        titles = item_factors.astype(np.float64)
        start = rated_columns(item_bias, titles) @ self.effects
        design = np.column_stack([np.ones(len(titles)), titles])
        residual = stars - mean - item_bias - design @ start
        system = self.precision + design.T @ design / self.noise
        own = start + np.linalg.solve(system, design.T @ residual / self.noise)
        return float(own[0]), own[1:]


def rated_columns(item_bias: Floats, item_factors: Floats) -> Floats:
    """The columns [K + 3] of a person's prior, from the n titles they rated, without the stars.

    [1, log(1 + n), sum of biases / sqrt(n), sums of factors / sqrt(n)]
    """
    n = len(item_bias)
    sums = np.concatenate([[item_bias.sum()], item_factors.sum(axis=0)]) / np.sqrt(max(n, 1))
    return np.concatenate([[1.0, np.log1p(n)], sums])


def _bayes(distance: float = 0.0, **table: Any) -> BayesFoldIn:
    """`distance`, the training job's check of fold-in against trained people, is not used here."""
    return BayesFoldIn.of(**table)


PREDICTORS: dict[str, Callable[..., PredictorFoldIn]] = {"als_bias": AlsFoldIn, "bayes": _bayes}


def read_fold_in(tree: Mapping[str, Any]) -> PredictorFoldIn:
    """The fold-in that `fold_in.predictor` of `bundle.json` names.

    Raises BundleError where the family is unknown or a parameter is missing.
    """
    try:
        predictor = dict(tree["predictor"])
        family = predictor.pop("family")
        if family not in PREDICTORS:
            raise BundleError(f"no fold-in for the family {family!r}", "update Marquee")
        return PREDICTORS[family](**predictor)
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


@dataclass(frozen=True)
class ImplicitFoldIn:
    """The equations by which implicit ALS solves a person's factors from the titles they rated.

    A rated title has the confidence 1 + alpha, every other title 1 (Hu, Koren and Volinsky,
    Collaborative Filtering for Implicit Feedback Datasets, ICDM 2008). Without a `power` the ridge
    is Spark's: `reg` times the number of ratings. With a `power` the ridge also counts the titles
    not rated (Rendle et al., Revisiting the Performance of iALS on Item Recommendation Benchmarks,
    RecSys 2022, section 3.3).
    """

    alpha: float
    reg: float
    power: float | None = None
    stars: StarWeights | None = None

    @classmethod
    def of(cls, stars: Mapping[str, Any] | None = None, **equations: Any) -> ImplicitFoldIn:
        """From the parameters in a bundle."""
        return cls(**equations, stars=StarWeights.of(stars))

    def ridge(self, rated: int, titles: int) -> float:
        """The ridge of a person who liked `rated` of `titles` titles."""
        if self.power is None:
            return self.reg * rated
        rest = 1.0 / (1.0 + self.alpha)  # weight of a title not rated; a rated title has 1
        return float(self.reg * (rated + rest * titles) ** self.power / rest)

    def solution(self, gramian: Floats, rated: Floats, liking: Floats, titles: int) -> Floats:
        """(Y'Y + alpha R' |w| R + ridge I)^-1 R' (1 + alpha w), w > 0, as [L, n].

        R [n, L] are the rated titles' factors. A disliked title (w < 0) is wanted as little as a
        title not rated, with more confidence. The sum of the columns is the person.
        """
        weights = self.stars.weights(liking) if self.stars else np.ones(len(rated))
        # The fit had no rating of a title whose factors are all zero.
        n = int((rated.any(axis=1) & (weights > 0.0)).sum())
        ridge = self.ridge(max(n, 1), titles) * np.eye(rated.shape[1])
        confidence = self.alpha * np.abs(weights)
        system: Floats = gramian + (rated * confidence[:, None]).T @ rated + ridge
        wanted = np.where(weights > 0.0, 1.0 + confidence, 0.0)
        found: Floats = np.linalg.inv(system) @ (rated * wanted[:, None]).T
        return found
