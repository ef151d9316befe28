"""The brokers of a place: producers and consumers with our defaults, topics, and clear errors.

`Brokers.of` reads `[kafka]`; name and password are in the environment or in Airflow's connection.
The client library is optional and imported on first use (`make setup-kafka`). An outage is an
AwayError; wrong credentials, a missing library or an unknown topic are SettingsErrors.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from broker.client_errors import REFUSALS, our_error
from marquee.errors import AwayError, MarqueeError, SettingsError
from marquee.host_checks import Finding
from marquee.process_secrets import kafka_security
from marquee.settings import Settings

if TYPE_CHECKING:
    from confluent_kafka import Consumer, KafkaError, Producer

LIBRARY_LOG = logging.getLogger("marquee.kafka.library")
LIBRARY_LOG.addHandler(logging.NullHandler())
LIBRARY_LOG.propagate = False
SECONDS_TO_ANSWER = 10.0
"""How long one question to the brokers may take."""
LONGEST_MESSAGE = 2 * 1024 * 1024
"""Bytes of a message: a refused one of a megabyte, with its reason, must fit."""
SECONDS_TO_SETTLE = 3.0
"""How long a broker may not know a topic that was made a moment ago, or who leads it."""
UNSETTLED = ("UNKNOWN_TOPIC_OR_PART", "LEADER_NOT_AVAILABLE", "NOT_LEADER_FOR_PARTITION")
NO_GROUP = "marquee"
"""The library wants the name of a group, also of a consumer that joins none."""
SILENCE = ("_TRANSPORT", "_TIMED_OUT", "_MSG_TIMED_OUT", "_ALL_BROKERS_DOWN")
"""Names of errors that say no more than that nothing came; `Brokers.why_silent` asks why."""


@dataclass(frozen=True)
class Topic:
    """A topic that we make where it is missing."""

    name: str
    partitions: int = 1
    copies: int = 0
    """0: the brokers' default."""
    values: Mapping[str, str] = field(default_factory=dict)
    """Its own settings, in Kafka's words, such as `retention.ms`."""


@dataclass(frozen=True)
class Offsets:
    """The offsets of one partition: the earliest message kept, and the one that comes next."""

    earliest: int
    end: int


class Brokers:
    """The brokers of one place. It holds no connection; each client that it makes has its own."""

    def __init__(self, bootstrap: str, values: Mapping[str, Any] | None = None) -> None:
        self.bootstrap = bootstrap
        self._values = {"bootstrap.servers": bootstrap, **(values or {})}

    @classmethod
    def of(cls, settings: Settings, login: Callable[[], Mapping[str, str]] = dict) -> Brokers:
        """Those of `[kafka]`; SettingsError where it names none, or credentials are missing.

        `login` is asked only where there is SASL: variables that come before the environment's.
        """
        if not settings.kafka_bootstrap:
            raise SettingsError("this place has no Kafka", "set [kafka] bootstrap or embedded")
        given = os.environ | dict(login() if settings.kafka.security.startswith("sasl") else {})
        return cls(settings.kafka_bootstrap, kafka_security(settings.kafka, given))

    def producer(self, **values: Any) -> Producer:
        """An idempotent producer whose messages every copy has; `values` override, in the library's
        words with `_` for `.`."""
        ours = {
            "enable.idempotence": True,
            "linger.ms": 5,
            "delivery.timeout.ms": int(SECONDS_TO_ANSWER * 1000),
            "message.max.bytes": LONGEST_MESSAGE,
        }
        with self.errors("no producer can be made"):
            made: Producer = _library().Producer(self._configuration(ours, values))
        return made

    def consumer(self, **values: Any) -> Consumer:
        """A consumer that commits nothing by itself, and sees only committed messages.

        An offset that the brokers do not have is an error, and no reason to begin elsewhere.
        """
        ours = {
            "group.id": NO_GROUP,
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "error",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "fetch.message.max.bytes": LONGEST_MESSAGE,
        }
        with self.errors("no consumer can be made"):
            made: Consumer = _library().Consumer(self._configuration(ours, values))
        return made

    def ensure_topics(self, topics: Iterable[Topic]) -> list[str]:
        """Make the topics that are missing, and return their names; the others stay as they are."""
        kafka, wanted = _library(), list(topics)
        with self.errors(f"topic {' or '.join(one.name for one in wanted)} cannot be made"):
            admin = self.admin()
            there = admin.list_topics(timeout=SECONDS_TO_ANSWER).topics
            new = [
                kafka.admin.NewTopic(t.name, t.partitions, t.copies or -1, config=dict(t.values))
                for t in wanted
                if t.name not in there
            ]
            made = admin.create_topics(new, request_timeout=SECONDS_TO_ANSWER) if new else {}
            for future in made.values():
                try:
                    future.result()
                except kafka.KafkaException as error:
                    if error.args[0].name() != "TOPIC_ALREADY_EXISTS":
                        raise
            return list(made)

    def offsets(self, consumer: Consumer, topic: str) -> dict[int, Offsets]:
        """By partition of a topic, which messages the brokers have.

        Raises SettingsError for a topic that they do not have.
        """
        kafka, until = _library(), time.monotonic() + SECONDS_TO_SETTLE
        with self.errors(f"topic {topic} cannot be read"):
            while True:
                try:
                    return _offsets(consumer, topic)
                except kafka.KafkaException as error:
                    name = error.args[0].name()
                    if name not in UNSETTLED or time.monotonic() > until:
                        if name != "UNKNOWN_TOPIC_OR_PART":
                            raise
                        what = f"Kafka at {self.bootstrap} has no topic {topic}"
                        raise SettingsError(what, "make it, or correct [kafka]") from None
                time.sleep(0.1)

    def admin(self) -> Any:
        """A client that asks about topics; who asks often keeps one."""
        return _library().admin.AdminClient(self._configuration({}, {}))

    def topic_id(self, topic: str, admin: Any = None) -> str:
        """What a topic that is made anew has another of; "" where we may not ask."""
        kafka = _library()
        with self.errors(f"topic {topic} cannot be read"):
            client = self.admin() if admin is None else admin  # a client at rest counts as false
            wanted = kafka.TopicCollection([topic])
            asked = client.describe_topics(wanted, request_timeout=SECONDS_TO_ANSWER)
            try:
                return str(asked[topic].result().topic_id)
            except kafka.KafkaException as error:
                if error.args[0].name() in ("UNKNOWN_TOPIC_OR_PART", "TOPIC_AUTHORIZATION_FAILED"):
                    return ""
                raise

    def read_from(self, consumer: Consumer, topic: str, offsets: Mapping[int, int]) -> None:
        """Let the consumer read the partitions of a topic from these offsets on."""
        kafka = _library()
        with self.errors(f"topic {topic} cannot be read"):
            consumer.assign([kafka.TopicPartition(topic, *pair) for pair in offsets.items()])

    def consume(self, consumer: Consumer, topic: str, most: int = 1000) -> list[Any]:
        """The next messages, and marks of ends of partitions (`error()` of a mark is not None).

        Raises AwayError where none comes in time.
        """
        what = f"topic {topic} cannot be read"
        with self.errors(what):
            # For `most` the library would wait all the time that it has; what is here is enough.
            found = consumer.consume(1, SECONDS_TO_ANSWER)
            found += consumer.consume(most - 1, 0) if found else []
        for error in filter(None, (one.error() for one in found)):
            if error.name() != "_PARTITION_EOF":
                raise self.error(error, what)
        if not found:
            raise AwayError(f"{what}: Kafka at {self.bootstrap} is silent", "look whether it runs")
        return found

    def until_end(self, consumer: Consumer, topic: str) -> Iterator[Any]:
        """The messages of the one partition that is read, up to its end."""
        while True:
            for one in self.consume(consumer, topic):
                if one.error() is not None:
                    return
                yield one

    def ask(self) -> None:
        """Raise the error why the brokers cannot be used at this moment, if they cannot."""
        with self.errors("it does not answer"):
            self.admin().list_topics(timeout=SECONDS_TO_ANSWER)

    @contextmanager
    def errors(self, what: str) -> Iterator[None]:
        """Turn the library's errors into ours; `what` says what could not be done."""
        try:
            yield
        except _library().KafkaException as error:
            raise self.error(error.args[0], what) from None

    def error(self, error: KafkaError, what: str) -> MarqueeError:
        """Our error for one of the library's; `what` says what could not be done."""
        if error.name() in SILENCE:
            error = self.why_silent() or error
        return our_error(error, what, self.bootstrap, self._values.get("sasl.username"))

    def why_silent(self) -> KafkaError | None:
        """The error of a new connection; None where the brokers answer it, or never do.

        The library tells a wrong password or certificate to `error_cb` alone; what a call raises is
        the time that it waited.
        """
        kafka, seen = _library(), list["KafkaError"]()
        asked = kafka.Producer(self._configuration({"error_cb": seen.append}, {}))
        until = time.monotonic() + SECONDS_TO_ANSWER
        while time.monotonic() < until:
            with suppress(kafka.KafkaException):
                asked.list_topics(timeout=0.3)
                return None
            asked.poll(0)
            if refusals := [error for error in seen if error.name() in REFUSALS]:
                return refusals[0]
            if any(error.name() == "_ALL_BROKERS_DOWN" for error in seen):
                break
        return next((error for error in seen if error.name() != "_ALL_BROKERS_DOWN"), None)

    def _configuration(self, ours: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "client.id": "marquee",
            "reconnect.backoff.max.ms": 2000,
            "logger": LIBRARY_LOG,  # an outage is said once, by us
            "error_cb": lambda _: None,  # what a call cannot tell, `why_silent` asks
            **self._values,
            **ours,
            **{name.replace("_", "."): value for name, value in given.items()},
        }


def check_brokers(settings: Settings) -> Iterator[Finding]:
    """Whether the brokers that `[kafka] bootstrap` names answer, where it names some."""
    if not settings.kafka.bootstrap:
        return
    try:
        Brokers.of(settings).ask()
    except MarqueeError as error:
        yield Finding("Kafka", False, error.message, error.remedy)
    else:
        yield Finding("Kafka", True, f"it answers at {settings.kafka.bootstrap}")


def _offsets(consumer: Consumer, topic: str) -> dict[int, Offsets]:
    kafka, wait = _library(), SECONDS_TO_ANSWER
    found = consumer.list_topics(topic, timeout=wait).topics[topic]
    if found.error is not None:
        raise kafka.KafkaException(found.error)
    parts = [kafka.TopicPartition(topic, number) for number in sorted(found.partitions)]
    bounds = [consumer.get_watermark_offsets(part, timeout=wait) for part in parts]
    return {part.partition: Offsets(*bound) for part, bound in zip(parts, bounds, strict=True)}


def _library() -> Any:
    try:
        import confluent_kafka.admin
    except ImportError:
        raise SettingsError("the client of Kafka is not installed", "make setup-kafka") from None
    return confluent_kafka
