"""Processes that end with the process that started them (ADR 4).

Linux sends SIGKILL when the *thread* dies that started or forked the process. Where a JVM stands
between the two, the process watches its parent's id instead. The scheduler's workers, the crawl
and the Python part of a Spark job use this.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time

PR_SET_PDEATHSIG = 1  # linux/prctl.h
GENERATIONS = 2
"""The generations below a scheduler: its executor's workers, and the tasks they run."""


def end_with(parent: int) -> None:
    """Let Linux end this process when `parent`, which started it, ends; no effect elsewhere."""
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the request reached the kernel
        os.kill(os.getpid(), signal.SIGKILL)


def end_when_orphaned() -> None:
    """Check twice a second that the parent is still the same, and end when it is not."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(128 + signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()


def tie_forks_to_this_process(generations: int = GENERATIONS) -> None:
    """Let the processes that this one forks, `generations` deep, end with it by SIGKILL.

    Otherwise a killed scheduler leaves its workers and their tasks running, and its successor
    starts the same tasks again beside them. Linux alone; it acts on the death of the *thread* that
    forks, which in a scheduler and its workers is the main one.
    """
    if sys.platform != "linux":
        return
    kernel = ctypes.CDLL(None, use_errno=True)
    this = {"pid": os.getpid(), "generation": 0}

    def tie() -> None:
        parent, this["pid"] = this["pid"], os.getpid()
        this["generation"] += 1
        if this["generation"] > generations:
            return
        kernel.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the request reached the kernel
            os._exit(128 + signal.SIGKILL)

    os.register_at_fork(after_in_child=tie)
