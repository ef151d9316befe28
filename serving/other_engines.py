"""The engines of other processes: `?engine=NAME` has one of them answer, over HTTP on loopback.

The API checks the caller, the request and the person first, and then asks the process, which has
the same routes (`spark_connect`). Its answer is read through the route's own type. While the
process is away or loads its models, the answer is 503 with `Retry-After`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, TypeVar

import httpx
from fastapi import Depends, Query, Request
from pydantic import BaseModel, ValidationError

from serving.problems import ProblemError

A = TypeVar("A", bound=BaseModel)
MOST_AT_ONCE = 8
"""Questions under way to one process; the next ones wait a moment, then get a 503."""
SECONDS_TO_CONNECT, SECONDS_TO_WAIT, SECONDS_TO_ANSWER = 2.0, 1.0, 60.0
ASK_NATIVE = "ask again later, or ask the native engine"
RETRY = {"Retry-After": "10"}


class EngineProcess:
    """The process at `url` that answers as the engine `name`; it may ask for a `secret`."""

    def __init__(self, name: str, url: str, secret: str = "") -> None:
        self.name, self.url = name, url.rstrip("/")
        self.failure = ""
        """Why the last question had no answer; empty if it had one, or none was asked."""
        self._headers = {"Authorization": f"Bearer {secret}"} if secret else {}
        self._client: httpx.AsyncClient | None = None

    async def ask(self, method: str, path: str, query: str, body: bytes) -> httpx.Response:
        """The response; ProblemError (503) where there is none."""
        target = f"{self.url}{path}" + (f"?{query}" if query else "")
        headers = self._headers | ({"Content-Type": "application/json"} if body else {})
        try:
            found = await self._opened().request(method, target, content=body, headers=headers)
        except httpx.PoolTimeout:
            raise ProblemError(
                503, f"too many wait for {self.name} already", ASK_NATIVE, RETRY
            ) from None
        except httpx.HTTPError as error:
            self.failure = f"{self.name} does not answer: {type(error).__name__} at {self.url}"
            raise ProblemError(503, self.failure, ASK_NATIVE, RETRY) from None
        self.failure = ""
        return found

    async def close(self) -> None:
        """Close all connections."""
        if self._client is not None:
            await self._client.aclose()

    def _opened(self) -> httpx.AsyncClient:
        """Made at the first question: it belongs to the event loop that asks."""
        if self._client is None:
            waits = httpx.Timeout(
                SECONDS_TO_ANSWER, connect=SECONDS_TO_CONNECT, pool=SECONDS_TO_WAIT
            )
            limits = httpx.Limits(max_connections=MOST_AT_ONCE)
            self._client = httpx.AsyncClient(timeout=waits, limits=limits, trust_env=False)
        return self._client


@dataclass(frozen=True)
class OtherEngines:
    """The engines that this API may ask, by name."""

    processes: Mapping[str, EngineProcess] = field(default_factory=dict)

    def failures(self) -> list[str]:
        """Why engines do not answer."""
        return [p.failure for p in self.processes.values() if p.failure]


@dataclass(frozen=True)
class AskedEngine:
    """The engine of another process that a request asks for, and the request."""

    process: EngineProcess
    request: Request

    async def answer(self, kind: type[A]) -> A:
        """The process' answer to the same request.

        Raises ProblemError: 503 while the process is away, else with its own status and sentence.
        """
        request = self.request
        path = request.scope.get("raw_path", request.url.path.encode()).decode("latin-1")
        kept = [f"{n}={v}" for n, v in _pairs(request) if n != "engine"]
        found = await self.process.ask(request.method, path, "&".join(kept), await request.body())
        if found.status_code >= 400:
            raise _problem(found)
        try:
            return kind.model_validate(found.json())
        except (ValueError, ValidationError) as error:
            what = f"{self.process.name} gave another answer than this API's: {error}"
            raise ProblemError(503, what.splitlines()[0], ASK_NATIVE, RETRY) from None


def _pairs(request: Request) -> list[tuple[str, str]]:
    """The query as it was sent, still escaped."""
    text = request.scope["query_string"].decode("latin-1")
    pairs = (part.partition("=") for part in text.split("&") if part)
    return [(name, value) for name, _, value in pairs]


def _problem(found: httpx.Response) -> ProblemError:
    try:
        detail = str(found.json()["detail"])
    except (ValueError, KeyError, TypeError):
        detail = f"the engine's process answered {found.status_code}"
    status = 503 if found.status_code in (401, 403, 421, 500, 502) else found.status_code
    headers = {"Retry-After": found.headers.get("Retry-After", "10")} if status == 503 else None
    return ProblemError(status, detail, "", headers)


def require_trained(ratings: Mapping[int, float] | None) -> None:
    """A 422 problem where a person has `ratings` since the training: other processes lack them."""
    if ratings is not None:
        what = "ratings given here since the training are known to the native engine alone"
        raise ProblemError(422, what, "leave `engine` out of the request")


EngineName = Annotated[
    str,
    Query(
        description="what computes the answer: `native` (the default) or `spark-connect`, where "
        "one is set up",
        max_length=100,
    ),
]


async def asked_engine(request: Request, engine: EngineName = "") -> AskedEngine | None:
    """The engine of another process, None for this process' own; 422 for an unknown one."""
    backend = request.app.state.backend
    own: str = backend.recommender.engine
    others: Mapping[str, EngineProcess] = backend.other_engines.processes
    if engine in ("", own):
        return None
    if engine not in others:
        known = ", ".join([own, *others])
        raise ProblemError(422, f"there is no engine '{engine}' here", f"choose one of {known}")
    return AskedEngine(others[engine], request)


EngineDep = Annotated[AskedEngine | None, Depends(asked_engine)]
