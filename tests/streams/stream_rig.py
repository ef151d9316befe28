"""A stream under test: its topics on a real broker, a process that answers, a reader of answers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from broker.client import Brokers, Topic
from local_stack.java_setup import cache_folder, class_archive
from marquee.lake import Lake, open_lake
from marquee.settings import REPOSITORY, Settings, load_settings
from streams.messages import request_message
from streams.sessions import ensure_topics
from tests.plugins.kafka_broker import Broker
from tests.serving.serving_bundles import promote_budget, promote_recommender

SECONDS_TO_WAIT = 600
"""How long a test waits for answers before it fails; it goes on as soon as they are there."""
SPARK = {"SPARK_ARCHIVE": str(class_archive(cache_folder(load_settings())))}
"""As the stack has it."""
Said = tuple[str, dict[str, Any]]
"""A question and its request."""


def made_up_lake(folder: Path) -> Lake:
    """A lake where both made-up models serve."""
    lake = open_lake(f"file://{folder / 'lake'}")
    promote_recommender(lake, folder / "one")
    promote_budget(lake, folder / "two")
    return lake


@dataclass
class StreamRig:
    """One set of topics, and the processes over them."""

    broker: Broker
    lake: Lake
    folder: Path
    variables: dict[str, str] = field(default_factory=dict)
    partitions: int = 2
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    may_be_lost: set[str] = field(default_factory=set)
    """Requests that were deleted with their topic, answered or not."""

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        name = self.broker.topic("stream")
        topics = {n: f"{name}.{n}" for n in ("requests", "answers", "refused", "markers")}
        self.settings_of = {
            "MARQUEE_KAFKA__BOOTSTRAP": self.broker.address,
            "MARQUEE_STREAMS__PARTITIONS": str(self.partitions),
            "MARQUEE_STREAMS__GROUP": name,
            "MARQUEE_STREAMS__STATUS_SECONDS": "0.5",
            **{f"MARQUEE_STREAMS__{n.upper()}": topic for n, topic in topics.items()},
            **self.variables,
        }
        self.settings = settings_with(self.settings_of)
        self.brokers = Brokers.of(self.settings)
        ensure_topics(self.brokers, self.settings.streams)
        self.producer = self.brokers.producer(delivery_timeout_ms=120_000)

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start `python -m streams` with these arguments."""
        how = [one for one in arguments[:1] if not one.startswith("-")]
        command = [sys.executable, "-m", "streams", *how]
        command += ["--lake", self.lake.root, "--cache", str(self.folder / "cache")]
        command += ["--status", str(self.folder / "status.json"), *arguments[len(how) :]]
        with (self.folder / "stream.log").open("ab") as log:
            process = subprocess.Popen(
                command,
                cwd=REPOSITORY,
                env=os.environ | self.settings_of | SPARK,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.processes.append(process)
        return process

    def end(self, process: subprocess.Popen[bytes], how: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal to a process and all that it started; its exit status."""
        if process.poll() is None:
            if how == signal.SIGKILL:
                os.killpg(process.pid, how)
            else:
                process.send_signal(how)
        return process.wait(timeout=60)

    def close(self) -> None:
        """End everything that runs still."""
        for process in self.processes:
            if process.poll() is None:
                self.end(process, signal.SIGKILL)

    def ask(self, questions: Iterable[Said], start: str = "q") -> list[str]:
        """Send questions; their ids. They are on the brokers when this returns."""
        ids = []
        for number, (question, request) in enumerate(questions):
            ids.append(f"{start}-{number}")
            self.send(request_message(ids[-1], question, request))
        self.flush()
        return ids

    def send(self, value: bytes | None) -> None:
        """Send one message as it is."""
        self.producer.produce(self.settings.streams.requests, value)
        self.producer.poll(0)

    def send_to(self, topic: str, partition: int, name: str, said: Said) -> None:
        """Ask one question in this partition, with a client that has not known the topic before."""
        producer = self.brokers.producer()
        producer.produce(topic, request_message(name, *said), partition=partition)
        assert producer.flush(120) == 0

    def requests_id(self) -> str:
        """The id of the topic of requests."""
        return self.brokers.topic_id(self.settings.streams.requests)

    def admin(self, call: Callable[[Any], dict[str, Any]]) -> None:
        """Ask the brokers for something, and wait until it is done."""
        admin = self.brokers.admin()
        for future in call(admin).values():
            future.result()

    def delete(self, topic: str) -> None:
        """Delete a topic, and wait until it is gone; who asks next knows nothing of it."""
        self.admin(lambda admin: admin.delete_topics([topic]))
        admin = self.brokers.admin()
        while topic in admin.list_topics(timeout=10).topics:
            time.sleep(0.05)
        self.producer = self.brokers.producer(delivery_timeout_ms=120_000)

    def make_anew(self, partitions: int, seconds_between: float = 0.0) -> None:
        """Delete the topic of requests, and make it again after so long."""
        topic, before = self.settings.streams.requests, self.requests_id()
        self.delete(topic)
        time.sleep(seconds_between)
        self.brokers.ensure_topics([Topic(topic, partitions)])
        assert self.requests_id() != before

    def flush(self) -> None:
        """Wait until the brokers have all messages."""
        assert self.producer.flush(120) == 0

    def answers(self, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Wait until each id has an answer; the committed answers by their ids."""
        found: dict[str, dict[str, Any]] = {}
        wanted, until = set(ids), time.monotonic() + SECONDS_TO_WAIT
        with AnswerReader(self, self.settings.streams.answers) as reader:
            while not wanted <= found.keys():
                assert time.monotonic() < until, self.log()
                assert any(p.poll() is None for p in self.processes), self.log()
                for message in reader.more():
                    found[message["id"]] = message
        return found

    def all_answers(self) -> Counter[str]:
        """How often each id is answered, to the end of the topic as it is now."""
        with AnswerReader(self, self.settings.streams.answers) as reader:
            return Counter(message["id"] for message in reader.to_end())

    def refused(self, count: int) -> list[tuple[bytes, dict[str, str]]]:
        """Wait for so many refused messages: each with its headers."""
        found: list[tuple[bytes, dict[str, str]]] = []
        until = time.monotonic() + SECONDS_TO_WAIT
        with AnswerReader(self, self.settings.streams.refused) as reader:
            while len(found) < count:
                assert time.monotonic() < until, self.log()
                for message in reader.raw():
                    headers = {k: v.decode() for k, v in message.headers()}
                    found.append((message.value() or b"", headers))
        return found

    def log(self) -> str:
        """The end of the processes' log."""
        path = self.folder / "stream.log"
        return path.read_text(errors="replace")[-6000:] if path.is_file() else "no log"

    def wait_for_log(self, text: str) -> None:
        """Wait until the processes have said this."""
        until = time.monotonic() + SECONDS_TO_WAIT
        while text not in (self.folder / "stream.log").read_text(errors="replace"):
            assert time.monotonic() < until, self.log()
            time.sleep(0.05)


class AnswerReader:
    """Reads a topic from its beginning, committed messages alone."""

    def __init__(self, rig: StreamRig, topic: str) -> None:
        from confluent_kafka import TopicPartition

        self._consumer = rig.brokers.consumer(enable_partition_eof=True)
        offsets = rig.brokers.offsets(self._consumer, topic)
        self._parts = len(offsets)
        begin = [TopicPartition(topic, part, at.earliest) for part, at in offsets.items()]
        self._consumer.assign(begin)
        self._ended: set[int] = set()

    def __enter__(self) -> AnswerReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    def raw(self, seconds: float = 0.2) -> list[Any]:
        """What has come, as it is; waits so long for the first."""
        found = []
        first = self._consumer.poll(seconds)
        ready = [] if first is None else [first, *self._consumer.consume(500, timeout=0)]
        for message in ready:
            if message.error() is None:
                self._ended.discard(message.partition())
                found.append(message)
            elif message.error().name() == "_PARTITION_EOF":
                self._ended.add(message.partition())
        return found

    def more(self, seconds: float = 0.2) -> list[dict[str, Any]]:
        """The answers that have come; each has its id as its key."""
        found = []
        for message in self.raw(seconds):
            found.append(json.loads(message.value()))
            assert message.key().decode() == found[-1]["id"]
        return found

    def to_end(self) -> list[dict[str, Any]]:
        """All answers up to the end of each partition."""
        found: list[dict[str, Any]] = []
        while len(self._ended) < self._parts:
            found += self.more()
        return found


def settings_with(variables: dict[str, str]) -> Settings:
    """The settings of a process with these variables."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        return load_settings("local")
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
