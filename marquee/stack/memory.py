"""What processes hold in memory, pages they share counted once (Linux)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import psutil


def resident_mb(pids: Iterable[int]) -> float:
    """Proportional set size of these processes and all below them, in MB (Linux)."""
    total = 0
    for pid in pids:
        try:
            family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
        except psutil.NoSuchProcess:
            continue
        total += sum(_pss(p.pid) for p in family)
    return total / 1024


def _pss(pid: int) -> int:
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    except (OSError, ValueError):
        pass
    return 0
