"""Errors as RFC 9457 problem documents.

Routes raise `ProblemError`. The handlers of `install_problems` turn it, and every other error, into
a document.
"""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import ValidationError
from starlette.exceptions import HTTPException

from marquee.errors import MarqueeError, SourceError

MEDIA_TYPE = "application/problem+json"
FAILED = "the server failed to answer; its log says why"
log = logging.getLogger("marquee.serving")


class ProblemError(MarqueeError):
    """A request that cannot be answered; `status` is the HTTP status."""

    def __init__(
        self, status: int, message: str, remedy: str = "", headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(message, remedy)
        self.status = status
        self.headers = headers or ({"Retry-After": "5"} if status == 503 else None)
        """Headers of the answer, such as `Retry-After`."""


class NothingServesError(ProblemError):
    """503: no champion is loaded, for example before the first promotion, or while one loads."""

    def __init__(self, model: str, reason: str, loads: bool = False) -> None:
        remedy = "promote a model (trigger weekly_retrain), then ask again; see /v1/models"
        if loads:
            remedy = "this engine has just started and loads its models: ask again in a moment"
        super().__init__(503, f"no {model} serves: {reason}", remedy)


def problem_document(status: int, detail: str, instance: str, **extensions: Any) -> dict[str, Any]:
    """One problem document; `instance` is what was asked, `extensions` are extension members."""
    return {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        # A detail may quote half of a surrogate pair, which UTF-8 cannot hold.
        "detail": detail.encode("utf-8", "backslashreplace").decode("utf-8"),
        "instance": instance,
        **extensions,
    }


def problem_response(
    request: Request,
    status: int,
    detail: str,
    headers: dict[str, str] | None = None,
    **extensions: Any,
) -> JSONResponse:
    """A response with one problem document; `extensions` are its extension members."""
    body = problem_document(status, detail, request.url.path, **extensions)
    return JSONResponse(body, status, headers=headers, media_type=MEDIA_TYPE)


def problem_of(error: Exception, instance: str) -> dict[str, Any]:
    """The problem document of an error that a question raised, where no HTTP asked it.

    The same as over HTTP, but for `instance`, and `request` for `body`, `query` or `path` in the
    places of wrong fields.
    """
    if isinstance(error, ValidationError):
        found = error.errors(include_url=False, include_context=False, include_input=False)
        detail, wrong = _wrong_fields([(("request", *one["loc"]), one["msg"]) for one in found])
        return problem_document(422, detail, instance, errors=wrong)
    if isinstance(error, ProblemError | SourceError):
        status = error.status if isinstance(error, ProblemError) else 422
        return problem_document(status, str(error), instance)
    if isinstance(error, MarqueeError):
        log.warning("%s: %s", instance, error)
        return problem_document(503, str(error), instance)
    log.error("%s failed", instance, exc_info=error)
    return problem_document(500, FAILED, instance)


def install_problems(app: FastAPI) -> None:
    """Add a handler for every kind of error, those of the framework included."""
    app.add_exception_handler(ProblemError, _problem_error)
    app.add_exception_handler(SourceError, _source_error)
    app.add_exception_handler(MarqueeError, _marquee_error)
    app.add_exception_handler(HTTPException, _http_exception)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(Exception, _unexpected_error)


async def _problem_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ProblemError)
    return problem_response(request, error.status, str(error), error.headers)


async def _source_error(request: Request, error: Exception) -> JSONResponse:
    return problem_response(request, 422, str(error))


async def _marquee_error(request: Request, error: Exception) -> JSONResponse:
    log.warning("%s %s: %s", request.method, request.url.path, error)
    return problem_response(request, 503, str(error), {"Retry-After": "5"})


async def _http_exception(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    advice = {
        404: f"there is nothing at {request.url.path}; /docs lists what there is",
        405: f"{request.method} is not possible at {request.url.path}; see Allow and /docs",
    }
    headers = dict(error.headers) if error.headers else None
    return problem_response(
        request, error.status_code, advice.get(error.status_code, error.detail), headers
    )


async def _validation_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    detail, wrong = _wrong_fields([(one["loc"], one["msg"]) for one in error.errors()])
    return problem_response(request, 422, detail, errors=wrong)


def _wrong_fields(
    found: list[tuple[tuple[int | str, ...], str]],
) -> tuple[str, list[dict[str, str]]]:
    """The first five wrong fields in a sentence, and the first hundred."""
    wrong = [{"where": ".".join(map(str, place)), "what": what} for place, what in found]
    return "; ".join(f"{w['where']}: {w['what']}" for w in wrong[:5]), wrong[:100]


async def _unexpected_error(request: Request, error: Exception) -> JSONResponse:
    # Only the log gets the stack trace; the client gets a sentence.
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return problem_response(request, 500, FAILED)
