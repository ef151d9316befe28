"""A script in a process of its own, with Airflow: its home must be set before it is imported."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from local_stack.environment import airflow_environment
from marquee.settings import REPOSITORY, load_settings

ROOMS = (REPOSITORY, REPOSITORY / "plugins", REPOSITORY / "dags")
MARK = "RESULT"
TELL = f'print("{MARK}" + json.dumps(found))\n'
"""The last line of a script whose findings are in `found`."""


def airflow_at(home: Path) -> dict[str, str]:
    """The environment of an Airflow whose home is `home`, without a class archive for Spark."""
    environment = os.environ | airflow_environment(load_settings("local"), home)
    environment.pop("SPARK_ARCHIVE", None)
    return {**environment, "PYTHONPATH": ":".join(map(str, ROOMS))}


def found_by(script: str, home: Path, *arguments: str) -> Any:
    """What `script` found. It lies in a file, for a DAG's source must be readable."""
    path = home / "script.py"
    path.write_text(script + TELL)
    command = [sys.executable, str(path), *arguments]
    done = subprocess.run(command, env=airflow_at(home), capture_output=True, text=True, cwd=home)
    lines = [line for line in done.stdout.splitlines() if line.startswith(MARK)]
    assert lines, (done.stdout + done.stderr)[-4000:]
    return json.loads(lines[-1].removeprefix(MARK))
