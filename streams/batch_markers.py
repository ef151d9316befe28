"""One transaction of Kafka a micro-batch: its answers, and a marker of what is answered.

Spark calls a batch again where it does not know whether it ended: after a kill between the batch
and Spark's own record of it, or with a checkpoint that was lost or put back. So how far requests
are answered is not Spark's to know: it stands in the marker, in the transaction of the answers. A
marker names the query and the batch that wrote it, and the offset behind the last answered request
of each partition. What lies before that offset is not answered again, whoever asks for it: the same
query with the same batch, or another query whose batches begin at zero.

The same transaction commits the offsets of the loops' group, so that a loop goes on where Spark
ended, and Spark where the loops ended.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from broker.bounded_calls import (
    Put,
    begin_transactions,
    bounded,
    close,
    put_offsets,
    transaction,
)
from broker.client import SECONDS_TO_ANSWER, Brokers
from marquee.daemon_settings import StreamSettings
from marquee.errors import AwayError, MarqueeError
from streams.loop import TRANSACTION_MS, produce
from streams.messages import Answer, Refused
from streams.sessions import StreamTopics

if TYPE_CHECKING:
    from confluent_kafka import Consumer, TopicPartition

MARKER_VERSION = 1
PARTITION = 0
"""Of the topic of markers, which may have more."""
Ends = dict[int, int]
"""By partition, the offset behind the last request that is answered."""
log = logging.getLogger("marquee.streams")


@dataclass(frozen=True)
class Marker:
    """What one transaction answered: by which query and batch, and how far requests are done."""

    query: str
    batch: int
    ends: Ends = field(default_factory=dict)
    topic: str = ""
    """The id of the topic of requests; empty if it is not known."""

    def to_json(self) -> bytes:
        facts = {"version": MARKER_VERSION, "query": self.query, "batch": self.batch}
        return json.dumps({**facts, "ends": self.ends, "topic": self.topic}).encode()

    @classmethod
    def from_json(cls, text: bytes) -> Marker:
        found = json.loads(text)
        ends = {int(part): int(end) for part, end in found["ends"].items()}
        return cls(found["query"], found["batch"], ends, found.get("topic", ""))


class MarkedAnswers:
    """Writes the answers of micro-batches. A new one ends the transaction of the one before.

    `ends` is how far requests are answered: from the last marker, or from the loops' group where
    that is further. Raises AwayError where the brokers do not answer.
    """

    def __init__(self, brokers: Brokers, settings: StreamSettings, topics: StreamTopics) -> None:
        self._brokers = brokers
        self._settings = settings
        self._topics = topics
        self.failure: MarqueeError | None = None
        """Why a batch was not written, which ends the session."""
        self._producer = brokers.producer(
            transactional_id=f"{settings.group}-spark", transaction_timeout_ms=TRANSACTION_MS
        )
        with brokers.errors("answers cannot be written"):
            # Before the marker is read: what a forerunner left open must be ended.
            begin_transactions(self._producer)
            self._group = brokers.consumer(group_id=settings.group)
            topics.require_alone()
            self.is_anew = topics.look()
            """Whether the topic of requests is another one than that of the last answers."""
            self.last = self._last_marker()
            self.ends = self._answered()

    def close(self) -> None:
        """End the connections."""
        close(self._group)

    def is_new(self, partition: int, offset: int) -> bool:
        """Whether a request is not answered yet."""
        return offset >= self.ends.get(partition, 0)

    def write(
        self, query: str, batch: int, outcomes: Iterable[tuple[int, int, Answer | Refused]]
    ) -> list[Answer | Refused]:
        """Write what is new of a batch, each with its partition and offset; in one transaction.

        Returns what was written. Raises AwayError, and nothing counts as written, where that failed
        or nobody knows; then a new `MarkedAnswers` finds out.
        """
        new = sorted((o for o in outcomes if self.is_new(o[0], o[1])), key=lambda one: one[:2])
        if not new:
            return []
        ends = self.ends | {part: at + 1 for part, at, _ in new}
        marker = Marker(query, batch, ends, self._topics.id)
        what = "answers cannot be written"
        with self._brokers.errors(what), transaction(self._producer) as put:
            self._produce(put, new, marker)
        self.last, self.ends = marker, marker.ends
        return [outcome for _, _, outcome in new]

    def _produce(
        self, put: Put, new: list[tuple[int, int, Answer | Refused]], marker: Marker
    ) -> None:
        settings, producer = self._settings, self._producer
        for part, offset, outcome in new:
            produce(put, settings, outcome, (settings.requests, part, offset))
        key = settings.requests.encode()
        put(settings.markers, marker.to_json(), key, partition=PARTITION)
        self._topics.check()  # behind the reading: of which topic were the requests?
        group = bounded(self._group.consumer_group_metadata)
        put_offsets(producer, _positions(settings.requests, marker.ends, marker.topic), group)
        # A loop that joined before this look is seen; one that joins later waits for these offsets.
        self._topics.require_alone()

    def _answered(self) -> Ends:
        """By partition, how far requests are answered; at least where the topic begins."""
        topic = self._settings.requests
        bounds = self._topics.bounds(self._group, topic)
        where = _positions(topic, dict.fromkeys(bounds, 0))
        committed = self._group.committed(where, SECONDS_TO_ANSWER)
        ends = {found.partition: self._end(found) for found in committed}
        for part, bound in bounds.items():
            if ends[part] > bound.end:
                log.warning("%s/%d ends before offset %d: it is read anew", topic, part, ends[part])
            elif 0 < ends[part] < bound.earliest:
                lost = bound.earliest - ends[part]
                log.error("%d requests of %s/%d expired unanswered", lost, topic, part)
            if not bound.earliest <= ends[part] <= bound.end:
                ends[part] = bound.earliest
        return ends

    def _end(self, group: TopicPartition) -> int:
        """How far one partition is answered, by the group's offset and by the marker."""
        present, marker, found = self._topics.is_present, self.last, [0]
        if present(group.metadata):
            found.append(group.offset)
        else:
            self.is_anew = True
        if marker is not None and not present(marker.topic):
            self.is_anew = True
        # A marker without an id is older than an offset that has one.
        elif marker is not None and (marker.topic or not group.metadata):
            found.append(marker.ends.get(group.partition, 0))
        return max(found)

    def _last_marker(self) -> Marker | None:
        """The last marker of the topic of requests; None before the first."""
        consumer = self._brokers.consumer(enable_partition_eof=True)
        try:
            bounds = self._topics.bounds(consumer, self._settings.markers)
            if not bounds:
                raise AwayError(
                    f"topic {self._settings.markers} is being made", "it is tried again"
                )
            consumer.assign(
                _positions(self._settings.markers, {PARTITION: bounds[PARTITION].earliest})
            )
            return self._read(consumer)
        finally:
            close(consumer)

    def _read(self, consumer: Consumer) -> Marker | None:
        found: Marker | None = None
        while True:
            message = consumer.poll(SECONDS_TO_ANSWER)
            if message is None:
                return self._nothing_comes()
            if (error := message.error()) is not None:
                if error.name() == "_PARTITION_EOF":
                    return found
                raise self._brokers.error(error, "markers cannot be read")
            if message.key() == self._settings.requests.encode():
                try:
                    found = Marker.from_json(message.value() or b"")
                except (ValueError, TypeError, LookupError, AttributeError):
                    where = f"{self._settings.markers}, offset {message.offset()}"
                    log.warning("topic %s: a marker that is none of ours is left out", where)

    def _nothing_comes(self) -> Marker | None:
        from confluent_kafka import KafkaError

        raise self._brokers.error(KafkaError(KafkaError._TIMED_OUT), "markers cannot be read")


def query_id(folder: Path) -> str:
    """The id of a query, which Spark keeps in its checkpoint."""
    return str(json.loads((folder / "metadata").read_text("utf-8"))["id"])


def starting_offsets(topic: str, ends: Mapping[int, int]) -> str:
    """Where a query without a checkpoint begins, as Spark's source of topics wants it."""
    return json.dumps({topic: {str(part): end for part, end in sorted(ends.items())}})


def _positions(topic: str, ends: Mapping[int, int], topic_id: str = "") -> list[TopicPartition]:
    from confluent_kafka import TopicPartition

    return [TopicPartition(topic, part, end, topic_id) for part, end in sorted(ends.items())]
