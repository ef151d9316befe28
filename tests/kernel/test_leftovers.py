"""What outlived its keeper is ended; what only looks like it is left alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil

from local_stack.processes import end_stack_processes
from marquee.settings import REPOSITORY

SLEEP = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"]


def start(**options: object) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(  # type: ignore[call-overload]
        SLEEP, stdout=subprocess.PIPE, **options
    )
    assert process.stdout.readline() == b"up\n"
    return process


def test_leftovers_end_and_strangers_stay(tmp_path: Path) -> None:
    carrier = start(env=os.environ | {"STATE": str(tmp_path)})
    stranger = start(cwd=tmp_path, start_new_session=True)
    worker = start(cwd=REPOSITORY, start_new_session=True)
    (tmp_path / "logs").mkdir()
    lines = [f"spawned: 'scheduler' with pid {p.pid}\n" for p in (worker, stranger)]
    (tmp_path / "logs" / "supervisord.log").write_text("".join(lines))
    try:
        assert end_stack_processes(tmp_path) == 2
        assert not psutil.pid_exists(carrier.pid)
        assert not psutil.pid_exists(worker.pid)
        assert stranger.poll() is None
    finally:
        for process in (carrier, stranger, worker):
            process.kill()
            process.communicate()
