"""Is it alive, can it answer, and how is it doing."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse

from serving.metrics import CONTENT_TYPE, RequestMetrics, family
from serving.problems import ProblemError, problem
from serving.routes.context import SourceHere
from serving.routes.models import model_state
from serving.source import Source

router = APIRouter(tags=["health"])
SECONDS_FOR_THE_DISK = 1.0


@router.get("/livez")
async def is_alive() -> dict[str, str]:
    """200 while the process answers at all, models or none."""
    return {"status": "alive"}


@router.get("/readyz")
async def is_ready(request: Request, source: SourceHere) -> JSONResponse:
    """What serves, since when, and all that is wrong, in short sentences (`wrong`).

    200 where a model serves: `ready`, or `degraded` where anything is wrong. 503 where none does,
    and where a ledger is not followed any more: such a server would miss every promotion to come.
    """
    states = [model_state(f) for f in source.followers.values()]
    wrong = [f"{s.model}: {s.trouble}" for s in states if s.trouble]
    wrong += [f"feedback: {trouble}"] if (trouble := await _feedback_trouble(source)) else []
    found = {"models": [s.model_dump() for s in states], "wrong": wrong}
    ended = [f.name for f in source.followers.values() if f.has_ended]
    if ended or not any(s.serving for s in states):
        what = f"{' and '.join(ended)}: not followed any more" if ended else "nothing serves"
        why = f"{what}: {'; '.join(wrong)}"
        return problem(request, 503, why, {"Retry-After": "5"}, **found)
    return JSONResponse({"status": "degraded" if wrong else "ready", **found})


@router.get("/metrics", response_class=PlainTextResponse)
async def read_metrics(request: Request, source: SourceHere) -> PlainTextResponse:
    """For Prometheus to scrape."""
    requests: RequestMetrics = request.app.state.metrics
    trouble = await _feedback_trouble(source)
    lines = requests.lines() + _model_lines(source) + _feedback_lines(source, trouble)
    return PlainTextResponse("\n".join(lines) + "\n", media_type=CONTENT_TYPE)


def _model_lines(source: Source) -> list[str]:
    followers = source.followers.values()
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


async def _feedback_trouble(source: Source) -> str:
    """Why ratings cannot be kept by now; a disk that does not say so in time is a reason too."""
    try:
        return await source.disk_calls.run(source.journal.look, SECONDS_FOR_THE_DISK)
    except ProblemError as error:
        return f"ratings cannot be kept: {error.message}"


def _feedback_lines(source: Source, wrong: str) -> list[str]:
    lines = [((), float(source.journal.lines))]
    trouble = [((), float(bool(wrong)))]
    return [
        *family("marquee_feedback_lines_total", "counter", "Lines of feedback kept.", lines),
        *family("marquee_feedback_trouble", "gauge", "1 while ratings cannot be kept.", trouble),
    ]
