"""What training makes of the smallest worlds, and what it refuses in one line."""

from __future__ import annotations

import pytest

from scoring.recommender.model import Recommender
from spark_apps import train_recommender
from spark_apps.recommender.recipe_search import choose
from spark_apps.recommender.recipes import read_recipe
from spark_apps.recommender.trainer import Trainer
from tests.plugins.spark_session import spark  # noqa: F401
from tests.scoring.made_up import make_ratings, save_ratings
from tests.spark_recommender.made_up import RECIPE, flags, make_lake, models, tiny_worlds

GRID = make_ratings(6, 8, share=1.1)
TINY = tiny_worlds()


@pytest.mark.parametrize("case", list(TINY))
def test_a_tiny_world_gives_a_whole_bundle(spark, tmp_path, case):  # noqa: F811
    rows, recipe = TINY[case], read_recipe(RECIPE | {"rank": 2, "iterations": 2})
    trainer = Trainer(spark, {}, (0.5, 5.0), "x", seed=7)
    choice = choose(trainer, rows, [recipe])
    trainer.fit(rows, recipe, choice.blend_share, tmp_path)
    model = Recommender.load(tmp_path / "bundle")
    assert model.check_golden().failures == ()
    answers = model.predict(rows.user_ids, rows.movie_ids)
    assert set(answers.strategies) == {"personal"}
    assert ((answers.values >= 0.5) & (answers.values <= 5.0)).all()


@pytest.mark.usefixtures("spark")
@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"family": "magic"}, "family"),
        ({"rank": 0}, "rank"),
        ({"reg": -1.0}, "reg"),
        ({"blend": []}, "blend"),
        ({"surprise": 1}, "surprise"),
        ({"ranker": {"family": "implicit_als"}}, "ranker.rank"),
    ],
)
def test_a_recipe_that_cannot_be_trained_is_refused(tmp_path, capsys, change, says):
    lake = make_lake(tmp_path, [], models=models([RECIPE | change]))
    assert train_recommender.main(flags(lake)) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: recipe als-bias-4: ")
    assert says in error
    assert error.count("\n") == 1


def test_ratings_that_no_memory_holds_are_refused_before_they_are_read(tmp_path, capsys):
    lake = make_lake(tmp_path, [])
    save_ratings(tmp_path / "split" / "train", GRID)
    lake.publish(tmp_path / "split", "runs/r-1/split/ratings", rows=300_000_000_000)
    assert train_recommender.main(flags(lake)) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: training on 300000000000 ratings needs about ")
    assert " GB of memory, and this machine has " in error
    assert error.count("\n") == 1


def test_a_run_that_was_not_prepared_is_refused_in_one_line(tmp_path, capsys):
    assert train_recommender.main(flags(make_lake(tmp_path, []))) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: nothing lies at ")
    assert error.count("\n") == 1
