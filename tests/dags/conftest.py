"""One process with Airflow's real database, for every scenario that runs in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from local_stack.airflow_database import migrate_airflow
from tests.dags import test_run_ends, test_timetable
from tests.plugins.airflow_process import airflow_at, found_by


@pytest.fixture(scope="session")
def observed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What each scenario found, by its name."""
    home = Path(tmp_path_factory.mktemp("airflow"))
    migrate_airflow(airflow_at(home))
    found: dict[str, Any] = found_by(test_timetable.SCRIPT + test_run_ends.SCRIPT, home)
    return found
