"""What a piece of work took: seconds, CPU seconds and the most memory, of a process and all it
started (Spark's JVM, its Python workers)."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import psutil

from local_stack.processes import resident_mb

SAMPLE_SECONDS = 0.2


@dataclass
class Taken:
    """Filled in when the block ends: seconds of the clock, of all cores, and megabytes (PSS)."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_mb: float = 0.0


@contextmanager
def taken(root: int = 0) -> Iterator[Taken]:
    """Measure the block in process `root` (default: this one) and all below it, looking five
    times a second."""
    root = root or os.getpid()
    found, over = Taken(), threading.Event()
    started, before = time.perf_counter(), cpu_seconds(root)

    def look() -> None:
        found.peak_mb = max(found.peak_mb, resident_mb([root]))
        found.cpu_seconds = max(found.cpu_seconds, cpu_seconds(root) - before)

    def sample() -> None:
        look()
        while not over.wait(SAMPLE_SECONDS):
            look()

    watch = threading.Thread(target=sample, daemon=True)
    watch.start()
    try:
        yield found
    finally:
        over.set()
        watch.join()
        look()
        found.seconds = time.perf_counter() - started


def cpu_seconds(root: int) -> float:
    """Of the living below `root`, itself included, and of the children they have waited for."""
    total = 0.0
    with suppress(psutil.NoSuchProcess):
        for process in [psutil.Process(root), *psutil.Process(root).children(recursive=True)]:
            with suppress(psutil.Error):
                total += sum(process.cpu_times()[:4])
    return total
