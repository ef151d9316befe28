"""One Spark, and one small world prepared and trained once, for every test here."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from marquee.lake import Lake
from replica.make_world import make_world
from spark_apps import prepare_titles, train_budget
from tests.plugins.spark_session import spark  # noqa: F401
from tests.spark_budget.budget_lake import FOREST, LINEAR, RUN, lake_of_world


@pytest.fixture(scope="session")
def trained(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Lake:  # noqa: F811
    """A lake whose run has its titles prepared and its budget model trained."""
    root = tmp_path_factory.mktemp("budget")
    make_world(root / "world", seed=5, people=20, titles=160)
    champion = {"number": 1, "digest": "", "bundle": "b", "recipe": LINEAR, "code": "1" * 12}
    lake = lake_of_world(root / "lake", root / "world", recipes=[FOREST, LINEAR], champion=champion)
    flags = ["--lake", lake.root, "--run", RUN]
    assert prepare_titles.main(flags) == 0
    assert train_budget.main(flags) == 0
    return lake


@pytest.fixture(scope="session")
def model_folder(trained: Lake) -> Path:
    """Where that model was published, on this disk."""
    return Path(trained.root.removeprefix("file://")) / f"runs/{RUN}/models/budget"
