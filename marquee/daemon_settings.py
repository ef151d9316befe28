"""The settings of the daemons of this machine: ports, jars, Kafka, its streams, and Spark Connect.

`marquee.settings` puts these sections into its tree.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from marquee.access_tokens import READ, SCOPE
from marquee.addresses import check_page, host_and_port
from marquee.errors import SettingsError
from marquee.place_settings import Section

KAFKA_USERNAME, KAFKA_PASSWORD = "MARQUEE_KAFKA_USERNAME", "MARQUEE_KAFKA_PASSWORD"
"""The variables with the credentials of SASL."""
KAFKA_CONNECTION = "marquee_kafka"
"""Airflow's connection with the same; where there is one, a run uses it."""
KAFKA_PORT = 9092
CONNECT_PROCESSES = ("connect-server", "connect-worker")
"""Of `Procfile`; the stack starts them where `[connect] embedded` says so."""
KAFKA = "kafka"
"""The name of the broker in `Procfile` and of its port."""
STREAM = "stream"
"""The name of the stream in `Procfile`."""
TopicName = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9._-]*[A-Za-z0-9_-][A-Za-z0-9._-]*$", max_length=249)
]


class KafkaSettings(Section):
    """Where Kafka is, and its topics. No file holds the user name and the password (`broker`)."""

    bootstrap: str
    embedded: bool
    security: Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"]
    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]
    ca_file: str
    feedback_topic: TopicName
    refused_topic: TopicName
    partitions: int = Field(ge=1, le=64)
    copies: int = Field(ge=0, le=7)
    retention_days: int = Field(ge=1, le=36_500)

    @field_validator("bootstrap")
    @classmethod
    def _addresses_are_whole(cls, value: str) -> str:
        for address in value.split(",") if value else ():
            host_and_port(address, KAFKA_PORT)
        return value

    @model_validator(mode="after")
    def _is_one_broker(self) -> KafkaSettings:
        if self.embedded and self.bootstrap:
            raise ValueError("with `embedded`, the stack's own broker is meant: empty `bootstrap`")
        if self.feedback_topic == self.refused_topic:
            raise ValueError("feedback_topic and refused_topic are one topic; name two")
        return self


class ConnectSettings(Section):
    """Whether the stack runs a Spark Connect server and our worker, or where they run."""

    embedded: bool
    host: str
    worker: str
    remote: str
    memory: str = Field(pattern=r"^\d+[mg]$")
    batch_rows: int = Field(ge=1, le=10_000_000)

    @model_validator(mode="after")
    def _one_worker(self) -> ConnectSettings:
        if self.embedded and (self.worker or self.remote):
            raise ValueError("worker and remote name processes elsewhere: leave embedded = false")
        if "@" in self.worker or "@" in self.remote:
            raise ValueError("worker and remote hold no login; MARQUEE_CONNECT_SECRET does")
        if self.worker:
            check_page(self.worker)
        return self

    @property
    def processes(self) -> tuple[str, ...]:
        """What the stack starts for it."""
        return CONNECT_PROCESSES if self.embedded else ()

    def worker_at(self, port: int) -> str:
        """The worker's address, by default on this machine at `port`; "" where there is none."""
        return f"http://127.0.0.1:{port}" if self.embedded else self.worker

    def remote_at(self, port: int) -> str:
        """The server's address, by default on this machine at `port`.

        With a token pyspark speaks to `localhost` alone, never to 127.0.0.1.
        """
        return self.remote or f"sc://localhost:{port}"


class PortSettings(Section):
    """Ports of the local stack, all on loopback."""

    airflow: int
    serving: int
    replica: int
    namenode: int
    namenode_http: int
    datanode: int
    datanode_http: int
    datanode_ipc: int
    kafka: int
    kafka_controller: int
    connect_server: int
    connect_worker: int


class StackSettings(Section):
    """The processes that `marquee up` starts on this machine."""

    processes: tuple[str, ...] = Field(min_length=1)
    port_offset: int
    ready_seconds: int
    memory_mb: int
    disk_mb: int
    ports: PortSettings

    def port(self, name: str) -> int:
        """The port of one process of the stack, with the offset added."""
        return int(getattr(self.ports, name)) + self.port_offset

    def with_broker(self, kafka: KafkaSettings) -> StackSettings:
        """The same, with the broker among the processes where it is `embedded`."""
        if not kafka.embedded or KAFKA in self.processes:
            return self
        return self.model_copy(update={"processes": (*self.processes, KAFKA)})


class Artifact(Section):
    """One jar, by its coordinates and digest."""

    group: str
    name: str
    version: str
    sha256: str


class JarSettings(Section):
    """The jars that the local HDFS needs beside the jars of pyspark."""

    settings: str
    artifacts: tuple[Artifact, ...]


def _scope(text: str) -> str:
    if not SCOPE.fullmatch(text):
        raise ValueError(f"'{text}' is no scope: read, reports, rate:p-<name> or rate:*")
    return text


def check_loop_name(name: str) -> None:
    """Raise SettingsError for a name of a loop that Kafka would refuse in its group."""
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,100}", name):
        what = "a name of a loop is 1 to 100 letters, digits, '.', '_' or '-'"
        raise SettingsError(what, "give another --name")


class StreamSettings(Section):
    """Questions on a Kafka topic and answers on another."""

    embedded: bool
    how: Literal["loop", "spark"]
    requests: TopicName
    answers: TopicName
    refused: TopicName
    markers: TopicName
    partitions: int = Field(ge=1, le=1000)
    copies: int = Field(ge=0, le=7)
    retention_days: int = Field(ge=1, le=36_500)
    group: str = Field(pattern=r"^[A-Za-z0-9._-]{1,100}$")
    may: tuple[Annotated[str, AfterValidator(_scope)], ...]
    batch: int = Field(ge=1, le=10_000)
    spark_seconds: float = Field(ge=0, le=3600)
    spark_batch: int = Field(ge=1)
    status_seconds: float = Field(gt=0, le=3600)

    @property
    def processes(self) -> tuple[str, ...]:
        """What the stack starts for them."""
        return (STREAM,) if self.embedded else ()

    @model_validator(mode="after")
    def _four_topics(self) -> StreamSettings:
        if len({self.requests, self.answers, self.refused, self.markers}) < 4:
            raise ValueError("requests, answers, refused and markers are four topics; name four")
        if READ not in self.may:
            raise ValueError("every question asks for `read`; add it to `may`")
        return self
