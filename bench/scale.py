"""Seconds and memory of the recommender's tasks over the number of ratings, to MovieLens 32M.

    python -m bench.scale [--rows 100000,…] [--log FILE.jsonl] [--json FILE] [--plot FILE.svg]

Made-up ratings (`bench.made_up_ratings`, the shape of MovieLens 32M) are written as a release.
Then every task runs as the DAG runs it (`bench.scale_tasks`): load, freeze, both preparations,
training of **the default recipe itself** with its evaluated and shipped fits, evaluation, and the
shipped bundle in a process with the server's imports. Memory is that of a task's whole process
tree.

Where the product refuses a size, or a task passes the memory limit, the curve of that task and of
the tasks after it ends with a sentence; the tasks before it go on. Results are appended to
`--log`; with the same log a curve that was interrupted goes on with its first task without a
result. The table ends with the exponent of CPU seconds over rows, fitted from `--fit-from` on,
and with a sweep beside the limit of one core.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from bench.made_up_ratings import number_of_rows
from bench.scale_chart import draw
from bench.scale_table import report
from bench.scale_tasks import TASKS, Figures, Limits, run_task, surroundings
from cli.terminal import unwind_on_signals
from marquee.settings import REPOSITORY

ROWS = "100000,320000,1000000,3200000,10000000,32000204"
MAKE = "import sys; from pathlib import Path; from bench.made_up_ratings import write_release; "
MAKE += "write_release(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))"


def main() -> int:
    """Measure every number of rows; 1 where a task failed, was refused or was stopped."""
    options = parser().parse_args()
    unwind_on_signals()
    sizes = sorted(options.rows)
    found = [one for one in read(options.log) if one.rows in sizes]
    tasks = TASKS[: TASKS.index(options.until) + 1]
    for rows in sizes:
        found = measure(rows, options, tasks, found)
        if options.json:
            options.json.write_text(json.dumps([asdict(f) for f in found], indent=1))
        if options.plot:
            options.plot.write_text(draw([asdict(f) for f in found]), "utf-8")
    print(report(found, options.fit_from))
    return int(any(f.status for f in found))


def parser() -> argparse.ArgumentParser:
    """The flags."""
    flags = argparse.ArgumentParser(description=__doc__)
    flags.add_argument("--rows", type=numbers_of_rows, default=ROWS, help="with commas")
    flags.add_argument("--until", choices=TASKS, default=TASKS[-1], help="the last task")
    flags.add_argument("--seed", type=int, default=1)
    flags.add_argument("--driver-memory", default="", help="of the JVM; default: by rows")
    flags.add_argument("--limit-mb", type=float, default=5120)
    flags.add_argument("--minutes", type=float, default=0, help="a task may take; 0: any")
    flags.add_argument("--fit-from", type=int, default=3_200_000)
    flags.add_argument("--folder", type=Path, help="where to work; default: a temporary folder")
    flags.add_argument("--log", type=Path, help="results, one line a task; read and appended to")
    flags.add_argument("--json", type=Path)
    flags.add_argument("--plot", type=Path)
    return flags


def numbers_of_rows(text: str) -> list[int]:
    """The value of `--rows`: numbers with commas between them."""
    return [number_of_rows(one) for one in text.split(",")]


def measure(
    rows: int, options: argparse.Namespace, tasks: tuple[str, ...], found: list[Figures]
) -> list[Figures]:
    """One size. Tasks that failed at a smaller size, or follow such a task, are left out."""
    possible = tasks[
        : min([tasks.index(f.task) for f in found if f.status and f.task in tasks] + [len(tasks)])
    ]
    done = {f.task for f in found if f.rows == rows}
    if not set(possible) - done:
        return found
    work = (options.folder or Path(tempfile.gettempdir())) / f"marquee-scale-{rows}-{options.seed}"
    if not (work / "release").is_dir():  # whatever was measured there is gone
        found = [f for f in found if f.rows != rows]
        make_release(work / "release", rows, options.seed)
    done = {f.task for f in found if f.rows == rows}
    environment = os.environ | surroundings(work, options.driver_memory or heap(rows))
    limits = Limits(options.limit_mb, options.minutes)
    for task in (task for task in possible if task not in done):
        figures = run_task(task, rows, work, environment, limits)
        found = [*found, figures]
        append(options.log, figures)
        print(sentence(figures), flush=True)
        if figures.status:
            break
        if task == "freeze_inputs":  # the lake holds the rows; later tasks ask for the folder alone
            for path in (work / "release").glob("ratings*"):
                path.unlink()
    if options.folder is None or figures.status or tasks == TASKS:  # else a later run goes on
        shutil.rmtree(work, ignore_errors=True)
    return found


def make_release(folder: Path, rows: int, seed: int) -> None:
    """Made in a process of its own, so that this one stays small."""
    part = folder.with_name("release.part")
    shutil.rmtree(folder.parent, ignore_errors=True)
    command = [sys.executable, "-c", MAKE, str(part), str(rows), str(seed)]
    subprocess.run(command, cwd=REPOSITORY, check=True)
    part.rename(folder)


def heap(rows: int) -> str:
    """The driver JVM's heap: what small data gets by default, and more by the million."""
    return f"{max(900, min(1500, 850 + rows // 40_000))}m"


def sentence(f: Figures) -> str:
    """One task's line while the bench runs."""
    what = f"{f.task}, {f.rows:,} rows"
    cost = f"{f.cpu_seconds:,.1f} CPU s, {f.seconds:,.1f} s, {f.peak_mb:,.0f} MB"
    if f.status:
        return f"{what}: {f.why}. Its curve ends here ({cost})"
    stages = ", ".join(f"{name} {seconds:.1f}" for name, seconds in f.work.items())
    return (
        f"{what}: {cost}" + (f" ({stages})" if stages else "") + (f" {f.facts}" if f.facts else "")
    )


def read(log: Path | None) -> list[Figures]:
    """The results of an earlier run; the last one of a task and size counts."""
    if log is None or not log.exists():
        return []
    lines = (json.loads(line) for line in log.read_text().splitlines() if line.strip())
    return list({(one["task"], one["rows"]): Figures(**one) for one in lines}.values())


def append(log: Path | None, figures: Figures) -> None:
    """Add one result to the log."""
    if log is not None:
        with log.open("a") as out:
            out.write(json.dumps(asdict(figures)) + "\n")


if __name__ == "__main__":
    sys.exit(main())
