"""One task of `bench.scale`: started as the DAG starts it, watched, and stopped at the limits.

A task is a process tree of its own (`marquee step NAME`, below it the driver's JVM, the Python
driver and Python workers). Its memory is the proportional set size of the whole tree, looked at
five times a second; its peak must stay inside the limit, else the tree is ended.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from bench.resource_use import ResourceUse, measured
from marquee.settings import REPOSITORY, load_settings

RUN = "scale"
AS_OF = "2026-01-01T00:00:00Z"
BUNDLE = "bundle"
TASKS = (
    "load_ratings",
    "freeze_inputs",
    "prepare_titles",
    "prepare_ratings",
    "train_recommender",
    "evaluate",
    BUNDLE,
)
"""In their order; each needs those before it. `bundle` measures the shipped bundle."""
OUT_OF_TIME = 124  # exit status, as timeout(1) has it
OUT_OF_MEMORY = 137  # as a process that the kernel killed
SECONDS_BETWEEN_LOOKS = 0.5
SWEEP = re.compile(r"a sweep[^\n]*?([\d.]+) CPU s")


@dataclass
class Figures:
    """What one task took: wall and processor seconds, and megabytes at its peak."""

    task: str
    rows: int
    seconds: float
    cpu_seconds: float
    peak_mb: float
    status: int = 0
    why: str = ""
    """Why the task did not end well, in one sentence."""
    work: dict[str, float] = field(default_factory=dict)
    """Seconds by stage."""
    facts: dict[str, Any] = field(default_factory=dict)
    """What the task stated: the recipe, a sweep's seconds, the bundle's figures."""
    lake_mb: float = 0.0


@dataclass(frozen=True)
class Limits:
    """Where a task is stopped: megabytes of its tree, and minutes (0: any)."""

    megabytes: float
    minutes: float = 0.0


def surroundings(work: Path, driver_memory: str) -> dict[str, str]:
    """A folder lake, the default recipe and no other, one BLAS thread, the driver's heap."""
    return {
        "MARQUEE_LAKE__ROOT": f"file://{work / 'lake'}",
        "MARQUEE_LAKE__WEBHDFS": "",
        "MARQUEE_STATE": str(work / "state"),
        "MARQUEE_SPARK__DRIVER_MEMORY": driver_memory,
        "MARQUEE_RECIPES__RECOMMENDER": json.dumps([wide_recipe()]),
        "SPARK_LOCAL_DIRS": str(work / "spark"),
        "TMPDIR": str(work),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }


def wide_recipe() -> dict[str, Any]:
    """The recommender's default recipe; where the product refuses it, no other takes its place."""
    return dict(load_settings().recipes.recommender[0])


def command(task: str, work: Path) -> list[str]:
    """A step from a shell, or the look at the shipped bundle."""
    if task == BUNDLE:
        folder = work / f"lake/runs/{RUN}/models/recommender/shipped/bundle"
        return [sys.executable, "-m", "bench.scale_bundle", str(folder)]
    flags = ["--run", RUN, "--data", str(work / "release"), "--as-of", AS_OF]
    model = ["--model", "recommender"] if task == "evaluate" else []
    return [sys.executable, "-m", "cli", "step", task, *flags, *model]


def run_task(
    task: str, rows: int, work: Path, environment: Mapping[str, str], limits: Limits
) -> Figures:
    """One task in a process tree of its own, watched."""
    log = work / f"{task}.log"
    with (
        log.open("wb") as out,
        grouped(command(task, work), environment, out) as process,
        measured(process.pid) as cost,
    ):
        status = waited(process, cost, limits)
    said = log.read_text(errors="replace")
    figures = Figures(task, rows, round(cost.seconds, 1), round(cost.cpu_seconds, 1), 0.0, status)
    figures.peak_mb = round(cost.peak_mb)
    figures.why = reason(figures, said, limits) if status else ""
    timings = work / f"lake/runs/{RUN}/timings/{task}.json"
    figures.work = json.loads(timings.read_text())["work"] if timings.is_file() else {}
    figures.facts = facts_of(task, work, said) if not status else {}
    figures.lake_mb = round(size_of(work / "lake") / 1e6)
    return figures


@contextmanager
def grouped(
    command: list[str], environment: Mapping[str, str], log: IO[bytes], stdin: int | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A command in a process group of its own, none of which outlives the block."""
    process = subprocess.Popen(
        command,
        env=environment,
        cwd=REPOSITORY,
        stdin=stdin,
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


def waited(process: subprocess.Popen[bytes], cost: ResourceUse, limits: Limits) -> int:
    """Its exit status; OUT_OF_TIME and OUT_OF_MEMORY where it passes a limit."""
    until = time.monotonic() + limits.minutes * 60 if limits.minutes else float("inf")
    while True:
        with suppress(subprocess.TimeoutExpired):
            return process.wait(SECONDS_BETWEEN_LOOKS)
        if cost.peak_mb > limits.megabytes:
            return OUT_OF_MEMORY
        if time.monotonic() > until:
            return OUT_OF_TIME


def reason(found: Figures, said: str, limits: Limits) -> str:
    """One sentence: the limit that was passed, else the task's own line `error: …`."""
    if found.status == OUT_OF_MEMORY and found.peak_mb > limits.megabytes:
        return f"it was stopped at {found.peak_mb:,.0f} MB, above the {limits.megabytes:,.0f} MB"
    if found.status == OUT_OF_TIME:
        return f"it was stopped after {limits.minutes:g} minutes"
    errors = [line for line in said.splitlines() if line.startswith("error: ")]
    words = errors[-1].removeprefix("error: ") if errors else last_line(said)
    return f"it ended with status {found.status}: {words}"


def last_line(said: str) -> str:
    """The last line that a task printed."""
    return (said.strip().splitlines() or ["it printed nothing"])[-1]


def facts_of(task: str, work: Path, said: str) -> dict[str, Any]:
    """What a task that ended well states about itself."""
    if task == BUNDLE:
        found: dict[str, Any] = json.loads(last_line(said))
        return found
    if task == "evaluate":
        folder = work / f"lake/runs/{RUN}/models/recommender"
        metrics = json.loads((folder / "evaluation.json").read_text())["metrics"]
        return {name: metrics.get(name) for name in ("rmse", "ndcg@10", "coverage")}
    if task == "train_recommender":
        return _training_facts(work, said)
    return {}


def _training_facts(work: Path, said: str) -> dict[str, Any]:
    folder = work / f"lake/runs/{RUN}/models/recommender"
    card = json.loads((folder / "card.json").read_text())
    recipe = card["recipe"]
    facts = {name: card[name] for name in ("rows", "people", "titles")}
    facts |= {"recipe": recipe["name"], "rank": recipe.get("rank"), "notes": card["notes"]}
    sweeps = [float(found) for found in SWEEP.findall(said)]
    if sweeps:
        facts["sweep_cpu_seconds"] = sweeps[-1]
    elif recipe.get("sweeps") and "fit evaluated" in card["seconds"]:
        facts["sweep_at_most"] = round(card["seconds"]["fit evaluated"] / recipe["sweeps"], 4)
    return facts


def size_of(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
