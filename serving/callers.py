"""Who calls, and from where: a holder of a token, a signed-in browser, or everybody.

A program sends its token with every request. A browser sends it once, when a person signs in, and
then a session's id in a cookie. Sessions are in memory: they end with the server, after
SECONDS_OF_A_SESSION, and with their token.
"""

from __future__ import annotations

import hmac
import ipaddress
import logging
import os
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends
from starlette.requests import Request
from starlette.responses import Response

from marquee.access_tokens import ANYBODY, RATE, READ, REPORTS, Token, digest_of, read_tokens
from marquee.errors import SourceError
from serving.problems import ProblemError

SECONDS_OF_A_SESSION = 12 * 3600
MOST_SESSIONS = 10_000
CALLER = "marquee.caller"
"""Where the scope of a request keeps its caller."""
log = logging.getLogger("marquee.serving")


@dataclass(frozen=True)
class Caller:
    """Who calls, and the scopes of the token that says so."""

    name: str
    scopes: frozenset[str]
    key: str = ""
    """The token's digest; empty without a token."""
    is_browser: bool = False
    """Whether a session's cookie came instead of the token."""
    remedy: str = "ask for another token: marquee tokens add NAME --may …"
    """How to get a scope that is not given."""

    def may(self, scope: str, person: str = "") -> bool:
        """Whether the scope is given; for `rate`, whether it is given for this person."""
        if scope == RATE:
            return bool(self.scopes & {ANYBODY, f"{RATE}:{person}"})
        return scope in self.scopes


EVERYBODY = Caller("everybody", frozenset({READ, REPORTS, ANYBODY}))
"""The caller of every request to an open server."""
NOBODY = Caller("nobody", frozenset())
"""The caller of a request without a token."""


async def caller_of(request: Request) -> Caller:
    """The caller of a request that the access rules have let in."""
    caller: Caller = request.scope[CALLER]
    return caller


CallerDep = Annotated[Caller, Depends(caller_of)]


def caller_with(token: Token, *, is_browser: bool = False) -> Caller:
    """The caller who holds the token."""
    return Caller(token.name, frozenset(token.scopes), token.digest, is_browser)


class KnownTokens:
    """The tokens of one file, read again whenever the file has changed.

    Each look costs one `stat`: a token that was revoked counts no longer from the next request on.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._by_digest: dict[str, Token] = {}
        self._failure = ""

    def with_secret(self, secret: str) -> Token | None:
        """The valid token with that secret.

        Digests are compared in constant time. What the look-up's own time could tell is of a
        SHA-256, and nobody can choose a secret by the beginning of that.
        """
        return self.with_digest(digest_of(secret))

    def with_digest(self, digest: str) -> Token | None:
        """The token of that digest; None for an unknown or an expired one.

        Raises a 503 problem where the file cannot be read: then nobody is let in.
        """
        self._refresh()
        found = self._by_digest.get(digest)
        if found is None or not hmac.compare_digest(found.digest, digest) or found.has_expired:
            return None
        return found

    def are_none(self) -> bool:
        """Whether no token was made yet."""
        self._refresh()
        return not self._by_digest

    def _refresh(self) -> None:
        if (state := self._state_of_file()) != self._seen:
            self._seen = state
            self._read()
        if self._failure:
            raise ProblemError(503, "the tokens cannot be read", "the server's log says why")

    def _state_of_file(self) -> tuple[int, int, int]:
        try:
            found = os.stat(self._path)
        except OSError as error:
            return (0, 0, error.errno or 0)
        return (found.st_ino, found.st_mtime_ns, found.st_size)

    def _read(self) -> None:
        try:
            tokens, self._failure = read_tokens(self._path), ""
        except SourceError as error:
            tokens, self._failure = (), str(error)
            log.error("nobody is let in: %s", error)
        self._by_digest = {token.digest: token for token in tokens}


class Sessions:
    """Signed-in browsers: the digest of a token by the digest of a session's id.

    The id is 256 random bits and says nothing by itself. Not safe for several threads.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._found: OrderedDict[str, tuple[str, float]] = OrderedDict()

    def start(self, token: Token) -> str:
        """A new session's id, for the cookie."""
        session = secrets.token_urlsafe(32)
        self._found[digest_of(session)] = (token.digest, self._clock() + SECONDS_OF_A_SESSION)
        if len(self._found) > MOST_SESSIONS:
            self._found.popitem(last=False)
        return session

    def token_digest(self, session: str) -> str | None:
        """The digest of the session's token; None for an unknown session, or one that is over."""
        digest, until = self._found.get(digest_of(session), ("", 0.0))
        return digest if digest and self._clock() < until else None

    def end(self, session: str) -> None:
        """End a session; an unknown one is none."""
        self._found.pop(digest_of(session), None)


# The cookie -----------------------------------------------------------------------------------


def session_of(request: Request) -> str | None:
    """The session's id in the cookie."""
    return request.cookies.get(_cookie_name(request))


def set_session(request: Request, response: Response, session: str) -> None:
    """Give the browser a session: no script reads it, and no other site's request carries it."""
    response.set_cookie(
        _cookie_name(request),
        session,
        max_age=SECONDS_OF_A_SESSION,
        httponly=True,
        secure=_is_encrypted(request),
        samesite="strict",
    )


def clear_session(request: Request, response: Response) -> None:
    """Take the cookie back."""
    response.delete_cookie(
        _cookie_name(request), httponly=True, secure=_is_encrypted(request), samesite="strict"
    )


def _cookie_name(request: Request) -> str:
    """`__Host-` makes the browser refuse the cookie from a subdomain and without encryption."""
    return "__Host-marquee" if _is_encrypted(request) else "marquee"


def _is_encrypted(request: Request) -> bool:
    """Whether the browser speaks https, as the server or a trusted proxy says."""
    return request.url.scheme == "https"


# Sites and addresses --------------------------------------------------------------------------

RELAYS = {"forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip"}
"""Headers that a proxy adds."""


def is_same_site(request: Request) -> bool:
    """Whether the browser says that a page of this very server sends the request.

    `Sec-Fetch-Site` where the browser sends it (over https and on loopback), else `Origin`.
    """
    if site := request.headers.get("sec-fetch-site"):
        return site == "same-origin"
    try:
        origin = urlsplit(request.headers.get("origin", ""))
    except ValueError:
        return False
    return (origin.scheme, origin.netloc) == (request.scope["scheme"], request.headers.get("host"))


def is_of_another_site(request: Request) -> bool:
    """Whether a browser sends the request for a page of another site; False for a program."""
    names = ("sec-fetch-site", "origin")
    return any(name in request.headers for name in names) and not is_same_site(request)


def is_relayed(request: Request) -> bool:
    """Whether a proxy sent the request: by its headers, or by HTTP/1.0, which nginx may speak."""
    return bool(RELAYS & set(request.headers)) or request.scope["http_version"] == "1.0"


def host_name(request: Request) -> str:
    """The name in the `Host` header, without its port; empty for a header that is none."""
    try:
        return urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
    except ValueError:
        return ""


def network_of(request: Request) -> str:
    """The address of the client; of IPv6 its /64, the least that one customer is given."""
    host = request.client.host if request.client else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    return str(ipaddress.ip_network(f"{address}/{64 if address.version == 6 else 32}", False))
