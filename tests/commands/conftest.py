"""A small stack, an Airflow that answers what a test says, and what a command prints."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from rich.console import Console

from cli import run_command, stack_commands, terminal
from local_stack.airflow_api import AirflowApi
from marquee.settings import Settings
from tests.plugins.tiny_stack import TinyStack, tiny_stack


@pytest.fixture
def stack(tmp_path: Path) -> TinyStack:
    return tiny_stack(tmp_path)


@pytest.fixture
def airflow(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, Any]], list[str]]:
    """An Airflow that answers these paths; the list holds every request to it."""

    def answering(answers: dict[str, Any]) -> list[str]:
        requests: list[str] = []

        def answer(request: httpx.Request) -> httpx.Response:
            path = request.url.path.removeprefix("/api/v2")
            requests.append(f"{request.method} {path}")
            found = answers.get(path, {})
            return httpx.Response(200, json=found.pop(0) if isinstance(found, list) else found)

        def start(self: AirflowApi, settings: Settings, home: Path) -> None:
            self.settings = settings
            transport = httpx.MockTransport(answer)
            self.http = httpx.Client(base_url="http://127.0.0.1:7", transport=transport)

        monkeypatch.setattr(AirflowApi, "__init__", start)
        return requests

    return answering


@pytest.fixture
def out(monkeypatch: pytest.MonkeyPatch) -> Console:
    console = Console(width=500, record=True, soft_wrap=True)
    for module in (run_command, stack_commands, terminal):
        monkeypatch.setattr(module, "out", console)
    return console
