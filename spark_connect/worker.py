"""The engine `spark-connect`, what it answers, and how its process answers HTTP.

`__main__` opens the same `Backend` as the API's with this engine, and `serving.app` over it.
"""

from __future__ import annotations

import asyncio
import hmac
from pathlib import Path

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from marquee.errors import BundleError
from marquee.lake import Lake
from marquee.run_folder import model_folder
from release.ledger import Ledger
from scoring.budget.bundle import read_bundle as read_budget
from scoring.recommender.bundle import read_bundle as read_recommender
from serving.access import SAFE_METHODS, OpenRules
from serving.app import LARGEST_BODY_BYTES
from serving.backend import BoundedThreads
from serving.callers import EVERYBODY, Caller
from serving.engines import BudgetEngine, Engine, RecommenderEngine
from serving.problems import ProblemError, problem_response
from spark_connect.budget import ConnectBudget
from spark_connect.recommender import ConnectRecommender
from spark_connect.session import SessionKeeper

NAME = "spark-connect"
MOST_AT_ONCE, SECONDS_TO_ANSWER = 8, 55.0
"""Questions under way, and how long each may take; the API waits for 60 s."""
QUESTIONS = (
    "/v1/recommendations",
    "/v1/predictions",
    "/v1/budget-estimates",
    "/v1/batch/",
)
"""Where a POST asks, and keeps nothing."""
REMEDY = "train again: earlier runs saved no tables for Spark; the native engine answers meanwhile"


def connect_engine(lake: Lake, keeper: SessionKeeper) -> Engine:
    """The engine whose models are those that the runs of `lake` saved for Spark."""

    def recommender(folder: Path) -> RecommenderEngine:
        place = spark_place(lake, "recommender", folder.name)
        return ConnectRecommender(read_recommender(folder), keeper, place)

    def budget(folder: Path) -> BudgetEngine:
        return ConnectBudget(read_budget(folder), keeper, spark_place(lake, "budget", folder.name))

    return Engine(recommender, budget, NAME)


def spark_place(lake: Lake, model: str, bundle: str) -> str:
    """The address of the `shipped/spark` that belongs to a promoted bundle.

    Raises BundleError where no run promoted it, or where the run's model lacks it.
    """
    runs = [e.run for e in Ledger(lake, model).entries() if e.bundle == bundle]
    if not runs:
        raise BundleError(f"no run promoted the {model} {bundle}", "restore the ledger")
    path = f"{model_folder(runs[0], model)}/shipped/spark"
    needed = f"{path}/titles" if model == "recommender" else path
    if not lake.exists(needed):
        raise BundleError(f"{lake.uri(needed)} is missing", REMEDY)
    return lake.uri(path)


class SecretRules:
    """Everybody who shows the secret may ask; without a secret, this machine alone."""

    asks_for_tokens = False

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()
        self._open = OpenRules()

    def admit(self, request: Request) -> Caller:
        """Who calls; a 401 problem for a missing or wrong secret, 421 for another machine.

        501 for what would write: a rating that this process acknowledged would never reach a run.
        """
        if request.method not in SAFE_METHODS and not request.url.path.startswith(QUESTIONS):
            raise ProblemError(501, "this process keeps no ratings", "give them to the API")
        if not self._secret:
            return self._open.admit(request)
        kind, _, shown = request.headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and hmac.compare_digest(shown.strip().encode(), self._secret):
            return EVERYBODY
        if request.url.path in ("/livez", "/readyz"):  # as the API's own: a monitor has no secret
            return EVERYBODY
        raise ProblemError(401, "this process answers the API alone", "ask the API")


class InThreads:
    """ASGI middleware: each question runs in a thread with an event loop of its own.

    The routes compute in the event loop, as NumPy takes microseconds. Spark takes a second, in
    which this process would answer nobody else.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._threads = BoundedThreads("Spark", MOST_AT_ONCE, SECONDS_TO_ANSWER)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith("/v1/"):
            await self.app(scope, receive, send)
            return
        body = await _whole_body(receive)
        try:
            messages = await self._threads.run(lambda: asyncio.run(self._answer(scope, body)))
        except ProblemError as error:
            refusal = problem_response(Request(scope), error.status, str(error), error.headers)
            await refusal(scope, receive, send)
            return
        for message in messages:
            await send(message)

    async def _answer(self, scope: Scope, body: bytes) -> list[Message]:
        sent: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Message) -> None:
            sent.append(message)

        await self.app(dict(scope), receive, send)
        return sent


async def _whole_body(receive: Receive) -> bytes:
    """The body; of one above the app's limit only so much that the app refuses it."""
    body, more = b"", True
    while more and len(body) <= LARGEST_BODY_BYTES:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body
