"""The posterior mean as one factor model: exact where the rank suffices, else the best one."""

from __future__ import annotations

import numpy as np
import pytest

from spark_apps.recommender.posterior_mean import (
    ChainMean,
    FactorSum,
    MeanSum,
    mean_of_chains,
    pair_scores,
    random_pairs,
    reduction,
)

PEOPLE, TITLES, FACTORS = 40, 50, 3
PAIRS = random_pairs((PEOPLE, TITLES), 4)
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
    total = MeanSum.start((PEOPLE, TITLES), rank, PAIRS)
    for people, titles in draws:
        total.add(people, titles)
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
    packed = mean_of_chains(chains, 3.5, 12, PAIRS)
    wanted = 3.5 + np.mean([all_scores(*draw) for draw in draws], axis=0)
    users, items = (x.ravel() for x in np.indices((PEOPLE, TITLES)))
    assert packed.model.predict(users, items) == pytest.approx(wanted.ravel(), abs=1e-5)
    assert packed.loss == pytest.approx(0.0, abs=1e-5)
    assert packed.model.mean == pytest.approx(wanted.mean(), abs=1e-5)
    assert packed.model.user_bias == pytest.approx(wanted.mean(axis=1) - wanted.mean(), abs=1e-5)
    assert packed.model.item_bias == pytest.approx(wanted.mean(axis=0) - wanted.mean(), abs=1e-5)


def test_what_packing_loses_is_what_it_says():
    draws = some_draws(4)
    packed = mean_of_chains([chain_mean(draws, 12)], 3.5, 4, PAIRS)
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
