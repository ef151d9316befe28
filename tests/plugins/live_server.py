"""A live server of a backend, for tests that ask it over HTTP."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import uvicorn

from serving.access import AccessRules
from serving.app import create_app
from serving.backend import Backend


@contextmanager
def running(backend: Backend, rules: AccessRules | None = None) -> Iterator[httpx.Client]:
    """A client of a live server; the followers poll only where a test calls them."""
    app = create_app(backend, rules)
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", lifespan="off")
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
