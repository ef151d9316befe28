"""The plain loop: consume requests, answer them, produce the answers, in transactions of Kafka.

A transaction holds the answers of up to a batch of requests and the offsets of these requests. So a
reader of committed messages sees one answer to each request, whenever the loop, or a broker, dies:
what was not committed is answered again, and was never seen. One pair of champions answers a batch.

A loop has a name among those of its group (`group.instance.id`, with the classic protocol): started
again under its name it goes on at once, and a transaction that its forerunner left open is ended.
It is given back the partitions that it had, whatever the topic has now; so the name that the group
knows ends in the number of partitions, and another number makes another member of it.
Any trouble with Kafka ends the *session*; the next one begins where the last transaction ended.

Each transaction asks, after its requests were read, whether their topic is still the same: what was
read of a topic that was made anew is not committed as of the one before (`streams.sessions`).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

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
from marquee.errors import AwayError, SettingsError
from streams.messages import Answer, Answerer, Refused, refusal_headers
from streams.sessions import (
    SECONDS_BETWEEN_CHECKS,
    MadeAnewError,
    Progress,
    StreamTopics,
    run_sessions,
)

if TYPE_CHECKING:
    from confluent_kafka import Consumer, Message, Producer, TopicPartition

SECONDS_TO_POLL = 0.2
"""How long one look for requests waits; a loop that is stopped ends after it."""
METADATA_MS = 5_000
"""How often the library asks for the topic's partitions: those that are added are read too."""
TRANSACTION_MS = 30_000
"""The brokers end a transaction that its loop has left open for so long."""
BACKOFF_MS = 5
"""Brokers refuse a transaction while they end the one before; of the library's 100 ms that is most
of the time between two."""
SESSION_MS = 10_000
"""After so long without a sign of life, the others of the group take over its partitions."""
log = logging.getLogger("marquee.streams")


class StreamLoop:
    """One loop. `name` is its own among those of the group, and stays over restarts."""

    def __init__(
        self, brokers: Brokers, settings: StreamSettings, answerer: Answerer, name: str
    ) -> None:
        self.progress = Progress()
        self._brokers = brokers
        self._settings = settings
        self._answerer = answerer
        self._name = name
        self._topics = StreamTopics(brokers, settings)
        self._group: Any = None
        self._is_given_anew = False
        self._failure: Exception | None = None
        """Why the partitions that were given cannot be read."""
        self._begun: dict[int, int] = {}
        """By partition, where we begin: the group had no offset there, or one of another topic."""

    def run(self, stop: threading.Event) -> None:
        """Answer until `stop` is set; where Kafka is away, say so once and wait for it.

        Raises SettingsError for wrong credentials, and where another loop has our name.
        """
        twin = f"another loop runs as '{self._name}' in the group {self._settings.group}"
        remedy = "give each loop a name of its own: --name"
        run_sessions(self._session, self.progress, stop, SettingsError(twin, remedy))

    def _session(self, stop: threading.Event) -> None:
        self._topics.ensure()
        self._look()
        with (
            self._brokers.errors("requests cannot be answered"),
            self._clients() as (consumer, producer),
        ):
            self.progress.sessions += 1
            looked = time.monotonic()
            while not stop.is_set():
                if messages := self._next(consumer):
                    self._answer(consumer, producer, messages)
                elif time.monotonic() < looked + SECONDS_BETWEEN_CHECKS:
                    continue
                else:  # nothing comes: nobody asks, the brokers are away, or the topic is another?
                    self._topics.check()
                looked = time.monotonic()
                self.progress.report("")
                self._measure(consumer)

    @contextmanager
    def _clients(self) -> Iterator[tuple[Consumer, Producer]]:
        group, name = self._settings.group, self._name
        self._group = self._failure = None
        producer = self._brokers.producer(
            transactional_id=f"{group}-{name}",
            transaction_timeout_ms=TRANSACTION_MS,
            linger_ms=0,
            retry_backoff_ms=BACKOFF_MS,
        )
        # First the producer: what a forerunner left open must be ended before offsets are read.
        begin_transactions(producer)
        consumer = self._brokers.consumer(
            group_id=group,
            group_instance_id=f"{name}-{self._topics.partitions()}",
            group_protocol="classic",
            session_timeout_ms=SESSION_MS,
            heartbeat_interval_ms=SESSION_MS // 5,
            auto_offset_reset="earliest",
            enable_partition_eof=False,
            fetch_wait_max_ms=50,
            topic_metadata_refresh_interval_ms=METADATA_MS,
        )
        try:
            consumer.subscribe([self._settings.requests], on_assign=self._on_assign)
            yield consumer, producer
        finally:
            close(consumer)

    def _next(self, consumer: Consumer) -> list[Message]:
        """Up to a batch of requests: waits for the first, and takes what lies ready behind it.

        Raises AwayError where partitions are given anew between the two: somebody else may answer
        the first, and its offset may be one of another topic.
        """
        first, self._is_given_anew = consumer.poll(SECONDS_TO_POLL), False
        behind = self._settings.batch - 1
        found = [] if first is None else [first, *consumer.consume(behind, timeout=0)]
        if self._failure is not None:
            raise self._failure
        if self._is_given_anew:
            raise AwayError("partitions were given anew", "requests are read again from there")
        for message in found:
            if (error := message.error()) is not None:
                raise self._brokers.error(error, "requests cannot be read")
        return found

    def _answer(self, consumer: Consumer, producer: Producer, messages: list[Message]) -> None:
        """One transaction: all the answers and the offsets behind the requests, or nothing."""
        asked = self._topics.ask()
        outcomes = self._answerer.answers(message.value() for message in messages)
        with transaction(producer) as put:
            for message, outcome in zip(messages, outcomes, strict=True):
                produce(put, self._settings, outcome, _place(message))
            self._topics.check(asked)
            put_offsets(producer, self._behind(messages), self._group_of(consumer))
        self._begun = {}
        self.progress.count(outcomes)

    def _behind(self, messages: list[Message]) -> list[TopicPartition]:
        """By partition, the offset behind the last message, with the id of the topic."""
        from confluent_kafka import TopicPartition

        ends = self._begun | {part: at + 1 for _, part, at in map(_place, messages)}
        topic, topic_id = self._settings.requests, self._topics.id
        return [TopicPartition(topic, part, at, topic_id) for part, at in ends.items()]

    def _group_of(self, consumer: Consumer) -> Any:
        """What a transaction says of the group; it stays until partitions are given anew."""
        if self._group is None:
            self._group = bounded(consumer.consumer_group_metadata)
        return self._group

    def _look(self) -> None:
        """Find out which topic is read from now on; say so where it is another than before."""
        if self._topics.look():
            self.progress.report(str(MadeAnewError(self._settings.requests)))

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Begin with the partitions that are given; `_next` raises what goes wrong here.

        What the library passes on of an error in its callback is nothing that Python can catch.
        """
        self._is_given_anew = True
        try:
            self._begin(consumer, partitions)
        except Exception as error:
            self._failure = error

    def _begin(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Begin where the group stands; say so where the topic does not have that place."""
        self._look()
        found = {p.partition: p for p in consumer.committed(partitions, SECONDS_TO_ANSWER)}
        if not all(self._topics.is_present(one.metadata) for one in found.values()):
            self.progress.report(str(MadeAnewError(self._settings.requests)))
        elif self.progress.sessions == 1 and found and max(p.offset for p in found.values()) < 0:
            group, topic = self._settings.group, self._settings.requests
            log.info("group %s has no offsets of %s: it is read from its beginning", group, topic)
        self._begun, self._group, self.progress.lag = {}, None, {}
        for ours in partitions:
            self._begin_partition(consumer, ours, found[ours.partition])
        consumer.assign(partitions)

    def _begin_partition(
        self, consumer: Consumer, ours: TopicPartition, group: TopicPartition
    ) -> None:
        """Let one partition begin at the group's offset, or where the topic begins."""
        low, high = consumer.get_watermark_offsets(ours, SECONDS_TO_ANSWER)
        where = f"{ours.topic}/{ours.partition}"
        is_known = group.offset >= 0 and self._topics.is_present(group.metadata)
        if is_known and group.offset > high:
            log.warning("%s ends before offset %d: it is read anew", where, group.offset)
        elif is_known and group.offset < low:
            log.error("%d requests of %s expired unanswered", low - group.offset, where)
        if is_known and low <= group.offset <= high:
            ours.offset = group.offset
        else:
            ours.offset = self._begun[ours.partition] = low

    def _measure(self, consumer: Consumer) -> None:
        """Count what waits, from what the last fetch told: it asks the brokers nothing."""
        for part in consumer.position(consumer.assignment()):
            _, high = consumer.get_watermark_offsets(part, cached=True)
            known = part.offset >= 0 and high >= 0
            self.progress.lag[part.partition] = max(0, high - part.offset) if known else 0


def produce(
    put: Put,
    settings: StreamSettings,
    outcome: Answer | Refused,
    place: tuple[str, int, int],
) -> None:
    """Put an answer, or a refused message of `place` (topic, partition, offset), on its topic."""
    if isinstance(outcome, Answer):
        put(settings.answers, outcome.value, outcome.id.encode())
    else:
        headers = refusal_headers(outcome, place)
        put(settings.refused, outcome.value, None, headers=headers)


def _place(message: Message) -> tuple[str, int, int]:
    """Where a request lies: topic, partition, offset."""
    return str(message.topic()), int(message.partition() or 0), int(message.offset() or 0)
