"""Processes that outlived their keeper, found by the state folder in their environment.

A scheduler killed with -9 leaves its idle workers behind, a keeper killed so leaves everything:
whoever carries this world's STATE and is still there when the stack is down, is ours to end.
"""

from __future__ import annotations

from pathlib import Path

import psutil

SECONDS_TO_END = 10


def end_leftovers(state: Path) -> int:
    """Ask every leftover of `state` to end, then make it; how many there were."""
    left = [p for p in psutil.process_iter() if _carries(p, state)]
    for process in left:
        _signal(process, "terminate")
    _, stubborn = psutil.wait_procs(left, timeout=SECONDS_TO_END)
    for process in stubborn:
        _signal(process, "kill")
    psutil.wait_procs(stubborn, timeout=SECONDS_TO_END)
    return len(left)


def _carries(process: psutil.Process, state: Path) -> bool:
    try:
        return bool(process.environ().get("STATE") == str(state))
    except (psutil.Error, OSError):
        return False


def _signal(process: psutil.Process, how: str) -> None:
    try:
        getattr(process, how)()
    except psutil.NoSuchProcess:
        return
