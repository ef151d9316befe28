"""A shipped fit may go on from the evaluated one's last states; no other fit does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from spark_apps import train_recommender
from spark_apps.drill import MixedStarsTrainer
from spark_apps.recommender import trainer as module
from spark_apps.recommender.families import Predictor, PredictorTask
from spark_apps.recommender.recipes import read_recipe
from spark_apps.recommender.trainer import Trainer
from tests.plugins.spark_session import spark  # noqa: F401
from tests.scoring.made_up import make_ratings
from tests.spark_recommender.made_up import RECIPE

ROWS = make_ratings(30, 20)
OTHER = RECIPE | {"name": "another", "rank": 2}


@pytest.fixture
def starts(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, object]]:
    """The number of ratings and the start of each fit; its states are this number of ratings."""
    found: list[tuple[int, object]] = []
    fit = module.fit_predictor

    def noted(task: PredictorTask, recipe: Any) -> Predictor:
        rows = len(task.ratings.values)
        found.append((rows, task.start))
        predictor = fit(task, recipe)
        monkeypatch.setattr(type(predictor), "last_states", lambda _: f"after {rows}")
        return predictor

    monkeypatch.setattr(module, "fit_predictor", noted)
    return found


@pytest.mark.parametrize("kind", [Trainer, MixedStarsTrainer])
def test_only_a_fit_that_goes_on_gets_states_and_only_of_its_recipe(
    spark,  # noqa: F811
    starts: list[tuple[int, object]],
    tmp_path: Path,
    kind: type[Trainer],
) -> None:
    trainer = kind(spark, {}, (0.5, 5.0), "2026-01-04T03:00:00Z", 7)
    recipe, other = read_recipe(RECIPE), read_recipe(OTHER)
    trainer.fit(few := ROWS.cut(200)[0], recipe, 0.5, tmp_path / "a", serves=False)
    trainer.fit_bundle(few, other, 0.5, tmp_path / "b")
    trainer.fit(ROWS, recipe, 0.5, tmp_path / "c", serves=False)
    trainer.fit(ROWS, recipe, 0.5, tmp_path / "d", serves=False, goes_on=True)
    trainer.fit(ROWS, other, 0.5, tmp_path / "e", serves=False, goes_on=True)
    every = len(ROWS)
    assert starts == [
        (200, None), (200, None), (every, None), (every, f"after {every}"), (every, None),
    ]  # fmt: skip


def test_the_job_lets_the_shipped_fit_alone_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    class Noted:
        def fit(self, rows: Any, recipe: Any, share: float, out: Path, **given: Any) -> list[str]:
            asked[out.name] = given
            return []

    class Timed:
        def stopwatch(self, name: str) -> Any:
            return pytest.MonkeyPatch.context()

    monkeypatch.setattr(train_recommender, "fit_incumbent", lambda *_: [])
    choice = train_recommender.Choice(read_recipe(RECIPE), 0.5, ())
    train_recommender.fit_all(Timed(), Noted(), *ROWS.cut(200), choice, Path("out"))  # type: ignore[arg-type]
    assert asked == {"evaluated": {"serves": False}, "shipped": {"goes_on": True}}
