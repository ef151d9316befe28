"""A disk that is full, and a wait for another thread."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Callable

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def until(holds: Callable[[], bool]) -> None:
    """Wait for what another thread is about to do."""
    pause, patience = threading.Event(), time.monotonic() + 60
    while not holds():
        assert time.monotonic() < patience
        pause.wait(0.001)
