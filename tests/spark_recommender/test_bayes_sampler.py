"""The Gibbs sampler's parts: against dense sums, known moments, and itself."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from marquee.errors import RecipeError
from marquee.progress import read_progress
from spark_apps.recommender import bayes_model
from spark_apps.recommender.bayes_model import (
    BIAS_VARIANCE,
    FACTOR_VARIANCE,
    FEW,
    ROWS_AT_ZERO,
    Prior,
    RowPosterior,
    wishart,
)
from spark_apps.recommender.families import Size
from spark_apps.recommender.gibbs_sampler import Chain, ChainState, LastStates, Problem, run_chains
from spark_apps.recommender.indexed_ratings import Catalogue
from spark_apps.recommender.posterior_mean import ChainMean, random_pairs
from spark_apps.recommender.predictor_bayes import (
    bytes_needed,
    operations_needed,
    refuse_over_budget,
)
from spark_apps.recommender.rating_blocks import RatingBlock, star_indices
from spark_apps.recommender.recipes import read_recipe
from spark_apps.recommender.training_data import FeatureBlocks
from tests.plugins.spark_session import spark  # noqa: F401
from tests.spark_recommender.made_up import BAYES, DeadlyProblem, all_blocks, made_blocks

PEOPLE, TITLES, WIDTH = 40, 60, 4


def some_ratings(seed: int = 5) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Person 0 rated nothing, person 1 everything, person 2 one title, the others about a third."""
    rng = np.random.default_rng(seed)
    rated = rng.random((PEOPLE, TITLES)) < 0.3
    rated[0], rated[1], rated[2] = False, True, np.arange(TITLES) == 7
    order = rng.permutation(rated.sum())
    users, items = (column[order] for column in np.nonzero(rated))
    return users, items, rng.integers(1, 6, len(users)).astype(np.float64)


def some_prior(rng: np.random.Generator, rows: int) -> Prior:
    """A draw of a prior with two side columns."""
    mixing = rng.normal(size=(WIDTH, WIDTH))
    columns = FeatureBlocks(rng.normal(size=(rows, 2)), (1, 1))
    effects, m = rng.normal(size=(2, WIDTH)), rng.normal(size=WIDTH)
    return Prior(columns, m, effects, mixing @ mixing.T + np.eye(WIDTH), np.ones(2))


def dense(
    prior: Prior, row: int, x: np.ndarray, h: np.ndarray, p: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of a row's vector from the sums as the model states them."""
    system = prior.precision + (x * p[:, None]).T @ x
    side = prior.precision @ prior.means()[row] + (x * p[:, None]).T @ h
    return np.linalg.solve(system, side), np.linalg.inv(system)


@pytest.mark.parametrize(("kind", "gathered"), [("f8", 6_000), ("f8", 16), ("f4", 6_000)])
@pytest.mark.parametrize("side", ["people", "titles"])
def test_a_row_without_noise_is_the_mean_of_the_dense_sums(monkeypatch, side, kind, gathered):
    monkeypatch.setattr(bayes_model, "GATHERED", gathered)
    rng = np.random.default_rng(1)
    users, items, values = some_ratings()
    own, other = (users, items) if side == "people" else (items, users)
    rows, partners = (PEOPLE, TITLES) if side == "people" else (TITLES, PEOPLE)
    levels, stars = star_indices(values)
    prior, vectors = some_prior(rng, rows), rng.normal(size=(partners, WIDTH))
    precision = rng.uniform(0.5, 2.0, PEOPLE)
    given = {"own": precision} if side == "people" else {"weights": precision}
    posterior = RowPosterior(prior, vectors, levels - 3.0, **given, kind=np.dtype(kind).type)
    within = 1e-9 if kind == "f8" else 1e-4
    seen, paths = 0, set()
    for block in made_blocks(own, other, stars, (rows, partners), 3):
        shape = len(block.rows), WIDTH
        solved, squares = posterior.draw(
            block, np.zeros(shape), np.zeros(posterior.errors_needed(block))
        )
        for place, row in enumerate(block.rows.tolist()):
            mine = np.flatnonzero(own == row)
            x = np.column_stack([np.ones(len(mine)), vectors[other[mine], 1:]])
            h = values[mine] - 3.0 - vectors[other[mine], 0]
            wanted, _ = dense(prior, row, x, h, precision[users[mine]])
            found = posterior.vectors(solved[place : place + 1])[0]
            assert found == pytest.approx(wanted, abs=within)
            if side == "people":
                errors = ((h - x @ found) ** 2).sum()
                assert squares[place] == pytest.approx(errors, abs=within, rel=within)
            seen += 1
            paths.add((len(mine) > 0) + (len(mine) > FEW))
    assert seen == rows
    assert paths >= ({0, 1, 2} if side == "people" else {1, 2})


def test_draws_of_rows_have_the_covariance_of_the_dense_sums():
    """Few ratings and many take two ways to the same distribution."""
    rng, copies = np.random.default_rng(2), 20_000
    prior, vectors = some_prior(rng, 2 * copies), rng.normal(size=(30, WIDTH))
    prior.columns.values[:] = 0.0
    prior = replace(prior, columns=prior.columns)
    precision = np.full(2 * copies, 1.7)
    posterior = RowPosterior(prior, vectors, np.array([-1.0, 0.5]), own=precision)
    for count in (FEW - 6, FEW + 9):
        others = np.tile(np.arange(count, dtype=np.int32), copies)
        rows = np.arange(copies, dtype=np.int32)
        stars = (others % 2).astype(np.uint8)
        block = RatingBlock(0, rows, np.full(copies, count, np.int32), others, stars)
        noise = rng.normal(size=(copies, WIDTH)), rng.normal(size=posterior.errors_needed(block))
        drawn = posterior.vectors(posterior.draw(block, *noise)[0])
        x = np.column_stack([np.ones(count), vectors[:count, 1:]])
        h = np.where(np.arange(count) % 2, 0.5, -1.0) - vectors[:count, 0]
        mean, covariance = dense(prior, 0, x, h, np.full(count, 1.7))
        errors = np.sqrt(np.diag(covariance) / copies)
        assert (np.abs(drawn.mean(axis=0) - mean) < 5 * errors).all()
        assert np.cov(drawn.T) == pytest.approx(covariance, rel=0.05, abs=0.03 * covariance.max())


def test_a_wishart_draw_has_its_mean():
    rng, covariance = np.random.default_rng(3), np.array([[2.0, 0.5], [0.5, 1.0]])
    drawn = np.mean([wishart(10.0, covariance, rng) for _ in range(4_000)], axis=0)
    assert drawn == pytest.approx(10.0 * np.linalg.inv(covariance), rel=0.1, abs=0.3)


def test_a_drawn_prior_has_the_moments_of_the_normal_wishart():
    """With nothing in the side columns, mean and precision of given vectors are normal-Wishart:
    Murphy, Conjugate Bayesian Analysis of the Gaussian Distribution (2007), section 8."""
    rng, n, draws = np.random.default_rng(8), 9, 6_000
    mixing = np.array([[0.8, 0.0, 0.0], [0.3, 0.4, 0.0], [-0.2, 0.1, 0.3]])
    rows = np.array([0.6, -0.4, 0.2]) + rng.normal(size=(n, 3)) @ mixing.T
    own = Prior.start(FeatureBlocks(np.zeros((n, 2)), (1, 1)), 3)
    means, precisions = np.empty((draws, 3)), np.empty((draws, 3, 3))
    for at in range(draws):
        own.draw(rows, rng)
        means[at], precisions[at] = own.m, own.precision
    counted, freedom, middle = n + ROWS_AT_ZERO, 5.0 + n, rows.mean(axis=0)
    scale = 5.0 * np.diag([BIAS_VARIANCE, FACTOR_VARIANCE, FACTOR_VARIANCE])
    scale += (rows - middle).T @ (rows - middle)
    scale += n * ROWS_AT_ZERO / counted * np.outer(middle, middle)
    inverse = np.linalg.inv(scale)
    spread = scale / (counted * (freedom - 4.0))
    variance = freedom * (inverse**2 + np.outer(np.diag(inverse), np.diag(inverse)))
    assert means.mean(axis=0) == pytest.approx(n * middle / counted, abs=0.012)
    assert np.cov(means.T) == pytest.approx(spread, rel=0.08, abs=0.001)
    assert precisions.mean(axis=0) == pytest.approx(freedom * inverse, rel=0.02, abs=0.15)
    assert precisions.var(axis=0) == pytest.approx(variance, rel=0.12)


# Chains


@dataclass(frozen=True)
class Given:
    """A problem and its blocks."""

    problem: Problem
    blocks: tuple[list[RatingBlock], list[RatingBlock]]


def some_problem(blocks: int = 2) -> Given:
    users, items, values = some_ratings()
    levels, stars = star_indices(values)
    blank = [FeatureBlocks.of([np.ones((n, 1))]) for n in (PEOPLE, TITLES)]
    pairs = random_pairs((PEOPLE, TITLES), 1)
    problem = Problem(levels - values.mean(), float(values.var()), *blank, pairs)
    people = list(made_blocks(users, items, stars, (PEOPLE, TITLES), blocks))
    return Given(
        problem, (people, list(made_blocks(items, users, stars, (TITLES, PEOPLE), blocks)))
    )


def one_chain(given: Given, seed: int, state: ChainState | None = None) -> Chain:
    return Chain.start(given.problem, given.blocks, read_recipe(BAYES).plan(), seed, state)


def same(one: ChainMean, other: ChainMean) -> bool:
    """Whether every number is equal, bit by bit."""
    return all(np.array_equal(a, b) for a, b in zip(vars(one).values(), vars(other).values()))


def test_a_chain_repeats_itself_in_any_order_of_its_blocks(tmp_path, monkeypatch):
    monkeypatch.setenv("MARQUEE_PROGRESS", str(tmp_path / "progress.json"))
    given = some_problem(blocks=3)
    first = one_chain(given, 3).run("fit forecast")
    progress = read_progress(tmp_path / "progress.json")
    assert progress is not None and progress.note == "fit forecast"
    assert (progress.what, progress.done, progress.of) == ("sweep", 40, 40)
    people, titles = given.blocks
    again = Given(given.problem, (people[::-1], titles[1:] + titles[:1]))
    assert same(first, one_chain(again, 3).run())
    assert not same(first, one_chain(given, 4).run())
    assert np.isfinite(first.checked).all() and first.checked.std() > 0


def test_a_chain_goes_on_from_its_state_and_new_rows_start_afresh():
    given = some_problem()
    chain = one_chain(given, 3)
    chain.run()
    state = chain.state()
    ids = np.arange(PEOPLE) * 3, np.arange(TITLES) * 2
    wanted = Catalogue(np.append(ids[0][5:], 10_000), np.append(ids[1], 9_999), {})
    moved = LastStates(*ids, (state,)).at(wanted)[0]
    assert np.array_equal(moved.people[:-1], state.people[5:])
    assert np.isnan(moved.people[-1]).all() and np.isnan(moved.precision[-1])
    assert np.isnan(moved.titles[-1]).all() and moved.rate == state.rate
    holes = replace(state, people=state.people.copy(), precision=state.precision.copy())
    holes.people[4], holes.precision[4] = np.nan, np.nan
    resumed = one_chain(given, 9, holes)
    known = np.arange(PEOPLE) != 4
    assert resumed.people.drawn[known] == pytest.approx(state.people[known])
    assert np.array_equal(resumed.people.drawn[4], one_chain(given, 9).people.drawn[4])
    assert np.isfinite(resumed.noise.precision).all()
    assert np.isfinite(resumed.run().checked).all()


def test_a_killed_worker_costs_time_and_changes_nothing(spark, capsys, tmp_path: Path):  # noqa: F811
    users, items, values = some_ratings()
    given, plan = some_problem(blocks=1), read_recipe(BAYES).plan()
    blocks = all_blocks(users, items, star_indices(values)[1], (PEOPLE, TITLES))
    whole = run_chains(spark, given.problem, blocks, plan, 2, 5)
    marker = tmp_path / "killed"
    deadly = DeadlyProblem(*vars(given.problem).values(), marker=str(marker))
    again = run_chains(spark, deadly, blocks, plan, 2, 5)
    assert marker.exists()
    assert capsys.readouterr().out.count("a sweep took") == 2
    assert [same(a[0], b[0]) for a, b in zip(whole, again, strict=True)] == [True, True]
    seeds = [int(s) for s in np.random.SeedSequence(5).generate_state(2)]
    assert same(whole[1][0], one_chain(given, seeds[1]).run())


def test_a_recipe_states_its_bytes_and_operations_and_is_refused_over_them():
    recipe = read_recipe(BAYES)
    small, large = Size(100_000, 943, 1_682), Size(10_000_000, 70_000, 10_700)
    refuse_over_budget(recipe, small)
    assert bytes_needed(recipe, small) < 2 * bytes_needed(recipe, Size(10**7, 943, 1_682))
    assert bytes_needed(recipe, large) < 70_000 * 10_700
    assert operations_needed(recipe, large) > 50 * operations_needed(recipe, small)
    with pytest.raises(RecipeError, match=r"10000000 ratings of 70000 people.*als_bias"):
        refuse_over_budget(recipe, large)
