"""The whole Gibbs sweep against the model it samples: Geweke, Getting It Right (JASA 99, 2004).

Two ways lead to draws of parameters and stars together. *Marginal-conditional*: parameters from
their prior, then stars given them; independent, and written here from the model as `prior.py` and
`likelihood.py` state it. *Successive-conditional*: stars given the parameters, then one sweep given
the stars, and again. Both have the same distribution if and only if the sweep is right, so the
means of any function agree within their errors. The priors' constants are set so that on a small
problem every block matters, and the bound on a precision, which is no part of the model, is lifted.
A likelihood centres stars before the model sees them, so centred stars are what is simulated.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import islice
from types import SimpleNamespace

import numpy as np
import pytest

from spark_apps.recommender.bayes import chain, likelihood, prior, vectors
from spark_apps.recommender.bayes.chain import Problem, pair_scores
from spark_apps.recommender.bayes.likelihood import Normal
from spark_apps.recommender.bayes.prior import Prior
from spark_apps.recommender.bayes.sides import Columns

PEOPLE, TITLES, WIDTH, SHAPE = 7, 6, 3, 3.0
BLOCKS = (2, 1)
BIAS, TASTE, FLAT, VAGUE = 0.1, 0.1, 0.7, 0.2
SWEEPS, FEW_SWEEPS, DRAWS, BATCHES = 12_000, 3_000, 12_000, 60
FOUND, BOUND = 6.0, 4.5  # standard errors: a spoilt sampler is beyond, the right one within
Draw = dict[str, float]


def small_problem() -> Problem:
    """Two ratings in three, but nothing by the last person and of the last title."""
    lots = np.random.default_rng(11)
    rated = lots.random((PEOPLE, TITLES)) < 0.66
    rated[-1], rated[:, -1], rated[-2, 0] = False, False, True
    users, items = np.nonzero(rated)
    sides = (Columns(0.3 * lots.normal(size=(n, sum(BLOCKS))), BLOCKS) for n in (PEOPLE, TITLES))
    return Problem(users, items, np.zeros(len(users)), *sides)


PROBLEM = small_problem()


@pytest.fixture
def small(monkeypatch) -> None:
    """The constants of the model that both ways simulate."""
    for module, name, value in (
        (prior, "SPREAD_BIAS", BIAS),
        (prior, "SPREAD_TASTE", TASTE),
        (prior, "FLAT", FLAT),
        (likelihood, "VAGUE", VAGUE),
        (likelihood, "SUREST", np.inf),
    ):
        monkeypatch.setattr(module, name, value)


def prior_side(columns: Columns, lots: np.random.Generator) -> tuple[Prior, np.ndarray]:
    """One side from the model's own words: a Wishart as a sum of squares, the rest normal."""
    scale = np.diag([BIAS] + [TASTE] * (WIDTH - 1)) * (WIDTH + 2)
    root = np.linalg.cholesky(np.linalg.inv(scale))
    squares = lots.normal(size=(WIDTH + 2, WIDTH)) @ root.T
    precision = squares.T @ squares
    spread = np.linalg.cholesky(np.linalg.inv(precision))
    m = spread @ lots.normal(size=WIDTH) / np.sqrt(prior.ROWS_AT_ZERO)
    weights = lots.exponential(1.0 / FLAT, size=len(BLOCKS))
    each = np.repeat(weights, BLOCKS)[:, None]
    effects = lots.normal(size=(sum(BLOCKS), WIDTH)) @ spread.T / np.sqrt(each)
    own = m + columns.values @ effects
    own = own + lots.normal(size=own.shape) @ spread.T
    return Prior(columns, m, effects, precision, weights), own


def prior_noise(lots: np.random.Generator) -> tuple[float, np.ndarray]:
    """The rate of people's precisions, and the precisions of those who rated."""
    rate = lots.exponential(1.0 / VAGUE)
    return rate, lots.gamma(SHAPE, 1.0 / rate, size=PEOPLE - 1)


def marginal(problem: Problem, lots: np.random.Generator) -> Iterator[Draw]:
    """Independent draws of everything."""
    while True:
        sides = [prior_side(columns, lots) for columns in (problem.people, problem.titles)]
        rate, precision = prior_noise(lots)
        left, right = (rows for _, rows in sides)
        scores = pair_scores(left[problem.users], right[problem.items])
        sure = precision[problem.users]
        z = scores + lots.normal(size=len(scores)) / np.sqrt(sure)
        yield functions(sides, rate, sure, z, scores)


def successive(problem: Problem, lots: np.random.Generator) -> Iterator[Draw]:
    """Stars given everything, a sweep given the stars; from a draw of the prior."""
    people, titles = chain.start(problem, WIDTH, lots)
    for side, columns in ((people, problem.people), (titles, problem.titles)):
        side.prior, side.vectors = prior_side(columns, lots)
    stars = Normal(problem.values, problem.users, SHAPE)
    stars._rate, precision = prior_noise(lots)
    sure = precision[problem.users]
    while True:
        scores = pair_scores(people.vectors[problem.users], titles.vectors[problem.items])
        stars.z = scores + lots.normal(size=len(scores)) / np.sqrt(sure)
        sure = chain.sweep(problem, people, titles, stars, lots).precision
        scores = pair_scores(people.vectors[problem.users], titles.vectors[problem.items])
        sides = [(side.prior, side.vectors) for side in (people, titles)]
        yield functions(sides, stars._rate, sure, stars.z, scores)


def functions(
    sides: list[tuple[Prior, np.ndarray]],
    rate: float,
    sure: np.ndarray,
    z: np.ndarray,
    scores: np.ndarray,
) -> Draw:
    """What is compared: bounded or logarithmic where a block's tails are heavy. Lengths in the
    units of the precision are sums of squares of standard normals under the model."""
    found = {
        "rate": rate,
        "log rate": np.log(rate),
        "log noise precision": float(np.log(sure).mean()),
        "squared residual": float((np.minimum(sure * (z - scores) ** 2, 30.0)).mean()),
        "stars": float(np.tanh(z).mean()),
        "spread of stars": float(np.tanh(z**2).mean()),
        "scores": float(np.tanh(scores).mean()),
    }
    for side, (own, rows) in zip(("people", "titles"), sides, strict=True):
        found |= {f"{side}: {name}": value for name, value in of_side(own, rows).items()}
    return found


def of_side(own: Prior, rows: np.ndarray) -> Draw:
    """One side's blocks; the last row has no ratings."""
    apart = rows - own.m - own.columns.values @ own.effects
    lengths = np.einsum("nk,kl,nl->n", apart, own.precision, apart)
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


@dataclass(frozen=True)
class Table:
    """So many draws as rows."""

    names: list[str]
    values: np.ndarray

    @classmethod
    def of(cls, draws: Iterator[Draw], count: int) -> Table:
        rows = list(islice(draws, count))
        return cls(list(rows[0]), np.array([list(row.values()) for row in rows]))


@cache
def expected() -> tuple[np.ndarray, np.ndarray]:
    """Means of the functions under the model, and the variances of those means."""
    draws = Table.of(marginal(PROBLEM, np.random.default_rng(6)), DRAWS).values
    return draws.mean(axis=0), draws.var(axis=0, ddof=1) / DRAWS


def standard_errors_apart(sweeps: int) -> dict[str, float]:
    """Each function's difference of means over its standard error; the chain's by batch means."""
    walk, (means, errors) = (
        Table.of(successive(PROBLEM, np.random.default_rng(5)), sweeps),
        expected(),
    )
    batches = walk.values.reshape(BATCHES, -1, len(walk.names)).mean(axis=1)
    apart = walk.values.mean(axis=0) - means
    apart /= np.sqrt(errors + batches.var(axis=0, ddof=1) / BATCHES)
    return dict(zip(walk.names, apart.tolist(), strict=True))


@pytest.mark.usefixtures("small")
def test_a_sweep_leaves_the_joint_distribution_as_it_is():
    apart = standard_errors_apart(SWEEPS)
    assert len(apart) == 35
    assert max(map(abs, apart.values())) < BOUND, apart


def without_noise(patch: pytest.MonkeyPatch) -> None:
    """Vectors at nine tenths of their noise."""
    draw = vectors.draw_vectors
    patch.setattr(chain, "draw_vectors", lambda *args: draw(*args[:-1], 0.9 * args[-1]))


def without_the_columns(patch: pytest.MonkeyPatch) -> None:
    """One degree of freedom too few for each side column."""
    draw = prior.wishart
    patch.setattr(prior, "wishart", lambda n, scale, lots: draw(n - sum(BLOCKS), scale, lots))


def with_another_scale(patch: pytest.MonkeyPatch) -> None:
    """The inverse scale of another prior."""
    scale = prior._scale
    patch.setattr(prior, "_scale", lambda width: 2.0 * scale(width))


def with_another_prior_mean(patch: pytest.MonkeyPatch) -> None:
    """Vectors are drawn around a mean that forgets the side columns."""
    patch.setattr(Prior, "means", lambda self: np.tile(self.m, (len(self.columns.values), 1)))


def with_a_mean_that_is_not_drawn(patch: pytest.MonkeyPatch) -> None:
    """The mean without noise; how much it should have, the moments of the prior's draw hold."""
    patch.setattr(prior, "math", SimpleNamespace(sqrt=lambda x: 1e9))


def with_another_weight(patch: pytest.MonkeyPatch) -> None:
    """Blocks' weights from a gamma of another rate."""
    patch.setattr(prior, "FLAT", 3.0 * FLAT)


def with_noise_too_unsure(patch: pytest.MonkeyPatch) -> None:
    """People's precisions from a gamma with a rating too few."""
    start = Normal.__init__

    def spoilt(self: Normal, values: np.ndarray, users: np.ndarray, shape: float) -> None:
        start(self, values, users, shape)
        self._shapes = self._shapes - 0.5

    patch.setattr(Normal, "__init__", spoilt)


def with_the_other_sides_bias(patch: pytest.MonkeyPatch) -> None:
    """Vectors fitted to stars as if the other side's biases were less than they are."""
    draw = vectors.draw_vectors

    def spoilt(groups, means, precision, other, seen, noise):
        smaller = np.column_stack([0.7 * other[:, 0], other[:, 1:]])
        return draw(groups, means, precision, smaller, seen, noise)

    patch.setattr(chain, "draw_vectors", spoilt)


SPOILT = [
    without_noise,
    without_the_columns,
    with_another_scale,
    with_another_prior_mean,
    with_a_mean_that_is_not_drawn,
    with_another_weight,
    with_noise_too_unsure,
    with_the_other_sides_bias,
]


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("spoil", SPOILT, ids=lambda spoil: spoil.__name__)
def test_a_spoilt_sampler_is_found(monkeypatch, spoil):
    spoil(monkeypatch)
    apart = standard_errors_apart(FEW_SWEEPS)
    assert max(map(abs, apart.values())) > FOUND, apart
