"""Ports for the daemons of tests: no two tests, no two workers and no connection take the same.

The workers of a run share a folder in which each port that was given has a file.
"""

from __future__ import annotations

import os
import random
import socket
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

FIRST, END = 11_000, 32_000
"""Below Linux's own range (32768 to 60999): from there come `port 0` and every connection's port,
which may take a port in the seconds between its choice and the daemon's start."""


def free_port() -> int:
    """A port of 127.0.0.1 on which nothing listens, and that nobody here was given before."""
    return free_offset([0])


def free_offset(ports: Sequence[int]) -> int:
    """What to add to every one of the ports, so that all of them are free as `free_port` is."""
    for _ in range(1000):
        offset = random.randrange(FIRST - min(ports), END - max(ports))
        if _claim([port + offset for port in ports]):
            return offset
    raise AssertionError(f"no free ports for a test between {FIRST} and {END}")


def _claim(ports: Sequence[int]) -> bool:
    """Take all of the ports for this run, or none of them."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID") or os.getpid()
    folder, taken = Path(tempfile.gettempdir()) / f"marquee-ports-{run}", list[Path]()
    folder.mkdir(exist_ok=True)
    with suppress(FileExistsError):
        for port in set(ports):
            (folder / str(port)).touch(exist_ok=False)
            taken.append(folder / str(port))
        if all(map(_is_free, ports)):
            return True
    for path in taken:
        path.unlink()
    return False


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
