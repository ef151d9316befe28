"""Seconds and memory of both rating jobs, run as the DAG runs them, by the number of ratings.

    python -m bench.scale --rows 100000,1000000,10000000 [--json FILE] [--plot FILE.svg]

Made-up ratings (seeded; people and titles by power laws, 100,000 people and 20,000 titles at ten
million rows, fewer below) are written as ratings.csv, loaded into a `file://` lake and frozen.
Then `marquee step prepare_ratings` and `marquee step train_recommender` run in processes of their
own. Memory is the proportional set size of the whole tree of a job's processes (driver JVM, Python
driver and workers), looked at five times a second; its peak must stay inside `--limit-mb`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from bench.made_up_ratings import write_release
from bench.resource_use import measured
from bench.scale_chart import draw
from cli.terminal import unwind_on_signals
from marquee.settings import REPOSITORY, load_settings

JOBS = ("prepare_ratings", "train_recommender")
OUT_OF_TIME = 124  # exit status, as timeout(1) has it
RANKER = {"family": "implicit_als", "rank": 32, "alpha": 1.0, "reg": 0.1, "iterations": 8}


@dataclass
class Figures:
    """What one job took: wall and processor seconds, and megabytes at its peak."""

    job: str
    rows: int
    seconds: float
    cpu_seconds: float
    peak_mb: float
    status: int
    work: dict[str, float] = field(default_factory=dict)


def main() -> int:
    """Measure every number of rows; 1 where a job failed or grew over the limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", default="100000,1000000,10000000")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--driver-memory", default="", help="of the JVM; default: by rows")
    parser.add_argument("--limit-mb", type=float, default=4096)
    parser.add_argument("--minutes", type=float, default=0, help="a job may take; 0: any")
    parser.add_argument("--folder", type=Path, help="where to work; default: a temporary folder")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    unwind_on_signals()
    found: list[Figures] = []
    for rows in map(int, options.rows.split(",")):
        with tempfile.TemporaryDirectory(prefix="marquee-scale-", dir=options.folder) as work:
            memory = options.driver_memory or heap(rows)
            found += measure(Path(work), rows, options.seed, memory, options.minutes)
        keep(found, options.json, options.plot)
    print(table(found))
    return int(any(f.status or f.peak_mb > options.limit_mb for f in found))


def measure(work: Path, rows: int, seed: int, driver_memory: str, minutes: float) -> list[Figures]:
    """Make the ratings, load and freeze them, run both jobs."""
    write_release(work / "release", rows, seed)
    environment = os.environ | surroundings(work, driver_memory)
    for name in ("load_ratings", "freeze_inputs"):
        subprocess.run(command(name, work), env=environment, cwd=REPOSITORY, check=True)
    shutil.rmtree(work / "release", ignore_errors=True)
    (work / "release").mkdir()  # a step asks for the folder, the jobs read the lake
    found = []
    for job in JOBS:
        figures = run_job(job, rows, work, environment, minutes)
        print(f"{job}, {rows} rows: {asdict(figures)}", flush=True)
        found.append(figures)
        if figures.status:
            break
    return found


def command(name: str, work: Path) -> list[str]:
    """A step from a shell."""
    where = ["--run", "scale", "--data", str(work / "release")]
    step = [sys.executable, "-m", "cli", "step", name, *where]
    return [*step, "--as-of", "2030-01-01T00:00:00Z"]


def heap(rows: int) -> str:
    """The driver JVM's heap: what small data gets by default, and more by the million."""
    return f"{max(900, min(1800, 800 + rows // 10_000))}m"


def surroundings(work: Path, driver_memory: str) -> dict[str, str]:
    """A folder lake, one recipe (ALS with biases, implicit ALS), the driver's heap."""
    return {
        "MARQUEE_LAKE__ROOT": f"file://{work / 'lake'}",
        "MARQUEE_LAKE__WEBHDFS": "",
        "MARQUEE_STATE": str(work / "state"),
        "MARQUEE_SPARK__DRIVER_MEMORY": driver_memory,
        "MARQUEE_RECIPES__RECOMMENDER": json.dumps([recipe()]),
        "SPARK_LOCAL_DIRS": str(work / "spark"),
        "TMPDIR": str(work),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }


def recipe() -> dict[str, Any]:
    """The configuration's first ALS recipe, with its first implicit ALS as ranker."""
    recipes = load_settings().recipes.recommender
    rankers = [r["ranker"] for r in recipes if r["ranker"]["family"] == "implicit_als"]
    predictor = next(r for r in recipes if r["family"] == "als_bias")
    return {**predictor, "ranker": rankers[0] if rankers else RANKER}


def run_job(
    job: str, rows: int, work: Path, environment: dict[str, str], minutes: float
) -> Figures:
    """One job in a process tree of its own, watched."""
    with (
        (work / f"{job}.log").open("wb") as log,
        grouped(job, work, environment, log) as process,
        measured(process.pid) as cost,
    ):
        status = waited(process, minutes)
    if status:
        print((work / f"{job}.log").read_text(errors="replace")[-3000:], file=sys.stderr)
    timings = work / f"lake/runs/scale/timings/{job}.json"
    done = json.loads(timings.read_text())["work"] if timings.is_file() else {}
    seconds, cpu = round(cost.seconds, 1), round(cost.cpu_seconds, 1)
    return Figures(job, rows, seconds, cpu, round(cost.peak_mb), status, done)


@contextmanager
def grouped(
    job: str, work: Path, environment: dict[str, str], log: IO[bytes]
) -> Iterator[subprocess.Popen[bytes]]:
    """A job in a process group of its own, none of which outlives the block."""
    process = subprocess.Popen(
        command(job, work),
        env=environment,
        cwd=REPOSITORY,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def waited(process: subprocess.Popen[bytes], minutes: float) -> int:
    """Its exit status; OUT_OF_TIME where it takes longer."""
    try:
        return process.wait(minutes * 60 if minutes else None)
    except subprocess.TimeoutExpired:
        return OUT_OF_TIME


def table(found: list[Figures]) -> str:
    """One line a job and number of rows, and the same by the million."""
    lines = [f"{'job':20}{'rows':>12}{'seconds':>10}{'cpu s':>10}{'peak MB':>10}{'s/million':>11}"]
    for f in found:
        per = 1e6 / f.rows
        line = f"{f.job:20}{f.rows:>12,}{f.seconds:>10.1f}{f.cpu_seconds:>10.1f}{f.peak_mb:>10.0f}"
        cell = f"{f.seconds * per:>11.1f}" if not f.status else f"  failed ({f.status})"
        lines.append(f"{line}{cell}")
    return "\n".join(lines)


def keep(found: list[Figures], as_json: Path | None, plot: Path | None) -> None:
    """Figures and plot after every number of rows: a later one may not end."""
    if as_json:
        as_json.write_text(json.dumps([asdict(f) for f in found], indent=1))
    if plot:
        plot.write_text(draw([asdict(f) for f in found]), "utf-8")


if __name__ == "__main__":
    sys.exit(main())
