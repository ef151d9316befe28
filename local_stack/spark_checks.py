"""Checks of a place's Spark: its masters, their workers, and the Python on each worker.

`marquee doctor --place` prints the findings. The first part asks the masters' pages and costs no
job. The second judges what the job `probe_workers` reports.
"""

from __future__ import annotations

import json
import re
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any

from local_stack.yarn import check_yarn
from marquee.errors import SettingsError
from marquee.host_checks import (
    UNREADABLE,
    Finding,
    check_clocks,
    check_ports,
    clock_finding,
    host_of,
)
from marquee.place_preflight import ask_masters, clock_pages
from marquee.place_settings import SparkSettings, megabytes
from marquee.process_secrets import spark_secret

JVM_OVERHEAD_MB = 384
"""What Spark adds to the heap of an executor (`spark.executor.memoryOverhead`, its least value)."""
CAUSE = re.compile(r"^(?!\s*at )(?!.* (?:INFO|WARN) ).*(?: ERROR |Exception)")
"""A line of Spark's log that says why a job failed; the later ones are of its end."""
ENDED_EARLY = "Asked to remove non-existent executor"
"""The driver's log, for each executor that ended before it had registered. A Standalone master
starts the next at once and without end: its count of failures begins anew with each start."""
WORKERS = "WORKERS "
"""The beginning of the line that `spark_apps/probe_workers.py` prints."""


def check_spark(settings: SparkSettings) -> Iterator[Finding]:
    """Check each master's port, page, version and clock, and the workers of the one in charge.

    With YARN, its ResourceManager and nodes are checked instead.
    """
    yield from _driver(settings)
    if settings.on_yarn:
        yield from check_yarn(settings)
        return
    yield from _secret(settings)
    yield from check_ports(settings.masters, "Spark master", "[spark] master")
    masters = ask_masters(settings.pages)
    for _, findings in masters.values():
        yield from findings
    states = {page: state for page, (state, _) in masters.items() if state}
    if not states:
        return
    try:
        yield from list(_workers(settings, states))
        yield from check_clocks(clock_pages(states))
    except UNREADABLE as error:
        asked = ", ".join(states)
        detail = f"what {asked} says of its workers cannot be read ({type(error).__name__})"
        yield Finding(
            "Spark workers", False, detail, "correct [spark] master_pages: is it Spark's?"
        )


def _secret(settings: SparkSettings) -> Iterator[Finding]:
    """Whether the secret of a cluster that wants one can be used here."""
    try:
        if spark_secret(settings):
            yield Finding("Spark's secret", True, settings.secret_file)
    except SettingsError as error:
        yield Finding("Spark's secret", False, error.message, error.remedy)


def _driver(settings: SparkSettings) -> Iterator[Finding]:
    """Whether the workers can reach a driver on this machine by the name that it gives them."""
    hosts = [host for host, _ in settings.masters] + [host_of(page) for page in settings.pages]
    if not hosts or settings.deploy_mode == "cluster":
        return
    name = settings.driver_host or socket.gethostname()
    remedy = "set [spark] driver_host to an address of this machine that the workers reach"
    try:
        address = socket.gethostbyname(name)
    except (OSError, UnicodeError):
        yield Finding("driver's host", False, f"{name} has no address here", remedy)
        return
    elsewhere = not all(map(_is_loopback, hosts))
    lost = _is_loopback(address) and elsewhere
    detail = f"{name} is {address}" + (", which no worker elsewhere reaches" if lost else "")
    yield Finding("driver's host", not lost, detail, remedy)
    with socket.socket() as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            detail = f"{name} is {address}, which is not an address of this machine"
            yield Finding("driver's host", False, detail, remedy)


def _is_loopback(host: str) -> bool:
    return host == "localhost" or host.startswith("127.")


def _workers(settings: SparkSettings, states: Mapping[str, dict[str, Any]]) -> Iterator[Finding]:
    """Whether one master is in charge, and whether a living worker can run an executor."""
    alive = [(page, state) for page, state in states.items() if state.get("status") == "ALIVE"]
    said = ", ".join(f"{page} {state.get('status')}" for page, state in states.items())
    yield Finding(
        "Spark master in charge",
        len(alive) == 1,
        said,
        "exactly one must be ALIVE: start one, or stop the second, and let them share ZooKeeper",
    )
    needed = megabytes(settings.executor_memory)
    for page, state in alive:
        workers = [one for one in state.get("workers", []) if one.get("state") == "ALIVE"]
        text = f"{len(workers)} alive at {page}"
        yield Finding("Spark workers", bool(workers), text, "start a worker with this master")
        for one in workers:
            detail = f"{one['cores']} cores, {one['memory']} MB for executors, {needed} MB wanted"
            remedy = f"raise SPARK_WORKER_MEMORY on {one['host']}, or lower spark.executor_memory"
            fits = one["memory"] >= needed and one["cores"] > 0
            yield Finding(f"Spark worker {one['host']}:{one['port']}", fits, detail, remedy)


def judge_spark_job(
    stdout: str, stderr: str, settings: SparkSettings, disk_mb: int
) -> Iterator[Finding]:
    """Judge what the job `probe_workers` has printed; it has just ended."""
    for line in stdout.splitlines():
        if line.startswith(WORKERS):
            reports = json.loads(line.removeprefix(WORKERS))
            yield Finding("Spark job", bool(reports), f"{len(reports)} hosts ran it")
            yield from check_workers(reports, settings, time.time(), disk_mb)
            return
    # spark-submit prints a driver's standard error on its own standard output.
    printed = f"{stderr}\n{stdout}".strip().splitlines()
    errors = [line.partition("error: ")[2] for line in printed if line.startswith("error: ")]
    causes = [line for line in printed if CAUSE.search(line)]
    detail = (errors or causes[:1] or printed or ["no word"])[-1].strip()
    remedy = f"look at the logs of {settings.master} and of its workers"
    if (ended := stderr.count(ENDED_EARLY)) > 1:
        detail = f"{ended} executors ended before they reached the driver; {detail}"
        remedy = "read an executor's stderr on its worker's page; can it reach [spark] driver_host?"
    yield Finding("Spark job", False, detail[:300], remedy)


def check_workers(
    reports: list[dict[str, Any]], settings: SparkSettings, now: float, disk_mb: int
) -> Iterator[Finding]:
    """Judge the reports of `probe_workers`, which ended at `now` (seconds since 1970)."""
    own = sys.version_info[:3]
    python = settings.worker_python or "python3"
    for one in reports:
        host = one["host"]
        if error := one.get("error"):
            remedy = f"install it on {host}, or correct [spark] worker_python"
            yield Finding(f"Python on {host}", False, f"{python} does not start: {error}", remedy)
            continue
        theirs = tuple(one["python"])
        remedy = f"let [spark] worker_python name a Python {own[0]}.{own[1]} on {host}"
        detail = f"{_dotted(theirs)}, the driver's is {_dotted(own)}"
        yield Finding(f"Python on {host}", theirs[:2] == own[:2], detail, remedy)
        lacks = [name for name, found in one["packages"].items() if not found]
        detail = f"{python} lacks {', '.join(lacks)}" if lacks else f"{python} has all"
        remedy = f"on {host}: {python} -m pip install -r requirements/worker.txt"
        yield Finding(f"packages on {host}", not lacks, detail, remedy)
        yield clock_finding(host, one["time"], now)
        yield from _room(one, disk_mb)


def _room(report: dict[str, Any], disk_mb: int) -> Iterator[Finding]:
    """Free memory and disk of a worker, while one executor runs there."""
    host, memory, disk = report["host"], report["free_mb"], report["free_disk_mb"]
    if memory >= 0:
        remedy = f"close something on {host}, or lower spark.executor_memory"
        yield Finding(f"memory on {host}", memory >= 128, f"{memory} MB free", remedy, warning=True)
    remedy = f"make room below SPARK_WORKER_DIR and SPARK_LOCAL_DIRS on {host}"
    yield Finding(f"disk on {host}", disk >= disk_mb, f"{disk} MB free, {disk_mb} wanted", remedy)


def _dotted(numbers: tuple[int, ...]) -> str:
    return ".".join(map(str, numbers))
