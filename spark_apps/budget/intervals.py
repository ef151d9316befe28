"""How far off answers are: quantiles of errors on films the fit had not seen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scoring.arrays import Floats
from scoring.budget.interval import STEADY, Spread

TAIL = 0.1
"""On each side of an 80 % interval."""
FEWEST_FOR_A_SPREAD = 150
LEAST_ERROR = 0.01
"""log10: no film is answered better than to 2 %, even where all cost the same."""


@dataclass(frozen=True)
class Interval:
    """Quantiles of errors in spreads, and the spread they are multiplied with."""

    residuals: tuple[float, float]
    spread: Spread = STEADY


def make_interval(
    errors: Floats, answers: Floats, beginners: Floats, directors: Sequence[str]
) -> Interval:
    """From out-of-sample errors (actual - answer), their answers, who is a beginner, and whose
    films they are."""
    spread = fit_spread(errors, answers, beginners)
    scaled = errors / spread.of(answers, beginners)
    return Interval(interval_of(scaled, len(set(directors))), spread)


def interval_of(errors: Floats, directors: int) -> tuple[float, float]:
    """The errors (actual - answer, log10) below and above which a tenth of new films fall.

    The order statistics of split conformal prediction (Vovk, Gammerman and Shafer, Algorithmic
    Learning in a Random World, 2005): one film more than there are is counted, so that few errors
    give a wide interval. The tails are `safe_tail`'s: films of a director err alike, and films to
    come drift. The interval always holds the answer itself.
    """
    ranked, ranks, tail = np.sort(errors), len(errors) + 1, safe_tail(directors)
    low, high = math.floor(tail * ranks), math.ceil((1 - tail) * ranks)
    below = ranked[max(low, 1) - 1]
    above = ranked[min(high, len(ranked)) - 1]
    return min(float(below), 0.0), max(float(above), 0.0)


def safe_tail(directors: int) -> float:
    """TAIL less one standard error of a share seen on so many directors: the lower end of Wilson's
    interval (Journal of the American Statistical Association 22, 1927)."""
    share = TAIL + 0.5 / directors
    error = math.sqrt(TAIL * (1 - TAIL) / directors + 0.25 / directors**2)
    return (share - error) / (1 + 1 / directors)


def fit_spread(errors: Floats, answers: Floats, beginners: Floats) -> Spread:
    """The size of errors as a log-linear function of the answer and of a director's being new.

    Least squares on log |error|, which a few wild errors cannot bend; STEADY below
    FEWEST_FOR_A_SPREAD films.
    """
    if len(errors) < FEWEST_FOR_A_SPREAD:
        return STEADY
    centre = float(answers.mean())
    rows = np.column_stack([np.ones(len(errors)), answers - centre, beginners])
    sizes = np.log(np.maximum(np.abs(errors), LEAST_ERROR))
    _, by_estimate, by_beginner = np.linalg.lstsq(rows, sizes, rcond=None)[0].tolist()
    level = max(float(np.abs(errors).mean()), LEAST_ERROR)
    return Spread(level, by_estimate, by_beginner, centre)
