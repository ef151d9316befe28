"""A real Spark Standalone master and workers on loopback, each in a process group of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import psutil

from local_stack.java_setup import cache_folder, java_home, spark_home
from marquee.errors import AwayError
from marquee.settings import load_settings
from marquee.spark_master import read_state
from tests.plugins.free_ports import free_port

T = TypeVar("T")
LONGEST = 600.0
"""Seconds after which a test gives up; a loaded machine takes long and is not wrong."""
MASTER = "org.apache.spark.deploy.master.Master"
WORKER = "org.apache.spark.deploy.worker.Worker"
JAVA = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Dspark.master.rest.enabled=false"


@dataclass
class Standalone:
    """Addresses and processes of one cluster."""

    folder: Path
    port: int
    page_port: int
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def master(self) -> str:
        return f"spark://127.0.0.1:{self.port}"

    @property
    def page(self) -> str:
        return f"http://127.0.0.1:{self.page_port}"

    def start(self, name: str, kind: str, *words: str, **variables: str) -> None:
        """Start a daemon; what it prints is in a file of its name."""
        home = java_home(cache_folder(load_settings("local")))
        environment = {
            "PATH": os.environ["PATH"],
            "JAVA_HOME": str(home),
            "SPARK_HOME": str(spark_home()),
            "SPARK_LOCAL_IP": "127.0.0.1",
            "SPARK_DAEMON_MEMORY": "256m",
            "SPARK_DAEMON_JAVA_OPTS": JAVA,
            **variables,
        }
        command = [str(spark_home() / "bin" / "spark-class"), kind, *words]
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                command, env=environment, stdout=log, stderr=log, start_new_session=True
            )

    def add_worker(self, name: str, memory: str = "600m", **variables: str) -> None:
        words = ["--host", "127.0.0.1", "--cores", "1", "--memory", memory, "--webui-port", "0"]
        words += ["--work-dir", str(self.folder / name), self.master]
        self.start(name, WORKER, *words, **variables)

    def state(self) -> dict[str, Any]:
        """What the master says; nothing registered while it does not answer."""
        try:
            return read_state(self.page)
        except AwayError:
            return {"workers": [], "activeapps": [], "completedapps": []}

    def workers_alive(self) -> int:
        return sum(one["state"] == "ALIVE" for one in self.state()["workers"])

    def kill(self, name: str) -> None:
        """Kill a daemon and all that it started, as a power cut does."""
        daemon = psutil.Process(self.processes[name].pid)
        for one in [daemon, *daemon.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):  # an executor may end with its worker
                one.kill()

    def stop(self) -> None:
        for process in self.processes.values():
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
            process.wait()


@contextmanager
def standalone(folder: Path, workers: int = 2) -> Iterator[Standalone]:
    """A master and its workers; all are gone at the end."""
    made = Standalone(folder, free_port(), free_port())
    words = ["--host", "127.0.0.1", "--port", str(made.port), "--webui-port", str(made.page_port)]
    try:
        made.start("master", MASTER, *words)
        eventually(lambda: made.state().get("status") == "ALIVE", made.folder)
        for number in range(workers):
            made.add_worker(f"worker{number}")
        eventually(lambda: made.workers_alive() == workers, made.folder)
        yield made
    finally:
        made.stop()


def eventually(call: Callable[[], T], folder: Path) -> T:
    """Repeat until the answer is true; an error with the daemons' last lines after LONGEST."""
    until = time.monotonic() + LONGEST
    while not (found := call()):
        if time.monotonic() > until:
            logs = "\n".join(f"{p.name}: {p.read_text()[-800:]}" for p in folder.glob("*.log"))
            raise AssertionError(f"this did not happen\n{logs}")
        time.sleep(0.2)
    return found
