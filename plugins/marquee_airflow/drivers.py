"""Drivers that YARN runs elsewhere (cluster mode): why one does not start, and why one failed.

spark-submit prints neither what such a driver says nor its exit status. The job leaves both in the
lake. While YARN has no container for the driver, nobody but the ResourceManager knows it.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from marquee.errors import AwayError, MarqueeError
from marquee.place_settings import SparkSettings, master_pages
from marquee.resource_manager import APPLICATION_ID
from marquee.spark_applications import active_applications, end_applications

if TYPE_CHECKING:
    from marquee.lake import Lake

REPORT_AFTER = 120.0
"""Seconds without a container after which the task says so, as a job does that has no executor."""
SECONDS_BETWEEN_LOOKS = 10.0
FAILED = re.compile(rf"({APPLICATION_ID.pattern}) finished with")
"""How spark-submit names the application that it waited for."""


@dataclass(frozen=True)
class LastWord:
    """How a driver ended: its sentence, and its exit status (`marquee.errors`)."""

    sentence: str
    status: int


def failed_application(printed: str) -> str:
    """YARN's id of the application that spark-submit saw fail; "" where it names none."""
    found = FAILED.search(printed)
    return found[1] if found else ""


def last_word(lake: Lake, run: str, job: str, application: str) -> LastWord | None:
    """What the driver of this application has left in the lake; None without one."""
    from marquee.run_folder import failure_path  # each parse of the DAG loads this module

    try:
        word = json.loads(lake.read_bytes(failure_path(run, job, application)))
        return LastWord(str(word["sentence"]), int(word["status"]))
    except (MarqueeError, ValueError, KeyError, TypeError):
        return None


@contextmanager
def watch_for_driver(master: str, spark: SparkSettings, prefix: str) -> Iterator[None]:
    """Say once that YARN has no container for the driver; end the application after the limit.

    Elsewhere the driver is this host's, and the job itself says what it lacks.
    """
    ended = threading.Event()
    watch = DriverWatch(master, spark, prefix, ended)
    if master == "yarn" and spark.deploy_mode == "cluster":
        watch.start()
    try:
        yield
    finally:
        ended.set()


class DriverWatch(threading.Thread):
    """Looks at the ResourceManager until the application runs, or `ended` is set."""

    def __init__(
        self, master: str, spark: SparkSettings, prefix: str, ended: threading.Event
    ) -> None:
        super().__init__(daemon=True, name="driver-watch")
        self.master, self.spark, self.prefix, self.ended = master, spark, prefix, ended
        self.pages = master_pages(master, spark)

    def run(self) -> None:
        """Look every few seconds. A page that does not answer says nothing of the job."""
        since, has_reported = time.monotonic(), False
        while not self.ended.wait(SECONDS_BETWEEN_LOOKS):
            states = self._states()
            if "RUNNING" in states:
                return
            waited = time.monotonic() - since
            if "ACCEPTED" in states and waited >= REPORT_AFTER and not has_reported:
                has_reported = True
                print(self._waiting(), flush=True)
            if "ACCEPTED" in states and waited >= self.spark.resource_minutes * 60:
                with suppress(AwayError):
                    end_applications(self.master, self.pages, self.prefix)
                return

    def _states(self) -> set[str]:
        try:
            found = active_applications(self.master, self.pages, self.prefix)
        except AwayError:
            return set()
        return {one.state for one in found}

    def _waiting(self) -> str:
        return (
            f"waiting for YARN since {REPORT_AFTER / 60:.0f} minutes: {', '.join(self.pages)} has "
            "accepted the job and gives its driver no container. Does a NodeManager live, with "
            "[spark] driver_memory and its overhead to spare, or do others hold the queue "
            "(yarn.scheduler.capacity.maximum-am-resource-percent)? "
            f"The job gives up after {self.spark.resource_minutes:g} minutes."
        )
