"""Processes that end with the one that started them (ADR 4).

Linux's kernel sends SIGKILL on the death of the *thread* that started or forked the process; where
there is a JVM between the two, only looking at the parent's id helps.
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
"""Below a scheduler: the executor's workers, and the task each of them runs."""


def end_with(parent: int) -> None:
    """Let the kernel end this process when `parent`, which started it, ends. Linux only."""
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the kernel was asked
        os.kill(os.getpid(), signal.SIGKILL)


def end_when_orphaned() -> None:
    """Look twice a second whether the parent is still the same, and end when it is not."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(128 + signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()


def tie_forks_to_this_process(generations: int = GENERATIONS) -> None:
    """Let what this process forks, and what that forks, end with it: the kernel sends SIGKILL.

    A scheduler that is killed would leave its executor's workers with their tasks; its successor
    starts the same tasks again, beside them. Linux only; the kernel acts on the death of the
    *thread* that forks, which in a scheduler and its workers is the main one.
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
        if os.getppid() != parent:  # it died before the kernel was asked
            os._exit(128 + signal.SIGKILL)

    os.register_at_fork(after_in_child=tie)
