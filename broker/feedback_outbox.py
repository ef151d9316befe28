"""From a server's feedback log to the topic: the log itself is the outbox (ADR 54).

A thread publishes each line after it is durable, in order, and then moves a cursor on the disk. So
a broker that is away, slow or wrong costs a request nothing, and what is owed is published when it
is back. A kill between the two publishes a line again; `server` and `seq` make it count once.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from broker.client import Brokers, Topic
from broker.feedback_messages import feedback_topics, to_message
from marquee.errors import AwayError, MarqueeError
from marquee.settings import Settings
from sources.feedback_in_lake import origin, write_durably
from sources.feedback_lines import Feedback, SegmentName, parse_line, segment_names
from sources.feedback_segments import locked

if TYPE_CHECKING:
    from confluent_kafka import KafkaError, Producer

CURSOR_FILE = "published.json"
"""In the folder of the feedback log."""
LINES_AT_ONCE = 1000
SECONDS_BETWEEN_ATTEMPTS = 5.0
"""Pause after a failure."""
SECONDS_TO_LOOK = 30.0
"""Pause without new lines; a new line ends it."""
SECONDS_FOR_LOCK = 5.0
logger = logging.getLogger("marquee.broker")


def feedback_outbox(
    settings: Settings, folder: Path, server: str, written: threading.Event
) -> Outbox | None:
    """The outbox of this place; None where it has no Kafka."""
    if not settings.kafka_bootstrap:
        return None
    topic = feedback_topics(settings.kafka)[0]
    return Outbox(partial(Brokers.of, settings), topic, folder, server, written)


@dataclass(frozen=True, order=True)
class Cursor:
    """Everything before this byte of this segment has been published to `topic`."""

    number: int
    offset: int
    topic: str


class Outbox:
    """Publishes the feedback log in `folder` to a topic; `written` says that a line was added.

    `brokers` is asked before the first line: credentials that are missing stop no server.
    """

    def __init__(
        self,
        brokers: Callable[[], Brokers],
        topic: Topic,
        folder: Path,
        server: str,
        written: threading.Event | None = None,
    ) -> None:
        self.failure = ""
        """Why lines wait; empty while they do not."""
        self.waiting = 0
        """Lines that are durable here and not published."""
        self.published = 0
        """Lines published since the start."""
        self._find_brokers = brokers
        self._brokers: Brokers | None = None
        self._topic = topic
        self._folder = folder
        self._server = server
        self._written = written or threading.Event()
        self._stop = threading.Event()
        self._producer: Producer | None = None

    def start(self) -> None:
        """Start a thread that publishes until `request_stop`."""
        self._stop.clear()
        threading.Thread(target=self._run, name="publish-feedback", daemon=True).start()

    def request_stop(self) -> None:
        """End the thread after the present batch. Nobody waits: the next start goes on."""
        self._stop.set()
        self._written.set()

    def publish(self) -> bool:
        """Publish all that is owed; True if all went. Never raises; `failure` has the error."""
        try:
            while self._publish_batch():
                pass
            self._report("")
        except MarqueeError as error:
            self._report(f"ratings are kept and wait for Kafka: {error}")
        except Exception as error:  # a thread that died would keep all later ratings here
            logger.exception("publishing feedback failed")
            self._report(f"ratings are kept and wait for Kafka: {type(error).__name__}: {error}")
        return not self.failure

    def _run(self) -> None:
        while not self._stop.is_set():
            self._written.clear()
            went = self.publish()
            if went:
                self._written.wait(SECONDS_TO_LOOK)
            else:
                self._stop.wait(SECONDS_BETWEEN_ATTEMPTS)

    def _publish_batch(self) -> bool:
        """Publish the next lines and move the cursor; False where nothing is owed."""
        cursor = self._cursor()
        owed = list(self._owed(cursor))
        self.waiting = len(owed)
        if not owed:
            return False
        server = origin(self._folder, self._server)
        if not server:
            raise AwayError("this folder's name in the lake is not known yet", "let a run load it")
        batch = owed[:LINES_AT_ONCE]
        self._send([to_message(line, server) for line, _ in batch if line.seq is not None])
        self._keep(batch[-1][1])
        self.published += len(batch)
        self.waiting = len(owed) - len(batch)
        return bool(self.waiting)

    def _send(self, messages: list[tuple[bytes, bytes]]) -> None:
        """Publish in order; AwayError where one did not arrive.

        A new producer follows an error: messages that the old one still holds are given up.
        """
        what, failed = f"topic {self._topic.name} takes no feedback", list["KafkaError"]()

        def note(error: KafkaError | None, _: object) -> None:
            if error is not None:
                failed.append(error)

        brokers, producer = self._open()
        with brokers.errors(what):
            for key, value in messages:
                producer.produce(self._topic.name, value, key, on_delivery=note)
            producer.flush()  # ends: a message that waits too long fails
        if failed:
            self._producer = None
            raise brokers.error(failed[0], what)

    def _open(self) -> tuple[Brokers, Producer]:
        if self._brokers is None or self._producer is None:
            self._brokers = self._find_brokers()
            self._brokers.ensure_topics([self._topic])
            self._producer = self._brokers.producer()
        return self._brokers, self._producer

    def _owed(self, cursor: Cursor) -> Iterator[tuple[Feedback, Cursor]]:
        """The durable lines after the cursor, each with the cursor behind it."""
        for name, size in self._sizes():
            if name.number < cursor.number:
                continue
            start = cursor.offset if name.number == cursor.number else 0
            start = 0 if start > size else start  # an older copy of the folder was brought back
            with name.path.open("rb") as stream:
                stream.seek(start)
                data = stream.read(size - start)
            for part in data.splitlines(keepends=True):
                start += len(part)
                if (line := parse_line(part)) is not None:
                    yield line, Cursor(name.number, start, self._topic.name)

    def _sizes(self) -> list[tuple[SegmentName, int]]:
        """The segments and their bytes. Under the lock, since a write that fails is taken back."""
        with locked(self._folder, SECONDS_FOR_LOCK):
            names = segment_names(self._folder, self._server)
            return [(name, name.path.stat().st_size) for name in names]

    def _cursor(self) -> Cursor:
        """The cursor on the disk; at first it stands before the open segment.

        What was sealed before there was a topic comes to a run through the lake alone.
        """
        try:
            found = Cursor(**json.loads((self._folder / CURSOR_FILE).read_bytes()))
            if found.topic == self._topic.name:
                return found
        except (OSError, ValueError, TypeError):
            pass
        names = [name for name, _ in self._sizes()]
        number = next((name.number for name in names if name.is_open), None)
        first = number or (names[-1].number + 1 if names else 1)
        self._keep(Cursor(first, 0, self._topic.name))
        return Cursor(first, 0, self._topic.name)

    def _keep(self, cursor: Cursor) -> None:
        try:
            write_durably(self._folder / CURSOR_FILE, json.dumps(asdict(cursor)).encode())
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else str(error)
            raise AwayError(f"what was published cannot be noted: {reason}") from None

    def _report(self, failure: str) -> None:
        if failure and failure != self.failure:
            logger.warning("%s", failure)
        self.failure = failure
