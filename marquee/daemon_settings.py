"""The settings of the daemons of this machine: their ports, their jars, and Kafka.

`marquee.settings` puts these sections into its tree.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from marquee.addresses import host_and_port
from marquee.place_settings import Section

KAFKA_PORT = 9092
KAFKA = "kafka"
"""The name of the broker in `Procfile` and of its port."""
TopicName = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,249}$")]


class KafkaSettings(Section):
    """Where Kafka is, and its topics. User name and password are in the environment (`broker`)."""

    bootstrap: str
    embedded: bool
    security: Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"]
    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]
    ca_file: str
    feedback_topic: TopicName
    refused_topic: TopicName
    partitions: int = Field(ge=1, le=64)
    copies: int = Field(ge=0, le=7)
    retention_days: int = Field(ge=1)

    @field_validator("bootstrap")
    @classmethod
    def _addresses_are_whole(cls, value: str) -> str:
        for address in filter(None, value.split(",")):
            host_and_port(address, KAFKA_PORT)
        return value

    @model_validator(mode="after")
    def _is_one_broker(self) -> KafkaSettings:
        if self.embedded and self.bootstrap:
            raise ValueError("with `embedded`, the stack's own broker is meant: empty `bootstrap`")
        if self.feedback_topic == self.refused_topic:
            raise ValueError("feedback_topic and refused_topic are one topic; name two")
        return self


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
