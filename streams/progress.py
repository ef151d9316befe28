"""The sessions of a stream, and its health: a line in the log, and a file that others read.

Both kinds of streams run in *sessions*: any trouble ends one, and the next begins where the last
transaction ended.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from marquee.errors import AwayError
from serving.backend import Backend
from streams.messages import Answer, Refused
from streams.topics import MadeAnewError

SECONDS_BETWEEN_SESSIONS = 1.0
"""Pause before a new session, where the last one ended with an error."""
log = logging.getLogger("marquee.streams")


@dataclass
class Progress:
    """What a stream has done since its start, and what waits."""

    answered: int = 0
    problems: int = 0
    """Of the answers, how many are problem documents."""
    refused: int = 0
    batches: int = 0
    sessions: int = 0
    failure: str = ""
    """Why it waits; empty while it answers."""
    lag: dict[int, int] = field(default_factory=dict)
    """Requests that wait, by partition."""

    def count(self, outcomes: list[Answer | Refused]) -> None:
        """Count one committed batch."""
        answers = [one for one in outcomes if isinstance(one, Answer)]
        self.batches += 1
        self.answered += len(answers)
        self.problems += sum(one.status != 200 for one in answers)
        self.refused += len(outcomes) - len(answers)

    def report(self, failure: str) -> None:
        """Note why it waits, or that it does not; a change is one line in the log."""
        if failure != self.failure:
            log.warning("%s", failure) if failure else log.info("Kafka answers; requests go on")
        self.failure = failure


def lag_of(report: str, topic: str, ends: Mapping[int, int]) -> dict[int, int]:
    """By partition, the requests behind `ends` that Spark knew of when it wrote its report."""
    latest = json.loads(report)["sources"][0]["latestOffset"] or {}
    found = {int(part): end for part, end in latest.get(topic, {}).items()}
    return {part: max(0, end - ends.get(part, 0)) for part, end in found.items()}


def run_sessions(
    session: Callable[[threading.Event], None], progress: Progress, stop: threading.Event
) -> None:
    """Run one session after another until `stop` is set; say once why one ended."""
    while not stop.is_set():
        try:
            session(stop)
        except AwayError as error:
            progress.report(str(error))
            if not isinstance(error, MadeAnewError):
                stop.wait(SECONDS_BETWEEN_SESSIONS)


class Reporter(threading.Thread):
    """A thread that says every few seconds what was answered and what waits, where it changed."""

    def __init__(
        self,
        progress: Callable[[], Progress],
        backend: Backend,
        path: Path | None,
        seconds: float,
        stop: threading.Event,
    ) -> None:
        super().__init__(name="report-streams", daemon=True)
        self._progress = progress
        self._backend = backend
        self._path = path
        self._seconds = seconds
        self._stop_event = stop
        self._said = ""

    def run(self) -> None:
        """Report until the process stops; a full disk costs the report alone."""
        while not self._stop_event.wait(self._seconds):
            self._report()

    def _report(self) -> None:
        found = self._progress()
        line = f"{found.answered} answered ({found.problems} problems), {found.refused} refused, "
        line += f"{sum(found.lag.values())} wait"
        if line != self._said:
            log.info("%s", line)
        self._said = line
        if self._path is not None:
            self._write(self._path, found)

    def _write(self, path: Path, found: Progress) -> None:
        facts = asdict(found) | {"lag": sum(found.lag.values()), "champions": self._champions()}
        facts["models"] = {f.name: f.failure for f in self._backend.followers.values()}
        beside = path.with_name(f"{path.name}.part")
        try:
            beside.write_text(json.dumps(facts, indent=1), "utf-8")
            beside.replace(path)
        except OSError as error:
            log.warning("%s cannot be written: %s", path, error.strerror)

    def _champions(self) -> dict[str, str]:
        views = {name: f.view for name, f in self._backend.followers.items()}
        return {name: v.champion.entry.bundle for name, v in views.items() if v.champion}
