"""Health and metrics of the server: `/livez`, `/readyz` and `/metrics`.

Metrics have Prometheus' text format 0.0.4. Each request is counted when it is answered. Each scrape
reads the state of the followers and of the feedback log.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    Metric,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from broker.feedback_outbox import Outbox
from marquee.access_tokens import READ
from serving.backend import Backend
from serving.callers import CallerDep
from serving.problems import ProblemError, problem_response
from serving.routes.model_ledger import model_state
from serving.routes.request_context import BackendDep

router = APIRouter(tags=["health"])
SECONDS_FOR_THE_DISK = 1.0
BUCKET_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
"""Upper bounds of the histogram's buckets, in seconds."""
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
"""Methods with counts of their own; a client may make up any other."""
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

UNTOLD = "something is wrong; ask with a token that may read"

disable_created_metrics()  # type: ignore[no-untyped-call]  # nobody reads the start times of counters


@router.get("/livez")
async def is_alive() -> dict[str, str]:
    """200 while the process answers at all, with or without models."""
    return {"status": "alive"}


@router.get("/readyz")
async def is_ready(request: Request, backend: BackendDep, caller: CallerDep) -> JSONResponse:
    """Which models serve, and since when; `wrong` lists all failures in short sentences.

    Sentences name addresses and folders: a caller who may not read learns only that there are some.
    200 if a model serves: `ready`, or `degraded` if there are failures. 503 if no model serves, if
    this server's own engine is away, or if a ledger is not followed any more: such a server would
    miss every promotion.
    """
    tells = caller.may(READ)
    states = [model_state(f) for f in backend.followers.values()]
    if not tells:
        states = [s.model_copy(update={"trouble": s.trouble and UNTOLD}) for s in states]
    wrong = [f"{s.model}: {s.trouble}" for s in states if s.trouble]
    if failure := await _feedback_failure(backend):
        wrong.append(f"feedback: {failure if tells else UNTOLD}")
    for failure in filter(None, (_hand_over_failure(backend), _outbox_failure(backend))):
        wrong.append(f"feedback: {failure if tells else UNTOLD}")
    for failure in (backend.engine_failure(), *backend.other_engines.failures()):
        if failure:
            wrong.append(f"engine: {failure if tells else UNTOLD}")
    found = {"models": [s.model_dump() for s in states], "wrong": wrong}
    return readiness(request, why_unready(backend), found)


def why_unready(backend: Backend) -> str:
    """Why nothing can be answered, or no promotion would be noticed; empty if all is well."""
    if ended := [f.name for f in backend.followers.values() if f.has_ended]:
        return f"{' and '.join(ended)}: not followed any more"
    if not any(f.view.champion is not None for f in backend.followers.values()):
        return "nothing serves"
    return "the engine is away" if backend.engine_failure() else ""


def readiness(request: Request, why: str, found: dict[str, Any]) -> JSONResponse:
    """The answer of `/readyz`: 503 where `why` says something; `found` has `wrong`, sentences."""
    wrong = found["wrong"]
    if why:
        detail = f"{why}: {'; '.join(wrong)}"
        return problem_response(request, 503, detail, {"Retry-After": "5"}, **found)
    return JSONResponse({"status": "degraded" if wrong else "ready", **found})


@router.get("/metrics", response_class=PlainTextResponse)
async def read_metrics(request: Request, backend: BackendDep) -> PlainTextResponse:
    """All metrics, for Prometheus."""
    requests: RequestMetrics = request.app.state.metrics
    failure = await _feedback_failure(backend)
    families = [
        *requests.registry.collect(),
        *model_families(backend),
        *_feedback_families(backend, failure),
    ]
    return metrics_page(families)


def metrics_page(families: Sequence[Metric]) -> PlainTextResponse:
    """The page that Prometheus reads."""
    scraped: Any = SimpleNamespace(collect=lambda: families)
    return PlainTextResponse(generate_latest(scraped), media_type=CONTENT_TYPE)


async def _feedback_failure(backend: Backend) -> str:
    """Why ratings cannot be kept at this moment (also: a slow disk); empty if they can."""
    try:
        return await backend.disk_calls.run(backend.feedback.check, SECONDS_FOR_THE_DISK)
    except ProblemError as error:
        return f"ratings cannot be kept: {error.message}"


def _hand_over_failure(backend: Backend) -> str:
    """Why ratings that are kept do not reach the lake; empty if they do."""
    return backend.hand_over.failure if backend.hand_over else ""


def _outbox_failure(backend: Backend) -> str:
    """Why ratings that are kept do not reach Kafka; empty if they do, or if there is none."""
    outbox = backend.outbox
    if outbox is None or not outbox.failure:
        return ""
    return f"{outbox.failure} ({outbox.waiting} lines wait)"


def model_families(backend: Backend) -> Iterator[Metric]:
    """Metrics of the models that serve and of their followers."""
    serving = GaugeMetricFamily(
        "marquee_serving", "The bundle that serves.", labels=("model", "bundle", "as_of")
    )
    swaps = CounterMetricFamily("marquee_swaps", "Champions put into service.", labels=("model",))
    refused = CounterMetricFamily(
        "marquee_refused_bundles",
        "Bundles that could not be fetched, loaded or verified.",
        labels=("model",),
    )
    trouble = GaugeMetricFamily(
        "marquee_trouble",
        "1 while anything is wrong with a model's serving; /readyz says what.",
        labels=("model",),
    )
    followed = GaugeMetricFamily(
        "marquee_followed",
        "0 where the thread that follows a ledger has ended.",
        labels=("model",),
    )
    for follower in backend.followers.values():
        state, label = model_state(follower), (follower.name,)
        if state.serving:
            serving.add_metric((state.model, state.bundle or "", state.as_of or ""), 1)
        swaps.add_metric(label, follower.swaps)
        refused.add_metric(label, follower.refusals)
        trouble.add_metric(label, bool(state.trouble))
        followed.add_metric(label, not follower.has_ended)
    yield from (serving, swaps, refused, trouble, followed)


def _feedback_families(backend: Backend, failure: str) -> Iterator[Metric]:
    """Metrics of the feedback log; `failure` says why ratings cannot be kept."""
    lines = backend.feedback.lines
    yield CounterMetricFamily("marquee_feedback_lines", "Lines of feedback kept.", value=lines)
    yield GaugeMetricFamily(
        "marquee_feedback_trouble", "1 while ratings cannot be kept.", value=bool(failure)
    )
    waits = bool(_hand_over_failure(backend))
    yield GaugeMetricFamily(
        "marquee_feedback_waits",
        "1 while ratings wait for the lake, or others' are missing here.",
        value=waits,
    )
    if backend.outbox is not None:
        yield from _outbox_families(backend.outbox)


def _outbox_families(outbox: Outbox) -> Iterator[Metric]:
    """Metrics of the feedback that goes to Kafka."""
    published = CounterMetricFamily(
        "marquee_feedback_published", "Lines published to Kafka.", value=outbox.published
    )
    waiting = GaugeMetricFamily(
        "marquee_feedback_unpublished", "Lines that wait for Kafka.", value=outbox.waiting
    )
    trouble = GaugeMetricFamily(
        "marquee_feedback_publishing_trouble",
        "1 while lines cannot be published to Kafka.",
        value=bool(outbox.failure),
    )
    yield from (published, waiting, trouble)


class RequestMetrics:
    """Counts of requests by route, method and status; a histogram of their seconds by route."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "marquee_requests",
            "Requests answered.",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "marquee_request_seconds",
            "Seconds to answer.",
            ("route",),
            registry=self.registry,
            buckets=BUCKET_BOUNDS,
        )

    def observe(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count one request; `route` is the template, such as `/v1/users/{user_id}`."""
        known = method if method in METHODS else "other"
        self._requests.labels(known, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)
