"""Job of `marquee doctor`: what each Spark worker is, and what its Python can import.

The JVM of an executor starts the worker's Python as a program of its own (`JavaRDD.pipe`). PySpark
would refuse a Python of another version before that Python could say which it is. The job prints
one line `WORKERS [...]` with a JSON object for each host.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from marquee.deadlines import at_once
from marquee.errors import AWAY
from marquee.lifetimes import end_when_orphaned
from spark_apps.job import error_report
from spark_apps.spark_session import start_session

MARK = "WORKERS "
SECONDS_FOR_JOB = 180.0
"""For all executors' reports, from the session's start. (Waiting for executors has a deadline of
its own, `--resource-minutes`.)"""
SECONDS_TO_END = 10.0
SECONDS_FOR_ALL = 10.0
"""How long the job waits for further executors after the first."""
TASKS_EACH = 4
"""Tasks for each executor, so that every executor gets one."""
# `sh` reports a Python that does not start. Both ends read their input, so that no pipe breaks.
SHELL = (
    '"$0" -c "$1" 2>/tmp/marquee-probe.$$ || { cat >/dev/null; '
    'printf \'{"host": "%s", "error": "%s"}\\n\' "$(uname -n)" '
    '"$(tail -n 1 /tmp/marquee-probe.$$ | tr -d \'\\"\\\\\\\\\')"; }; rm -f /tmp/marquee-probe.$$'
)
REPORT = """
import getpass, json, shutil, socket, sys, time
sys.stdin.read()
def version(name):
    try:
        from importlib.metadata import version
        return version(name)
    except Exception:
        return ""
def free_memory():
    try:
        lines = open("/proc/meminfo").read().splitlines()
        return [int(x.split()[1]) // 1024 for x in lines if x.startswith("MemAvailable")][0]
    except (OSError, IndexError):
        return -1
def user():
    try:
        return getpass.getuser()
    except Exception:
        return ""
print(json.dumps({
    "host": socket.gethostname(), "python": list(sys.version_info[:3]), "user": user(),
    "time": time.time(), "free_mb": free_memory(),
    "free_disk_mb": shutil.disk_usage(".").free // 2**20,
    "packages": {name: version(name) for name in PACKAGES},
}))
time.sleep(0.5)
"""
PACKAGES = ("numpy", "scipy", "pyarrow", "pydantic")
"""What executors import, of `requirements/worker.in`; the rest is for drivers in containers."""


def main(argv: Sequence[str] | None = None) -> int:
    """Print the report of each host; a failure gives one sentence and the status of a job."""
    end_when_orphaned()
    parser = argparse.ArgumentParser(prog="probe_workers")
    parser.add_argument("--resource-minutes", type=float, default=2.0)
    options, _ = parser.parse_known_args(argv)
    scratch = Path(tempfile.mkdtemp(prefix="marquee-probe-"))
    try:
        session = start_session("probe_workers", scratch, options.resource_minutes)
        (found,) = at_once([partial(reports, session)], SECONDS_FOR_JOB)
        if found is None:
            print(f"error: {_overdue(session)}", file=sys.stderr, flush=True)
            os._exit(AWAY)  # what hangs in a thread of py4j would keep this process
        print(MARK + json.dumps(found), flush=True)
        session.stop()
        return 0
    except Exception as error:
        sentence, status = error_report(error)
        print(f"error: {sentence or error}", file=sys.stderr, flush=True)
        return status
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _overdue(session: SparkSession) -> str:
    """End the application, and say which hosts are known to it."""
    context: Any = session.sparkContext
    ends = [context.cancelAllJobs, session.stop]
    hosts = at_once([lambda: executor_hosts(context)], SECONDS_TO_END)[0] or ["no host"]
    for end in ends:
        at_once([end], SECONDS_TO_END)
    return (
        f"the executors have not reported after {SECONDS_FOR_JOB:.0f} s; Spark has had them on "
        f"{', '.join(hosts)} — look at the log of the worker there"
    )


def reports(session: SparkSession) -> list[dict[str, Any]]:
    """One report for each host that runs an executor, in the order of their names."""
    context: Any = session.sparkContext
    tasks = executors(context) * TASKS_EACH
    script = f"PACKAGES = {PACKAGES!r}\n{REPORT}"
    lists = context._jvm.java.util.ArrayList
    words, rows = lists(), lists()
    for word in ("/bin/sh", "-c", SHELL, context.pythonExec, script):
        words.append(word)
    for number in range(tasks):
        rows.append(str(number))
    lines = context._jsc.parallelize(rows, tasks).pipe(words).collect()
    found = (json.loads(line) for line in lines if line.startswith("{"))
    by_host = {one["host"]: one for one in found}
    return [by_host[host] for host in sorted(by_host)]


def executor_hosts(context: Any) -> list[str]:
    """The hosts of the executors, sorted; the driver's own is among them."""
    return sorted({str(one.host()) for one in context._jsc.sc().statusTracker().getExecutorInfos()})


def executors(context: Any) -> int:
    """The number of executors, once no further one has come for SECONDS_FOR_ALL; at least one."""
    found, since = 0, time.monotonic()
    while not found or time.monotonic() - since < SECONDS_FOR_ALL:
        now = int(context._jsc.sc().getExecutorMemoryStatus().size()) - 1
        if now > found:
            found, since = now, time.monotonic()
        if context.master.startswith("local["):
            return 1
        time.sleep(0.5)
    return found


if __name__ == "__main__":
    sys.exit(main())
