"""Hand the feedback log over to the lake, and take over what other servers have heard (ADR 51).

A thread does it when the server starts, when a run is due, and every half an hour. So a run on
another host reads what people rated here, and a person forgotten there is forgotten here. Requests
do not wait for it. A line stays on this disk, so that a lake that is away, a kill or a second
attempt loses and doubles nothing (`sources.feedback_in_lake`).
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass

from marquee.clock import now
from marquee.errors import MarqueeError
from marquee.lake import Lake, check_world, read_world
from marquee.schedule import seconds_to_next
from serving.feedback_log import FeedbackLog
from sources.feedback_in_lake import fetch_feedback, publish_feedback
from sources.feedback_lines import segment_names
from sources.feedback_segments import OTHERS

SECONDS_BEFORE_RETRY = 30.0
"""Pause after a failure. (The client gives up one call to HDFS after 40 s.)"""
SECONDS_AFTER_DUE = 1.0
"""Pause after the moment for which a run stands, so that every line before it is handed over."""
logger = logging.getLogger("marquee.serving")


@dataclass(frozen=True)
class HandOverTimes:
    """When feedback is handed over."""

    minutes: float = 30.0
    """The longest pause. Each hand-over with new lines makes one folder in the lake."""
    cron: str = ""
    """The schedule of the runs; empty: there is none."""


class HandOver:
    """Exchanges the segments of `feedback` with the lake.

    `world` is the world that the lake must hold; None accepts any. A lake that no run has loaded
    yet has no world, and gets nothing.
    """

    def __init__(
        self,
        lake: Lake,
        feedback: FeedbackLog,
        times: HandOverTimes | None = None,
        world: str | None = None,
    ) -> None:
        self.failure = ""
        """Why ratings that are kept here are not in the lake, or others' not here; or empty."""
        self.segments = 0
        """Segments of this server that were in the lake at the last hand-over."""
        self._lake = lake
        self._feedback = feedback
        self._times = times or HandOverTimes()
        self._world = world
        self._stop = threading.Event()
        self._others_read = self._others()

    def start(self) -> None:
        """Start a thread that hands over until `request_stop`."""
        self._stop.clear()
        threading.Thread(target=self._run, name="hand-over-feedback", daemon=True).start()

    def request_stop(self) -> None:
        """End the thread after the present hand-over. Nobody waits: the next start goes on."""
        self._stop.set()

    def hand_over(self) -> None:
        """Publish all lines that are kept at this moment, and fetch those of other servers.

        Never raises; `failure` has the error.
        """
        undone = "ratings are kept and wait for the lake"
        try:
            if self._publish():
                undone = "ratings that other servers heard are missing here"
                self._fetch()
            self._report("")
        except MarqueeError as error:
            self._report(f"{undone}: {error}")
        except Exception as error:  # a thread that died would keep all later ratings from the lake
            logger.exception("handing feedback over failed")
            self._report(f"{undone}: {type(error).__name__}: {error}")

    def seconds_to_wait(self) -> float:
        """The pause before the next hand-over."""
        if self.failure:
            return SECONDS_BEFORE_RETRY
        pause, cron = self._times.minutes * 60, self._times.cron
        return min(pause, seconds_to_next(cron, now()) + SECONDS_AFTER_DUE) if cron else pause

    def _publish(self) -> bool:
        """Publish, and return True; False where no run has loaded the lake yet."""
        world, log = self._world, self._feedback
        found = check_world(self._lake, world) if world else read_world(self._lake)
        if found is not None:
            self.segments = len(publish_feedback(self._lake, log.folder, log.server))
        return found is not None

    def _fetch(self) -> None:
        try:
            fetch_feedback(self._lake, self._feedback.folder, self._feedback.server)
        finally:  # those that came before an error count, too
            self._read_others()

    def _read_others(self) -> None:
        found = self._others()
        if found != self._others_read:
            self._feedback.read_again()
            self._others_read = found

    def _others(self) -> int:
        return len(segment_names(self._feedback.folder / OTHERS))

    def _run(self) -> None:
        while not self._stop.is_set():
            self.hand_over()
            self._stop.wait(self.seconds_to_wait())

    def _report(self, failure: str) -> None:
        if failure and failure != self.failure:
            logger.warning("%s", failure)
        self.failure = failure
