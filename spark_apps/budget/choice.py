"""Which recipe becomes the challenger: scored on films later than those it was fitted on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scoring import choice
from scoring.arrays import Floats
from spark_apps.budget.recipes import BudgetRecipe

SEED = 20190101
"""Of the resampling; the films and the errors decide the rest."""


@dataclass(frozen=True)
class Tried:
    """A recipe's out-of-sample errors (log10 dollars), one a film of the rolling origins."""

    recipe: BudgetRecipe
    errors: Floats
    directors: tuple[str, ...]  # of each film, the first: films of one director go together

    @property
    def log_rmse(self) -> float:
        return math.sqrt(float(np.mean(self.errors**2)))

    @property
    def rank(self) -> tuple[float, float]:
        """Smaller is better: the error, the cost among equals. NaN is worse than any error."""
        error = self.log_rmse
        return (math.inf if math.isnan(error) else error), self.recipe.cost


def choose(tried: Sequence[Tried], champion: BudgetRecipe | None) -> Tried:
    """The recipe of least error, the cheaper of equals, where no champion's was tried: there is
    nothing to switch from.

    Where it was, another takes its place only if its squared error is clearly smaller, whole
    directors resampled, as at the gate (`scoring.choice`: of equal recipes, however many
    are tried, any is in at most one search of twenty).
    """
    held = next((t for t in tried if t.recipe == champion), None)
    if held is None:
        return min(tried, key=lambda t: t.rank)
    rows = [held, *(t for t in tried if t is not held)]
    costs = [t.recipe.cost for t in rows]
    return rows[choice.choose([squared_errors(rows)], costs, seed=SEED)]


def squared_errors(tried: Sequence[Tried]) -> choice.Criterion:
    """Squared errors of the same films, added up by director."""
    _, clusters = np.unique(tried[0].directors, return_inverse=True)
    sums = np.stack([np.bincount(clusters, weights=t.errors**2) for t in tried]).astype(np.float64)
    return choice.Criterion(sums, np.bincount(clusters).astype(np.float64), root=True)
