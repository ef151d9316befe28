"""What the routes answer from: two followers, the feedback log, and threads for calls that wait.

`python -m serving` opens one `Backend`; `serving.app` keeps it for the routes. Only calls that need
the lake or the disk wait for them, in `BoundedThreads`. Neither the event loop nor the threads that
the web framework shares among all routes ever wait for a lake that is away or a locked folder.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from marquee.lake import Lake
from serving.engines import (
    DEFAULT_ENGINE,
    BudgetEngine,
    LoadedRecommender,
    engine_named,
    load_budget,
    load_recommender,
)
from serving.feedback_log import FeedbackLog
from serving.follower import SECONDS_TO_STOP, Champion, Follower
from serving.problems import NothingServesError, ProblemError

M = TypeVar("M")
T = TypeVar("T")


class BoundedThreads:
    """At most `most` threads at once, each for one call that may wait on `what`.

    A call keeps its thread until it ends, even after its request has given up. So calls that hang
    occupy `most` threads and no more. The threads are daemons: a server that stops leaves them.
    """

    def __init__(self, what: str, most: int, seconds: float) -> None:
        self.what = what
        self.seconds = seconds
        self._free = threading.BoundedSemaphore(most)

    async def run(self, call: Callable[[], T], seconds: float | None = None) -> T:
        """The call's result; a 503 problem where all threads are taken, or time is up.

        `seconds` is a shorter wait than the usual one, for a result that the answer can do without.
        """
        seconds = self.seconds if seconds is None else min(seconds, self.seconds)
        if not self._free.acquire(blocking=False):
            raise ProblemError(503, f"too many wait for {self.what} already", "try again later")
        loop = asyncio.get_running_loop()
        result: asyncio.Future[T] = loop.create_future()

        def settle(found: T | None, error: BaseException | None) -> None:
            if result.done():  # the request has given up
                return
            if error is not None:
                result.set_exception(error)
            else:
                result.set_result(found)  # type: ignore[arg-type]

        def work() -> None:
            found, error = None, None
            try:
                found = call()
            except BaseException as raised:
                error = raised
            finally:
                self._free.release()
            with suppress(RuntimeError):  # the loop is closed: the server has stopped
                loop.call_soon_threadsafe(settle, found, error)

        threading.Thread(target=work, name=f"wait-for-{self.what}", daemon=True).start()
        try:
            return await asyncio.wait_for(result, seconds)
        except TimeoutError:
            raise ProblemError(
                503, f"{self.what} did not answer within {seconds:g} s", "try again later"
            ) from None


@dataclass(frozen=True)
class Backend:
    """Everything behind the routes; one for each process."""

    recommender: Follower[LoadedRecommender]
    budget: Follower[BudgetEngine]
    feedback: FeedbackLog
    lake: Lake
    """Where runs keep their reports."""
    scale: tuple[float, float] = (0.5, 5.0)
    """Lowest and highest rating a person may give."""
    poll_seconds: float = 1.0
    lake_calls: BoundedThreads = field(default_factory=lambda: BoundedThreads("the lake", 4, 5.0))
    """For routes that read the lake."""
    disk_calls: BoundedThreads = field(default_factory=lambda: BoundedThreads("the disk", 64, 60.0))
    """For routes that keep ratings; the feedback log gives up well before this time is over."""

    @property
    def followers(self) -> dict[str, Follower[Any]]:
        """By the model's name."""
        return {f.name: f for f in (self.recommender, self.budget)}

    def start(self) -> None:
        """Start both followers; requests are answered meanwhile."""
        for follower in self.followers.values():
            follower.start(self.poll_seconds)

    def stop(self) -> None:
        """Ask both followers to stop, then wait a moment; the process ends with or without them."""
        for follower in self.followers.values():
            follower.ask_to_stop()
        until = time.monotonic() + SECONDS_TO_STOP
        for follower in self.followers.values():
            follower.stop(max(0.0, until - time.monotonic()))


def open_backend(
    lake: Lake,
    cache: Path,
    feedback: Path,
    server: str = "local",
    scale: tuple[float, float] = (0.5, 5.0),
    poll_seconds: float = 1.0,
    engine: str = DEFAULT_ENGINE,
) -> Backend:
    """Followers of both models in `lake`, and the feedback log in the folder `feedback`.

    `cache` is the folder for fetched bundles, `engine` a name in `ENGINES`. Raises SourceError for
    an unknown engine or a feedback folder that cannot be read.
    """
    engine_named(engine)
    return Backend(
        Follower(lake, "recommender", partial(load_recommender, engine=engine), cache),
        Follower(lake, "budget", partial(load_budget, engine=engine), cache),
        FeedbackLog(feedback, server),
        lake,
        scale,
        poll_seconds,
    )


def current_champion(follower: Follower[M]) -> Champion[M]:
    """The champion to answer one whole request from; NothingServesError (503) without one."""
    view = follower.view
    if view.champion is None:
        raise NothingServesError(follower.name, follower.failure)
    return view.champion
