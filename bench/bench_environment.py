"""Peers have a lock and an environment of their own: a benchmark runs in `.venv-bench`.

Standard library only, because it runs before that environment exists. Import it first:

    from bench_environment import enter
    enter()
"""

from __future__ import annotations

import os
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
