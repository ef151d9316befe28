"""sweep: remove the leftovers of killed attempts, once no run can need them.

An attempt that dies (out of memory, a power cut, a cleared task) leaves what it was writing: staged
folders and checkpoints in the lake, scratch and Spark's folders on this machine. Nothing reads
them, because they never got a name that others know. A leftover is removed once it has not changed
for a day and its run is not open. A run is open while it has no report and has changed something
within its interval; it ends before the next run is due. The task `load_feedback` sweeps.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from marquee.clock import SET_FROM, now, of_machine
from marquee.lake import STAGING, Lake, Leaf
from steps.run import Run

AGE = timedelta(days=1)
"""Longer than any task may take."""
SHOWN = 5
SHORT_LIVED = (
    *("marquee-", "spark-", "blockmgr-", "artifacts-", "pyspark-"),
    *("liblz4-java", "libnetlib", "libzstd", "snappy-"),
)
"""Prefixes of the scratch of tasks and Spark; a daemon's own files have other names."""


def sweep(run: Run) -> list[str]:
    """Remove old leftovers in the lake and on this machine, print and return their names.

    Never raises: a leftover must not fail a run, and the next run sweeps again.
    """
    swept: list[tuple[str, int]] = []
    for leftovers in (_in_lake(run), _on_this_machine(run.folders.tmp)):
        try:
            swept.extend(leftovers)
        except Exception as error:
            print(f"the sweep of leftovers stopped, and the next run goes on: {error}", flush=True)
    if swept:
        size = sum(size for _, size in swept) / 1e6
        names = ", ".join(name for name, _ in swept[:SHOWN])
        more = f" and {len(swept) - SHOWN} more" if len(swept) > SHOWN else ""
        print(f"swept {len(swept)} leftovers ({size:.1f} MB): {names}{more}", flush=True)
    return [name for name, _ in swept]


def _in_lake(run: Run) -> Iterator[tuple[str, int]]:
    lake = run.lake
    staged = [leaf for leaf in lake.leaves(STAGING) if _is_old(leaf.modified)]
    if not staged:
        return
    runs = lake.leaves("runs")
    for leaf in staged:
        path = f"{STAGING}/{leaf.name}"
        owners = [one for one in runs if leaf.name.startswith(f"runs-{one.name}-")]
        if any(_is_open(run, owner) for owner in owners):
            continue
        found = list(_below(lake, path)) if leaf.is_folder else [leaf]
        if all(_is_old(one.modified) for one in found):
            lake.delete(path)
            yield path, sum(one.bytes for one in found)


def _is_open(run: Run, owner: Leaf) -> bool:
    if owner.name == run.id:
        return True
    written = [owner, *run.lake.leaves(f"runs/{owner.name}")]
    has_report = any(one.name == "report.json" for one in written)
    return not has_report and not all(_is_old(one.modified, run.interval) for one in written)


def _below(lake: Lake, path: str) -> Iterator[Leaf]:
    for leaf in lake.leaves(path):
        yield leaf
        if leaf.is_folder:
            yield from _below(lake, f"{path}/{leaf.name}")


def _on_this_machine(folder: Path) -> Iterator[tuple[str, int]]:
    """Leftovers in our own folder of temporary files, and nowhere else."""
    for path in sorted(folder.glob("*")):
        if not path.name.startswith(SHORT_LIVED):
            continue
        found = [found for one in _files(path) if (found := _stat(one))]
        if all(_is_old(one.st_mtime) for one in found):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
            yield str(path), sum(one.st_size for one in found)


def _files(path: Path) -> Iterator[Path]:
    yield path
    for folder, below, files in os.walk(path):  # which follows no links
        yield from (Path(folder, name) for name in (*below, *files))


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.lstat()
    except FileNotFoundError:
        return None


def _is_old(modified: float, age: timedelta = AGE) -> bool:
    """Whether `modified`, by the machine's clock, lies longer ago than `age`.

    A time stamp from before that clock was set decides nothing. A drill's offset moves both.
    """
    moment = datetime.fromtimestamp(modified, UTC)
    return moment >= SET_FROM and now() - of_machine(moment) > age
