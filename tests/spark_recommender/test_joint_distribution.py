"""The whole Gibbs sweep against the model it samples: Geweke, Getting It Right (JASA 99, 2004).

Two ways lead to draws of parameters and stars together. *Marginal-conditional*: parameters from
their prior, then stars given them; independent, and written here from the model as
`bayes_model.py` states it. *Successive-conditional*: stars given the parameters, then one sweep
given the stars, and again. Both have the same distribution if and only if the sweep is right, so
the means of any function agree within their errors. The priors' constants are set so that on a
small problem every block matters, and the bound on a precision, which is no part of the model, is
lifted. The sampler centres stars before the model sees them, so centred stars are what is
simulated: each rating has stars of its own, whose value changes from sweep to sweep. Rows are in
two blocks, and both ways to draw a row are taken.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import count, islice
from types import SimpleNamespace

import numpy as np
import pytest

from spark_apps.recommender import bayes_model
from spark_apps.recommender.bayes_model import Noise, Prior, RowPosterior
from spark_apps.recommender.gibbs_sampler import Chain, ChainPlan, Problem
from spark_apps.recommender.posterior_mean import pair_scores
from spark_apps.recommender.rating_blocks import compress, make_blocks
from spark_apps.recommender.training_data import FeatureBlocks

PEOPLE, TITLES, WIDTH, SHAPE = 7, 6, 3, 3.0
BLOCKS = (2, 1)
BIAS, TASTE, FLAT, VAGUE = 0.1, 0.1, 0.7, 0.2
SWEEPS, FEW_SWEEPS, DRAWS, BATCHES = 12_000, 3_000, 12_000, 60
FOUND, BOUND = 6.0, 4.5  # standard errors: a spoilt sampler is beyond, the right one within
Draw = dict[str, float]


@dataclass(frozen=True)
class Small:
    """A problem and its ratings; rating n has the stars of index n."""

    users: np.ndarray
    items: np.ndarray
    people: FeatureBlocks
    titles: FeatureBlocks

    def chain(self) -> Chain:
        """A chain before its first sweep."""
        ratings = len(self.users)
        given = compress(self.users, self.items, (PEOPLE, TITLES))
        got = compress(self.items, self.users, (TITLES, PEOPLE))
        blocks = [list(make_blocks(*rows, 2)) for rows in (given, got)]
        pairs = np.zeros((2, 1), dtype=np.intp)
        problem = Problem(np.zeros(ratings), 1.0, self.people, self.titles, pairs)
        plan = ChainPlan(SHAPE, WIDTH - 1, 1, 0, 1, 1)
        return Chain.start(problem, (blocks[0], blocks[1]), plan, 5)


def small_problem() -> Small:
    """Two ratings in three, but nothing by the last person and of the last title."""
    rng = np.random.default_rng(11)
    rated = rng.random((PEOPLE, TITLES)) < 0.66
    rated[-1], rated[:, -1], rated[-2, 0] = False, False, True
    users, items = np.nonzero(rated)
    sides = (
        FeatureBlocks(0.3 * rng.normal(size=(n, sum(BLOCKS))), BLOCKS) for n in (PEOPLE, TITLES)
    )
    return Small(users, items, *sides)


PROBLEM = small_problem()


@pytest.fixture
def small(monkeypatch) -> None:
    """The constants of the model that both ways simulate."""
    for name, value in (
        ("BIAS_VARIANCE", BIAS),
        ("FACTOR_VARIANCE", TASTE),
        ("WEIGHT_PRIOR", FLAT),
        ("RATE_PRIOR", VAGUE),
        ("MOST_PRECISION", np.inf),
        ("FEW", 3),
    ):
        monkeypatch.setattr(bayes_model, name, value)


def prior_side(columns: FeatureBlocks, rng: np.random.Generator) -> tuple[Prior, np.ndarray]:
    """One side from the model's own words: a Wishart as a sum of squares, the rest normal."""
    scale = np.diag([BIAS] + [TASTE] * (WIDTH - 1)) * (WIDTH + 2)
    root = np.linalg.cholesky(np.linalg.inv(scale))
    squares = rng.normal(size=(WIDTH + 2, WIDTH)) @ root.T
    precision = squares.T @ squares
    spread = np.linalg.cholesky(np.linalg.inv(precision))
    m = spread @ rng.normal(size=WIDTH) / np.sqrt(bayes_model.ROWS_AT_ZERO)
    weights = rng.exponential(1.0 / FLAT, size=len(BLOCKS))
    each = np.repeat(weights, BLOCKS)[:, None]
    effects = rng.normal(size=(sum(BLOCKS), WIDTH)) @ spread.T / np.sqrt(each)
    own = m + columns.values @ effects
    own = own + rng.normal(size=own.shape) @ spread.T
    return Prior(columns, m, effects, precision, weights), own


def prior_noise(rng: np.random.Generator) -> tuple[float, np.ndarray]:
    """The rate of people's precisions, and the precisions."""
    rate = rng.exponential(1.0 / VAGUE)
    return rate, rng.gamma(SHAPE, 1.0 / rate, size=PEOPLE)


def marginal(problem: Small, rng: np.random.Generator) -> Iterator[Draw]:
    """Independent draws of everything."""
    while True:
        sides = [prior_side(columns, rng) for columns in (problem.people, problem.titles)]
        rate, precision = prior_noise(rng)
        left, right = (rows for _, rows in sides)
        scores = pair_scores(left[problem.users], right[problem.items])
        noise_precision = precision[problem.users]
        z = scores + rng.normal(size=len(scores)) / np.sqrt(noise_precision)
        yield functions(sides, rate, noise_precision, z, scores)


def successive(problem: Small, rng: np.random.Generator) -> Iterator[Draw]:
    """Stars given everything, a sweep given the stars; from a draw of the prior."""
    chain = problem.chain()
    for side, columns in ((chain.people, problem.people), (chain.titles, problem.titles)):
        side.prior, side.drawn = prior_side(columns, rng)
    chain.noise = Noise(SHAPE, *prior_noise(rng))
    users, items = problem.users, problem.items
    for sweep in count():
        scores = pair_scores(chain.people.drawn[users], chain.titles.drawn[items])
        z = scores + rng.normal(size=len(users)) / np.sqrt(chain.noise.precision[users])
        chain.problem = replace(chain.problem, z=z)
        chain.sweep(sweep)
        sides = [(side.prior, side.drawn) for side in (chain.people, chain.titles)]
        scores = pair_scores(chain.people.drawn[users], chain.titles.drawn[items])
        yield functions(sides, chain.noise.rate, chain.noise.precision[users], z, scores)


def functions(
    sides: list[tuple[Prior, np.ndarray]],
    rate: float,
    noise_precision: np.ndarray,
    z: np.ndarray,
    scores: np.ndarray,
) -> Draw:
    """What is compared: bounded or logarithmic where a block's tails are heavy. Lengths in the
    units of the precision are sums of squares of standard normals under the model."""
    found = {
        "rate": rate,
        "log rate": np.log(rate),
        "log noise precision": float(np.log(noise_precision).mean()),
        "squared residual": float((np.minimum(noise_precision * (z - scores) ** 2, 30.0)).mean()),
        "stars": float(np.tanh(z).mean()),
        "spread of stars": float(np.tanh(z**2).mean()),
        "scores": float(np.tanh(scores).mean()),
    }
    for side, (own, rows) in zip(("people", "titles"), sides, strict=True):
        found |= {f"{side}: {name}": value for name, value in of_side(own, rows).items()}
    return found


def of_side(own: Prior, rows: np.ndarray) -> Draw:
    """One side's blocks; the last row has no ratings."""
    residual = rows - own.m - own.columns.values @ own.effects
    lengths = np.einsum("nk,kl,nl->n", residual, own.precision, residual)
    pulls = np.repeat(own.weights, BLOCKS)
    effects = pulls * np.einsum("fk,kl,fl->f", own.effects, own.precision, own.effects)
    return {
        "precision of biases": own.precision[0, 0],
        "precision of tastes": float(np.diag(own.precision)[1:].mean()),
        "bias beside taste": own.precision[0, 1],
        "log determinant": float(np.linalg.slogdet(own.precision)[1]),
        "mean": float(np.tanh(own.m).sum()),
        "squared mean": float(own.m @ own.precision @ own.m),
        "effects": float(np.tanh(own.effects).sum()),
        "squared effects": float(effects.sum()),
        "log weights": float(np.log(own.weights).sum()),
        "biases": float(np.tanh(rows[:-1, 0] ** 2).mean()),
        "tastes": float(np.tanh(rows[:-1, 1:] ** 2).mean()),
        "squared vectors": float(lengths[:-1].mean()),
        "newcomer": float(np.tanh(rows[-1] ** 2).sum()),
        "squared newcomer": float(lengths[-1]),
    }


def table(draws: Iterator[Draw], rows: int) -> tuple[list[str], np.ndarray]:
    """Names of the functions, and so many draws as rows."""
    taken = list(islice(draws, rows))
    return list(taken[0]), np.array([list(draw.values()) for draw in taken])


@cache
def expected() -> tuple[np.ndarray, np.ndarray]:
    """Means of the functions under the model, and the variances of those means."""
    draws = table(marginal(PROBLEM, np.random.default_rng(6)), DRAWS)[1]
    return draws.mean(axis=0), draws.var(axis=0, ddof=1) / DRAWS


def differences_in_errors(sweeps: int) -> dict[str, float]:
    """Each function's difference of means over its standard error; the chain's by batch means."""
    names, walk = table(successive(PROBLEM, np.random.default_rng(5)), sweeps)
    means, errors = expected()
    batches = walk.reshape(BATCHES, -1, len(names)).mean(axis=1)
    difference = walk.mean(axis=0) - means
    difference /= np.sqrt(errors + batches.var(axis=0, ddof=1) / BATCHES)
    return dict(zip(names, difference.tolist(), strict=True))


@pytest.mark.usefixtures("small")
def test_a_sweep_leaves_the_joint_distribution_as_it_is():
    difference = differences_in_errors(SWEEPS)
    assert len(difference) == 35
    assert max(map(abs, difference.values())) < BOUND, difference


def without_noise(patch: pytest.MonkeyPatch) -> None:
    """Vectors at nine tenths of their noise."""
    draw = RowPosterior.draw
    patch.setattr(RowPosterior, "draw", lambda self, b, n, e: draw(self, b, 0.9 * n, 0.9 * e))


def without_noise_of_few(patch: pytest.MonkeyPatch) -> None:
    """Rows with few ratings without the noise of these."""
    draw = RowPosterior.draw
    patch.setattr(RowPosterior, "draw", lambda self, b, n, e: draw(self, b, n, 0.0 * e))


def without_the_columns(patch: pytest.MonkeyPatch) -> None:
    """One degree of freedom too few for each side column."""
    draw = bayes_model.wishart
    patch.setattr(bayes_model, "wishart", lambda n, scale, rng: draw(n - sum(BLOCKS), scale, rng))


def with_another_scale(patch: pytest.MonkeyPatch) -> None:
    """The inverse scale of another prior."""
    patch.setattr(bayes_model, "BIAS_VARIANCE", 2.0 * BIAS)
    patch.setattr(bayes_model, "FACTOR_VARIANCE", 2.0 * TASTE)


def with_another_prior_mean(patch: pytest.MonkeyPatch) -> None:
    """Vectors are drawn around a mean that forgets the side columns."""
    patch.setattr(Prior, "means", lambda self: np.tile(self.m, (len(self.columns.values), 1)))


def with_a_mean_that_is_not_drawn(patch: pytest.MonkeyPatch) -> None:
    """The mean without noise; how much it should have, the moments of the prior's draw hold."""
    patch.setattr(bayes_model, "math", SimpleNamespace(sqrt=lambda x: 1e9))


def with_another_weight(patch: pytest.MonkeyPatch) -> None:
    """Blocks' weights from a gamma of another rate."""
    patch.setattr(bayes_model, "WEIGHT_PRIOR", 3.0 * FLAT)


def with_too_little_precision(patch: pytest.MonkeyPatch) -> None:
    """People's precisions from a gamma with a rating too few."""
    draw = Noise.draw
    patch.setattr(Noise, "draw", lambda self, n, squares, rng: draw(self, n - 1.0, squares, rng))


def with_too_small_errors(patch: pytest.MonkeyPatch) -> None:
    """Squared errors as if people's vectors fitted a tenth better than they do."""
    draw = Noise.draw
    patch.setattr(Noise, "draw", lambda self, n, squares, rng: draw(self, n, 0.9 * squares, rng))


def with_the_other_sides_bias(patch: pytest.MonkeyPatch) -> None:
    """Vectors fitted to stars as if the other side's biases were less than they are."""
    start = RowPosterior.__init__

    def spoilt(self, prior, partners, *given):
        smaller = np.column_stack([0.7 * partners[:, 0], partners[:, 1:]])
        start(self, prior, smaller, *given)

    patch.setattr(RowPosterior, "__init__", spoilt)


SPOILT = [
    without_noise,
    without_noise_of_few,
    without_the_columns,
    with_another_scale,
    with_another_prior_mean,
    with_a_mean_that_is_not_drawn,
    with_another_weight,
    with_too_little_precision,
    with_too_small_errors,
    with_the_other_sides_bias,
]


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("spoil", SPOILT, ids=lambda spoil: spoil.__name__)
def test_a_spoilt_sampler_is_found(monkeypatch, spoil):
    spoil(monkeypatch)
    difference = differences_in_errors(FEW_SWEEPS)
    assert max(map(abs, difference.values())) > FOUND, difference
