"""An API that asks the worker of Spark Connect."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from marquee.lake import Lake
from serving.backend import Backend, open_backend
from tests.plugins.connect_server import Daemon, address, with_engine
from tests.plugins.live_server import running


@pytest.fixture
def native(connect_lake: Lake, tmp_path: Path) -> Backend:
    """The API's own backend over the same champions."""
    backend = open_backend(connect_lake, tmp_path / "cache", tmp_path / "feedback")
    for follower in backend.followers.values():
        follower.poll()
        assert follower.view.champion is not None, follower.failure
    return backend


@pytest.fixture
def api(native: Backend, connect_worker: Daemon) -> Iterator[httpx.Client]:
    """The API, native by default."""
    with running(with_engine(native, address(connect_worker))) as client:
        client.timeout = httpx.Timeout(120)
        yield client
