"""The health of a stream over HTTP, on loopback: `/livez`, `/readyz` and `/metrics`.

They are those of the API, with what the stream does beside the models.
"""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterator
from functools import partial

import uvicorn
from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

from marquee.errors import SettingsError
from serving.backend import Backend
from serving.routes.health import metrics_page, model_families, readiness, why_unready
from serving.routes.model_ledger import model_state
from streams.sessions import Progress

LOOPBACK = "127.0.0.1"
log = logging.getLogger("marquee.streams")


class Health:
    """Answers `/livez`, `/readyz` and `/metrics` of one stream."""

    def __init__(self, progress: Progress, backend: Backend) -> None:
        self._progress = progress
        self._backend = backend

    def start(self, port: int) -> None:
        """Answer on this port of loopback until the process ends; SettingsError if it is taken."""
        try:
            listening = socket.create_server((LOOPBACK, port))
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            what = f"{LOOPBACK}:{port} cannot be listened on: {reason}"
            raise SettingsError(what, "give --port one that is free, or 0") from None
        config = uvicorn.Config(self._app(), log_level="warning", lifespan="off")
        server = uvicorn.Server(config)
        run = partial(server.run, sockets=[listening])
        threading.Thread(target=run, name="answer-health", daemon=True).start()
        log.info("health on http://%s:%d", *listening.getsockname())

    def _app(self) -> Starlette:
        routes = {"/livez": self._livez, "/readyz": self._readyz, "/metrics": self._metrics}
        return Starlette(routes=[Route(path, answer) for path, answer in routes.items()])

    async def _livez(self, _request: Request) -> JSONResponse:
        return JSONResponse({"status": "alive"})

    async def _readyz(self, request: Request) -> JSONResponse:
        """503 where no request is answered: no model serves, or the stream waits for Kafka."""
        states = [model_state(f) for f in self._backend.followers.values()]
        why = self._progress.why_unready
        wrong = [f"{state.model}: {state.trouble}" for state in states if state.trouble]
        wrong += [f"stream: {why}"] if why else []
        found = {"models": [state.model_dump() for state in states], "wrong": wrong}
        found["stream"] = self._progress.facts()
        waits = "nothing is answered" if why else ""
        return readiness(request, why_unready(self._backend) or waits, found)

    async def _metrics(self, _request: Request) -> PlainTextResponse:
        return metrics_page([*model_families(self._backend), *stream_families(self._progress)])


def stream_families(progress: Progress) -> Iterator[Metric]:
    """Metrics of what a stream does."""
    counts = {
        "answers": ("Requests answered.", progress.answered),
        "problems": ("Of the answers, problem documents.", progress.problems),
        "refused": ("Messages without an id, refused.", progress.refused),
        "batches": ("Transactions committed.", progress.batches),
        "sessions": ("Sessions begun; any trouble ends one.", progress.sessions),
    }
    for name, (text, value) in counts.items():
        yield CounterMetricFamily(f"marquee_stream_{name}", text, value=value)
    yield GaugeMetricFamily(
        "marquee_stream_trouble",
        "1 while no request is answered; /readyz says why.",
        value=bool(progress.why_unready),
    )
    lag = GaugeMetricFamily("marquee_stream_lag", "Requests that wait.", labels=("partition",))
    for part, count in sorted(progress.lag.copy().items()):
        lag.add_metric((str(part),), count)
    yield lag
