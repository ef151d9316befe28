"""What every family of predictors must do: one contract, asked of each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyspark.ml.recommendation import ALSModel

from marquee.errors import RecipeError
from scoring.recommender.bundle import Title
from scoring.recommender.fold_in import read_fold_in
from scoring.recommender.holdout import last_share
from scoring.recommender.model import Recommender
from scoring.recommender.ratings_arrays import Ratings
from spark_apps.recommender.recipe_search import affordable_recipes, choose
from spark_apps.recommender.recipes import read_recipe
from spark_apps.recommender.trainer import Trainer
from tests.plugins.spark_session import spark  # noqa: F401
from tests.scoring.made_up import make_ratings
from tests.spark_recommender.made_up import BAYES, RECIPE, tiny_worlds

FAMILIES = {"als_bias": RECIPE, "bayes": BAYES}
TITLES = {m: Title(m, None, f"Film {m}", 1950 + m, ("Drama",)) for m in range(1, 45)}
EVERY = pytest.mark.parametrize("family", list(FAMILIES))
GRID = make_ratings(6, 8, share=1.1)
HEAVY = Ratings(
    np.concatenate([GRID.user_ids, np.full(10_000, 99)]),
    np.concatenate([GRID.movie_ids, np.arange(1, 10_001)]),
    np.concatenate([GRID.values, np.arange(10_000) % 9 / 2 + 0.5]),
    np.concatenate([GRID.times, np.arange(10_000)]),
)
ODD = tiny_worlds() | {"a person with 10,000 ratings, titles rated once": HEAVY}


def fitted(spark: Any, recipe: dict[str, Any], rows: Ratings, out: Path) -> Recommender:  # noqa: F811
    trainer = Trainer(spark, TITLES, (0.5, 5.0), "x", seed=7)
    typed = read_recipe(recipe)
    trainer.fit(rows, typed, choose(trainer, rows, [typed]).blend_share, out)
    return Recommender.load(out / "bundle")


@pytest.fixture(scope="module")
def split() -> tuple[Ratings, Ratings]:
    rows = make_ratings(60, 40)
    late = last_share(rows)
    return rows.take(~late), rows.take(late)


@pytest.fixture(scope="module", params=list(FAMILIES))
def trained(request, spark, split, tmp_path_factory) -> tuple[Recommender, Path]:  # noqa: F811
    folder = tmp_path_factory.mktemp("family")
    return fitted(spark, FAMILIES[request.param], split[0], folder), folder


def test_it_predicts_better_than_the_mean_and_not_better_than_can_be(trained, split):
    train, held = split
    found = trained[0].predict(held.user_ids, held.movie_ids)
    error = np.sqrt(np.mean((found.values - held.values) ** 2))
    spread = np.sqrt(np.mean((held.values - train.values.mean()) ** 2))
    assert len(held) > 100
    assert 0.1 < error < 0.9 * spread
    assert set(found.strategies) <= {"personal", "bias"}


def test_the_golden_queries_hold_and_a_second_load_is_equal(trained, split):
    model, folder = trained
    assert model.check_golden().failures == ()
    assert model.check_golden().count >= 40
    again = Recommender.load(folder / "bundle").predict(split[1].user_ids, split[1].movie_ids)
    assert np.array_equal(model.predict(split[1].user_ids, split[1].movie_ids).values, again.values)


def test_titles_nobody_rated_are_answered_and_not_called_personal(trained):
    model, _ = trained
    answers = model.predict(model.user_ids[:3], np.array([41, 42, 44]))
    assert set(answers.strategies) == {"bias"}
    assert ((answers.values > 0.5) & (answers.values < 5.0)).all()


def test_spark_reads_the_saved_predictor(spark, trained):  # noqa: F811
    model, folder = trained
    saved = ALSModel.load(str(folder / "spark" / "predictor"))
    asked = spark.createDataFrame([(0, 0), (3, 5), (7, 2)], "user int, item int")
    rows = saved.transform(asked).collect()
    assert len(rows) == 3
    if model.bundle.facts["recipe"]["family"] == "bayes":  # ALS's own is read before the blend
        users, items = ([r[side] for r in rows] for side in ("user", "item"))
        ours = model.predict(model.user_ids[users], model.movie_ids[items]).values
        theirs = np.clip([r["prediction"] for r in rows], 0.5, 5.0)
        assert ours == pytest.approx(theirs, abs=1e-5)


def test_folding_a_trained_person_in_comes_as_near_as_the_bundle_says(trained):
    model, _ = trained
    facts = model.bundle.facts["fold_in"]["predictor"]
    said = 1e-4 if facts["family"] == "als_bias" else facts["distance"]
    squares = []
    for user in model.user_ids:
        everything = np.full(len(model.movie_ids), user)
        personal = model.predict(everything, model.movie_ids).values
        folded = model.predict_for(model.ratings_of(int(user)), model.movie_ids).values
        squares.append(np.mean((personal - folded) ** 2))
    assert np.sqrt(np.mean(squares)) <= said * 1.01 + 1e-6
    assert said < 0.35


def test_a_rank_one_taste_is_found(spark, tmp_path):  # noqa: F811
    """stars = a_u b_i exactly, which no sum of biases is; see the same test of ALS."""
    rng = np.random.default_rng(2)
    a, b = rng.uniform(1.0, 2.0, 40), rng.uniform(0.6, 2.4, 30)
    users, items = (x.ravel() for x in np.indices((40, 30)))
    rows = Ratings(users + 1, items + 1, a[users] * b[items], rng.permutation(len(users)))
    late = last_share(rows)
    recipe = BAYES | {"rank": 2, "sweeps": 150, "burn_in": 80}
    model = fitted(spark, recipe, rows.take(~late), tmp_path)
    held = rows.take(late)
    found = model.predict(held.user_ids, held.movie_ids).values
    assert np.abs(found - held.values).max() < 0.15


@EVERY
@pytest.mark.parametrize("case", list(ODD))
def test_odd_ratings_give_a_whole_bundle(spark, tmp_path, family, case):  # noqa: F811
    rows = ODD[case]
    recipe = FAMILIES[family] | {"rank": 2}
    short = {"iterations": 2} if family == "als_bias" else {"sweeps": 8, "burn_in": 3}
    model = fitted(spark, recipe | short, rows, tmp_path)
    assert model.check_golden().failures == ()
    answers = model.predict(rows.user_ids, rows.movie_ids)
    assert set(answers.strategies) <= {"personal", "bias"}  # all equal: nothing but biases
    assert ((answers.values >= 0.5) & (answers.values <= 5.0)).all()
    folded = model.predict_for({int(rows.movie_ids[0]): 4.0}, model.movie_ids[:20])
    assert np.isfinite(folded.values).all()


def test_a_recipe_over_budget_gives_way_to_the_next_and_alone_is_refused(spark):  # noqa: F811
    trainer = Trainer(spark, TITLES, (0.5, 5.0), "x", seed=7)
    large, rows = read_recipe(BAYES | {"most_gigabytes": 1e-6}), trainer.index(GRID)
    kept, notes = affordable_recipes([large, read_recipe(RECIPE)], rows)
    assert [r.name for r in kept] == ["als-bias-4"]
    assert "bayes-4" in notes[0]
    with pytest.raises(RecipeError, match="als_bias"):
        affordable_recipes([large], rows)
    with pytest.raises(RecipeError, match="bayes-4"):
        trainer.fit_predictor(rows, None, large, 1.0)


@pytest.mark.parametrize(
    ("change", "says"),
    [({"burn_in": 40}, "keep"), ({"likelihood": "ordered"}, "likelihood"), ({"rank": 0}, "rank")],
)
def test_a_bayesian_recipe_that_cannot_be_trained_is_refused(change, says):
    with pytest.raises(RecipeError, match=says):
        read_recipe(BAYES | change)


def test_a_torn_fold_in_is_refused(trained):
    tree = trained[0].bundle.facts["fold_in"]
    predictor = {k: v for k, v in tree["predictor"].items() if k not in {"reg", "precision"}}
    with pytest.raises(Exception, match="train again"):
        read_fold_in({**tree, "predictor": predictor})
