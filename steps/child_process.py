"""The process of another room, as a task runs it: its output is printed, it ends with the task."""

from __future__ import annotations

import os
import subprocess
from collections import deque
from collections.abc import Mapping

from marquee.lifetimes import PARENT
from marquee.process_secrets import variables_for
from marquee.settings import REPOSITORY

ENDING_SECONDS = 20
"""The time that a process has to deliver what it holds after SIGTERM."""
LAST_LINES = 100


def run_child(
    name: str, command: list[str], credentials: Mapping[str, str] | None = None
) -> tuple[int, list[str]]:
    """Run the process `name` and print its output; its exit status, and the last lines with text.

    It gets the secrets of its name, and `credentials`. An exception in this task, such as a
    time-out, sends it SIGTERM, and SIGKILL where it does not end within `ENDING_SECONDS`.
    """
    lines: deque[str] = deque(maxlen=LAST_LINES)
    own = {**(credentials or {}), PARENT: str(os.getpid())}
    with subprocess.Popen(
        command,
        cwd=REPOSITORY,
        env=variables_for(name, os.environ) | own,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as child:
        assert child.stdout is not None
        try:
            for line in child.stdout:
                print(line, end="", flush=True)
                lines.extend([line.strip()] if line.strip() else [])
        except BaseException:
            _end(child)
            raise
    return child.returncode, list(lines)


def _end(child: subprocess.Popen[str]) -> None:
    child.terminate()
    try:
        child.communicate(timeout=ENDING_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
