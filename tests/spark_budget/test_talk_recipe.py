"""The talk's own pipeline: beside the model in the evaluation, and the model where it is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyspark.sql import SparkSession

from marquee.lake import Lake
from marquee.settings import load_settings
from scoring.budget.holdout_evaluation import evaluate_budget
from scoring.budget.model import BudgetModel, BudgetQuery
from tests.spark_budget.budget_lake import LINEAR, RUN, run_of, title_lines

CRAWLED = "2026-10-31T00:00:00Z"


def talk() -> dict[str, Any]:
    """The shipped recipe, with fewer trees."""
    tables = {table["name"]: table for table in load_settings("local").recipes.budget}
    return {**tables["talk"], "trees": 4, "depth": 3}


def evaluated(lake: Lake, folder: Path) -> dict[str, Any]:
    split = Path(lake.root.removeprefix("file://")) / f"runs/{RUN}/split/titles"
    return evaluate_budget(
        folder / "evaluated/bundle",
        folder / "shipped/bundle",
        None,
        split / "train",
        split / "holdout",
        seed=7,
        beside=folder / "beside" if (folder / "beside").exists() else None,
    )


def test_it_stands_beside_the_model(tmp_path: Path, spark: SparkSession) -> None:
    lake, status = run_of(
        tmp_path, title_lines(80), CRAWLED, recipes=[LINEAR, talk()], search="none"
    )
    assert status == 0
    folder = lake.fetch(f"runs/{RUN}/models/budget", tmp_path / "model")
    card = json.loads((folder / "card.json").read_text())
    assert card["recipe"]["name"] == "linear"
    assert [tried["name"] for tried in card["recipes_tried"]] == ["linear"]
    answers = json.loads((folder / "beside/talk.json").read_text())["answers"]
    found = evaluated(lake, folder)
    assert len(answers) == found["holdout"]["titles"] == 16
    other = found["beside"]["talk"]["log_rmse"]
    assert other["challenger"] == pytest.approx(found["metrics"]["log_rmse"])
    actual = {
        t.title_id: t.log_budget for t in BudgetModel.load(folder / "shipped/bundle").bundle.titles
    }
    errors = [actual[title] - answer for title, (answer, _) in answers.items()]
    assert other["other"] == pytest.approx(float(np.sqrt(np.mean(np.square(errors)))))


def test_a_run_that_names_it_serves_it(tmp_path: Path, spark: SparkSession) -> None:
    lake, status = run_of(tmp_path, title_lines(80), CRAWLED, recipes=[talk()], search="none")
    assert status == 0
    folder = lake.fetch(f"runs/{RUN}/models/budget", tmp_path / "model")
    assert not (folder / "beside").exists()
    model = BudgetModel.load(folder / "shipped/bundle")
    assert model.check_golden().passed
    estimate = model.estimate(BudgetQuery(("nm0000001",), ("Action",), 1999, 7.0))
    assert estimate.low < estimate.median < estimate.high
    assert set(estimate.contributions) >= {"a typical film", "director", "genre", "rating", "year"}
    unknown = model.estimate(BudgetQuery(("Nobody",), (), 1999))
    assert "director" in unknown.contributions and unknown.question == "before release"
    found = evaluated(lake, folder)
    assert found["metrics"]["answered"] == 1.0 and found["shipped"]["loads"]
    assert found["beside"] == {}
