"""train_recommender, whole, on a folder lake: the model folder, parity with Spark, fold-in."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from pyspark.ml.recommendation import ALSModel

from marquee.lake import Lake
from marquee.run_folder import read_forecast
from scoring.recommender.baselines import fit_bias
from scoring.recommender.holdout import last_share
from scoring.recommender.holdout_evaluation import evaluate_recommender
from scoring.recommender.model import Recommender
from scoring.recommender.ratings_arrays import Ratings
from spark_apps import forecast_recommender, train_recommender
from spark_apps.job import Job
from spark_apps.recommender import trainer
from spark_apps.recommender.recipe_search import Choice
from spark_apps.recommender.recipes import read_recipe
from spark_apps.recommender.trainer import Trainer
from tests.plugins.spark_session import spark  # noqa: F401
from tests.scoring.made_up import make_ratings, save_ratings
from tests.spark_recommender.made_up import RECIPE, flags, make_lake, models

OTHER = RECIPE | {"name": "als-bias-3", "rank": 3}
OLD = RECIPE | {"name": "als-bias-2", "rank": 2, "iterations": 12}
CHAMPION = {"number": 1, "digest": "", "bundle": "", "recipe": OLD, "code": "older"}


@dataclass(frozen=True)
class Trained:
    lake: Lake
    folder: Path  # the model folder, fetched
    train: Ratings
    holdout: Ratings
    split: Path

    def load(self, fit: str) -> Recommender:
        return Recommender.load(self.folder / fit / "bundle")

    @property
    def card(self) -> dict[str, object]:
        return json.loads((self.folder / "card.json").read_text())


def split_and_train(where: Path, rows: Ratings, **inputs: object) -> Trained:
    """Train on rows split by the scoring library: what prepare_ratings writes, without Spark."""
    lake = make_lake(where, [], **inputs)
    late = last_share(rows)
    for name, chosen in (("train", ~late), ("holdout", late)):
        save_ratings(where / "split" / name, rows.take(chosen))
    lake.publish(where / "split", "runs/r-1/split/ratings")
    assert train_recommender.main(flags(lake)) == 0
    folder = lake.fetch("runs/r-1/models/recommender", where / "model")
    return Trained(lake, folder, rows.take(~late), rows.take(late), where / "split")


@pytest.fixture(scope="module")
def trained(spark, tmp_path_factory) -> Trained:  # noqa: F811
    """A searching run, whose champion has a recipe that is not among those tried."""
    inputs = {"search": "quick", "models": models([RECIPE, OTHER], CHAMPION)}
    return split_and_train(tmp_path_factory.mktemp("train"), make_ratings(60, 40), **inputs)


@pytest.mark.parametrize(("serves", "tried"), [(None, RECIPE), (OTHER, OTHER), (OLD, RECIPE)])
def test_without_a_search_what_serves_is_trained_again(tmp_path, serves, tried):
    champion = serves and CHAMPION | {"recipe": serves}
    lake = make_lake(tmp_path, [], models=models([RECIPE, OTHER], champion))
    job = Job("train_recommender", "r-1", lake, tmp_path)
    known = [read_recipe(recipe) for recipe in (RECIPE, OTHER)]
    assert train_recommender.recipes_to_try(job, known) == [read_recipe(tried)]


def test_a_champion_stays_where_config_only_moved_its_recipe_to_another_search(tmp_path):
    lake = make_lake(tmp_path, [], models=models([RECIPE, OTHER], CHAMPION | {"recipe": OTHER}))
    job = Job("train_recommender", "r-1", lake, tmp_path)
    moved = [read_recipe(RECIPE), read_recipe(OTHER | {"tried_in": "full"})]
    assert train_recommender.recipes_to_try(job, moved) == [read_recipe(OTHER)]


def test_evaluated_has_not_seen_the_holdout_and_shipped_has(trained):
    evaluated, shipped = trained.load("evaluated"), trained.load("shipped")
    assert len(evaluated.bundle.ratings.values) == len(trained.train)
    assert len(shipped.bundle.ratings.values) == len(trained.train) + len(trained.holdout)
    assert len(trained.holdout) > 100
    person, movie = int(trained.holdout.user_ids[0]), int(trained.holdout.movie_ids[0])
    assert movie not in evaluated.ratings_of(person)
    assert shipped.ratings_of(person)[movie] == trained.holdout.values[0]


def test_shipped_has_the_intervals_that_the_holdout_taught(trained):
    evaluated, shipped = trained.load("evaluated"), trained.load("shipped")
    assert evaluated.intervals is None and evaluated.bundle.golden["intervals"] == []
    bounds = shipped.intervals.of_known(
        trained.holdout.user_ids, trained.holdout.movie_ids, trained.holdout.values
    )
    assert (bounds.low <= bounds.high).all() and 0.5 < (bounds.high - bounds.low).mean() < 4.0
    assert len(shipped.bundle.golden["intervals"]) == 10


def test_the_bundle_repeats_what_spark_answered(trained):
    model = trained.load("shipped")
    report = model.check_golden()
    assert report.failures == ()
    assert report.count >= 40
    assert len(model.bundle.golden["predictions"]) >= 30
    assert all(len(q["movie_ids"]) > 1 for q in model.bundle.golden["rankings"])


def saved(trained: Trained, fit: str, side: str) -> ALSModel:
    return ALSModel.load(str(trained.folder / fit / "spark" / side))


@pytest.mark.parametrize("fit", ["evaluated", "shipped"])
def test_the_saved_spark_model_is_the_one_in_the_bundle(spark, trained, fit):  # noqa: F811
    model = trained.load(fit)
    facts = model.bundle.facts["fold_in"]["predictor"]
    pairs = [(u, i) for u in range(0, 60, 7) for i in range(0, 40, 5)]
    frame = spark.createDataFrame(pairs, "user int, item int")
    answers = saved(trained, fit, "predictor").transform(frame).collect()
    assert len(answers) == len(pairs)
    for row in answers:
        u, i = row["user"], row["item"]
        bias = model.bundle.facts["mean"] + model.bundle.user_bias[u] + model.bundle.item_bias[i]
        mixed = facts["weight"] * row["prediction"] + (1 - facts["weight"]) * bias
        ours = model.predict(model.user_ids[[u]], model.movie_ids[[i]]).values[0]
        expected = min(max(mixed, 0.5), 5.0) if np.isfinite(mixed) else min(max(bias, 0.5), 5.0)
        assert ours == pytest.approx(expected, abs=1e-5, rel=1e-5)


def test_the_saved_ranker_ranks_as_the_bundle_does(spark, trained):  # noqa: F811
    model = trained.load("shipped")
    asked = spark.createDataFrame([(3,), (5,)], "user int")
    answers = saved(trained, "shipped", "ranker").recommendForUserSubset(asked, 40).collect()
    assert len(answers) == 2
    for row in answers:
        user = int(model.user_ids[row["user"]])
        seen = model.ratings_of(user)
        spark_scores = [
            r["rating"]
            for r in row["recommendations"]
            if int(model.movie_ids[r["item"]]) not in seen
        ]
        found = model.recommend(user, 10)
        ours = [r.score for r in found if r.strategy == "personal"]
        assert len(ours) >= 9 and len(found) == 10  # one may be a title nobody rated
        assert ours == pytest.approx(spark_scores[: len(ours)], abs=1e-5)


def test_folding_a_training_person_in_repeats_their_factors(trained):
    model = trained.load("shipped")
    everything = model.movie_ids
    for row in range(0, 60, 11):
        user = int(model.user_ids[row])
        ratings = model.ratings_of(user)
        folded = model.predict_for(ratings, everything).values
        personal = model.predict(np.full(len(everything), user), everything).values
        assert folded == pytest.approx(personal, abs=1e-4)
        ranked = model.recommend_for(ratings, 10)
        known = model.recommend(user, 10)
        assert [r.score for r in ranked] == pytest.approx([r.score for r in known], abs=1e-4)


def test_cold_titles_are_in_the_catalogue_and_answered(trained):
    model = trained.load("evaluated")
    cold = [m for m in range(41, 45) if m in model.movie_ids]
    assert cold  # listed in movies.csv, rated by nobody
    answer = model.predict(model.user_ids[:1], np.array(cold[:1]))
    assert answer.strategies.tolist() == ["bias"]
    title = model.titles[cold[0]]
    assert (title.title, title.year) == (f"Film, The {cold[0]}", 1900 + cold[0])
    assert title.genres == ("Drama", "Comedy")


def test_the_search_tries_every_recipe_and_the_card_says_so(trained):
    card = trained.card
    assert [t["name"] for t in card["recipes_tried"]] == ["als-bias-4", "als-bias-3"]
    assert [t["chosen"] for t in card["recipes_tried"]].count(True) == 1
    assert all(0.2 < t["inner_rmse"] < 1.5 for t in card["recipes_tried"])
    assert all(0.0 < t["inner_ndcg@10"] <= 1.0 for t in card["recipes_tried"])
    weights = card["recipes_tried"][0]["inner_rmse_by_weight"]
    assert set(weights) == {"0.3", "0.5", "0.7"}
    assert (card["people"], card["rows"]) == (60, len(trained.train) + len(trained.holdout))


def test_evaluation_reads_what_training_wrote(trained):
    folder, split = trained.folder, trained.split
    found = evaluate_recommender(
        folder / "evaluated/bundle",
        folder / "shipped/bundle",
        None,
        split / "train",
        split / "holdout",
        seed=1,
    )
    assert found["shipped"]["loads"]
    assert found["shipped"]["golden"]["failures"] == 0
    assert found["metrics"]["answered"] == 1.0
    assert found["metrics"]["rmse"] < 0.8
    assert found["shipped"]["error_on_holdout"] < found["shipped"]["error_evaluated"]


def test_a_forecast_takes_the_content_vectors_of_the_shipped_bundle(trained, monkeypatch):
    monkeypatch.setattr(trainer, "content_vectors", lambda *_: pytest.fail("computed anew"))
    assert trained.load("shipped").bundle.content_vectors is not None
    assert forecast_recommender.main(flags(trained.lake)) == 0
    found = read_forecast(trained.lake, "r-1")
    assert "rating_intervals" in found.figures
    assert found.figures["rows"] > 100 and found.recipe == trained.card["recipe"]


def test_training_twice_publishes_once(trained):
    before = trained.lake.manifest("runs/r-1/models/recommender")
    assert train_recommender.main(flags(trained.lake)) == 0
    assert trained.lake.manifest("runs/r-1/models/recommender") == before


def test_the_same_rows_give_the_same_model(spark, trained, tmp_path):  # noqa: F811
    one = trained.load("evaluated").bundle
    facts = one.facts
    trainer = Trainer(spark, one.titles, (0.5, 5.0), facts["as_of"], seed=7)
    shuffled = trained.train.take(np.random.default_rng(1).permutation(len(trained.train)))
    recipe = read_recipe(facts["recipe"])
    weight = facts["fold_in"]["predictor"]["weight"]
    trainer.fit(shuffled, recipe, weight, tmp_path)
    two = Recommender.load(tmp_path / "bundle").bundle
    assert np.array_equal(one.user_ids, two.user_ids)
    for name in ("user_factors", "item_factors", "rank_user_factors", "rank_item_factors"):
        assert getattr(one, name) == pytest.approx(getattr(two, name), abs=1e-6), name


def test_the_champions_recipe_is_retrained_on_the_same_rows(trained):
    incumbent = trained.load("incumbent")
    assert incumbent.bundle.facts["recipe"]["name"] == "als-bias-2"
    assert len(incumbent.bundle.ratings.values) == len(trained.train)
    assert any("als-bias-2 was retrained" in note for note in trained.card["notes"])


def test_a_challenger_with_the_champions_recipe_is_no_incumbent_of_its_own(trained, tmp_path):
    """Compared with its own fit, code that makes the recipe worse would pass."""
    shutil.copytree(trained.folder / "evaluated", tmp_path / "evaluated")
    chosen = trained.load("evaluated").bundle.facts["recipe"]
    for code, says in (("older", "its record is compared"), ("c0ffee", "recipe and code")):
        champion = CHAMPION | {"recipe": chosen, "code": code}
        lake = make_lake(tmp_path, [], run=f"r-{code}", models=models([chosen], champion))
        job = Job("train_recommender", f"r-{code}", lake, tmp_path)
        choice = Choice(read_recipe(chosen), 0.5, ())
        (note,) = train_recommender.fit_incumbent(job, None, trained.train, choice, tmp_path)
        assert says in note
        assert not (tmp_path / "incumbent").exists()


def test_rank_one_taste_is_found(spark, tmp_path):  # noqa: F811
    """stars = a_u b_i exactly: a rank-1 matrix, of which four fifths are given."""
    rng = np.random.default_rng(2)
    people, titles = 40, 30
    a, b = rng.uniform(1.0, 2.0, people), rng.uniform(0.6, 2.4, titles)
    users, items = (x.ravel() for x in np.indices((people, titles)))
    rows = Ratings(users + 1, items + 1, a[users] * b[items], rng.permutation(len(users)))
    pure = RECIPE | {"rank": 2, "reg": 0.0005, "iterations": 10, "blend": [1.0]}
    trained = split_and_train(tmp_path, rows, models=models([pure]))
    held = trained.holdout
    found = trained.load("evaluated").predict(held.user_ids, held.movie_ids)
    known = a[held.user_ids - 1] * b[held.movie_ids - 1]
    assert len(known) == 40 * 6
    assert set(found.strategies) == {"personal"}
    assert found.values == pytest.approx(known, abs=0.02)
    seen = trained.train
    bias = fit_bias(seen.user_ids - 1, seen.movie_ids - 1, seen.values, people, titles, 0.0, 0.0)
    additive = bias.predict(held.user_ids - 1, held.movie_ids - 1)
    assert np.abs(additive - known).max() > 0.2  # which no sum of biases can do
