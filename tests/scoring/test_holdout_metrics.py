"""Metrics against an independent slow implementation on the same lists."""

from __future__ import annotations

import math

import numpy as np
import pytest

from scoring.recommender.holdout import (
    Relevant,
    ranking_metrics,
    rmse,
    squared_errors_by_person,
)
from scoring.recommender.list_variety import catalogue_coverage, gini, novelty


def slow_metrics(ranked: list[int], relevant: set[int]) -> dict[str, float]:
    dcg = sum(1 / math.log2(i + 2) for i, m in enumerate(ranked) if m in relevant)
    ideal = sum(1 / math.log2(i + 2) for i in range(min(10, len(relevant))))
    found, precisions = 0, []
    for i, movie in enumerate(ranked):
        if movie in relevant:
            found += 1
            precisions.append(found / (i + 1))
    return {
        "ndcg": dcg / ideal,
        "recall": found / len(relevant),
        "precision": found / 10,
        "map": sum(precisions) / min(10, len(relevant)),
    }


@pytest.mark.parametrize("seed", range(5))
def test_ranking_metrics_equal_the_slow_ones(seed):
    rng = np.random.default_rng(seed)
    people = np.sort(rng.choice(1000, 25, replace=False))
    pairs = {(int(p), int(m)) for p in people for m in rng.choice(200, rng.integers(1, 30))}
    users, movies = np.array(sorted(pairs)).T
    lists = np.array([rng.choice(220, 10, replace=False) for _ in people])
    lists[0, 4:] = -1  # a list that ran out of titles
    relevant = Relevant.of(users, movies)
    ours = ranking_metrics(relevant.hits(lists), relevant.counts)
    assert relevant.people.tolist() == people.tolist()
    for place, person in enumerate(people):
        liked = {m for p, m in pairs if p == person}
        for name, value in slow_metrics(lists[place].tolist(), liked).items():
            assert ours[name][place] == pytest.approx(value, abs=1e-12), name
    assert ours["ndcg"].max() > 0


def test_a_perfect_list_scores_one():
    relevant = Relevant.of(np.repeat(7, 12), np.arange(12))
    values = ranking_metrics(relevant.hits(np.arange(10)[None, :]), relevant.counts)
    assert values["ndcg"][0] == values["map"][0] == values["precision"][0] == 1.0
    assert values["recall"][0] == pytest.approx(10 / 12)


def test_rmse_is_the_people_sums_put_together():
    rng = np.random.default_rng(0)
    users = rng.integers(0, 9, 50)
    predicted, actual = rng.normal(size=50), rng.normal(size=50)
    errors, rows = squared_errors_by_person(users, predicted, actual)
    assert rows.sum() == 50
    assert math.sqrt(errors.sum() / rows.sum()) == pytest.approx(rmse(predicted, actual))


def test_catalogue_metrics_of_lists():
    lists = np.array([[1, 2], [1, -1]])
    assert catalogue_coverage(lists, 4) == 0.5
    assert gini(np.array([[1, 2], [3, 4]]), 4) == pytest.approx(0.0)
    assert gini(np.array([[1, 1], [1, 1]]), 4) == pytest.approx(0.75)
    raters = np.array([0, 8, 2])
    bits = novelty(np.array([[5, 7], [7, -1]]), np.array([3, 5, 7]), raters, 8)
    assert bits == pytest.approx((0 + 2 + 2) / 3)
