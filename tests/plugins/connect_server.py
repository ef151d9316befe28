"""A real Spark Connect server, our worker before it, and a lake of models trained for them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from pyspark.sql import SparkSession

from local_stack.java_setup import cache_folder, class_archive, java_home, spark_environment
from local_stack.stack import read_procfile
from marquee.lake import Lake
from marquee.settings import REPOSITORY, load_settings
from serving.backend import Backend
from serving.other_engines import EngineProcess, OtherEngines
from tests.connect.trained_lake import trained_lake
from tests.plugins.free_ports import free_port

SECONDS = 240
TOKEN, SECRET = "a token of this test's server", "a secret of this test's worker"


class Daemon:
    """A process of `Procfile`, started and killed as often as a test likes."""

    def __init__(self, name: str, folder: Path, **variables: str) -> None:
        self.name, self.log = name, folder / f"{name}.log"
        home = java_home(cache_folder(load_settings()))
        self.environment = spark_environment(home) | {
            "PYTHON": sys.executable,
            "SPARK_CONNECT_AUTHENTICATE_TOKEN": TOKEN,
            "MARQUEE_CONNECT_SECRET": SECRET,
            "CONNECT_MEMORY": "512m",
            "SPARK_ARCHIVE": str(class_archive(cache_folder(load_settings()))),
            "STATE": str(folder),
            "SPARK_LOCAL_DIRS": str(folder),
            **variables,
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                ["/bin/sh", "-c", read_procfile()[self.name]],
                cwd=REPOSITORY,
                env=self.environment,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    def kill(self, how: int = signal.SIGKILL) -> None:
        if self.process is not None:
            os.killpg(self.process.pid, how)
            self.process.wait()
            self.process = None

    def check(self) -> None:
        assert self.process is not None and self.process.poll() is None, self.log.read_text()[
            -3000:
        ]


def eventually(what: Callable[[], bool], daemon: Daemon) -> None:
    """Wait until it is so; the daemon must live on."""
    until = time.monotonic() + SECONDS
    while not what():
        daemon.check()
        assert time.monotonic() < until, daemon.log.read_text()[-3000:]
        time.sleep(0.2)


@pytest.fixture(scope="session")
def connect_lake(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Both champions, as a run saves them."""
    return trained_lake(tmp_path_factory.mktemp("connect"), spark)


@pytest.fixture(scope="session")
def connect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """The Spark Connect server; a test may kill it, if it starts it again."""
    folder, port = tmp_path_factory.mktemp("server"), str(free_port())
    daemon = Daemon("connect-server", folder, CONNECT_SERVER_PORT=port)
    daemon.start()
    yield daemon
    daemon.kill()


@pytest.fixture(scope="session")
def connect_worker(
    connect_server: Daemon, connect_lake: Lake, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Daemon]:
    """Our worker, with both models loaded."""
    ports = {"CONNECT_SERVER_PORT": connect_server.environment["CONNECT_SERVER_PORT"]}
    place = {"MARQUEE_LAKE__ROOT": connect_lake.root, "MARQUEE_LAKE__WEBHDFS": ""}
    ports["CONNECT_WORKER_PORT"] = str(free_port())
    daemon = Daemon("connect-worker", tmp_path_factory.mktemp("worker"), **ports, **place)
    daemon.start()
    eventually(lambda: is_ready(daemon), daemon)
    yield daemon
    daemon.kill(signal.SIGTERM)


def address(worker: Daemon) -> str:
    return f"http://127.0.0.1:{worker.environment['CONNECT_WORKER_PORT']}"


def is_ready(worker: Daemon) -> bool:
    """Whether both models serve, and nothing is wrong."""
    try:
        found = httpx.get(
            f"{address(worker)}/readyz", headers={"Authorization": f"Bearer {SECRET}"}, timeout=10
        )
    except httpx.HTTPError:
        return False
    models = found.json().get("models", ())
    return found.json().get("status") == "ready" and all(m["serving"] for m in models)


def with_engine(backend: Backend, url: str, secret: str = SECRET) -> Backend:
    """The backend of an API that may ask the process at `url`."""
    process = EngineProcess("spark-connect", url, secret)
    return replace(backend, other_engines=OtherEngines({process.name: process}))
