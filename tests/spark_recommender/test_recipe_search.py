"""The recommender's search on made-up answers: what counts as relevant, and who may win."""

from __future__ import annotations

import numpy as np
import pytest

from marquee.settings import load_settings
from scoring.recommender.holdout import LIKED
from scoring.recommender.ratings_arrays import Ratings
from spark_apps.recommender.indexed_ratings import Catalogue, IndexedRatings
from spark_apps.recommender.recipe_search import (
    MARGIN_NDCG,
    MARGIN_RMSE,
    Choice,
    InnerSplit,
    Trial,
    best_trial,
)
from spark_apps.recommender.recipes import read_recipe
from tests.spark_recommender.made_up import RECIPE

PEOPLE, EACH = 120, 6
LOTS = np.random.default_rng(9)
STARS = LOTS.integers(1, 6, PEOPLE * EACH).astype(np.float64)
STARS[EACH - 1 :: EACH] = 5.0
STARS[:EACH] = 3.5  # the first person liked nothing, all others something
SHARED = LOTS.normal(size=len(STARS))


def inner() -> InnerSplit:
    """A split whose held-out rows are given; no fit looks at it, so it has no frame."""
    users = np.repeat(np.arange(10, 10 + PEOPLE), EACH).astype(np.int64)
    movies = np.tile(np.arange(EACH), PEOPLE).astype(np.int64)
    rows = Ratings(users, movies, STARS, np.arange(len(users), dtype=np.int64))
    held_out = IndexedRatings.of(rows, Catalogue.of(rows, {}))
    return InnerSplit(held_out, None, held_out, rows)  # type: ignore[arg-type]


def tried(name: str, error: float, ndcg: float) -> Trial:
    """Answers that are off by about `error` stars, and lists of about that nDCG."""
    rng = np.random.default_rng(len(name))
    values = STARS + error * (SHARED + 0.2 * rng.normal(size=len(STARS)))
    ranks = np.clip(rng.normal(ndcg, 0.05, PEOPLE - 1), 0.0, 1.0)
    return Trial(read_recipe(RECIPE | {"name": name}), 0.5, {0.5: error}, values, ranks)


def test_a_title_is_relevant_where_the_gate_says_so() -> None:
    liked = inner().liked
    assert len(inner().people) == PEOPLE
    assert len(liked.people) == PEOPLE - 1, "who liked nothing is left out, as at the gate"
    assert liked.counts.sum() == (STARS >= LIKED).sum() < len(STARS)


def test_the_margins_are_the_gates_own() -> None:
    policy = load_settings().policy.recommender
    assert (policy["margin_rmse"], policy["margin_ndcg"]) == (MARGIN_RMSE, MARGIN_NDCG)


@pytest.mark.parametrize(
    ("error", "ndcg", "wins"),
    [(0.9, 0.4, False), (0.8, 0.4, True), (0.9, 0.5, True), (0.8, 0.3, False), (1.0, 0.5, False)],
)
def test_the_first_stands_unless_another_is_clearly_better(
    error: float, ndcg: float, wins: bool
) -> None:
    stands, rival = tried("stands", 0.9, 0.4), tried("rival", error, ndcg)
    found = best_trial([stands, rival], inner(), seed=1)
    assert (found is rival) is wins


def test_of_two_that_are_clearly_better_the_better_one() -> None:
    tries = [tried("stands", 1.0, 0.4), tried("good", 0.9, 0.42), tried("better", 0.7, 0.42)]
    assert best_trial(tries, inner(), seed=1).recipe.name == "better"
    assert best_trial(tries[:1], inner(), seed=1) is tries[0]


def test_the_card_names_the_ranking_by_the_gates_key() -> None:
    one = tried("stands", 0.9, 0.4)
    (line,) = Choice(one.recipe, 0.5, (one,)).tried()
    assert line["chosen"]
    assert line["inner_ndcg@10"] == pytest.approx(0.4, abs=0.02)
    assert "inner_ndcg@10_any" not in line
