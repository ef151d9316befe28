"""The DAG processor parses the DAG every half minute: it loads the wiring, and no machinery."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from local_stack.environment import airflow_environment
from marquee.settings import REPOSITORY, load_settings
from tests.test_architecture import PACKAGES

SCRIPT = """
import json, sys
from airflow.sdk import DAG, BaseOperatorLink, Connection, Param, RetryPolicy, TaskGroup, task
before = set(sys.modules)
import weekly_retrain
print("RESULT" + json.dumps(sorted(set(sys.modules) - before)))
"""
ROOMS = {"dags", "marquee_airflow", "marquee", "steps"}
"""The rooms that the wiring needs: the settings, the form, and how jobs are submitted."""
HEAVY = (
    *("pyspark", "py4j", "scrapy", "twisted", "fastapi", "uvicorn", "numpy", "pyarrow", "pandas"),
    *("hdfs", "supervisor", "typer", "rich", "jinja2", "httpx"),
)
MOST_MODULES, MOST_OF_OURS = 240, 20


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Every module that one parse loads beyond what `airflow.sdk` has loaded."""
    home = Path(tmp_path_factory.mktemp("airflow"))
    environment = os.environ | airflow_environment(load_settings("local"), home)
    rooms = (REPOSITORY, REPOSITORY / "plugins", REPOSITORY / "dags")
    environment["PYTHONPATH"] = ":".join(map(str, rooms))
    command = [sys.executable, "-c", SCRIPT]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=home)
    line = next((x for x in done.stdout.splitlines() if x.startswith("RESULT")), None)
    assert line, done.stderr[-2000:]
    found: list[str] = json.loads(line.removeprefix("RESULT"))
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
