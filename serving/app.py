"""The web application: routes over one backend, and the middleware around every request.

`serving.routes.ROUTERS` is the table of routes. The middleware measures each request, limits its
body, adds security headers, and keeps an escaped slash inside a path segment escaped. Inside it,
`serving.access` decides who may ask what.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import unquote

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from marquee import __version__
from serving import web_pages
from serving.access import AccessMiddleware, AccessRules, OpenRules, with_scopes
from serving.backend import Backend
from serving.problems import install_problems
from serving.routes import ROUTERS
from serving.routes.health import RequestMetrics

API_DESCRIPTION = """\
What to watch next, how somebody would rate a title, and what a film costs to make.

Beyond loopback a request needs a token: `Authorization: Bearer TOKEN`. `marquee tokens add` makes
one, with scopes.

Every answer names the bundle it came from, the moment that bundle knows the world up to (`as_of`)
and the strategy that made it. Errors are problem documents (RFC 9457). A promotion is picked up
without a restart; no request sees two models.
"""
LARGEST_BODY_BYTES = 2 * 1024 * 1024
# Pages load files of this server only, and no other page may frame them.
SECURITY_HEADERS = (
    (
        b"content-security-policy",
        b"default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
        b"object-src 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"same-origin"),
)


def create_app(backend: Backend, rules: AccessRules | None = None) -> FastAPI:
    """The app over `backend`. It starts the followers when it starts, and stops them at its end.

    `rules` decide who may ask what; by default the server is open to its own machine.
    """
    rules = rules or OpenRules()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        backend.start()
        yield
        backend.stop()
        for process in backend.other_engines.processes.values():
            await process.close()

    app = FastAPI(
        title="Marquee",
        version=__version__,
        description=API_DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,  # FastAPI's page loads from a CDN; ours is `serving.web_pages`
        redoc_url=None,
    )
    app.state.backend = backend
    app.state.metrics = RequestMetrics()
    app.state.rules = rules
    install_problems(app)
    for router in (*ROUTERS, web_pages.router):
        app.include_router(router)
    app.mount("/static", StaticFiles(directory=Path(__file__).parent / "static"), name="static")
    described = app.openapi
    app.openapi = lambda: with_scopes(described())  # type: ignore[method-assign]
    app.add_middleware(AccessMiddleware, rules=rules)  # the last that is added is the outermost
    app.add_middleware(RequestMiddleware, metrics=app.state.metrics)
    return app


class RequestMiddleware:
    """ASGI middleware around all routes: metrics, the body's limit, headers, escaped slashes."""

    def __init__(self, app: ASGIApp, metrics: RequestMetrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        scope = {**scope, "path": path_with_escaped_slashes(scope)}
        started, status = time.perf_counter(), 500

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                present = {name for name, _ in message["headers"]}
                ours = [header for header in SECURITY_HEADERS if header[0] not in present]
                message["headers"] = [*message["headers"], *ours]
            await send(message)

        try:
            await self.app(scope, limited_body(receive), send_with_headers)
        finally:
            seconds = time.perf_counter() - started
            self.metrics.observe(_route(scope), scope["method"], status, seconds)


def path_with_escaped_slashes(scope: Scope) -> str:
    """The decoded path, in which a `/` or `%` inside one segment stays escaped.

    Example: `/v1/titles/a%2Fb` stays as it is. A server decodes the whole path, so that the router
    would see two segments. `request_context.PathSegment` decodes the rest later.
    """
    raw: bytes | None = scope.get("raw_path")
    if raw is None or not raw.startswith(b"/v1/"):
        return str(scope["path"])
    segments = (unquote(segment) for segment in raw.decode("latin-1").split("/"))
    return "/".join(segment.replace("%", "%25").replace("/", "%2F") for segment in segments)


def limited_body(receive: Receive) -> Receive:
    """`receive` with a limit: HTTPException (413) for a body above LARGEST_BODY_BYTES.

    It counts the bytes that arrive, because a request may have no Content-Length.
    """
    received = 0

    async def receive_limited() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > LARGEST_BODY_BYTES:
            raise HTTPException(
                413, f"a body may hold {LARGEST_BODY_BYTES} bytes; send it in parts"
            )
        return message

    return receive_limited


def _route(scope: Scope) -> str:
    """The route's template, such as `/v1/users/{user_id}`: one metric for all its paths."""
    return str(getattr(scope.get("route"), "path", "unknown"))
