"""A real Kafka broker for tests: one for each worker, which a test may kill and start again."""

from __future__ import annotations

import itertools
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_stack.java_setup import fetch_listed
from local_stack.kafka import JARS, PROPERTIES_FILE, kafka_command, prepare_kafka, why_silent
from marquee.settings import load_settings
from tests.plugins.free_ports import free_port

SECONDS_TO_START = 300


class Broker:
    """One node on loopback, with its storage in `folder`; its address stays across restarts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, self._controller = free_port(), free_port()
        self.address = f"127.0.0.1:{self.port}"
        self._settings = load_settings("local")
        self._process: subprocess.Popen[bytes] | None = None
        self._names = itertools.count(1)

    def start(self) -> None:
        """Start it, unless it runs, and wait until it answers."""
        if self._process is not None:
            return
        prepare_kafka(self._settings, self.folder, self.port, self._controller)
        with (self.folder / PROPERTIES_FILE).open("a") as stream:
            stream.write(self.properties())
        with (self.folder / "kafka.log").open("ab") as log:
            command = kafka_command(self._settings, self.folder)
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder)
        until = time.monotonic() + SECONDS_TO_START
        while reason := why_silent(self.port):
            log_text = (self.folder / "kafka.log").read_text(errors="replace")[-2000:]
            assert self._process.poll() is None, f"the broker ended: {log_text}"
            assert time.monotonic() < until, f"{reason}: {log_text}"
            time.sleep(0.1)

    def properties(self) -> str:
        """Lines after ours: of two for one key the broker takes the last."""
        return ""

    def kill(self) -> None:
        """End it as a power cut of the process would, without a word."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it in order."""
        self._end(signal.SIGTERM)

    def freeze(self) -> None:
        """Stop it in the middle: it holds its connections, and answers none."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen one go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def topic(self, start: str = "topic") -> str:
        """A name that no test has had, for a topic to make."""
        return f"{start}-{next(self._names)}"

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.send_signal(how)
            self._process.wait()
            self._process = None


@pytest.fixture(scope="session")
def kafka_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """The broker of this worker; tests ask for `kafka`."""
    fetch_listed(JARS, load_settings("local"))
    broker = Broker(tmp_path_factory.mktemp("kafka"))
    broker.start()
    yield broker
    broker.kill()


@pytest.fixture
def kafka(kafka_session: Broker) -> Broker:
    """The broker, running: a test before this one may have killed it."""
    kafka_session.start()
    return kafka_session
