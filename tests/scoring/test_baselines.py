"""The bias model against its own normal equations; popularity and its lists by hand."""

from __future__ import annotations

import numpy as np
import pytest

from scoring.recommender.baselines import fit_bias, popular_lists, popularity, recent_lists
from scoring.recommender.holdout import HoldoutSplit
from scoring.recommender.ratings_arrays import DAY
from tests.scoring.made_up import make_ratings


def test_biases_solve_their_normal_equations():
    rows = make_ratings()
    users, items = rows.user_ids - 1, rows.movie_ids - 1
    model = fit_bias(users, items, rows.values, 30, 40, reg_user=5.0, reg_item=3.0)
    design = np.zeros((len(rows), 70))
    design[np.arange(len(rows)), users] = 1.0
    design[np.arange(len(rows)), 30 + items] = 1.0
    ridge = np.diag(np.repeat([5.0, 3.0], [30, 40]))
    exact = np.linalg.solve(design.T @ design + ridge, design.T @ (rows.values - model.mean))
    assert model.user_bias == pytest.approx(exact[:30], abs=2e-3)
    assert model.item_bias == pytest.approx(exact[30:], abs=2e-3)


def test_unknown_rows_have_no_bias():
    model = fit_bias(np.array([0, 0]), np.array([0, 1]), np.array([2.0, 4.0]), 1, 2, 1.0, 1.0)
    found = model.predict(np.array([-1, 0]), np.array([0, -1]))
    assert found == pytest.approx([3.0 + model.item_bias[0], 3.0 + model.user_bias[0]])


def test_popularity_counts_and_liking_breaks_ties():
    items = np.array([0, 0, 0, 1, 1, 2, 2])
    values = np.array([3.0, 3, 3, 5, 5, 1, 1])
    found = popularity(items, values, titles=4)
    assert np.argsort(-found).tolist() == [0, 1, 2, 3]
    assert found[3] == 0.0
    assert found[0] == pytest.approx(3.0, abs=0.1)


def split_in_time() -> HoldoutSplit:
    """Some people hold out ratings and have none in train."""
    rows = make_ratings(40, 60, share=0.5)
    rows.times[:] = 1_000_000_000 + np.random.default_rng(6).integers(0, 100 * DAY, len(rows))
    held = (np.arange(len(rows)) % 5 == 0) | (rows.user_ids < 4)
    return HoldoutSplit.of(rows.take(~held), rows.take(held))


def test_popular_lists_are_the_best_unrated_titles_of_each_person(monkeypatch) -> None:
    monkeypatch.setattr("scoring.recommender.baselines.MOST_PEOPLE", 7)
    split, catalogue = split_in_time(), np.arange(1, 61)
    ranks = popularity(split.train.movie_ids - 1, split.train.values, 60)
    lists = popular_lists(split, catalogue)
    for user, listed in zip(split.people.tolist(), lists.tolist()):
        seen = set(split.train.movie_ids[split.train.user_ids == user].tolist())
        order = [m for m in (np.argsort(-ranks, kind="stable") + 1).tolist() if m not in seen]
        assert listed == order[:10]
    assert len(lists) == 40


@pytest.mark.parametrize("candidates", [10, 15, 30])
def test_few_candidates_give_the_recent_lists_of_all_titles(monkeypatch, candidates: int) -> None:
    split, catalogue = split_in_time(), np.arange(1, 61)
    whole = recent_lists(split, catalogue, None)
    monkeypatch.setattr("scoring.recommender.baselines.CANDIDATES", candidates)
    monkeypatch.setattr("scoring.recommender.baselines.RECENT_PEOPLE", 7)
    assert np.array_equal(recent_lists(split, catalogue, None), whole)
    assert len({tuple(one) for one in whole.tolist()}) > 20
