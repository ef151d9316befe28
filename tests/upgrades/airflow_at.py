"""Airflow's metadata of an older version, made for real by Airflow's own downgrade."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from local_stack.airflow_postgres import DATABASE
from local_stack.environment import airflow_environment
from marquee.settings import load_settings

OLDER = "3.1.0"
"""A version of Airflow whose tables differ from the installed one's."""


def environment_at(home: Path, address: str = "") -> dict[str, str]:
    """Airflow's variables with this home, and this database if one is given."""
    home.mkdir(parents=True, exist_ok=True)
    made = airflow_environment(load_settings("local"), home)
    return made | ({DATABASE: address} if address else {})


def airflow(environment: dict[str, str], *words: str) -> str:
    """What a command of Airflow's prints."""
    command = [sys.executable, "-m", "airflow", *words]
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
