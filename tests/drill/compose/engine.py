"""A container engine for the drill: the one that answers, else one of Debian's packages, our own.

`docker.io` and `docker-compose` of Debian 13 are enough (Debian 12's compose cannot read our file);
root is needed to start the engine. It makes no bridge of its own and touches no firewall, so it
leaves the machine's network as it is.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from marquee.errors import StackError
from marquee.settings import REPOSITORY

SECONDS_TO_START = 60
FILE = REPOSITORY / "docker-compose.yaml"
WITHOUT = (
    "install docker with a compose of 2.20 or newer, or as root, on Debian 13: "
    "apt install docker.io docker-compose containerd"
)


@dataclass(frozen=True)
class Engine:
    """Command lines of an engine that answers."""

    docker: tuple[str, ...]
    compose: tuple[str, ...]
    environment: dict[str, str]

    def run(self, *words: str, **variables: str) -> str:
        """`docker …`; what it printed. Raises StackError with its last lines where it fails."""
        return self._call([*self.docker, *words], variables)

    def up(self, *words: str, **variables: str) -> str:
        """`docker compose …`; the same."""
        return self._call([*self.compose, *words], variables)

    def succeeds(self, *words: str) -> bool:
        """Whether `docker …` ends with 0."""
        command = [*self.docker, *words]
        return subprocess.run(command, env=self.environment, capture_output=True).returncode == 0

    def _call(self, command: Sequence[str], variables: dict[str, str]) -> str:
        done = subprocess.run(
            command, env=self.environment | variables, capture_output=True, text=True
        )
        if done.returncode:
            last = " / ".join((done.stdout + done.stderr).strip().splitlines()[-4:])
            raise StackError(f"{' '.join(command[:6])} … failed: {last[-600:]}")
        return done.stdout


@contextmanager
def engine(folder: Path) -> Iterator[Engine]:
    """The engine that answers, else one with its data in `folder`, until the context ends.

    Raises StackError where there is none and none can be started.
    """
    environment = dict(os.environ)
    if found := _answering(environment):
        yield found
        return
    if os.geteuid() or not (shutil.which("dockerd") and shutil.which("containerd")):
        raise StackError("no container engine answers here, and none can be started", WITHOUT)
    with _own_engine(folder, environment):
        found = _answering(environment)
        if not found:
            raise StackError("the engine runs, and docker or its compose is missing", WITHOUT)
        yield found


def _answering(environment: dict[str, str]) -> Engine | None:
    """The clients of an engine that answers: BuildKit, and a compose that reads our file."""
    clients = [path for path in (shutil.which("docker"), "/usr/bin/docker") if path]
    for client in dict.fromkeys(clients):
        if not _ends_well([client, "info"], environment) or not _builds(client, environment):
            continue
        for compose in ((client, "compose"), ("docker-compose",)):
            reads = [*compose, "--file", str(FILE), "config", "--quiet"]
            if shutil.which(compose[0]) and _ends_well(reads, environment):
                given = environment | {"DOCKER_BUILDKIT": "1"}
                return Engine((client,), compose, given)
    return None


def _builds(client: str, environment: dict[str, str]) -> bool:
    """Whether a client has BuildKit: built in before version 23, a plugin since."""
    asked = [client, "version", "--format", "{{.Client.Version}}"]
    found = subprocess.run(asked, env=environment, capture_output=True, text=True).stdout
    major = found.partition(".")[0].strip()
    old = major.isdecimal() and int(major) < 23
    return old or _ends_well([client, "buildx", "version"], environment)


def _ends_well(command: Sequence[str], environment: dict[str, str]) -> bool:
    try:
        return subprocess.run(command, env=environment, capture_output=True).returncode == 0
    except OSError:
        return False


@contextmanager
def _own_engine(folder: Path, environment: dict[str, str]) -> Iterator[None]:
    """containerd and dockerd, with DOCKER_HOST in `environment`."""
    run, socket = folder / "run", folder / "run" / "containerd.sock"
    run.mkdir(parents=True, exist_ok=True)
    address = f"unix://{run / 'docker.sock'}"
    containerd = ["containerd", "--root", f"{folder / 'containerd'}", "--address", str(socket)]
    containerd += ["--state", str(run / "containerd")]
    dockerd = ["dockerd", "--data-root", str(folder / "docker"), "--exec-root", str(run / "docker")]
    dockerd += ["--pidfile", str(run / "docker.pid"), "--containerd", str(socket), "-H", address]
    dockerd += ["--bridge=none", "--iptables=false", "--ip-forward=false", "--ip-masq=false"]
    print(f"compose: starting an engine of its own in {folder}", flush=True)
    started = []
    try:
        for command, ready in ((containerd, socket), (dockerd, run / "docker.sock")):
            ready.unlink(missing_ok=True)
            with (folder / f"{command[0]}.log").open("ab") as log:
                started.append(subprocess.Popen(command, stdout=log, stderr=log, process_group=0))
            _wait_for(ready, folder / f"{command[0]}.log")
        environment["DOCKER_HOST"] = address
        yield
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait()


def _wait_for(ready: Path, log: Path) -> None:
    deadline = time.monotonic() + SECONDS_TO_START
    while not ready.exists():
        if time.monotonic() > deadline:
            raise StackError(f"the container engine does not start: read {log}")
        time.sleep(0.2)
    time.sleep(1)  # it listens a moment before it answers
