"""What a piece of work took: seconds, CPU seconds and the most memory, of this process and all
it started (Spark's JVM, its Python workers)."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

SAMPLE_SECONDS = 0.2


@dataclass
class Taken:
    """Filled in when the block ends: seconds of the clock, of all cores, and megabytes (PSS)."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_mb: float = 0.0


@contextmanager
def taken() -> Iterator[Taken]:
    """Measure the block; memory is sampled five times a second, shared pages counted once."""
    found, over = Taken(), threading.Event()
    watch = threading.Thread(target=_sample, args=(found, over), daemon=True)
    started, cpu = time.perf_counter(), _cpu_seconds()
    watch.start()
    try:
        yield found
    finally:
        over.set()
        watch.join()
        found.seconds = time.perf_counter() - started
        found.cpu_seconds = _cpu_seconds() - cpu


def _sample(found: Taken, over: threading.Event) -> None:
    while True:
        found.peak_mb = max(found.peak_mb, sum(map(_pss_mb, _family())))
        if over.wait(SAMPLE_SECONDS):
            return


def _family() -> list[psutil.Process]:
    me = psutil.Process(os.getpid())
    return [me, *me.children(recursive=True)]


def _pss_mb(process: psutil.Process) -> float:
    with suppress(OSError):
        for line in Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return float(line.split()[1]) / 1024
    return 0.0


def _cpu_seconds() -> float:
    """Of the living and of the children already waited for."""
    total = 0.0
    for process in _family():
        with suppress(psutil.Error):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total
