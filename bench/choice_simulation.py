"""How often chance alone replaces a recipe, and how often a better one is found.

    python -m bench.choice_simulation [--splits 400] [--units 150] [--seed 1]

Made-up inner splits resemble a release's: people have few or many rows, errors are skewed and share
how hard a person is, and all challengers are compared with the same noise of one standing recipe.
`equal`: the share of splits in which any of so many equal challengers is called better, by the
product's rule (`scoring.model_comparison`, on errors alone and with a ranking) and by one
standard error on the errors, the rule before. `skewed`: the same, by the product's rule, of
challengers that gain a little on most people and lose much on few, the more so the larger the
spread. `better`: one challenger gains so many standard errors on average; how often it is chosen.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from itertools import product

import numpy as np

from scoring.arrays import Floats
from scoring.model_comparison import Criterion, choose_recipe, clearly_better

CHALLENGERS, GAINS, SPREADS = (1, 3, 7), (1.0, 2.0, 3.0, 5.0), (1.0, 1.5)
RESAMPLES = 400


def main(argv: Sequence[str] | None = None) -> int:
    """Print the tables."""
    options = _options(argv)
    rng = np.random.default_rng(options.seed)
    print(f"{options.splits} splits of {options.units} people, seed {options.seed}")
    for challengers in CHALLENGERS:
        shares = equal(rng, challengers, options.splits, options.units)
        text = "  ".join(f"{rule} {share:6.1%}" for rule, share in shares.items())
        print(f"equal, {challengers} challenger(s):  {text}", flush=True)
    for spread, challengers in product(SPREADS, CHALLENGERS):
        share = skewed(rng, challengers, options.splits, options.units, spread)
        print(
            f"equal, {challengers} challenger(s), skewed by {spread:g}:  errors {share:6.1%}",
            flush=True,
        )
    for gain in GAINS:
        share = better(rng, gain, options.splits // 4, options.units)
        print(
            f"better by {gain:g} standard errors, among 3 challengers:  chosen {share:6.1%}",
            flush=True,
        )
    return 0


def equal(rng: np.random.Generator, challengers: int, splits: int, units: int) -> dict[str, float]:
    """The share of splits in which any challenger is called better, by rule."""
    found = {"errors": 0, "errors and ranking": 0, "one standard error": 0}
    for seed in range(splits):
        both = split(rng, challengers, units)
        for rule, criteria in (("errors", both[:1]), ("errors and ranking", both)):
            found[rule] += bool(clearly_better(criteria, seed=seed, resamples=RESAMPLES))
        found["one standard error"] += by_one_standard_error(both[0])
    return {rule: count / splits for rule, count in found.items()}


def skewed(
    rng: np.random.Generator, challengers: int, splits: int, units: int, spread: float
) -> float:
    """The share of splits in which any challenger of equal expected loss is called better, though
    most people gain a little and few lose much: losses are log-normal, of mean 1."""
    found = 0
    for seed in range(splits):
        losses = rng.lognormal(-(spread**2) / 2, spread, (challengers, units))
        sums = np.vstack([np.full(units, 5.0), 4.0 + losses])
        criterion = Criterion(sums, np.ones(units), root=True)
        found += bool(clearly_better([criterion], seed=seed, resamples=RESAMPLES))
    return found / splits


def better(rng: np.random.Generator, gain: float, splits: int, units: int) -> float:
    """How often a challenger that is better by so many standard errors is chosen, of three."""
    chosen = 0
    for seed in range(splits):
        (errors, _) = split(rng, 3, units)
        chosen += choose_recipe([improved(errors, gain)], [0, 1, 2, 3], seed=seed) == 3
    return chosen / splits


def split(rng: np.random.Generator, challengers: int, units: int) -> list[Criterion]:
    """Squared errors over rows, and nDCG of those who liked something, of equal recipes."""
    rows = np.ceil(rng.lognormal(2.5, 1.0, units))
    noise = 0.1 * rng.standard_t(4, (challengers + 1, units))
    errors = rows * rng.gamma(4.0, 0.2, units) * np.exp(noise)
    moved = rng.choice([0.0, 0.0, 0.2, -0.2], (challengers + 1, units))
    ndcg = np.clip(rng.beta(0.3, 1.2, units) + moved, 0.0, 1.0)
    liked = (rng.random(units) < 0.9).astype(np.float64)
    return [Criterion(errors, rows, root=True), Criterion(-ndcg * liked, liked)]


def improved(errors: Criterion, gain: float) -> Criterion:
    """The last challenger's losses less `gain` standard errors of its gains. That is its gain on
    average: what chance gave it stays."""
    _, spread = _gains(errors)
    less = gain * spread[-1] * errors.weights
    sums = errors.sums.copy()
    sums[-1] -= less
    return Criterion(sums, errors.weights, errors.margin, errors.root)


def by_one_standard_error(errors: Criterion) -> bool:
    """Whether any challenger is better by one clustered standard error."""
    means, spread = _gains(errors)
    return bool((means > spread).any())


def _gains(errors: Criterion) -> tuple[Floats, Floats]:
    """Mean gains [challengers] and their standard errors, clustered by unit."""
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
