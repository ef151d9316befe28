"""How far off answers are: quantiles of errors on films the fit had not seen."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from marquee.scoring.arrays import Floats
from marquee.scoring.budget.interval import STEADY, Spread

LOW, HIGH = 0.1, 0.9
"""An 80 % interval."""
FEWEST_FOR_A_SPREAD = 150


@dataclass(frozen=True)
class Interval:
    """Quantiles of errors in spreads, and the spread they are multiplied with."""

    residuals: tuple[float, float]
    spread: Spread = STEADY


def make_interval(errors: Floats, answers: Floats, beginners: Floats) -> Interval:
    """From out-of-sample errors (actual - answer), their answers and who is a beginner."""
    spread = fit_spread(errors, answers, beginners)
    return Interval(interval_of(errors / spread.of(answers, beginners)), spread)


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


def fit_spread(errors: Floats, answers: Floats, beginners: Floats) -> Spread:
    """The size of errors as a log-linear function of the answer and of a director's being new.

    Least squares on log |error|, which a few wild errors cannot bend; STEADY below
    FEWEST_FOR_A_SPREAD films.
    """
    if len(errors) < FEWEST_FOR_A_SPREAD:
        return STEADY
    centre = float(answers.mean())
    rows = np.column_stack([np.ones(len(errors)), answers - centre, beginners])
    sizes = np.log(np.maximum(np.abs(errors), 0.01))
    _, by_estimate, by_beginner = np.linalg.lstsq(rows, sizes, rcond=None)[0].tolist()
    return Spread(float(np.abs(errors).mean()), by_estimate, by_beginner, centre)
