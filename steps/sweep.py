"""sweep: remove the leftovers of killed attempts.

An attempt that dies leaves staged folders and checkpoints in the lake, and temporary files of tasks
and of Spark on this machine. No other process knows their names. The sweep removes a leftover that
has not changed for a day and whose run is not open. A run is open while it has no report and has
changed a file within one interval. The task `load_feedback` calls `sweep`.

Nothing below `serving/` is a leftover: a roll-back reaches the bundle of every entry of the ledger,
and the API then answers its exports (ADR 52).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from marquee.clock import EARLIEST_CREDIBLE, from_machine_clock, now
from marquee.lake import STAGING, FileStatus, Lake
from steps.run import Run

AGE = timedelta(days=1)
"""Longer than any task may take."""
SHOWN = 5
SCRATCH_PREFIXES = (
    *("marquee-", "spark-", "blockmgr-", "artifacts-", "pyspark-"),
    *("liblz4-java", "libnetlib", "libzstd", "snappy-"),
)
"""Prefixes of the temporary files of tasks and of Spark; files of daemons have other prefixes."""


def sweep(run: Run) -> list[str]:
    """Remove old leftovers in the lake and on this machine; print and return their names.

    The function prints errors and raises none, so a failed sweep fails no run.
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
    staged = [leaf for leaf in lake.list_status(STAGING) if _is_old(leaf.modified)]
    if not staged:
        return
    runs = lake.list_status("runs")
    for leaf in staged:
        path = f"{STAGING}/{leaf.name}"
        owners = [one for one in runs if leaf.name.startswith(f"runs-{one.name}-")]
        if any(_is_open(run, owner) for owner in owners):
            continue
        found = list(_below(lake, path)) if leaf.is_folder else [leaf]
        if all(_is_old(one.modified) for one in found):
            lake.delete(path)
            yield path, sum(one.bytes for one in found)


def _is_open(run: Run, owner: FileStatus) -> bool:
    if owner.name == run.id:
        return True
    written = [owner, *run.lake.list_status(f"runs/{owner.name}")]
    has_report = any(one.name == "report.json" for one in written)
    return not has_report and not all(_is_old(one.modified, run.interval) for one in written)


def _below(lake: Lake, path: str) -> Iterator[FileStatus]:
    for leaf in lake.list_status(path):
        yield leaf
        if leaf.is_folder:
            yield from _below(lake, f"{path}/{leaf.name}")


def _on_this_machine(folder: Path) -> Iterator[tuple[str, int]]:
    """Remove the old leftovers in Marquee's folder of temporary files; yields (name, bytes)."""
    for path in sorted(folder.glob("*")):
        if not path.name.startswith(SCRATCH_PREFIXES):
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
    for folder, below, files in os.walk(path):  # os.walk follows no links
        yield from (Path(folder, name) for name in (*below, *files))


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.lstat()
    except FileNotFoundError:
        return None


def _is_old(modified: float, age: timedelta = AGE) -> bool:
    """Whether `modified` (seconds since 1970) lies longer ago than `age`.

    A time stamp from before `EARLIEST_CREDIBLE` is never old: the machine's clock was not set yet.
    """
    moment = datetime.fromtimestamp(modified, UTC)
    return moment >= EARLIEST_CREDIBLE and now() - from_machine_clock(moment) > age
