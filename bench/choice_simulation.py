"""How often chance alone replaces a recipe, and how often a better one is found.

    python -m bench.choice_simulation [--splits 400] [--units 150] [--seed 1]

Made-up inner splits look like a release's: people with few and many rows, skewed errors that share
how hard a person is, and one recipe that stands whose luck all rivals are measured against.
`equal`: the share of splits in which any of so many equal rivals is called better, by the product's
rule (`scoring.choice`, on errors alone and with a ranking) and by one standard error on the
errors, the rule before. `skewed`: the same, by the product's rule, of rivals that gain a little on
most people and lose much on few, the more so the larger the spread. `better`: one rival gains so
many standard errors on average; how often it is chosen.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from itertools import product

import numpy as np

from scoring.arrays import Floats
from scoring.choice import Criterion, choose, clearly_better

RIVALS, GAINS, SPREADS = (1, 3, 7), (1.0, 2.0, 3.0, 5.0), (1.0, 1.5)
RESAMPLES = 400


def main(argv: Sequence[str] | None = None) -> int:
    """Print the tables."""
    options = _options(argv)
    lots = np.random.default_rng(options.seed)
    print(f"{options.splits} splits of {options.units} people, seed {options.seed}")
    for rivals in RIVALS:
        shares = equal(lots, rivals, options.splits, options.units)
        said = "  ".join(f"{rule} {share:6.1%}" for rule, share in shares.items())
        print(f"equal, {rivals} rival(s):  {said}", flush=True)
    for spread, rivals in product(SPREADS, RIVALS):
        share = skewed(lots, rivals, options.splits, options.units, spread)
        print(f"equal, {rivals} rival(s), skewed by {spread:g}:  errors {share:6.1%}", flush=True)
    for gain in GAINS:
        share = better(lots, gain, options.splits // 4, options.units)
        print(
            f"better by {gain:g} standard errors, among 3 rivals:  chosen {share:6.1%}", flush=True
        )
    return 0


def equal(lots: np.random.Generator, rivals: int, splits: int, units: int) -> dict[str, float]:
    """The share of splits in which any rival is called better, by rule."""
    found = {"errors": 0, "errors and ranking": 0, "one standard error": 0}
    for seed in range(splits):
        both = split(lots, rivals, units)
        for rule, criteria in (("errors", both[:1]), ("errors and ranking", both)):
            found[rule] += bool(clearly_better(criteria, seed=seed, resamples=RESAMPLES))
        found["one standard error"] += by_one_standard_error(both[0])
    return {rule: count / splits for rule, count in found.items()}


def skewed(lots: np.random.Generator, rivals: int, splits: int, units: int, spread: float) -> float:
    """The share of splits in which any rival of equal expected loss is called better, though most
    people gain a little and few lose much: losses are log-normal, of mean 1."""
    found = 0
    for seed in range(splits):
        losses = lots.lognormal(-(spread**2) / 2, spread, (rivals, units))
        sums = np.vstack([np.full(units, 5.0), 4.0 + losses])
        criterion = Criterion(sums, np.ones(units), root=True)
        found += bool(clearly_better([criterion], seed=seed, resamples=RESAMPLES))
    return found / splits


def better(lots: np.random.Generator, gain: float, splits: int, units: int) -> float:
    """How often the one that is better by so many standard errors is chosen, of three rivals."""
    chosen = 0
    for seed in range(splits):
        (errors, _) = split(lots, 3, units)
        chosen += choose([improved(errors, gain)], [0, 1, 2, 3], seed=seed) == 3
    return chosen / splits


def split(lots: np.random.Generator, rivals: int, units: int) -> list[Criterion]:
    """Squared errors over rows, and nDCG of those who liked something, of equal recipes."""
    rows = np.ceil(lots.lognormal(2.5, 1.0, units))
    noise = 0.1 * lots.standard_t(4, (rivals + 1, units))
    errors = rows * lots.gamma(4.0, 0.2, units) * np.exp(noise)
    moved = lots.choice([0.0, 0.0, 0.2, -0.2], (rivals + 1, units))
    ndcg = np.clip(lots.beta(0.3, 1.2, units) + moved, 0.0, 1.0)
    liked = (lots.random(units) < 0.9).astype(np.float64)
    return [Criterion(errors, rows, root=True), Criterion(-ndcg * liked, liked)]


def improved(errors: Criterion, gain: float) -> Criterion:
    """The last rival's losses less `gain` standard errors of what it gains: on average, for what
    luck gave it stays."""
    _, spread = _gains(errors)
    less = gain * spread[-1] * errors.weights
    sums = errors.sums.copy()
    sums[-1] -= less
    return Criterion(sums, errors.weights, errors.margin, errors.root)


def by_one_standard_error(errors: Criterion) -> bool:
    """Whether any rival is better by one clustered standard error."""
    means, spread = _gains(errors)
    return bool((means > spread).any())


def _gains(errors: Criterion) -> tuple[Floats, Floats]:
    """Mean gains [rivals] and their standard errors, clustered by unit."""
    gained = errors.sums[0] - errors.sums[1:]
    means = gained.sum(axis=1) / errors.weights.sum()
    residuals = gained - means[:, None] * errors.weights
    return means, np.sqrt((residuals**2).sum(axis=1)) / errors.weights.sum()


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--splits", type=int, default=400)
    parser.add_argument("--units", type=int, default=150)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
