"""What wraps every request: a measure, a limit on bodies, headers that keep pages safe, and paths
whose steps stay apart."""

from __future__ import annotations

import time
from urllib.parse import unquote

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.metrics import RequestMetrics

LARGEST_BODY = 2 * 1024 * 1024
# Everything the pages need comes from this server; nothing else may be loaded or framed.
HEADERS = (
    (b"content-security-policy", b"default-src 'self'; frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
)


class Measured:
    """ASGI middleware around the whole app."""

    def __init__(self, app: ASGIApp, metrics: RequestMetrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        scope = {**scope, "path": steps_apart(scope)}
        started, status = time.perf_counter(), 500

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                said = {name for name, _ in message["headers"]}
                ours = [header for header in HEADERS if header[0] not in said]
                message["headers"] = [*message["headers"], *ours]
            await send(message)

        try:
            await self.app(scope, limited(receive), watch)
        finally:
            seconds = time.perf_counter() - started
            self.metrics.observe(_route(scope), scope["method"], status, seconds)


def steps_apart(scope: Scope) -> str:
    """The API's path with its steps decoded, but for a `/` or `%` inside a step.

    Servers decode the whole path, so that a name with a slash would be two steps. `answers.Step`
    decodes the rest.
    """
    raw: bytes | None = scope.get("raw_path")
    if raw is None or not raw.startswith(b"/v1/"):
        return str(scope["path"])
    steps = (unquote(step) for step in raw.decode("latin-1").split("/"))
    return "/".join(step.replace("%", "%25").replace("/", "%2F") for step in steps)


def limited(receive: Receive) -> Receive:
    """`receive` that refuses (413) a body longer than LARGEST_BODY, told or not."""
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
    """The route's template, not the path: a metric must not grow a line a user."""
    return str(getattr(scope.get("route"), "path", "unknown"))
