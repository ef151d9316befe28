"""Which recipe becomes the challenger: scored on films later than those it was fitted on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from marquee.scoring.arrays import Floats
from spark_apps.budget.recipes import BudgetRecipe


@dataclass(frozen=True)
class Tried:
    """A recipe's out-of-sample errors (log10 dollars), one a film of the rolling origins."""

    recipe: BudgetRecipe
    errors: Floats
    directors: tuple[str, ...]  # of each film, the first: films of one director go together

    @property
    def log_rmse(self) -> float:
        return math.sqrt(float(np.mean(self.errors**2)))


def choose(tried: Sequence[Tried], champion: BudgetRecipe | None) -> Tried:
    """The recipe of least error, the cheaper of equals.

    Where the champion's recipe was tried too, another replaces it only if its squared error is
    smaller by more than one standard error, clustered by director.
    """
    best = min(tried, key=lambda t: (t.log_rmse, t.recipe.cost))
    held = next((t for t in tried if t.recipe == champion), None)
    if held is None or held is best:
        return best
    gain = held.errors**2 - best.errors**2
    return best if gain.mean() > clustered_error(gain, held.directors) else held


def clustered_error(values: Floats, clusters: Sequence[str]) -> float:
    """Standard error of the mean of `values` whose clusters are independent of each other.

    sqrt(sum over clusters of (sum of deviations)^2) / n: Liang and Zeger, Biometrika 73 (1986).
    """
    deviations = values - values.mean()
    sums: dict[str, float] = {}
    for cluster, deviation in zip(clusters, deviations):
        sums[cluster] = sums.get(cluster, 0.0) + float(deviation)
    return math.sqrt(math.fsum(s * s for s in sums.values())) / len(values)
