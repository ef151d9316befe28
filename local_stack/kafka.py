"""A Kafka broker of our own, from fetched jars: one node, KRaft (ADR 54).

The stack starts it on loopback where the settings say `[kafka] embedded = true`; a host of a
cluster, with the role `kafka`, where `[kafka] bootstrap` names that host. A broker that belongs to
somebody else needs none of this. This room has no client of Kafka:
`why_silent` asks the broker for its versions over a plain socket.
"""

from __future__ import annotations

import base64
import os
import shutil
import socket
import struct
import subprocess
import uuid
from pathlib import Path

from local_stack.java_setup import cache_folder, java_home, listed_files
from marquee.addresses import host_and_port, in_brackets
from marquee.daemon_settings import KAFKA_PORT, KafkaSettings
from marquee.errors import StackError
from marquee.settings import Settings

LOOPBACK = "127.0.0.1"
JARS = "kafka"
"""The list in `config/jars`."""
BROKER_CLASS = "kafka.Kafka"
STORAGE_CLASS = "kafka.tools.StorageTool"
PROPERTIES_FILE = "server.properties"
JVM = (
    "-Xmx256m",
    "-Xss512k",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
)
LOGGING = """org.slf4j.simpleLogger.defaultLogLevel=warn
org.slf4j.simpleLogger.showDateTime=true
org.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSS
"""
PROPERTIES = """# Written at each start.
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=BROKER://{bind}:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=BROKER://{host}:{port}
listener.security.protocol.map=BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=BROKER
controller.listener.names=CONTROLLER
log.dirs={data}
# A topic is made by who owns it, with its settings; a misspelt name makes none.
auto.create.topics.enable=false
num.partitions=1
# One node holds every copy.
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
# After a kill the node waits until its own last session has ended (9 s by default).
broker.session.timeout.ms=6000
broker.heartbeat.interval.ms=1000
# Small machines: few threads, small buffers.
num.network.threads=2
num.io.threads=2
num.recovery.threads.per.data.dir=1
log.cleaner.dedupe.buffer.size=4194304
log.cleaner.io.buffer.size=131072
# A bad message may be as long as this, and the topic of refused ones must hold it with its reason.
message.max.bytes=2097152
"""
_VERSIONS = struct.pack(">hhi", 18, 0, 1) + struct.pack(">h", -1)
"""A request: ApiVersions (key 18, version 0), correlation id 1, a client without a name."""


def kafka_class_path(settings: Settings, folder: Path) -> str:
    """The broker's class path: `folder`, for its logging, and its jars.

    Raises StackError where its jars have not been fetched.
    """
    return ":".join(map(str, [folder, *listed_files(JARS, settings)]))


def kafka_command(settings: Settings, folder: Path) -> list[str]:
    """The broker's command, after `prepare_kafka` of the same folder."""
    return [*_java(settings, folder), BROKER_CLASS, str(folder / PROPERTIES_FILE)]


def broker_address(settings: KafkaSettings) -> tuple[str, int]:
    """Host and port of a place's own broker; StackError where the place names no such broker."""
    if "," in settings.bootstrap or not settings.bootstrap or settings.security != "plaintext":
        raise StackError(
            f"a broker of ours is one node without a login, and [kafka] says bootstrap = "
            f"'{settings.bootstrap}', security = '{settings.security}'",
            'set bootstrap = "host:9092" of the host with the role kafka, security = "plaintext"',
        )
    return host_and_port(settings.bootstrap, KAFKA_PORT)


def prepare_kafka(
    settings: Settings, folder: Path, port: int, controller: int, host: str = LOOPBACK
) -> None:
    """Write the broker's properties into `folder`, and format its storage once.

    `controller` is the port on which the node speaks with itself; `host` is its name for clients.
    Beyond loopback it listens on all addresses. A kill leaves no half-formatted storage. Raises
    StackError with the tool's last line where the format fails.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "simplelogger.properties").write_text(LOGGING, "utf-8")
    data, beside = folder / "data", folder / "data.part"
    if not data.is_dir():
        shutil.rmtree(beside, ignore_errors=True)
        properties = _write(folder / "format.properties", host, port, controller, beside)
        _format(settings, folder, properties)
        beside.rename(data)
    _write(folder / PROPERTIES_FILE, host, port, controller, data)


def why_silent(port: int, seconds: float = 5.0) -> str:
    """Why the broker on this port of loopback does not answer; empty if it does."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
            connection.sendall(struct.pack(">i", len(_VERSIONS)) + _VERSIONS)
            answer = connection.recv(10)
    except OSError as error:
        return f"no answer on port {port} ({error.strerror or type(error).__name__})"
    is_kafka = len(answer) == 10 and struct.unpack(">ih", answer[4:]) == (1, 0)
    return "" if is_kafka else f"what listens on port {port} is no Kafka broker"


def _java(settings: Settings, folder: Path) -> list[str]:
    java = java_home(cache_folder(settings)) / "bin" / "java"
    return [str(java), *JVM, "-cp", kafka_class_path(settings, folder)]


def _write(path: Path, host: str, port: int, controller: int, data: Path) -> Path:
    bind = host if host == LOOPBACK else "0.0.0.0"
    values = {"bind": bind, "host": in_brackets(host), "port": port, "controller": controller}
    path.write_text(PROPERTIES.format(data=data, **values), "utf-8")
    return path


def _format(settings: Settings, folder: Path, properties: Path) -> None:
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    # A name that begins with - would be read as an option.
    cluster = f"A{cluster[1:]}"
    command = [
        *_java(settings, folder),
        STORAGE_CLASS,
        "format",
        "-t",
        cluster,
        "-c",
        str(properties),
    ]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ)
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["no answer"]
        raise StackError(
            f"Kafka's storage could not be formatted: {lines[-1]}",
            f"look at {folder}, and whether its disk has room",
        )
