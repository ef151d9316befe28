"""Errors as RFC 9457 problem documents: what went wrong, where, and what to do.

Routes raise `ProblemError`; `install_problems` turns it, and every other error, into a document.
"""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from marquee.errors import MarqueeError, SourceError

MEDIA_TYPE = "application/problem+json"
log = logging.getLogger("marquee.serving")


class ProblemError(MarqueeError):
    """A request that cannot be answered, with its HTTP status."""

    def __init__(self, status: int, message: str, remedy: str = "") -> None:
        super().__init__(message, remedy)
        self.status = status


class NothingServesError(ProblemError):
    """No champion is loaded: before the first promotion, or none that works."""

    def __init__(self, model: str, reason: str) -> None:
        remedy = "promote a model (trigger weekly_retrain), then ask again; see /v1/models"
        super().__init__(503, f"no {model} serves: {reason}", remedy)


def problem(
    request: Request, status: int, detail: str, headers: dict[str, str] | None = None, **more: Any
) -> JSONResponse:
    """One problem document; `more` are its extension members."""
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "instance": request.url.path,
        **more,
    }
    return JSONResponse(body, status, headers=headers, media_type=MEDIA_TYPE)


def install_problems(app: FastAPI) -> None:
    """Every error of the app, also the framework's own, leaves as a problem document."""
    app.add_exception_handler(ProblemError, _of_ours)
    app.add_exception_handler(SourceError, _of_input)
    app.add_exception_handler(MarqueeError, _of_kernel)
    app.add_exception_handler(HTTPException, _of_framework)
    app.add_exception_handler(RequestValidationError, _of_validation)
    app.add_exception_handler(Exception, _of_surprise)


async def _of_ours(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ProblemError)
    headers = {"Retry-After": "5"} if error.status == 503 else None
    return problem(request, error.status, str(error), headers)


async def _of_input(request: Request, error: Exception) -> JSONResponse:
    return problem(request, 422, str(error))


async def _of_kernel(request: Request, error: Exception) -> JSONResponse:
    log.warning("%s %s: %s", request.method, request.url.path, error)
    return problem(request, 503, str(error), {"Retry-After": "5"})


async def _of_framework(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    advice = {
        404: f"there is nothing at {request.url.path}; /docs lists what there is",
        405: f"{request.method} is not possible at {request.url.path}; see Allow and /docs",
    }
    headers = dict(error.headers) if error.headers else None
    return problem(request, error.status_code, advice.get(error.status_code, error.detail), headers)


async def _of_validation(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    wrong = [
        {"where": ".".join(map(str, found["loc"])), "what": found["msg"]}
        for found in error.errors()
    ]
    detail = "; ".join(f"{w['where']}: {w['what']}" for w in wrong[:5])
    return problem(request, 422, detail, errors=wrong[:100])


async def _of_surprise(request: Request, error: Exception) -> JSONResponse:
    # The trace goes to the log; the client gets a sentence.
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return problem(request, 500, "the server failed to answer; its log says why")
