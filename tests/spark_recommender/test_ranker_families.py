"""Every ranker family through Spark: fit, save, load, equal; EASE against the closed form."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from marquee.errors import RecipeError
from scoring.recommender.model import Recommender
from scoring.recommender.ratings_arrays import Ratings
from spark_apps.recommender.ranker_ease import (
    EaseRecipe,
    fit_ease,
    gramian,
    most_rated,
    pruned,
    solve_weights,
    state_cost,
)
from spark_apps.recommender.recipes import read_recipe
from spark_apps.recommender.trainer import Trainer
from tests.plugins.spark_session import spark  # noqa: F401
from tests.scoring.made_up import make_ratings
from tests.spark_recommender.made_up import RECIPE

ALS: dict[str, Any] = {
    "family": "implicit_als",
    "rank": 3,
    "alpha": 2.0,
    "reg": 0.2,
    "iterations": 3,
    "person": {"reg": 0.1, "power": 0.75, "sweeps": 2},
}
STARS = {"neutral": 0.45}
RETURNING = {"span": 4.0, "floor": 0.1, "span_back": 9.0, "floor_back": 0.3}
EASE: dict[str, Any] = {"family": "ease", "titles": 30, "keep": 8, "reg": 5.0}
RECENT = EASE | {"recency": {"span": 4.0, "floor": 0.1}, "title_power": 0.5, "people_power": 0.5}
FAMILIES = {
    "implicit_als": ALS,
    "ease": EASE,
    "ease with all": RECENT,
    "ease_als": {"family": "ease_als", "share": 0.6, "als": ALS, "ease": RECENT},
    "implicit_als of Spark with stars": RECIPE["ranker"] | {"stars": STARS},
    "implicit_als with stars": ALS | {"stars": STARS},
    "ease with stars": RECENT | {"stars": STARS},
    "ease_als with stars": {
        "family": "ease_als",
        "share": 0.6,
        "als": ALS | {"stars": STARS},
        "ease": RECENT | {"stars": STARS, "recency": RETURNING},
    },
}
ROWS = make_ratings(30, 40)


def fitted(spark, folder, rows: Ratings, ranker: dict[str, Any]) -> Recommender:  # noqa: F811
    trainer = Trainer(spark, {}, (0.5, 5.0), "x", seed=7)
    recipe = read_recipe(RECIPE | {"rank": 2, "iterations": 2, "ranker": ranker})
    trainer.fit(rows, recipe, 0.5, folder)
    return Recommender.load(folder / "bundle")


@pytest.mark.parametrize("family", list(FAMILIES))
def test_what_was_fitted_is_what_is_loaded(spark, tmp_path, family):  # noqa: F811
    model = fitted(spark, tmp_path, ROWS, FAMILIES[family])
    golden = model.check_golden()
    assert golden.failures == ()
    assert len(model.bundle.golden["rankings"]) == 10
    saved = {folder.name for folder in (tmp_path / "spark" / "ranker").iterdir()}
    tables = {"weights", "history"}
    of_als = {"metadata", "userFactors", "itemFactors"}
    assert saved == (of_als if "als" in family else tables)
    for user in model.user_ids[::7].tolist():
        known = model.recommend(user, 5)
        folded = model.recommend_for(model.ratings_of(user), 5)
        assert [r.movie_id for r in folded] == [r.movie_id for r in known]
        assert [r.score for r in folded] == pytest.approx([r.score for r in known], abs=1e-3)
        assert {r.strategy for r in known} == {"personal"}
        assert any(r.because for r in known)


def twin_of_ease(seen: np.ndarray, reg: float) -> np.ndarray:
    """Each title regressed on all others by itself: what the closed form says in one breath."""
    titles = seen.shape[1]
    weights = np.zeros((titles, titles))
    for title in range(titles):
        others = np.delete(np.arange(titles), title)
        x = seen[:, others]
        weights[others, title] = np.linalg.solve(
            x.T @ x + reg * np.eye(titles - 1), x.T @ seen[:, title]
        )
    return weights


def indexed(spark, rows: Ratings):  # noqa: F811
    return Trainer(spark, {}, (0.5, 5.0), "x", seed=7).index(rows)


def matrix_of(ratings) -> np.ndarray:
    seen = np.zeros((len(ratings.catalogue.user_ids), len(ratings.catalogue.movie_ids)))
    seen[ratings.users, ratings.items] = 1.0
    return seen


def dense(weights, titles: int) -> np.ndarray:
    found = np.zeros((titles, titles))
    rows = np.repeat(np.arange(titles), np.diff(weights.indptr))
    found[rows, weights.indices] = weights.values
    return found


def test_ease_is_each_title_regressed_on_the_others(spark):  # noqa: F811
    ratings = indexed(spark, ROWS)
    recipe = EaseRecipe(family="ease", titles=100, keep=100, reg=5.0)
    weights = fit_ease(ratings, recipe)
    titles = len(ratings.catalogue.movie_ids)
    assert titles == 40
    assert dense(weights, titles) == pytest.approx(twin_of_ease(matrix_of(ratings), 5.0), abs=1e-6)


@pytest.mark.parametrize("power", [0.0, 0.6])
def test_the_gramian_is_that_of_whole_people_in_blocks_of_any_size(spark, monkeypatch, power):  # noqa: F811
    monkeypatch.setattr("spark_apps.recommender.ranker_ease.PEOPLE_AT_ONCE", 4)
    monkeypatch.setattr("spark_apps.recommender.ranker_ease.RATINGS_AT_ONCE", 70)
    ratings = indexed(spark, ROWS)
    kept = most_rated(ratings.title_counts, 20)
    column = np.full(40, -1, dtype=np.int32)
    column[kept] = np.arange(20)
    seen = matrix_of(ratings)[:, kept]
    counts = seen.sum(axis=1)
    expected = seen.T @ (seen * ((counts / counts.mean()) ** -power)[:, None])
    found = gramian(ratings, column, power)
    assert len(ratings) > 300
    assert found == pytest.approx(expected, abs=1e-9)
    assert power or np.array_equal(found, expected)


def test_a_popular_title_is_held_back_more():
    found = np.array([[8.0, 1.0], [1.0, 2.0]])
    recipe = EaseRecipe(family="ease", titles=2, keep=2, reg=10.0, title_power=1.0)
    inverse = np.linalg.inv(found + np.diag([16.0, 4.0]))
    expected = [[0.0, -inverse[0, 1] / inverse[1, 1]], [-inverse[1, 0] / inverse[0, 0], 0.0]]
    assert solve_weights(found, recipe) == pytest.approx(np.array(expected))


def test_pruning_keeps_the_largest_of_each_scored_title():
    weights = np.array([[0.0, 3.0, -1.0], [-5.0, 0.0, 0.5], [2.0, -4.0, 0.0]])
    kept = np.array([1, 2, 4])
    found = dense(pruned(weights, kept, 6, keep=1), 6)
    assert {(int(r), int(c)): float(found[r, c]) for r, c in np.argwhere(found)} == {
        (2, 1): -5.0,
        (4, 2): -4.0,
        (1, 4): -1.0,
    }
    assert len(pruned(weights, kept, 6, keep=9).values) == 6


def test_the_most_rated_are_kept_and_none_that_nobody_rated():
    counts = np.bincount([4, 4, 1, 1, 3, 0, 0], minlength=6)
    assert most_rated(counts, 2).tolist() == [0, 1]
    assert most_rated(counts, 9).tolist() == [0, 1, 3, 4]


def test_what_does_not_fit_is_refused_by_arithmetic():
    recipe = EaseRecipe(family="ease", titles=20_000, keep=200, reg=5.0)
    assert "0.10 GB" in state_cost(2_000, recipe)
    with pytest.raises(RecipeError, match=r"9\.60 GB and 1\.6e\+13 operations"):
        state_cost(20_000, recipe)


ONES = np.ones(1, dtype=np.int64)
EVERYTHING = make_ratings(5, 12, share=1.1)
HARD = {
    "one person, one title": Ratings(ONES, ONES, ONES * 4.0, ONES * 1000),
    "one person": EVERYTHING.take(EVERYTHING.user_ids == 1),
    "one title": EVERYTHING.take(EVERYTHING.movie_ids == 1),
    "all the same set": EVERYTHING,
}


@pytest.mark.parametrize("case", list(HARD))
def test_hard_worlds_give_finite_answers(spark, tmp_path, case):  # noqa: F811
    rows = HARD[case]
    model = fitted(spark, tmp_path, rows, FAMILIES["ease_als"])
    assert np.isfinite(model.scores(int(rows.user_ids[0]))).all()
    for ratings in ({int(rows.movie_ids[0]): 4.0}, {}, {10**6: 3.0}):
        found = model.recommend_for(ratings, 5)
        assert all(np.isfinite(r.score) for r in found)
