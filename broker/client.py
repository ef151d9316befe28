"""The brokers of a place: producers and consumers with our defaults, topics, and clear errors.

`Brokers.of` reads `[kafka]`; user name and password are in the environment alone. The client
library is optional and imported on first use (`make setup-kafka`). An outage is an AwayError; wrong
credentials, a missing library or an unknown topic are SettingsErrors.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from marquee.daemon_settings import KAFKA_PASSWORD, KAFKA_USERNAME, KafkaSettings
from marquee.errors import AwayError, MarqueeError, SettingsError
from marquee.host_checks import Finding
from marquee.settings import Settings

if TYPE_CHECKING:
    from confluent_kafka import Consumer, KafkaError, Producer

SECONDS_TO_ANSWER = 10.0
"""How long one question to the brokers may take."""
LONGEST_MESSAGE = 2 * 1024 * 1024
"""Bytes of a message: a refused one of a megabyte, with its reason, must fit."""
NO_GROUP = "marquee"
"""The library wants the name of a group, also of a consumer that joins none."""
REFUSALS = (
    "_AUTHENTICATION",
    "SASL_AUTHENTICATION_FAILED",
    "UNSUPPORTED_SASL_MECHANISM",
    "TOPIC_AUTHORIZATION_FAILED",
    "GROUP_AUTHORIZATION_FAILED",
    "CLUSTER_AUTHORIZATION_FAILED",
    "TRANSACTIONAL_ID_AUTHORIZATION_FAILED",
    "_SSL",
)
"""Names of errors that credentials or certificates cause; a retry fails again."""


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
        self._refusal = ""
        """The last refusal of our credentials: calls report only that they waited too long."""

    @classmethod
    def of(cls, settings: Settings) -> Brokers:
        """Those of `[kafka]`; SettingsError where it names none, or credentials are missing."""
        if not settings.kafka_bootstrap:
            raise SettingsError("this place has no Kafka", "set [kafka] bootstrap or embedded")
        return cls(settings.kafka_bootstrap, _security(settings.kafka))

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

    def ensure_topics(self, topics: Iterable[Topic]) -> None:
        """Make the topics that are missing; those that are there stay as they are."""
        kafka, wanted = _library(), list(topics)
        with self.errors("topics cannot be made"):
            admin = kafka.admin.AdminClient(self._configuration({}, {}))
            missing = {t.name for t in wanted} - set(self._names(admin))
            new = [
                kafka.admin.NewTopic(t.name, t.partitions, t.copies or -1, config=dict(t.values))
                for t in wanted
                if t.name in missing
            ]
            made = admin.create_topics(new, request_timeout=SECONDS_TO_ANSWER) if new else {}
            for future in made.values():
                try:
                    future.result()
                except kafka.KafkaException as error:
                    if error.args[0].name() != "TOPIC_ALREADY_EXISTS":
                        raise

    def offsets(self, consumer: Consumer, topic: str) -> dict[int, Offsets]:
        """By partition of a topic, which messages the brokers have.

        Raises SettingsError for a topic that they do not have.
        """
        kafka = _library()
        with self.errors(f"topic {topic} cannot be read"):
            found = consumer.list_topics(topic, timeout=SECONDS_TO_ANSWER).topics[topic]
            if found.error is not None and found.error.name() == "UNKNOWN_TOPIC_OR_PART":
                raise SettingsError(
                    f"Kafka at {self.bootstrap} has no topic {topic}",
                    "make it, or correct its name in [kafka]",
                )
            if found.error is not None:
                raise kafka.KafkaException(found.error)
            parts = [kafka.TopicPartition(topic, number) for number in sorted(found.partitions)]
            bounds = [
                consumer.get_watermark_offsets(part, timeout=SECONDS_TO_ANSWER) for part in parts
            ]
        return {part.partition: Offsets(*bound) for part, bound in zip(parts, bounds, strict=True)}

    def admin(self) -> Any:
        """A client that asks about topics; who asks often keeps one."""
        return _library().admin.AdminClient(self._configuration({}, {}))

    def topic_id(self, topic: str, admin: Any = None) -> str:
        """What a topic that is made anew has another of; "" where we may not ask."""
        kafka = _library()
        with self.errors(f"topic {topic} cannot be read"):
            client = self.admin() if admin is None else admin
            asked = client.describe_topics(
                kafka.TopicCollection([topic]), request_timeout=SECONDS_TO_ANSWER
            )
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
            found = consumer.consume(most, SECONDS_TO_ANSWER)
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

    def why_away(self) -> str:
        """Why the brokers cannot be used at this moment; empty if they answer."""
        try:
            library = _library()
            with self.errors("it does not answer"):
                library.Consumer(self._configuration({"group.id": NO_GROUP}, {})).list_topics(
                    timeout=SECONDS_TO_ANSWER
                )
        except MarqueeError as error:
            return str(error)
        return ""

    @contextmanager
    def errors(self, what: str) -> Iterator[None]:
        """Turn the library's errors into ours; `what` says what could not be done."""
        kafka = _library()
        try:
            yield
        except kafka.KafkaException as error:
            raise self.error(error.args[0], what) from None

    def error(self, error: KafkaError, what: str) -> MarqueeError:
        """Our error for one of the library's; `what` says what could not be done."""
        text = f"{what}: {(error.str() or error.name()).strip()} (Kafka at {self.bootstrap})"
        if error.name() == "_INVALID_ARG":
            return SettingsError(text, "correct [kafka]")
        if error.name() in REFUSALS or self._refusal:
            reason = self._refusal or error.str()
            return SettingsError(
                f"{what}: Kafka at {self.bootstrap} refuses us: {reason}",
                f"correct [kafka] security and mechanism, or {KAFKA_USERNAME} and {KAFKA_PASSWORD}",
            )
        return AwayError(text, "start Kafka, or correct [kafka] bootstrap; it is asked again")

    def _configuration(self, ours: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "client.id": "marquee",
            "reconnect.backoff.max.ms": 2000,
            "log_level": 2,  # an outage is said once, by us
            "error_cb": self._note,
            **self._values,
            **ours,
            **{name.replace("_", "."): value for name, value in given.items()},
        }

    def _note(self, error: KafkaError) -> None:
        if error.name() in REFUSALS:
            self._refusal = error.str()

    @staticmethod
    def _names(admin: Any) -> list[str]:
        return list(admin.list_topics(timeout=SECONDS_TO_ANSWER).topics)


def check_brokers(settings: Settings) -> Iterator[Finding]:
    """Whether the brokers that `[kafka] bootstrap` names answer, where it names some."""
    if not settings.kafka.bootstrap:
        return
    try:
        why = Brokers.of(settings).why_away()
    except MarqueeError as error:
        why = str(error)
    yield Finding("Kafka", not why, why or f"it answers at {settings.kafka.bootstrap}")


def _security(settings: KafkaSettings) -> dict[str, str]:
    found: dict[str, str] = {"security.protocol": settings.security}
    if settings.ca_file:
        found["ssl.ca.location"] = settings.ca_file
    if not settings.security.startswith("sasl"):
        return found
    user, password = os.environ.get(KAFKA_USERNAME), os.environ.get(KAFKA_PASSWORD)
    if not user or not password:
        raise SettingsError(
            f"[kafka] security is {settings.security}, and {KAFKA_USERNAME} or {KAFKA_PASSWORD} is "
            "not set",
            "set both in the environment of serving and of Airflow",
        )
    return {
        **found,
        "sasl.mechanism": settings.mechanism,
        "sasl.username": user,
        "sasl.password": password,
    }


def _library() -> Any:
    try:
        import confluent_kafka.admin
    except ImportError:
        raise SettingsError("the client of Kafka is not installed", "make setup-kafka") from None
    return confluent_kafka
