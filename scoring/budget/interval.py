"""How far off an answer may be: quantiles of out-of-sample errors, scaled to the film.

Some films are harder than others (cheap ones, beginners'), so errors are divided by a predicted
spread before their quantiles are taken, and an answer's interval is its own spread times those
(normalised conformal prediction: Papadopoulos, Gammerman and Vovk, "Normalized nonconformity
measures for regression conformal prediction", 2008).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from scoring.arrays import Floats

LEAST, MOST = 0.4, 2.5
"""A spread stays within these multiples of the usual one."""


@dataclass(frozen=True)
class Spread:
    """log of the predicted mean size of an error = intercept + weights @ (row - means)."""

    level: float  # log10 dollars, of a typical film
    by_estimate: float  # what a tenfold answer adds to the log of it
    by_beginner: float  # what it adds that the director has made nothing before
    centre: float  # the usual answer, log10 dollars

    def of(self, answers: Floats, beginners: Floats) -> Floats:
        """The spread of each answer, log10 dollars; `beginners` holds 0 or 1."""
        shift = self.by_estimate * (answers - self.centre) + self.by_beginner * beginners
        scales: Floats = self.level * np.clip(np.exp(shift), LEAST, MOST)
        return scales


STEADY = Spread(1.0, 0.0, 0.0, 0.0)
"""The same for every film: residuals are log10 dollars themselves."""


def read_spread(table: Mapping[str, float] | None) -> Spread:
    """As `bundle.json` holds it; STEADY where it holds none. ValueError where it cannot be."""
    if table is None:
        return STEADY
    spread = Spread(**{name: float(value) for name, value in table.items()})
    if not np.isfinite(list(table.values())).all() or not spread.level > 0:
        raise ValueError("a spread that is not a positive number")
    return spread
