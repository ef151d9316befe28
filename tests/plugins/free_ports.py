"""Ports for the daemons of tests: no two tests, no two workers and no connection take the same."""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Sequence

FIRST, END = 11_000, 32_000
"""Below Linux's own range (32768 to 60999): from there come `port 0` and every connection's port,
which may take a port in the seconds between its choice and the daemon's start."""
_given: set[int] = set()


def free_port() -> int:
    """A port of 127.0.0.1 on which nothing listens, and that nobody here was given before."""
    return free_offset([0])


def free_offset(ports: Sequence[int]) -> int:
    """What to add to every one of the ports, so that all of them are free as `free_port` is."""
    own = _own_range()
    for _ in range(1000):
        offset = random.randrange(own.start - min(ports), own.stop - max(ports))
        moved = {port + offset for port in ports}
        if not moved & _given and all(map(_is_free, moved)):
            _given.update(moved)
            return offset
    raise AssertionError(f"no free ports for a test between {own.start} and {own.stop}")


def _own_range() -> range:
    """The worker's part of all ports; a worker that replaces a dead one has its part."""
    count = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % count
    size = (END - FIRST) // count
    return range(FIRST + number * size, FIRST + (number + 1) * size)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
