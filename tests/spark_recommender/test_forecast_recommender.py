"""forecast_recommender, whole, on a folder lake: what it is fitted to, and the file it leaves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from marquee.lake import Lake
from marquee.run_folder import forecast_path, forecast_sentence, read_forecast
from marquee.settings import load_settings
from scoring.recommender.holdout import global_time, last_share
from scoring.recommender.ratings_arrays import Ratings
from spark_apps import forecast_recommender
from spark_apps.recommender.recipes import read_recipe
from spark_apps.recommender.trainer import Trainer
from tests.plugins.spark_session import spark  # noqa: F401
from tests.scoring.made_up import make_ratings, save_ratings
from tests.spark_recommender.made_up import RECIPE, flags, make_lake

ROWS = make_ratings(60, 40)
LATE = global_time(ROWS.times)
CARD = {"model": "recommender", "recipe": RECIPE}
CHOSEN = {"name": RECIPE["name"], "chosen": True, "weight": 0.5}


def approved(where: Path, rows: Ratings, **card: Any) -> Lake:
    """A lake with a split and a card: what the job reads of a run that the gate approved."""
    lake = make_lake(where, [])
    late = last_share(rows)
    for name, chosen in (("train", ~late), ("holdout", late)):
        save_ratings(where / "split" / name, rows.take(chosen))
    lake.publish(where / "split", "runs/r-1/split/ratings")
    lake.create_json("runs/r-1/models/recommender/card.json", {"format": 1, **CARD, **card})
    return lake


def test_it_is_fitted_to_nothing_later_and_leaves_figures_alone(
    spark,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lake = approved(tmp_path, ROWS, recipes_tried=[CHOSEN | {"chosen": False}, CHOSEN])
    fits: list[tuple[int, int, float]] = []
    fit = Trainer.fit_bundle

    def noted(self: Trainer, rows: Ratings, recipe: Any, share: float, out: Path) -> list[str]:
        fits.append((len(rows), int(rows.times.max()), share))
        return fit(self, rows, recipe, share, out)

    monkeypatch.setattr(Trainer, "fit_bundle", noted)
    assert forecast_recommender.main(flags(lake)) == 0
    early, late = ROWS.take(~LATE), ROWS.take(LATE)
    assert fits == [(len(early), int(early.times.max()), 0.5)]
    assert len(late) > 100 and fits[0][1] < late.times.min()
    found = read_forecast(lake, "r-1")
    assert found is not None and found.figures is not None
    assert (found.run, found.as_of, found.recipe) == ("r-1", "2026-01-04T03:00:00Z", RECIPE)
    assert found.figures["rows"] == len(late)
    assert found.figures["since"] == late.times.min()
    assert 0.0 < found.figures["metrics"]["ndcg@10"] <= 1.0
    assert f"on {len(late):,} later ratings; fitted by run r-1" in forecast_sentence(found)
    assert lake.names("runs/r-1/models/recommender") == ["card.json", "forecast.json"]
    before = lake.read_bytes(forecast_path("r-1"))
    assert forecast_recommender.main(flags(lake)) == 0, "a retry"
    assert lake.read_bytes(forecast_path("r-1")) == before and len(fits) == 1


def test_without_a_later_rating_it_says_so(spark, tmp_path: Path) -> None:  # noqa: F811
    at_once = Ratings(ROWS.user_ids, ROWS.movie_ids, ROWS.values, ROWS.times * 0 + 5)
    lake = approved(tmp_path, at_once)
    assert forecast_recommender.main(flags(lake)) == 0
    found = read_forecast(lake, "r-1")
    assert found is not None and found.figures is None
    assert found.notes == ("all ratings have the same time",)
    assert forecast_sentence(found) == "no rating is later: no forecast"


def test_without_a_trained_model_the_input_is_wrong(tmp_path: Path) -> None:
    lake = make_lake(tmp_path, [])
    assert forecast_recommender.main(flags(lake)) == 2


def test_the_forecasts_chains_are_half_as_long_and_no_shorter() -> None:
    recipe = read_recipe(load_settings().recipes.recommender[0])
    brief, note = recipe.shortened()
    assert note == f"the forecast's chains are half as long: {brief.sweeps} sweeps"
    assert (2 * brief.sweeps, 2 * brief.burn_in) == (recipe.sweeps, recipe.burn_in)
    lengths = {"sweeps": recipe.sweeps, "burn_in": recipe.burn_in}
    assert brief.model_copy(update=lengths) == recipe
    assert brief.shortened() == (brief, "")
    assert read_recipe(RECIPE).shortened() == (read_recipe(RECIPE), "")
