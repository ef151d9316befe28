"""How far off answers are: quantiles of errors on films the fit had not seen."""

from __future__ import annotations

import math

import numpy as np

from marquee.scoring.arrays import Floats

LOW, HIGH = 0.1, 0.9
"""An 80 % interval."""


def interval_of(errors: Floats) -> tuple[float, float]:
    """The errors (actual - answer, log10) below and above which a tenth of new films fall.

    The order statistics of split conformal prediction (Vovk, Gammerman and Shafer, Algorithmic
    Learning in a Random World, 2005): one film more than there are is counted, so that few errors
    give a wide interval. The interval always holds the answer itself.
    """
    ranked, ranks = np.sort(errors), len(errors) + 1
    low, high = math.floor(LOW * ranks), math.ceil(HIGH * ranks)
    below = ranked[max(low, 1) - 1]
    above = ranked[min(high, len(ranked)) - 1]
    return min(float(below), 0.0), max(float(above), 0.0)
