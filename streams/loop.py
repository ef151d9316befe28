"""The plain loop: consume requests, answer them, produce the answers, in transactions of Kafka.

A transaction holds the answers of up to a batch of requests and the offsets of these requests. So a
reader of committed messages sees one answer to each request, whenever the loop, or a broker, dies:
what was not committed is answered again, and was never seen. One pair of champions answers a batch.

A loop has a name among those of its group (`group.instance.id`, with the classic protocol): started
again under its name it goes on at once, and a transaction that its forerunner left open is ended.
Any trouble with Kafka ends the *session*; the next one begins where the last transaction ended.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from broker.bounded_calls import begin_transactions, bounded, close, put, put_offsets, transaction
from broker.client import SECONDS_TO_ANSWER, Brokers, Topic
from marquee.errors import AwayError, SettingsError
from marquee.stream_settings import StreamSettings
from streams.messages import Answer, Answerer, Refused, refusal_headers

if TYPE_CHECKING:
    from confluent_kafka import Consumer, Message, Producer, TopicPartition

SECONDS_BETWEEN_SESSIONS = 1.0
"""Pause before a new session, where the last one ended with an error."""
SECONDS_TO_POLL = 0.2
"""How long one look for requests waits; a loop that is stopped ends after it."""
SECONDS_WITHOUT_SIGN = 5.0
"""After so long without a request, the brokers are asked whether they are there."""
TRANSACTION_MS = 30_000
"""The brokers end a transaction that its loop has left open for so long."""
SESSION_MS = 10_000
"""After so long without a sign of life, the others of the group take over its partitions."""
FENCED = "Static consumer fenced"
"""How the library words that another consumer has taken the name; the error's name is `_FATAL`."""
log = logging.getLogger("marquee.streams")


@dataclass
class Progress:
    """What a loop has done since its start, and what waits."""

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


def ensure_topics(brokers: Brokers, settings: StreamSettings) -> None:
    """Make the topics of the streams that are missing."""
    days = {"retention.ms": str(settings.retention_days * 86_400_000)}
    names = (settings.requests, settings.answers)
    topics = [Topic(name, settings.partitions, settings.copies, days) for name in names]
    # A refused message of a megabyte, and its reason, must fit.
    topics.append(Topic(settings.refused, 1, settings.copies, days))
    kept = {"cleanup.policy": "compact"}
    topics.append(Topic(settings.markers, 1, settings.copies, kept))
    brokers.ensure_topics(topics)


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
        self._group: Any = None

    def run(self, stop: threading.Event) -> None:
        """Answer until `stop` is set; where Kafka is away, say so once and wait for it.

        Raises SettingsError for wrong credentials, and where another loop has taken the name.
        """
        while not stop.is_set():
            try:
                self._session(stop)
            except AwayError as error:
                self._report(str(error))
                stop.wait(SECONDS_BETWEEN_SESSIONS)

    def _session(self, stop: threading.Event) -> None:
        ensure_topics(self._brokers, self._settings)
        with self._errors("requests cannot be answered"), self._clients() as (consumer, producer):
            self.progress.sessions += 1
            looked = time.monotonic()
            while not stop.is_set():
                if messages := self._next(consumer):
                    self._answer(consumer, producer, messages)
                elif time.monotonic() < looked + SECONDS_WITHOUT_SIGN:
                    continue
                else:  # nothing comes: because nobody asks, or because the brokers are away?
                    consumer.list_topics(self._settings.requests, SECONDS_TO_ANSWER)
                looked = time.monotonic()
                self._report("")
                self._measure(consumer)

    @contextmanager
    def _clients(self) -> Iterator[tuple[Consumer, Producer]]:
        group, name = self._settings.group, self._name
        self._group = None
        producer = self._brokers.producer(
            transactional_id=f"{group}-{name}", transaction_timeout_ms=TRANSACTION_MS, linger_ms=0
        )
        # First the producer: what a forerunner left open must be ended before offsets are read.
        begin_transactions(producer)
        consumer = self._brokers.consumer(
            group_id=group,
            group_instance_id=name,
            group_protocol="classic",
            session_timeout_ms=SESSION_MS,
            heartbeat_interval_ms=SESSION_MS // 5,
            auto_offset_reset="earliest",
            enable_partition_eof=False,
            fetch_wait_max_ms=50,
        )
        try:
            consumer.subscribe([self._settings.requests], on_assign=self._begin)
            yield consumer, producer
        finally:
            close(consumer)

    def _next(self, consumer: Consumer) -> list[Message]:
        """Up to a batch of requests: waits for the first, and takes what lies ready behind it."""
        first = consumer.poll(SECONDS_TO_POLL)
        if first is None:
            return []
        found = [first, *consumer.consume(self._settings.batch - 1, timeout=0)]
        for message in found:
            if (error := message.error()) is not None:
                raise self._error(error)
        return found

    def _answer(self, consumer: Consumer, producer: Producer, messages: list[Message]) -> None:
        """One transaction: all the answers and the offsets behind the requests, or nothing."""
        outcomes = self._answerer.answers(message.value() for message in messages)
        with transaction(producer):
            for message, outcome in zip(messages, outcomes, strict=True):
                produce(producer, self._settings, outcome, _place(message))
            put_offsets(producer, _behind(messages), self._group_of(consumer))
        self.progress.count(outcomes)

    def _group_of(self, consumer: Consumer) -> Any:
        """What a transaction says of the group; it stays until partitions are given anew."""
        if self._group is None:
            self._group = bounded(consumer.consumer_group_metadata)
        return self._group

    def _begin(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Begin where the group stands; say so where the topic no longer has that place."""
        for part in consumer.committed(partitions, SECONDS_TO_ANSWER):
            low, high = consumer.get_watermark_offsets(part, SECONDS_TO_ANSWER)
            where = f"{part.topic}/{part.partition}"
            if part.offset > high:
                log.warning("%s was made anew: it is read from its beginning", where)
            elif 0 <= part.offset < low:
                log.error("%d requests of %s expired unanswered", low - part.offset, where)
            ours = next(one for one in partitions if one.partition == part.partition)
            ours.offset = part.offset if low <= part.offset <= high else low
        self._group = None
        consumer.assign(partitions)

    def _measure(self, consumer: Consumer) -> None:
        """Count what waits, from what the last fetch told: it asks the brokers nothing."""
        for part in consumer.position(consumer.assignment()):
            _, high = consumer.get_watermark_offsets(part, cached=True)
            known = part.offset >= 0 and high >= 0
            self.progress.lag[part.partition] = max(0, high - part.offset) if known else 0

    @contextmanager
    def _errors(self, what: str) -> Iterator[None]:
        from confluent_kafka import KafkaException

        try:
            yield
        except KafkaException as error:
            raise self._error(error.args[0], what) from None

    def _error(self, error: Any, what: str = "requests cannot be read") -> Exception:
        if error.name() == "FENCED_INSTANCE_ID" or FENCED in error.str():
            return SettingsError(
                f"another loop has taken the name '{self._name}' in the group "
                f"{self._settings.group}",
                "give each loop a name of its own: --name",
            )
        return self._brokers.error(error, what)

    def _report(self, failure: str) -> None:
        if failure != self.progress.failure:
            log.warning("%s", failure) if failure else log.info("Kafka answers; requests go on")
        self.progress.failure = failure


def produce(
    producer: Producer,
    settings: StreamSettings,
    outcome: Answer | Refused,
    place: tuple[str, int, int],
) -> None:
    """Put an answer, or a refused message of `place` (topic, partition, offset), on its topic."""
    if isinstance(outcome, Answer):
        put(producer, settings.answers, outcome.value, outcome.id.encode())
    else:
        headers = refusal_headers(outcome, place)
        put(producer, settings.refused, outcome.value, None, headers=headers)


def _behind(messages: list[Message]) -> list[TopicPartition]:
    """By partition, the offset behind the last message."""
    from confluent_kafka import TopicPartition

    ends = {(topic, part): offset + 1 for topic, part, offset in map(_place, messages)}
    return [TopicPartition(topic, part, offset) for (topic, part), offset in ends.items()]


def _place(message: Message) -> tuple[str, int, int]:
    """Where a request lies: topic, partition, offset."""
    return str(message.topic()), int(message.partition() or 0), int(message.offset() or 0)
