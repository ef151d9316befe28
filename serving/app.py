"""The web application: its routes over one backend, and what wraps every request.

`serving.routes.ROUTERS` is the table of routes. The middleware measures each request, limits its
body, keeps pages safe by headers, and keeps a slash inside a name distinct from the slashes of the
path.
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
from serving.backend import Backend
from serving.problems import install_problems
from serving.routes import ROUTERS
from serving.routes.health import RequestMetrics

ABOUT = """What to watch next, how somebody would rate a title, and what a film costs to make.

Every answer names the bundle it came from, the moment that bundle knows the world up to (`as_of`)
and the strategy that made it. Errors are problem documents (RFC 9457). A promotion is picked up
without a restart; no request sees two models.
"""
LARGEST_BODY = 2 * 1024 * 1024
# Everything the pages need comes from this server; nothing else may be loaded or framed.
HEADERS = (
    (b"content-security-policy", b"default-src 'self'; frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
)


def create_app(backend: Backend) -> FastAPI:
    """The app over `backend`, whose followers it starts and stops."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        backend.start()
        yield
        backend.stop()

    app = FastAPI(
        title="Marquee",
        version=__version__,
        description=ABOUT,
        lifespan=lifespan,
        docs_url=None,  # FastAPI's page loads from a CDN; ours is `serving.web_pages`
        redoc_url=None,
    )
    app.state.backend = backend
    app.state.metrics = RequestMetrics()
    install_problems(app)
    for router in (*ROUTERS, web_pages.router):
        app.include_router(router)
    app.mount("/static", StaticFiles(directory=Path(__file__).parent / "static"), name="static")
    app.add_middleware(RequestMiddleware, metrics=app.state.metrics)
    return app


class RequestMiddleware:
    """ASGI middleware around the whole app."""

    def __init__(self, app: ASGIApp, metrics: RequestMetrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        scope = {**scope, "path": path_with_escaped_slashes(scope)}
        started, status = time.perf_counter(), 500

        async def watched_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                present = {name for name, _ in message["headers"]}
                ours = [header for header in HEADERS if header[0] not in present]
                message["headers"] = [*message["headers"], *ours]
            await send(message)

        try:
            await self.app(scope, limited_body(receive), watched_send)
        finally:
            seconds = time.perf_counter() - started
            self.metrics.observe(_route(scope), scope["method"], status, seconds)


def path_with_escaped_slashes(scope: Scope) -> str:
    """The API's path, decoded but for a `/` or `%` inside one step.

    Servers decode the whole path, so that a name with a slash would become two steps.
    `request_context.PathStep` decodes the rest.
    """
    raw: bytes | None = scope.get("raw_path")
    if raw is None or not raw.startswith(b"/v1/"):
        return str(scope["path"])
    steps = (unquote(step) for step in raw.decode("latin-1").split("/"))
    return "/".join(step.replace("%", "%25").replace("/", "%2F") for step in steps)


def limited_body(receive: Receive) -> Receive:
    """`receive` that refuses (413) a body longer than LARGEST_BODY, with or without its length."""
    taken = 0

    async def take() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > LARGEST_BODY:
            raise HTTPException(413, f"a body may hold {LARGEST_BODY} bytes; send it in parts")
        return message

    return take


def _route(scope: Scope) -> str:
    """The route's template, not the path: a metric must not grow by one line for each user."""
    return str(getattr(scope.get("route"), "path", "unknown"))
