"""The backend of the routes: two followers, the feedback log, and threads for slow calls.

`python -m serving` opens one `Backend`, and `serving.app` keeps it for the routes. Calls to the
lake or the disk run in `BoundedThreads`. So a lake that is away or a locked folder blocks neither
the event loop nor the threads that the web framework shares among all routes.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from copy import copy
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from broker.feedback_outbox import Outbox
from marquee.errors import LakeUnavailableError, MarqueeError
from marquee.lake import Lake, check_world, read_world
from marquee.settings import Settings
from serving.engines import (
    DEFAULT_ENGINE,
    BudgetEngine,
    Engine,
    LoadedRecommender,
    engine_named,
    load_budget,
    load_recommender,
)
from serving.feedback_hand_over import HandOver
from serving.feedback_log import FeedbackLog
from serving.follower import SECONDS_TO_STOP, UNREAD, Follower, LoadedChampion
from serving.other_engines import OtherEngines
from serving.problems import NothingServesError, ProblemError

if TYPE_CHECKING:
    from serving.routes.batch_jobs import BatchScorer

SECONDS_TO_WAIT_FOR_WORLD = 2.0
"""How long the start waits for the lake. After that, cached bundles serve until it answers."""
SECONDS_BETWEEN_TRIES = 1.0
"""Pause before the lake is asked for its world again."""
log = logging.getLogger("marquee.serving")
M = TypeVar("M")
T = TypeVar("T")


class BoundedThreads:
    """At most `limit` threads at once, each for one call that may wait for `resource`.

    A call keeps its thread until it ends, even after its request has given up. So hanging calls
    occupy `limit` threads and no more. The threads are daemons: a stopping server does not wait for
    them. `seconds` is how long a request waits for its call.
    """

    def __init__(self, resource: str, limit: int, seconds: float) -> None:
        self.resource = resource
        self.seconds = seconds
        self._free = threading.BoundedSemaphore(limit)

    async def run(self, call: Callable[[], T], seconds: float | None = None) -> T:
        """The result of the call; ProblemError (503) if all threads are busy or the time is up.

        `seconds` shortens the wait, for a result that the answer does not depend on.
        """
        seconds = self.seconds if seconds is None else min(seconds, self.seconds)
        if not self._free.acquire(blocking=False):
            raise ProblemError(503, f"too many wait for {self.resource} already", "try again later")
        loop = asyncio.get_running_loop()
        result: asyncio.Future[T] = loop.create_future()

        def settle(found: T | None, error: BaseException | None) -> None:
            if result.done():  # the request has given up
                return
            if error is not None:
                result.set_exception(error)
            else:
                result.set_result(found)  # type: ignore[arg-type]

        def run_call() -> None:
            found, error = None, None
            try:
                found = call()
            except BaseException as raised:
                error = raised
            finally:
                self._free.release()
            with suppress(RuntimeError):  # the loop is closed: the server has stopped
                loop.call_soon_threadsafe(settle, found, error)

        threading.Thread(target=run_call, name=f"wait-for-{self.resource}", daemon=True).start()
        try:
            return await asyncio.wait_for(result, seconds)
        except TimeoutError:
            raise ProblemError(
                503, f"{self.resource} did not answer within {seconds:g} s", "try again later"
            ) from None


@dataclass(frozen=True)
class Backend:
    """All that the routes need to answer; one for each process."""

    recommender: Follower[LoadedRecommender]
    budget: Follower[BudgetEngine]
    feedback: FeedbackLog
    lake: Lake
    """The lake that holds the reports of runs."""
    scale: tuple[float, float] = (0.5, 5.0)
    """The lowest and the highest stars that a person may give."""
    poll_seconds: float = 1.0
    lake_calls: BoundedThreads = field(default_factory=lambda: BoundedThreads("the lake", 4, 5.0))
    """Threads of routes that read the lake."""
    disk_calls: BoundedThreads = field(default_factory=lambda: BoundedThreads("the disk", 64, 60.0))
    """Threads of routes that write ratings. The feedback log gives up sooner, after 20 s."""
    hand_over: HandOver | None = None
    """Brings the feedback log to the lake; None leaves that to the weekly run on this host."""
    other_engines: OtherEngines = field(default_factory=OtherEngines)
    """The engines of other processes, whom the routes ask for `?engine=`."""
    batches: BatchScorer | None = None
    """Scores batches, where this process' engine can."""
    engine_failure: Callable[[], str] = str
    """Why this process's own engine cannot answer at this moment; empty if it can."""
    outbox: Outbox | None = None
    """Publishes the feedback log to a topic; None where this place has no Kafka."""

    @property
    def followers(self) -> dict[str, Follower[Any]]:
        """The followers by the name of their model."""
        return {f.name: f for f in (self.recommender, self.budget)}

    def at_this_moment(self) -> Backend:
        """The backend with the champions of this moment, so that one pair answers a batch.

        Nobody polls the copies of the followers: their `view` stays as it is.
        """
        return replace(self, recommender=copy(self.recommender), budget=copy(self.budget))

    def start(self) -> None:
        """Start both followers, the hand-over and the outbox, without waiting for a champion."""
        for follower in self.followers.values():
            follower.start(self.poll_seconds)
        for exchange in (self.hand_over, self.outbox):
            if exchange is not None:
                exchange.start()

    def stop(self) -> None:
        """Ask all threads to stop, then wait up to SECONDS_TO_STOP for both followers together."""
        for exchange in (self.hand_over, self.outbox):
            if exchange is not None:
                exchange.request_stop()
        for follower in self.followers.values():
            follower.request_stop()
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
    engine: str | Engine = DEFAULT_ENGINE,
) -> Backend:
    """Make the backend of one server: followers of both models, and the feedback log.

    `cache` is the folder for fetched bundles, `feedback` the folder of the feedback log, `server`
    this server's name in it, and `engine` a name in `ENGINES`, or an engine. Raises SourceError for
    an unknown engine or an unreadable feedback folder.
    """
    name = engine_named(engine).name
    return Backend(
        Follower(lake, "recommender", partial(load_recommender, engine=engine), cache, engine=name),
        Follower(lake, "budget", partial(load_budget, engine=engine), cache, engine=name),
        FeedbackLog(feedback, server),
        lake,
        scale,
        poll_seconds,
    )


def current_champion(follower: Follower[M]) -> LoadedChampion[M]:
    """The champion that serves at this moment; NothingServesError (503) if there is none.

    A request calls it once, so that one champion makes the whole answer.
    """
    view = follower.view
    if view.champion is None:
        raise NothingServesError(follower.name, follower.failure, not has_looked(follower))
    return view.champion


def has_looked(follower: Follower[Any]) -> bool:
    """Whether a model serves, or its ledger was read and says why none does."""
    is_read = follower.polled_at is not None and UNREAD not in follower.view.failure
    return follower.view.champion is not None or is_read


def expected_world(settings: Settings, lake: str) -> str | None:
    """The world that the lake must hold; None where `--lake` alone names the lake.

    Every command accepts any world of a lake that only a flag names. MARQUEE_WORLD overrules this.
    """
    is_settings_lake = lake.rstrip("/") == settings.lake.root.rstrip("/")
    return settings.world if is_settings_lake or "MARQUEE_WORLD" in os.environ else None


class WorldCheck(threading.Thread):
    """A thread that asks the lake for its world until the lake answers.

    The server may already serve from cached bundles. `expected` is the world that the lake must
    hold; None accepts any world. If the lake holds another one, the thread sets `refusal` to the
    reason and calls `stop`.
    """

    def __init__(self, lake: Lake, expected: str | None, stop: Callable[[], None]) -> None:
        super().__init__(name="ask-world", daemon=True)
        self.refusal = ""
        self._lake = lake
        self._expected = expected
        self._stop_serving = stop
        self._answered = threading.Event()

    def passes(self) -> bool:
        """Start the thread and wait a moment; False if the lake was refused meanwhile."""
        self.start()
        if not self._answered.wait(SECONDS_TO_WAIT_FOR_WORLD):
            log.warning("%s does not answer yet: what is cached serves", self._lake.root)
        return not self.refusal

    def run(self) -> None:
        """Ask until the lake answers or is refused; an unavailable lake is asked again."""
        said = ""
        while not self._answered.is_set():
            try:
                self._ask()
            except LakeUnavailableError as error:
                if str(error) != said:
                    log.warning("which world the lake holds is not known yet: %s", error)
                said = str(error)
                self._answered.wait(SECONDS_BETWEEN_TRIES)
                continue
            except MarqueeError as error:
                self.refusal = str(error)
                self._stop_serving()
            except Exception:  # otherwise the thread would end and never check the world
                log.exception("which world the lake holds cannot be read; it is asked again")
                self._answered.wait(SECONDS_BETWEEN_TRIES)
                continue
            self._answered.set()

    def _ask(self) -> None:
        lake, expected = self._lake, self._expected
        found = check_world(lake, expected) if expected else read_world(lake)
        log.info("%s holds %s", lake.root, f"the world '{found.name}'" if found else "no world yet")
