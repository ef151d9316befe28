"""How much a rating counts for what comes next: the latest most, old ones down to a floor.

The clock is the person's own count of ratings, not days: somebody who comes back after a year is
met where they left off.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scoring.arrays import Floats


@dataclass(frozen=True)
class Recency:
    """`span` ratings back a rating counts 1/e of the latest, above the `floor` (0 to 1)."""

    span: float
    floor: float

    def weights(self, ratings: int) -> Floats:
        """Weights [ratings] of a person's ratings, oldest first; the latest has 1."""
        age = np.arange(ratings - 1, -1, -1, dtype=np.float64)
        weights: Floats = self.floor + (1.0 - self.floor) * np.exp(-age / self.span)
        return weights
