"""A real server on a free port of loopback, over a lake in a temporary folder."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn
from serving_bundles import promote_budget, promote_recommender

from marquee.lake import Lake, open_lake
from serving.app import create_app
from serving.source import Source, open_source


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return open_lake(f"file://{tmp_path / 'lake'}")


@contextmanager
def running(source: Source) -> Iterator[httpx.Client]:
    """A client of a live server; the followers look only when a test says so."""
    config = uvicorn.Config(
        create_app(source), host="127.0.0.1", port=0, log_level="warning", lifespan="off"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server did not start"
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def source(lake: Lake, tmp_path: Path) -> Source:
    return open_source(lake, tmp_path / "cache", tmp_path / "feedback")


@pytest.fixture
def two(lake: Lake, source: Source, tmp_path: Path) -> Source:
    """Both models serve; the journal is empty."""
    promote_recommender(lake, tmp_path / "one")
    promote_budget(lake, tmp_path / "two")
    source.recommender.look()
    source.budget.look()
    return source


@pytest.fixture
def serve() -> Iterator[Callable[[Source], httpx.Client]]:
    with ExitStack() as stack:
        yield lambda source: stack.enter_context(running(source))
