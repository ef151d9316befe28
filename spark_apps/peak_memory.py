"""Peak resident memory of a job's processes, as Linux counts it."""

from __future__ import annotations

import os
import re
from pathlib import Path


def peak_mb() -> dict[str, float]:
    """Megabytes of the Python driver and of the JVM that started it; what cannot be read is left
    out. On one machine the JVM holds the executors too."""
    processes = {"Python driver": os.getpid(), "Spark's JVM": os.getppid()}
    found = {name: _high_water(pid) for name, pid in processes.items() if _is_ours(pid)}
    return {name: mb for name, mb in found.items() if mb is not None}


def _is_ours(pid: int) -> bool:
    """This process, or a parent that is a JVM (in tests the parent is a shell)."""
    if pid == os.getpid():
        return True
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip() == "java"
    except OSError:
        return False


def _high_water(pid: int) -> float | None:
    """VmHWM of /proc/PID/status (proc(5)), which is in kilobytes."""
    try:
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return None
    return round(int(found.group(1)) / 1024, 1) if found else None
