"""Is it alive, can it answer, and how is it doing: `/livez`, `/readyz` and `/metrics`.

Metrics leave in Prometheus' text format 0.0.4. We write it ourselves: one process and three kinds
of families need no client library.
"""

from __future__ import annotations

import bisect
import threading
from collections.abc import Iterable

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse

from serving.backend import Backend
from serving.problems import ProblemError, problem
from serving.routes.model_ledger import model_state
from serving.routes.request_context import BackendDep

router = APIRouter(tags=["health"])
SECONDS_FOR_THE_DISK = 1.0
BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
"""Seconds: upper bounds of the histogram's buckets."""
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
Labels = tuple[tuple[str, str], ...]


@router.get("/livez")
async def is_alive() -> dict[str, str]:
    """200 while the process answers at all, models or none."""
    return {"status": "alive"}


@router.get("/readyz")
async def is_ready(request: Request, backend: BackendDep) -> JSONResponse:
    """What serves, since when, and all that is wrong, in short sentences (`wrong`).

    200 where a model serves: `ready`, or `degraded` where anything is wrong. 503 where none does,
    and where a ledger is not followed any more: such a server would miss every promotion to come.
    """
    states = [model_state(f) for f in backend.followers.values()]
    wrong = [f"{s.model}: {s.trouble}" for s in states if s.trouble]
    wrong += [f"feedback: {failure}"] if (failure := await _feedback_failure(backend)) else []
    found = {"models": [s.model_dump() for s in states], "wrong": wrong}
    ended = [f.name for f in backend.followers.values() if f.has_ended]
    if ended or not any(s.serving for s in states):
        what = f"{' and '.join(ended)}: not followed any more" if ended else "nothing serves"
        why = f"{what}: {'; '.join(wrong)}"
        return problem(request, 503, why, {"Retry-After": "5"}, **found)
    return JSONResponse({"status": "degraded" if wrong else "ready", **found})


@router.get("/metrics", response_class=PlainTextResponse)
async def read_metrics(request: Request, backend: BackendDep) -> PlainTextResponse:
    """For Prometheus to scrape."""
    requests: RequestMetrics = request.app.state.metrics
    failure = await _feedback_failure(backend)
    lines = requests.lines() + _model_lines(backend) + _feedback_lines(backend, failure)
    return PlainTextResponse("\n".join(lines) + "\n", media_type=CONTENT_TYPE)


async def _feedback_failure(backend: Backend) -> str:
    """Why ratings cannot be kept now; a disk that does not answer in time is a reason too."""
    try:
        return await backend.disk_calls.run(backend.feedback.check, SECONDS_FOR_THE_DISK)
    except ProblemError as error:
        return f"ratings cannot be kept: {error.message}"


def _model_lines(backend: Backend) -> list[str]:
    followers = backend.followers.values()
    states = [(f, model_state(f)) for f in followers]
    served = [
        ((("model", s.model), ("bundle", s.bundle or ""), ("as_of", s.as_of or "")), 1.0)
        for _, s in states
        if s.serving
    ]
    return [
        *family("marquee_serving", "gauge", "The bundle that serves.", served),
        *family(
            "marquee_swaps_total",
            "counter",
            "Champions put into service.",
            [((("model", f.name),), float(f.swaps)) for f in followers],
        ),
        *family(
            "marquee_refused_bundles_total",
            "counter",
            "Bundles that could not be fetched, loaded or verified.",
            [((("model", f.name),), float(f.refusals)) for f in followers],
        ),
        *family(
            "marquee_trouble",
            "gauge",
            "1 while anything is wrong with a model's serving; /readyz says what.",
            [((("model", s.model),), float(bool(s.trouble))) for _, s in states],
        ),
        *family(
            "marquee_followed",
            "gauge",
            "0 where the thread that follows a ledger has ended.",
            [((("model", f.name),), float(not f.has_ended)) for f in followers],
        ),
    ]


def _feedback_lines(backend: Backend, failure: str) -> list[str]:
    lines = [((), float(backend.feedback.lines))]
    failing = [((), float(bool(failure)))]
    return [
        *family("marquee_feedback_lines_total", "counter", "Lines of feedback kept.", lines),
        *family("marquee_feedback_trouble", "gauge", "1 while ratings cannot be kept.", failing),
    ]


# Prometheus' text -----------------------------------------------------------------------------


class RequestMetrics:
    """Requests by route, method and status, and the seconds they took by route."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[Labels, int] = {}
        self._buckets: dict[str, list[int]] = {}
        self._seconds: dict[str, float] = {}

    def observe(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count one request; `route` is the template, so that no user adds a line."""
        labels = (("method", method), ("route", route), ("status", str(status)))
        with self._lock:
            self._counts[labels] = self._counts.get(labels, 0) + 1
            buckets = self._buckets.setdefault(route, [0] * (len(BOUNDS) + 1))
            buckets[bisect.bisect_left(BOUNDS, seconds)] += 1
            self._seconds[route] = self._seconds.get(route, 0.0) + seconds

    def lines(self) -> list[str]:
        """The families as Prometheus reads them; buckets are cumulative."""
        with self._lock:
            counts = [(labels, float(n)) for labels, n in sorted(self._counts.items())]
            found = family("marquee_requests_total", "counter", "Requests answered.", counts)
            found += ["# HELP marquee_request_seconds Seconds to answer."]
            found += ["# TYPE marquee_request_seconds histogram"]
            for route in sorted(self._buckets):
                found += self._histogram(route)
        return found

    def _histogram(self, route: str) -> Iterable[str]:
        total = 0
        name = "marquee_request_seconds"
        for bound, count in zip((*map(str, BOUNDS), "+Inf"), self._buckets[route], strict=True):
            total += count
            yield f"{name}_bucket{_label_text((('route', route), ('le', bound)))} {total}"
        yield f"{name}_sum{_label_text((('route', route),))} {self._seconds[route]:.6f}"
        yield f"{name}_count{_label_text((('route', route),))} {total}"


def family(name: str, kind: str, about: str, samples: Iterable[tuple[Labels, float]]) -> list[str]:
    """One metric family: its help, its type, its samples."""
    head = [f"# HELP {name} {about}", f"# TYPE {name} {kind}"]
    return head + [f"{name}{_label_text(labels)} {value:.10g}" for labels, value in samples]


def _label_text(labels: Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{key}="{_escaped(value)}"' for key, value in labels) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
