"""The resources of a piece of work: seconds, CPU seconds and peak memory of a process and its
descendants (Spark's JVM, its Python workers)."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import psutil

from local_stack.processes import memory_mb

SAMPLE_SECONDS = 0.2


@dataclass
class ResourceUse:
    """Filled in when the block ends: seconds of the clock, of all cores, and megabytes (PSS)."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_mb: float = 0.0


@contextmanager
def measured(root: int = 0) -> Iterator[ResourceUse]:
    """Measure the block in process `root` (default: this one) and its descendants, five times a
    second."""
    root = root or os.getpid()
    found, over = ResourceUse(), threading.Event()
    started, before = time.perf_counter(), cpu_seconds(root)
    first, last = own_seconds(root), dict[Process, float]()

    def sample() -> None:
        found.peak_mb = max(found.peak_mb, memory_mb([root]))
        # Spark's workers are lost to the tree when they end, and short children to the samples.
        last.update(own_seconds(root))
        seen = sum(last.values()) - sum(first.values())
        found.cpu_seconds = max(found.cpu_seconds, cpu_seconds(root) - before, seen)

    def keep_sampling() -> None:
        sample()
        while not over.wait(SAMPLE_SECONDS):
            sample()

    watch = threading.Thread(target=keep_sampling, daemon=True)
    watch.start()
    try:
        yield found
    finally:
        over.set()
        watch.join()
        sample()
        found.seconds = time.perf_counter() - started


Process = tuple[int, float]
"""A process id and when the process began: ids are used again."""


def own_seconds(root: int) -> dict[Process, float]:
    """CPU seconds of `root` and each of its living descendants, without their children."""
    found = {}
    with suppress(psutil.NoSuchProcess):
        for one in [psutil.Process(root), *psutil.Process(root).children(recursive=True)]:
            with suppress(psutil.Error):
                found[one.pid, one.create_time()] = sum(one.cpu_times()[:2])
    return found


def cpu_seconds(root: int) -> float:
    """CPU seconds of `root`, its living descendants, and the children they have waited for."""
    total = 0.0
    with suppress(psutil.NoSuchProcess):
        for process in [psutil.Process(root), *psutil.Process(root).children(recursive=True)]:
            with suppress(psutil.Error):
                total += sum(process.cpu_times()[:4])
    return total
