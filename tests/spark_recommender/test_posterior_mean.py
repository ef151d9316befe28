"""The posterior mean as one factor model: exact where the rank suffices, else the best one."""

from __future__ import annotations

import numpy as np
import pytest

from spark_apps.recommender.posterior_mean import (
    ChainMean,
    FactorSum,
    MeanSum,
    PanelMoments,
    RatingVariance,
    Sample,
    mean_of_chains,
    pair_scores,
    reduction,
)

PEOPLE, TITLES, FACTORS = 40, 50, 3
RATED = np.random.default_rng(8).integers(PEOPLE, size=(2, 200))
SAMPLE = Sample.draw(*RATED, (PEOPLE, TITLES), seed=4)
PAIRS = SAMPLE.pairs
Draw = tuple[np.ndarray, np.ndarray]


def some_draws(count: int, seed: int = 6) -> list[Draw]:
    """Vectors [bias, factors] of people and of titles."""
    rng = np.random.default_rng(seed)
    sizes = (PEOPLE, TITLES)
    return [tuple(0.3 + rng.normal(size=(n, 1 + FACTORS)) for n in sizes) for _ in range(count)]  # type: ignore[misc]


def all_scores(people: np.ndarray, titles: np.ndarray) -> np.ndarray:
    """[people, titles], which the product never makes."""
    return people[:, :1] + titles[:, 0] + people[:, 1:] @ titles[:, 1:].T


def chain_mean(draws: list[Draw], rank: int) -> ChainMean:
    total = MeanSum.start((PEOPLE, TITLES), rank, SAMPLE)
    for people, titles in draws:
        total.add(people, titles, np.full(PEOPLE, 4.0))
    return total.mean()


def test_a_reduction_is_the_truncated_svd_of_the_product():
    rng = np.random.default_rng(1)
    left, right = rng.normal(size=(30, 9)), rng.normal(size=(20, 9))
    left[:, 8] = left[:, 7]  # dependent columns
    a, b = reduction(left, right, 4)
    u, s, v = np.linalg.svd(left @ right.T)
    assert left @ a @ (right @ b).T == pytest.approx((u[:, :4] * s[:4]) @ v[:4], abs=1e-9)
    whole = reduction(left, right, 9)
    assert left @ whole[0] @ (right @ whole[1]).T == pytest.approx(left @ right.T, abs=1e-6)
    nothing = reduction(0.0 * left, right, 4)
    assert not (left @ nothing[0]).any()


def test_a_sum_of_products_is_exact_within_the_rank():
    draws = some_draws(2)
    total = FactorSum.start((PEOPLE, TITLES), 6)
    for people, titles in draws * 5:
        total.add(people[:, 1:], titles[:, 1:])
    left, right = total.factors()
    wanted = 5 * sum(p[:, 1:] @ t[:, 1:].T for p, t in draws)
    assert left.shape == (PEOPLE, 6)
    assert left @ right.T == pytest.approx(wanted, abs=1e-3 * np.abs(wanted).max())


def test_draws_of_more_factors_than_the_rank_are_added_too():
    total = FactorSum.start((PEOPLE, TITLES), 2)
    people, titles = some_draws(1)[0]
    total.add(people[:, 1:], titles[:, 1:])
    left, right = total.factors()
    a, b = reduction(people[:, 1:], titles[:, 1:], 2)
    assert left @ right.T == pytest.approx(people[:, 1:] @ a @ (titles[:, 1:] @ b).T, abs=1e-4)


def test_chains_predict_the_mean_over_all_their_draws():
    draws = some_draws(4)
    chains = [chain_mean(draws[:2], 6), chain_mean(draws[2:], 6)]
    packed = mean_of_chains(chains, 3.5, 12, SAMPLE)
    wanted = 3.5 + np.mean([all_scores(*draw) for draw in draws], axis=0)
    users, items = (x.ravel() for x in np.indices((PEOPLE, TITLES)))
    assert packed.model.predict(users, items) == pytest.approx(wanted.ravel(), abs=1e-5)
    assert packed.loss == pytest.approx(0.0, abs=1e-5)
    assert packed.model.mean == pytest.approx(wanted.mean(), abs=1e-5)
    assert packed.model.user_bias == pytest.approx(wanted.mean(axis=1) - wanted.mean(), abs=1e-5)
    assert packed.model.item_bias == pytest.approx(wanted.mean(axis=0) - wanted.mean(), abs=1e-5)


def test_what_packing_loses_is_what_it_says():
    draws = some_draws(4)
    packed = mean_of_chains([chain_mean(draws, 12)], 3.5, 4, SAMPLE)
    wanted = 3.5 + np.mean([all_scores(*draw) for draw in draws], axis=0)
    users, items = (x.ravel() for x in np.indices((PEOPLE, TITLES)))
    lost = np.sqrt(np.mean((packed.model.predict(users, items) - wanted.ravel()) ** 2))
    assert packed.loss == pytest.approx(lost, rel=0.03)
    assert lost > 0.3
    residual = wanted - wanted.mean(axis=1)[:, None] - wanted.mean(axis=0) + wanted.mean()
    least = np.linalg.svd(residual)[1][4:]
    assert lost == pytest.approx(np.sqrt((least**2).sum() / wanted.size), rel=1e-4)


def test_pairs_are_kept_exactly():
    draws = some_draws(5)
    found = chain_mean(draws, 2).checked
    wanted = np.mean([pair_scores(p[PAIRS[0]], t[PAIRS[1]]) for p, t in draws], axis=0)
    assert found == pytest.approx(wanted, abs=1e-12)


def test_the_variance_of_a_score_is_the_sum_of_a_persons_and_a_titles():
    """Independent biases, whose variances are known; the noise has the variance 1/4."""
    rng = np.random.default_rng(9)
    spread = rng.uniform(0.1, 1.0, PEOPLE), rng.uniform(0.1, 1.0, TITLES)
    draws = []
    for _ in range(400):
        sides = [np.zeros((n, 1 + FACTORS)) for n in (PEOPLE, TITLES)]
        for side, deviation in zip(sides, spread, strict=True):
            side[:, 0] = rng.normal(size=len(side)) * deviation
        draws.append((sides[0], sides[1]))
    found = RatingVariance.of_chains(
        [chain_mean(draws[:200], 6), chain_mean(draws[200:], 6)], SAMPLE
    )
    users, items = (x.ravel() for x in np.indices((PEOPLE, TITLES)))
    wanted = 0.25 + spread[0][users] ** 2 + spread[1][items] ** 2
    assert found.of(users, items) == pytest.approx(wanted, rel=0.3)
    assert np.corrcoef(found.of(users, items), wanted)[0, 1] > 0.98
    assert found.of(users, items).mean() == pytest.approx(wanted.mean(), rel=0.05)


def test_moments_of_a_panel_are_those_of_the_scores():
    draws = some_draws(6)
    moments = PanelMoments.start(PEOPLE, np.array([3, 7]))
    for people, titles in draws:
        moments.add(people, titles)
    scores = np.array([all_scores(*draw)[:, [3, 7]] for draw in draws])
    wanted = scores.var(axis=0, ddof=1).mean(axis=1)
    assert moments.variance(6) == pytest.approx(wanted, rel=1e-4)
