"""One process with Airflow's real database, for every scenario that runs in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from local_stack.environment import airflow_environment, migrate_airflow
from marquee.settings import REPOSITORY, load_settings
from tests.dags import test_run_ends, test_timetable


@pytest.fixture(scope="session")
def observed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What each scenario found, by its name."""
    home = Path(tmp_path_factory.mktemp("airflow"))
    environment = os.environ | airflow_environment(load_settings("local"), home)
    environment["PYTHONPATH"] = f"{REPOSITORY}:{REPOSITORY / 'plugins'}"
    migrate_airflow(environment)
    script = home / "walk.py"  # a DAG needs a file whose source Airflow can keep
    result = 'print("RESULT" + json.dumps(found))\n'
    script.write_text(test_timetable.SCRIPT + test_run_ends.SCRIPT + result)
    command = [sys.executable, str(script)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    line = next((x for x in done.stdout.splitlines() if x.startswith("RESULT")), None)
    assert line, (done.stdout + done.stderr)[-4000:]
    found: dict[str, Any] = json.loads(line.removeprefix("RESULT"))
    return found
