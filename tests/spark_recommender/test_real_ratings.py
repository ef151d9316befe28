"""The default recipe on MovieLens latest-small: better than trivial, on both jobs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from marquee.scoring.recommender.evaluate import evaluate_recommender
from marquee.scoring.recommender.ratings import Ratings
from marquee.scoring.recommender.splits import last_share
from marquee.settings import REPOSITORY, load_settings
from spark_apps.recommender.fitting import Trainer
from spark_apps.recommender.recipes import read_recipe
from spark_apps.recommender.search import choose
from tests.plugins.spark_session import spark  # noqa: F401
from tests.scoring.made_up import save_ratings

CSV = REPOSITORY.parent / "shared" / "data" / "ml-latest-small" / "ratings.csv"


def real_ratings() -> Ratings:
    table = np.loadtxt(CSV, delimiter=",", skiprows=1)
    users, movies, times = (table[:, c].astype(np.int64) for c in (0, 1, 3))
    return Ratings(users, movies, table[:, 2], times)


@pytest.mark.skipif(not CSV.is_file(), reason=f"{CSV} is absent")
def test_the_default_recipe_beats_bias_and_popularity(spark, tmp_path: Path):  # noqa: F811
    rows = real_ratings()
    late = last_share(rows)
    train, holdout = rows.take(~late), rows.take(late)
    assert (len(train), len(holdout)) == (80_896, 19_940)
    recipe = read_recipe(load_settings().recipes.recommender[0])
    trainer = Trainer(spark, {}, (0.5, 5.0), "2018-10-01T00:00:00Z", seed=20200229)
    choice = choose(trainer, train, [recipe])
    trainer.fit(train, recipe, choice.weight, tmp_path / "evaluated")
    bundle = tmp_path / "evaluated" / "bundle"
    folders = [save_ratings(tmp_path / n, r) for n, r in (("train", train), ("holdout", holdout))]
    found = evaluate_recommender(bundle, bundle, None, None, *folders, seed=1)
    assert found["metrics"]["rmse"] <= 0.885
    assert found["versus"]["bias"]["rmse"]["upper95"] < 0.0
    assert found["versus"]["popularity"]["ndcg@10"]["difference"] > 0.0
    assert found["metrics"]["coverage"] > 0.9
    assert found["shipped"]["golden"] | {"worst": 0} == {"count": 50, "failures": 0, "worst": 0}
