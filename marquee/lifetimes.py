"""Child processes that end with their parent process (ADR 4).

Linux can send SIGKILL to a process when the *thread* that forked it ends. A process that a JVM
starts polls the id of its parent instead. The scheduler's workers, the processes that a task
starts and the Python process of a Spark job use this module.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time

PARENT = "MARQUEE_PARENT"
"""The variable in which a task gives its id to the process that it starts."""
PR_SET_PDEATHSIG = 1  # linux/prctl.h
GENERATIONS = 2
"""Two generations of forks below a scheduler: the executor's workers, and their tasks."""


def end_with_starter() -> None:
    """Let Linux kill this process when the one that PARENT names ends; nothing where none is."""
    if parent := os.environ.get(PARENT):
        end_with_parent(int(parent))


def end_with_parent(parent: int) -> None:
    """Let Linux kill this process when `parent` ends; no effect on other systems."""
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # the parent died before prctl took effect
        os.kill(os.getpid(), signal.SIGKILL)


def end_when_orphaned() -> None:
    """End this process when its parent changes; a thread checks twice a second."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(128 + signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()


def tie_forks_to_this_process(generations: int = GENERATIONS) -> None:
    """Let Linux kill the forks of this process, `generations` deep, when this process ends.

    Otherwise the workers and tasks of a killed scheduler keep running, and the next scheduler
    starts the same tasks a second time. The kill follows the end of the *thread* that forks; a
    scheduler and its workers fork from their main thread. No effect on other systems than Linux.
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
        if os.getppid() != parent:  # the parent died before prctl took effect
            os._exit(128 + signal.SIGKILL)

    os.register_at_fork(after_in_child=tie)
