"""The Gibbs sampler's parts: against plain loops with the same random numbers, known answers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from marquee.errors import RecipeError
from marquee.progress import read_progress
from spark_apps.recommender.bayes_model import (
    BIAS_VARIANCE,
    FACTOR_VARIANCE,
    ROWS_AT_ZERO,
    LatentStars,
    NormalStars,
    OrderedStars,
    Prior,
    likelihood_of,
    normal_cdf,
    truncated_normal,
    wishart,
)
from spark_apps.recommender.families import Size
from spark_apps.recommender.gibbs_sampler import Problem, draw_vectors, group_rows, pack, run_chain
from spark_apps.recommender.predictor_bayes import (
    bytes_needed,
    mean_of_chains,
    operations_needed,
    refuse_over_budget,
)
from spark_apps.recommender.recipes import read_recipe
from spark_apps.recommender.training_data import FeatureBlocks
from tests.spark_recommender.made_up import BAYES

PEOPLE, TITLES, WIDTH = 17, 23, 4


def some_ratings(seed: int = 5) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Person 0 rated nothing, person 1 everything, the others about a third."""
    rng = np.random.default_rng(seed)
    rated = rng.random((PEOPLE, TITLES)) < 0.3
    rated[0], rated[1] = False, True
    users, items = (x[rng.permutation(rated.sum())] for x in np.nonzero(rated))
    return users, items, rng.integers(1, 6, len(users)).astype(np.float64)


def test_a_step_is_that_of_a_plain_loop_with_the_same_random_numbers():
    rng = np.random.default_rng(1)
    users, items, stars = some_ratings()
    other, means = rng.normal(size=(TITLES, WIDTH)), rng.normal(size=(PEOPLE, WIDTH))
    precision = np.eye(WIDTH) + 0.2
    noise = rng.normal(size=means.shape)
    seen = LatentStars(stars - 3.0, rng.uniform(0.5, 2.0, len(stars)))
    groups = group_rows(users, items, PEOPLE, TITLES)
    found = draw_vectors(groups, means, precision, other, seen, noise)
    assert len(groups) > 2
    for person in range(PEOPLE):
        system, side = precision.copy(), precision @ means[person]
        for n in np.flatnonzero(users == person):
            x = np.array([1.0, *other[items[n], 1:]])
            system += seen.precision[n] * np.outer(x, x)
            side += seen.precision[n] * x * (seen.z[n] - other[items[n], 0])
        root = np.linalg.cholesky(system)
        wanted = np.linalg.solve(system, side) + np.linalg.solve(root.T, noise[person])
        assert found[person] == pytest.approx(wanted, abs=1e-10)


def test_every_row_is_in_one_group_with_all_its_ratings():
    users, items, _ = some_ratings()
    groups = group_rows(users, items, PEOPLE, TITLES)
    assert sorted(np.concatenate([g.own for g in groups]).tolist()) == list(range(PEOPLE))
    for group in groups:
        for row, others, places in zip(group.own, group.others, group.places, strict=True):
            mine = places < len(users)
            assert sorted(places[mine]) == sorted(np.flatnonzero(users == row))
            assert (others[mine] == items[places[mine]]).all()
            assert (others[~mine] == TITLES).all()


def test_the_normal_table_is_the_normal_distribution():
    for x in (-6.0, -2.5, -0.3, 0.0, 1.0, 4.2):
        wanted = 0.5 * math.erfc(-x / math.sqrt(2.0))
        assert normal_cdf(np.array([x]))[0] == pytest.approx(wanted, abs=1e-7)
    shares = np.random.default_rng(0).random(20_000)
    for low, high in ((-1.0, 0.5), (2.0, 2.5), (-30.0, -3.0), (4.0, 30.0)):
        drawn = truncated_normal(np.full(20_000, low), np.full(20_000, high), shares)
        assert (drawn >= low).all()
        assert (drawn <= high).all()
        weights = np.exp(-0.5 * np.linspace(max(low, -9), min(high, 9), 9_001) ** 2)
        middle = np.average(np.linspace(max(low, -9), min(high, 9), 9_001), weights=weights)
        assert drawn.mean() == pytest.approx(middle, abs=0.02)


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


def test_thresholds_and_expected_stars_are_found_again():
    """Feelings are known, stars are cut from them: the sampler finds where."""
    rng = np.random.default_rng(4)
    scores, cuts = rng.normal(size=30_000), np.array([-1.5, -0.5, 0.4, 1.3])
    stars = 1.0 + np.searchsorted(cuts, scores + rng.normal(size=len(scores)))
    people = np.arange(30_000) % 300
    model = OrderedStars(stars, people, np.unique(stars), 50.0)
    for _ in range(15):
        model.draw(scores, rng)
    assert model.cuts == pytest.approx(cuts, abs=0.06)
    asked = np.tile(np.array([-2.0, 0.0, 2.0], dtype=np.float32), (300, 1))
    wanted = [1 + sum(0.5 * math.erfc((c - s) / math.sqrt(2)) for c in cuts) for s in asked[0]]
    assert model.expected(asked).mean(axis=0) == pytest.approx(wanted, abs=0.05)


def test_stars_that_are_no_scale_are_numbers():
    users = np.zeros(30, dtype=np.intp)
    assert isinstance(likelihood_of("ordered", np.full(30, 3.0), users, 2.5), NormalStars)
    assert isinstance(likelihood_of("ordered", np.linspace(1, 5, 30), users, 2.5), NormalStars)
    assert isinstance(likelihood_of("ordered", np.arange(30) % 5.0, users, 2.5), OrderedStars)


def test_what_packing_loses_is_what_it_says():
    rng = np.random.default_rng(6)
    stars = 3.0 + rng.normal(size=(40, 6)) @ rng.normal(size=(6, 50))
    stars += rng.normal(size=40)[:, None]
    whole, part = pack(stars, 8, seed=1), pack(stars, 2, seed=1)
    assert whole.loss == pytest.approx(0.0, abs=1e-6)
    users, items = (x.ravel() for x in np.indices(stars.shape))
    assert whole.model.predict(users, items) == pytest.approx(stars.ravel(), abs=1e-9)
    difference = part.model.predict(users, items) - stars.ravel()
    assert np.sqrt(np.mean(difference**2)) == pytest.approx(part.loss, rel=1e-6)
    assert part.loss > 0.5


def test_stacked_chains_predict_their_mean():
    rng = np.random.default_rng(7)
    tables = [3.0 + rng.normal(size=(20, 3)) @ rng.normal(size=(3, 30)) for _ in range(3)]
    both = mean_of_chains([pack(t, 5, seed=1) for t in tables], rank=12)
    users, items = (x.ravel() for x in np.indices((20, 30)))
    mean = np.mean(tables, axis=0).ravel()
    assert both.model.predict(users, items) == pytest.approx(mean, abs=1e-9)
    assert both.loss == pytest.approx(0.0, abs=1e-6)
    short = mean_of_chains([pack(t, 5, seed=1) for t in tables], rank=4)
    difference = short.model.predict(users, items) - mean
    assert np.sqrt(np.mean(difference**2)) == pytest.approx(short.loss, rel=1e-6)


@pytest.mark.parametrize("kind", ["normal", "ordered"])
def test_a_chain_repeats_itself_and_is_finite(kind, tmp_path, monkeypatch):
    monkeypatch.setenv("MARQUEE_PROGRESS", str(tmp_path / "progress.json"))
    users, items, stars = some_ratings()
    blank = [FeatureBlocks.of([np.ones((n, 1))]) for n in (PEOPLE, TITLES)]
    recipe = read_recipe(BAYES | {"likelihood": kind})
    problem = Problem(users, items, stars, *blank)
    first = run_chain(problem, recipe.plan(), 3, "fit forecast")
    progress = read_progress(tmp_path / "progress.json")
    assert progress is not None and progress.note == "fit forecast"
    assert np.array_equal(first, run_chain(problem, recipe.plan(), 3))
    assert not np.array_equal(first, run_chain(problem, recipe.plan(), 4))
    assert first.shape == (PEOPLE, TITLES)
    assert ((first >= 1.0) & (first <= 5.0)).all()
    progress = read_progress(tmp_path / "progress.json")
    assert (progress.what, progress.done, progress.of) == ("sweep", recipe.sweeps, recipe.sweeps)


def test_a_recipe_states_its_bytes_and_operations_and_is_refused_over_them():
    recipe = read_recipe(BAYES)
    small, large = Size(100_000, 943, 1_682), Size(10_000_000, 70_000, 10_700)
    refuse_over_budget(recipe, small)
    assert bytes_needed(recipe, small) >= 943 * 1_682 * 8
    assert operations_needed(recipe, large) > 50 * operations_needed(recipe, small)
    with pytest.raises(RecipeError, match=r"10000000 ratings of 70000 people.*als_bias"):
        refuse_over_budget(recipe, large)
