"""What an idle Airflow costs: memory and CPU of its four processes while no run is under way.

python -m bench.idle                 # an hour, on SQLite, in a folder that is removed at the end
python -m bench.idle --minutes 5     # shorter; the first minutes cost more than those that follow

Starts them as the systemd units do (`local_stack.host_daemon`), in a state of their own and on free
ports, with the DAG as it ships: unpaused. A run that Airflow starts is ended. Every ten seconds it
reads megabytes (PSS) and CPU seconds of the four, of their children, and of the children they have
waited for. For Postgres set MARQUEE_AIRFLOW__DATABASE=postgres and
AIRFLOW__DATABASE__SQL_ALCHEMY_CONN.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from bench.resource_use import cpu_seconds
from local_stack.airflow_api import DAG, AirflowApi
from local_stack.processes import memory_mb
from marquee.errors import MarqueeError
from marquee.host_needs import AIRFLOW
from marquee.settings import REPOSITORY, load_settings
from marquee.state_folders import StateFolders

SAMPLE_SECONDS = 10.0
SETTLE_SECONDS = 120.0
"""After the first answers: the four read their modules and the DAG's file."""
SECONDS_TO_START = 240.0
MOST_MB, MOST_PERCENT = 2048, 10.0
"""What the guide promises: megabytes, and percent of one core."""

Sample = dict[str, tuple[float, float]]
"""By daemon: megabytes, and the CPU seconds since it started."""
Reading = tuple[float, Sample]
"""The seconds of the clock, and what was read then."""


def main() -> int:
    """Start, wait, sample, print; status 1 where the bound does not hold."""
    parser = argparse.ArgumentParser(prog="python -m bench.idle")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--settle", type=float, default=SETTLE_SECONDS, help="seconds before them")
    parser.add_argument("--state", type=Path, help="a folder to keep; default: a temporary one")
    parser.add_argument("--samples", type=Path, help="write each sample here, a JSON line each")
    parser.add_argument("--read", type=Path, help="report a file of samples, and measure nothing")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the daemons end with the command
    if options.read:
        return report([tuple(json.loads(line)) for line in options.read.read_text().splitlines()])
    with ExitStack() as stack:
        state = options.state or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        daemons = stack.enter_context(airflow(state, options.settle))
        readings = list(keep(take(daemons, 60 * options.minutes), options.samples))
    return report(readings)


@contextmanager
def airflow(state: Path, settle: float) -> Iterator[dict[str, int]]:
    """The four daemons, ready and idle; their process ids by name."""
    os.environ |= variables(state)
    program = [sys.executable, "-m", "local_stack.host_daemon"]
    logs = state / "daemons"
    logs.mkdir(parents=True, exist_ok=True)
    subprocess.run([*program, AIRFLOW[0], "--prepare"], cwd=REPOSITORY, check=True)
    started: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for name in AIRFLOW:
            out = (logs / f"{name}.log").open("ab")
            started[name] = subprocess.Popen(
                [*program, name], cwd=REPOSITORY, stdout=out, stderr=out, start_new_session=True
            )
        wait_until_idle(settle)
        yield {name: process.pid for name, process in started.items()}
    finally:
        for process in started.values():
            process.terminate()
        for process in started.values():
            process.wait(60)


def variables(state: Path) -> dict[str, str]:
    """The settings of a state of its own, with an Airflow port that is free."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return {
        "MARQUEE_STATE": str(state),
        "MARQUEE_DATA": str(state),
        "MARQUEE_STACK__PORTS__AIRFLOW": str(port),
    }


def wait_until_idle(settle: float) -> None:
    """Wait until Airflow answers and knows the DAG, then `settle` seconds; end a run it started."""
    settings = load_settings()
    home, deadline = (
        StateFolders(settings.state_folder).airflow,
        time.monotonic() + SECONDS_TO_START,
    )
    while True:
        try:
            api = AirflowApi(settings, home)
            api.unpause()
            break
        except MarqueeError:
            if time.monotonic() > deadline:
                raise
            time.sleep(2)
    time.sleep(settle)
    for run in api.call("GET", f"/dags/{DAG}/dagRuns")["dag_runs"]:
        path = f"/dags/{DAG}/dagRuns/{run['dag_run_id']}"
        api.call("PATCH", path, json={"state": "failed"})


def take(daemons: dict[str, int], seconds: float) -> Iterator[Reading]:
    """A reading at once, and one every ten seconds; Ctrl-C ends them early."""
    until = time.monotonic() + seconds
    try:
        while True:
            sample = {n: (memory_mb([pid]), cpu_seconds(pid)) for n, pid in daemons.items()}
            if missing := [n for n, (memory, _) in sample.items() if not memory]:
                raise SystemExit(f"error: {', '.join(missing)} ended: see its log")
            yield time.time(), sample
            if (left := until - time.monotonic()) <= 0:
                return
            time.sleep(min(SAMPLE_SECONDS, left))
    except KeyboardInterrupt:
        return


def keep(readings: Iterable[Reading], path: Path | None) -> Iterator[Reading]:
    """The same readings, each also appended to the file as a JSON line."""
    for reading in readings:
        if path:
            with path.open("a") as out:
                out.write(json.dumps(reading) + "\n")
        yield reading


def report(readings: list[Reading]) -> int:
    """Print a line for each daemon and one for all; 1 where all of them cost more than promised."""
    samples, seconds = [sample for _, sample in readings], readings[-1][0] - readings[0][0]
    print(f"{len(samples)} samples over {seconds / 60:.0f} minutes")
    print(f"{'':18}  median MB  peak MB  CPU s  % of one core")
    for name in samples[0]:
        line(name, [[sample[name]] for sample in samples], seconds)
    peak, percent = line("all four", [list(s.values()) for s in samples], seconds)
    return int(peak > MOST_MB or percent > MOST_PERCENT)


def line(name: str, rows: list[list[tuple[float, float]]], seconds: float) -> tuple[float, float]:
    """Print one line; the peak in megabytes, and the percent of one core."""
    memory = [sum(mb for mb, _ in row) for row in rows]
    used = sum(cpu for _, cpu in rows[-1]) - sum(cpu for _, cpu in rows[0])
    median, peak, percent = statistics.median(memory), max(memory), 100 * used / max(seconds, 1)
    print(f"{name:18}  {median:9.0f}  {peak:7.0f}  {used:5.0f}  {percent:13.1f}")
    return peak, percent


if __name__ == "__main__":
    sys.exit(main())
