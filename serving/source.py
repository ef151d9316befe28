"""What the app answers from: two followers, the journal, and threads for whatever may wait.

Nothing else waits: not the event loop, nor the threads that the web framework shares among all
routes. A lake that is away or a folder that is locked holds up those alone who need it.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from marquee.lake import Lake
from scoring.budget.model import BudgetModel
from serving.follower import SECONDS_TO_STOP, Champion, Follower
from serving.journal import Journal
from serving.loading import LoadedRecommender, load_budget, load_recommender
from serving.problems import NothingServesError, ProblemError

M = TypeVar("M")
T = TypeVar("T")


class Threads:
    """At most `most` threads at once, each for one call that may wait on `what`.

    A call keeps its thread until it ends, also when nobody waits for it any more; so what hangs
    takes up `most` threads and no more. They are daemons: a server that stops leaves them behind.
    """

    def __init__(self, what: str, most: int, seconds: float) -> None:
        self.what = what
        self.seconds = seconds
        self._free = threading.BoundedSemaphore(most)

    async def run(self, call: Callable[[], T], seconds: float | None = None) -> T:
        """The call's answer; a 503 problem where all threads are taken, or time is up.

        `seconds` is a shorter wait than the usual one, for what an answer can do without.
        """
        seconds = self.seconds if seconds is None else min(seconds, self.seconds)
        if not self._free.acquire(blocking=False):
            raise ProblemError(503, f"too many wait for {self.what} already", "try again later")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()

        def settle(found: T | None, error: BaseException | None) -> None:
            if answer.done():  # whoever asked waits no longer
                return
            if error is not None:
                answer.set_exception(error)
            else:
                answer.set_result(found)  # type: ignore[arg-type]

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
            return await asyncio.wait_for(answer, seconds)
        except TimeoutError:
            raise ProblemError(
                503, f"{self.what} did not answer within {seconds:g} s", "try again later"
            ) from None


@dataclass(frozen=True)
class Source:
    """Everything behind the routes; one a process."""

    recommender: Follower[LoadedRecommender]
    budget: Follower[BudgetModel]
    journal: Journal
    lake: Lake
    """Where runs keep their reports."""
    scale: tuple[float, float] = (0.5, 5.0)
    """Lowest and highest rating a person may give."""
    poll_seconds: float = 1.0
    lake_calls: Threads = field(default_factory=lambda: Threads("the lake", 4, 5.0))
    """For routes that read the lake."""
    disk_calls: Threads = field(default_factory=lambda: Threads("the disk", 64, 60.0))
    """For routes that keep ratings; the journal gives up well before these seconds are over."""

    @property
    def followers(self) -> dict[str, Follower[Any]]:
        """By the model's name."""
        return {f.name: f for f in (self.recommender, self.budget)}

    def start(self) -> None:
        for follower in self.followers.values():
            follower.start(self.poll_seconds)

    def stop(self) -> None:
        """Ask both to stop, then wait for them a moment: the process ends with or without them."""
        for follower in self.followers.values():
            follower.ask_to_stop()
        until = time.monotonic() + SECONDS_TO_STOP
        for follower in self.followers.values():
            follower.stop(max(0.0, until - time.monotonic()))


def open_source(
    lake: Lake,
    cache: Path,
    feedback: Path,
    server: str = "local",
    scale: tuple[float, float] = (0.5, 5.0),
    poll_seconds: float = 1.0,
) -> Source:
    """Followers of both models in `lake`, and the journal kept in the folder `feedback`."""
    return Source(
        Follower(lake, "recommender", load_recommender, cache),
        Follower(lake, "budget", load_budget, cache),
        Journal(feedback, server),
        lake,
        scale,
        poll_seconds,
    )


def serving_now(follower: Follower[M]) -> Champion[M]:
    """The champion to answer one whole request from; NothingServesError (503) without one."""
    view = follower.view
    if view.champion is None:
        raise NothingServesError(follower.name, follower.trouble)
    return view.champion
