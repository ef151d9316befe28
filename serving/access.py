"""Who may ask what: the scope of every route, and the rules that each request passes first.

An open server (on loopback) lets everybody do all but what a page of another site asks. Beyond it
a request needs a token with its route's scope; one that `ROUTE_SCOPES` lacks reaches no route."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from urllib.parse import quote, unquote, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from marquee.access_tokens import RATE, READ, REPORTS, Token, asks_for_tokens, is_loopback
from marquee.settings import ServingSettings
from serving.callers import (
    CALLER,
    EVERYBODY,
    NOBODY,
    Caller,
    KnownTokens,
    Sessions,
    caller_with,
    host_name,
    is_of_another_site,
    is_relayed,
    is_same_site,
    network_of,
    session_of,
)
from serving.problems import ProblemError, problem_response
from serving.rate_limits import RateLimit

OPEN = "open"
"""In place of a scope: the route answers everybody, and tells nothing of people or addresses."""
ROUTE_SCOPES: dict[str, str] = {  # `request_user` asks for `rate` where a person is ours
    "GET /v1/users/{user_id}/recommendations": READ,
    "POST /v1/recommendations": READ,
    "GET /v1/users/{user_id}/predictions/{movie_id}": READ,
    "POST /v1/predictions": READ,
    "GET /v1/users/{person}/ratings": RATE,
    "POST /v1/users/{person}/ratings": RATE,
    "DELETE /v1/users/{person}/ratings/{movie_id}": RATE,
    "DELETE /v1/users/{person}": RATE,
    "GET /v1/titles": READ,
    "GET /v1/titles/{movie_id}": READ,
    "GET /v1/titles/{movie_id}/similar": READ,
    "POST /v1/budget-estimates": READ,
    "POST /v1/batch/{kind}": REPORTS,
    "GET /v1/batch-jobs/{job}": REPORTS,
    "GET /v1/models": READ,
    "GET /v1/models/{name}/ledger": READ,
    "GET /v1/models/{name}/champion": READ,
    "GET /v1/models/{name}/runs/{run}/report": REPORTS,
    "GET /v1/models/{name}/exports/{format}": REPORTS,
    "GET /livez": OPEN,
    "GET /readyz": OPEN,
    "GET /metrics": REPORTS,
    "GET /": READ,
    "GET /docs": OPEN,
    "GET /openapi.json": OPEN,
    "GET /sign-in": OPEN,
    "POST /sign-in": OPEN,
    "POST /sign-out": OPEN,
    "GET /static/{file:path}": OPEN,
}
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
WRONG_PER_MINUTE = 10
"""Wrong tokens that one address may send, on average and at once."""
MAKE_ONE = "make one on the server's machine: marquee tokens add NAME --may read"
_TABLE = [
    (method, compile_path(path)[0], scope)
    for (method, path), scope in ((key.split(" "), scope) for key, scope in ROUTE_SCOPES.items())
]


class Need(NamedTuple):
    """What a request needs: a scope, and for `rate` the person."""

    scope: str
    person: str = ""


class AccessRules(Protocol):
    """Decides over each request."""

    asks_for_tokens: bool

    def admit(self, request: Request) -> Caller:
        """Who calls; raises a problem (401, 403, 404, 421, 429, 503) for who may not."""


class AccessMiddleware:
    """ASGI middleware: lets a request in, with its caller, or answers with the problem."""

    def __init__(self, app: ASGIApp, rules: AccessRules) -> None:
        self.app = app
        self.rules = rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if self.rules.asks_for_tokens and not scope["path"].startswith("/static/"):
            send = _uncached(send)
        request = Request(scope)
        try:
            scope[CALLER] = self.rules.admit(request)
        except ProblemError as error:
            await _refusal(request, error)(scope, receive, send)
        else:
            await self.app(scope, receive, send)


class OpenRules:
    """Everybody may do everything: the rules of a server that only this machine reaches.

    Another `Host` means that a page had its name point to this machine (DNS rebinding), or that a
    proxy makes an open server public. `public_host`, the host of the public address, allows that.
    """

    asks_for_tokens = False

    def __init__(self, public_host: str = "") -> None:
        self._public_host = public_host

    def admit(self, request: Request) -> Caller:
        names = (host_name(request), request.client.host if request.client else "127.0.0.1")
        is_public = bool(self._public_host) and names[0] == self._public_host
        if is_relayed(request) or (not is_public and not all(map(is_loopback, names))):
            raise ProblemError(
                421,
                f"this server is open to its own machine alone, not to {names[1]} at '{names[0]}'",
                "ask at 127.0.0.1, or set [serving] public_url, so that it asks for tokens",
            )
        if request.method not in SAFE_METHODS and is_of_another_site(request):
            raise _another_site()
        return EVERYBODY


class TokenRules:
    """A request needs a token with the scope of its route, and keeps to the token's rate."""

    asks_for_tokens = True

    def __init__(
        self,
        tokens: KnownTokens,
        requests_per_minute: float,
        burst: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.tokens = tokens
        self.sessions = Sessions(clock)
        self._rate = RateLimit(requests_per_minute, burst, clock)
        self._wrong = RateLimit(WRONG_PER_MINUTE, WRONG_PER_MINUTE, clock)

    def admit(self, request: Request) -> Caller:
        need = need_of(request)
        try:
            caller = self._caller(request)
        except ProblemError:
            if need.scope != OPEN:
                raise
            return NOBODY  # a probe with an old token is answered as one without
        if need.scope == OPEN:
            return caller
        if caller is NOBODY:
            raise self._unauthorized("this server asks for a token")
        if wait := self._rate.seconds_to_wait(caller.key):
            raise _too_many(f"too many requests with the token of '{caller.name}'", wait)
        if not need.scope:
            raise ProblemError(
                404, f"there is nothing to {request.method} here", "/docs lists what there is"
            )
        if caller.is_browser and request.method not in SAFE_METHODS and not is_same_site(request):
            raise _another_site()
        require(caller, *need)
        return caller

    def token_with(self, request: Request, secret: str) -> Token:
        """The valid token with that secret.

        Raises a 401 problem for a wrong one; 429 where its address has sent too many wrong ones.
        """
        if (found := self.tokens.with_secret(secret)) is not None:
            return found
        if wait := self._wrong.seconds_to_wait(network_of(request)):
            raise _too_many("too many wrong tokens from this address", wait)
        raise self._unauthorized("this token is unknown, revoked or expired", "invalid_token")

    def _caller(self, request: Request) -> Caller:
        """The holder of the token in the header, else of the session in the cookie."""
        kind, _, secret = request.headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            return caller_with(self.token_with(request, secret.strip()))
        session = session_of(request)
        digest = self.sessions.token_digest(session) if session else None
        token = self.tokens.with_digest(digest) if digest else None
        return caller_with(token, is_browser=True) if token else NOBODY

    def _unauthorized(self, message: str, error: str = "") -> ProblemError:
        """401, with the scheme that RFC 6750 asks for."""
        remedy = "send the header `Authorization: Bearer TOKEN`, or sign in at /sign-in"
        if self.tokens.are_none():
            message, remedy = f"{message}, and none was made yet", MAKE_ONE
        challenge = 'Bearer realm="marquee"' + (f', error="{error}"' if error else "")
        return ProblemError(401, message, remedy, {"WWW-Authenticate": challenge})


def access_rules(settings: ServingSettings, host: str, tokens: Path) -> AccessRules:
    """The rules of a server that binds to `host`; SettingsError for an open one beyond loopback."""
    if asks_for_tokens(settings.access, host, settings.public_url):
        return TokenRules(KnownTokens(tokens), settings.requests_per_minute, settings.burst)
    return OpenRules(urlsplit(settings.public_url).hostname or "")


def need_of(request: Request) -> Need:
    """What the request's route needs; no scope for a request that the table does not list."""
    path, asked = request.scope["path"], request.method.replace("HEAD", "GET")
    for method, pattern, scope in _TABLE:
        if method == asked and (found := pattern.match(path)):
            return Need(scope, unquote(found.groupdict().get("person", "")))
    return Need("")


def require(caller: Caller, scope: str, person: str = "") -> None:
    """Raise a 403 problem where the caller's token lacks the scope."""
    if caller.may(scope, person):
        return
    lacks = f"{scope}:{person}" if person else scope
    challenge = f'Bearer realm="marquee", error="insufficient_scope", scope="{quote(lacks, ":*")}"'
    raise ProblemError(
        403,
        f"{'the token of ' if caller.key else ''}'{caller.name}' may not {lacks[:100]}",
        caller.remedy,
        {"WWW-Authenticate": challenge},
    )


def require_person(caller: Caller, person: str) -> None:
    """Raise a 403 problem where the caller may not rate as this person of this API."""
    require(caller, RATE, person)


def with_scopes(api: dict[str, Any]) -> dict[str, Any]:
    """The OpenAPI description with the security scheme, and with the scope of each operation."""
    api.setdefault("components", {})["securitySchemes"] = {
        "token": {
            "type": "http",
            "scheme": "bearer",
            "description": "A token of `marquee tokens add`; an open server asks for none.",
        }
    }
    for path, methods in api["paths"].items():
        for method, operation in methods.items():
            scope = ROUTE_SCOPES.get(f"{method.upper()} {path}")
            operation["security"] = [] if scope in (OPEN, None) else [{"token": [scope]}]
    return api


# Answers


def _another_site() -> ProblemError:
    return ProblemError(
        403, "a page of another site may change nothing here", "send a token, or use our own page"
    )


def _too_many(message: str, seconds: float) -> ProblemError:
    wait = max(1, math.ceil(seconds))
    return ProblemError(429, message, f"try again in {wait} s", {"Retry-After": str(wait)})


def _refusal(request: Request, error: ProblemError) -> Response:
    """The problem document; for a person at a page, who is not signed in, the sign-in form."""
    is_page = request.method == "GET" and "text/html" in request.headers.get("accept", "")
    if error.status == 401 and is_page and "authorization" not in request.headers:
        query = request.scope["query_string"].decode("latin-1")
        wanted = request.scope["path"] + (f"?{query}" if query else "")
        return RedirectResponse(f"/sign-in?next={quote(wanted, safe='')}", 303)
    return problem_response(request, error.status, str(error), error.headers)


def _uncached(send: Send) -> Send:
    """`send` with `Cache-Control: no-store`, so that no cache keeps one person's answer."""

    async def send_uncached(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], (b"cache-control", b"no-store")]
        await send(message)

    return send_uncached
