"""How stars come out of a score: normal noise around it, or a feeling cut at thresholds. Either way
some people's stars say less than others': everybody has a precision of their own,

    precision_u ~ gamma(shape, rate),

whose rate is learned from everybody, so that a person with few ratings has the precision of most.

A likelihood turns ratings and present scores into what the next Gibbs step sees (`Seen`), and
scores into expected stars.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from scoring.arrays import Floats, Rows, Singles
from spark_apps.recommender.bayes.ordered import Ordered
from spark_apps.recommender.bayes.vectors import Seen

FEWEST_LEVELS, MOST_LEVELS = 2, 20  # of an ordered scale; outside it stars are just numbers
VAGUE = 0.1  # rate of the rate's own prior
SUREST = 400.0  # nobody means it to within 0.05 stars; without a bound, exact stars have no end


class Likelihood(Protocol):
    """What a chain asks of it."""

    def step(self, scores: Floats, lots: np.random.Generator) -> Seen:
        """Draw its own parameters given the ratings' scores, and what the vectors should fit."""
        ...

    def expected(self, scores: Singles) -> Singles:
        """Stars expected of everybody [people, titles] at these scores under the present draw."""
        ...


def likelihood(kind: str, values: Floats, users: Rows, shape: float) -> Likelihood:
    """By name; an ordered scale needs two to twenty different stars, else they are numbers."""
    levels = np.unique(values)
    if kind == "ordered" and FEWEST_LEVELS <= len(levels) <= MOST_LEVELS:
        return Ordered(values, users, levels, shape)
    return Normal(values, users, shape)


class Normal:
    """stars = mean + score + noise."""

    def __init__(self, values: Floats, users: Rows, shape: float) -> None:
        self._mean = float(values.mean())
        self._range = (values.min(), values.max())
        self.z = values - self._mean
        self._users = users
        self._shape = self._rate = shape
        self._shapes = shape + 0.5 * np.bincount(users)

    def step(self, scores: Floats, lots: np.random.Generator) -> Seen:
        """Draw everybody's precision, then the rate."""
        squares = np.bincount(self._users, (self.z - scores) ** 2)
        drawn = lots.gamma(self._shapes, 1.0 / (self._rate + 0.5 * squares))
        precision = np.minimum(drawn, SUREST)
        self._rate = lots.gamma(self._shape * len(precision) + 1.0, 1.0 / (precision.sum() + VAGUE))
        return Seen(self.z, precision[self._users])

    def expected(self, scores: Singles) -> Singles:
        """Every draw is clipped to the stars seen: the mean of answers, not of scores."""
        stars: Singles = np.clip(scores + np.float32(self._mean), *self._range)
        return stars.astype(np.float32, copy=False)
