"""Peers have locks and environments of their own: a benchmark runs in `.venv-bench`, a peer that
needs what others cannot have (`peer_python`) in `.venv-bench-<name>`.

Standard library only, because it runs before that environment exists. Import it first:

    from bench_environment import enter
    enter()
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]


def enter() -> None:
    """Make `.venv-bench` where it is missing (minutes, once) and start this script again in it."""
    sys.path[:0] = [str(REPOSITORY)]
    from local_stack.bootstrap import BENCH_VENV, SetupError, set_up_bench

    if Path(sys.prefix).resolve() == BENCH_VENV.resolve():
        return
    try:
        python = set_up_bench()
    except SetupError as error:
        sys.exit(f"error: {error}")
    path = os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH", "")]))
    here = {"PYTHONPATH": path, "PYSPARK_PYTHON": str(python), "PYSPARK_DRIVER_PYTHON": str(python)}
    # One thread a numeric library: two of them on two cores fight each other and Spark.
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    environment = os.environ | threads | here
    os.execve(python, [str(python), *sys.argv], environment)


def peer_python(name: str) -> Path:
    """The interpreter of `.venv-bench-<name>`, made from `requirements/bench-<name>.txt` where it
    is missing or the lock has changed; SourceError where that cannot be installed."""
    from local_stack.bootstrap import INSTALLER, LOCK_FOLDER
    from marquee.errors import SourceError

    lock, venv = LOCK_FOLDER / f"bench-{name}.txt", REPOSITORY / f".venv-bench-{name}"
    python, stamp = venv / "bin" / "python", venv / "lock.txt"
    if not stamp.is_file() or stamp.read_text() != lock.read_text():
        print(f"installing {lock.name} into {venv.name}", flush=True)
        uv = [str(INSTALLER / "bin" / "uv"), "pip", "sync", "-q", "--python", str(python)]
        make = [sys.executable, "-m", "venv", "--clear", "--without-pip", str(venv)]
        for command in (
            make,
            [
                *uv,
                "--build-constraints",
                str(LOCK_FOLDER / "build.txt"),
                "--require-hashes",
                str(lock),
            ],
        ):
            done = subprocess.run(command, stderr=subprocess.PIPE, text=True)
            if done.returncode:
                last = (done.stderr.strip().splitlines() or ["no message"])[-1]
                raise SourceError(f"could not install {lock.name}: {last}", "leave that peer out")
        stamp.write_text(lock.read_text())
    return python
