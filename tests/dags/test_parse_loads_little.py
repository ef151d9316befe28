"""The DAG processor parses the DAG every half minute: it loads the wiring, and no machinery."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.plugins.airflow_process import found_by
from tests.test_architecture import PACKAGES

SCRIPT = """
import json, sys
from airflow.sdk import DAG, BaseOperatorLink, Connection, Param, RetryPolicy, TaskGroup, task
before = set(sys.modules)
import weekly_retrain
found = sorted(set(sys.modules) - before)
"""
ROOMS = {"dags", "marquee_airflow", "marquee", "steps"}
"""The rooms that the wiring needs: the settings, the form, and how jobs are submitted."""
HEAVY = (
    *(
        "pyspark",
        "py4j",
        "scrapy",
        "twisted",
        "fastapi",
        "uvicorn",
        "numpy",
        "scipy",
        "pyarrow",
        "pandas",
    ),
    *("hdfs", "supervisor", "typer", "rich", "jinja2", "httpx"),
)
MOST_MODULES, MOST_OF_OURS = 240, 32


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Every module that one parse loads beyond what `airflow.sdk` has loaded."""
    found: list[str] = found_by(SCRIPT, Path(tmp_path_factory.mktemp("airflow")))
    return found


def test_a_parse_loads_only_the_rooms_of_the_wiring(loaded: list[str]) -> None:
    ours = {name.split(".")[0] for name in loaded} & {*PACKAGES}
    assert ours <= ROOMS


def test_a_parse_loads_no_engine_and_no_client(loaded: list[str]) -> None:
    assert [name for name in loaded if name.split(".")[0] in HEAVY] == []


def test_a_parse_loads_few_modules(loaded: list[str]) -> None:
    ours = [name for name in loaded if name.split(".")[0] in PACKAGES]
    assert len(ours) <= MOST_OF_OURS, ours
    assert len(loaded) <= MOST_MODULES, loaded
