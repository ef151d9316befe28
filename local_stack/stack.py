"""The whole stack of one world: prepared, started in order, stopped cleanly.

`Procfile` says what runs; the order is in this module. `marquee up`, `run`, `down` and `status` use
a `Stack`, and so do the tests that need real daemons.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path

import psutil

from local_stack.environment import migrate, password, place_locally, stack_environment
from local_stack.hdfs import format_namenode, write_conf
from local_stack.health_checks import missing, require, wait_for
from local_stack.processes import end_leftovers, is_alive, running_stacks
from local_stack.supervisor import Supervisor
from marquee.errors import StackError
from marquee.settings import REPOSITORY, Settings, StateFolders

STOPPED_REMEDY = "start it again with `marquee up` or `marquee run`; all state is still there"
AFTER: dict[str, tuple[str, ...]] = {
    "datanode": ("namenode",),
    "serving": ("datanode",),
}
"""Which processes must be ready before which; one that is not named waits for nobody."""


class Stack:
    """Every process of Procfile, for one world."""

    def __init__(self, settings: Settings) -> None:
        self.settings = place_locally(settings)
        self.folders = StateFolders(self.settings.state_folder)
        self.supervisor = Supervisor(self.folders.state)
        self.processes = read_procfile()
        self.daemon: psutil.Process | None = None
        """supervisord as this command found or started it; another process is another start."""
        self.started = False
        """Whether this command started it."""

    @cached_property
    def environment(self) -> dict[str, str]:
        """The variables of every process; Airflow's keys are made where there are none yet."""
        return stack_environment(self.settings)

    def up(self) -> Iterator[tuple[str, float]]:
        """Start what does not run; yield each process's name and seconds as it gets ready.

        Raises StackError where a process does not get ready, and where another command stops the
        stack meanwhile.
        """
        with self.supervisor.exclusively():
            self._stop_request.unlink(missing_ok=True)
            if not self.supervisor.is_running():
                self._refuse_neighbours()
                end_leftovers(self.folders.state)
                require(self.settings)
                self._prepare()
                if self._stop_request.exists():
                    raise StackError("another command stopped the stack", STOPPED_REMEDY)
                self.started = True
                self.supervisor.launch(self.processes, REPOSITORY, self.environment)
            self.daemon = self.supervisor.process()
        yield "prepared", 0.0
        # A JVM waits for its disk and a Python for its imports: all start together, except those
        # that need an earlier one ready.
        started: list[str] = []
        for wave in waves(list(self.processes)):
            needed = [n for n in started if any(n in AFTER.get(later, ()) for later in wave)]
            yield from self._wait_for(needed)
            started = [n for n in started if n not in needed] + wave
            for name in wave:
                self._start(name)
        yield from self._wait_for(started)

    def check_running(self) -> None:
        """StackError where the stack that `up` started or found was stopped since."""
        if self.daemon is None or not is_alive(self.daemon):
            raise StackError("the stack was stopped by another command", STOPPED_REMEDY)

    def down(self) -> bool:
        """Stop everything; whether anything ran.

        When it returns, no process of this state is alive, whoever started it. A command that
        prepares the stack at the same time gives up first.
        """
        if not self.folders.state.is_dir():
            return False
        self._stop_request.touch()
        with self.supervisor.exclusively():
            self._stop_request.unlink(missing_ok=True)
            ran = self.supervisor.process() is not None
            if ran:
                last = [["datanode"], ["namenode"]]  # what still writes needs them
                first = [name for name in self.processes if [name] not in last]
                self.supervisor.shut_down([first, *last])
            return end_leftovers(self.folders.state) > 0 or ran

    def status(self) -> list[dict[str, object]]:
        """Each process: name, state, pid, since when (epoch seconds), what it lacks."""
        if not self.supervisor.is_running():
            return []
        return [
            {
                "name": p["name"],
                "state": p["statename"].lower(),
                "pid": p["pid"],
                "since": p["start"],
                "lacks": missing(p["name"], self.settings) if p["pid"] else "not running",
            }
            for p in self.supervisor.processes()
        ]

    def pids(self) -> list[int]:
        """Process ids of supervisord's children."""
        return [int(p["pid"]) for p in self.supervisor.processes() if p["pid"]]

    @property
    def _stop_request(self) -> Path:
        return self.folders.state / "stop-requested"

    def _wait_for(self, names: list[str]) -> Iterator[tuple[str, float]]:
        return wait_for(names, self.settings, self.folders.logs, self.check_running)

    def _start(self, name: str) -> None:
        """Start a process that does not run; another command may do so at the same time."""
        try:
            if not any(p["name"] == name and p["pid"] for p in self.supervisor.processes()):
                self.supervisor.start(name)
        except StackError as error:
            self.check_running()
            if "ALREADY_STARTED" not in error.message:
                raise

    def _refuse_neighbours(self) -> None:
        """StackError where a stack of another world or folder holds these ports."""
        port = str(self.settings.stack.port_offset)
        for found in running_stacks():
            taken = found.environment.get("MARQUEE_STACK__PORT_OFFSET", "0") == port
            if found.state != self.folders.state and taken:
                raise StackError(
                    f"the stack of {found} runs on these ports",
                    f"stop it: `marquee down --data {found.world}`, or set "
                    "MARQUEE_STACK__PORT_OFFSET=100 for this one",
                )

    def _prepare(self) -> None:
        """Make folders, configuration, the world, Airflow's database, the NameNode's name space."""
        own = self.folders
        for folder in (own.logs, own.feedback, own.figures, own.progress, own.tmp):
            folder.mkdir(parents=True, exist_ok=True)
        write_conf(self.settings, self.folders.conf, self.folders.hdfs)
        password(self.folders.airflow)
        with ThreadPoolExecutor() as pool:
            for job in [pool.submit(p) for p in (self._make_world, self._migrate, self._format)]:
                job.result()

    def _format(self) -> None:
        format_namenode(
            Path(self.environment["JAVA"]),
            self.environment["HDFS_CLASS_PATH"],
            self.folders.hdfs,
            self.environment,
        )

    def _migrate(self) -> None:
        """Make Airflow's database where there is none: a migration takes seconds.

        A migration that was killed leaves a database that Airflow cannot use: it is laid aside.
        """
        done, made = self.folders.airflow / "migrated", self.folders.airflow / "airflow.db"
        if not done.is_file():
            if made.is_file():
                made.replace(made.with_suffix(".db.unfinished"))
            migrate(self.environment)
            done.touch()

    def _make_world(self) -> None:
        """Make the synthetic world, once: beside its place, and renamed when it is whole."""
        if self.settings.ratings.source or self.folders.world.is_dir():
            return
        beside = self.folders.state / ".world"
        shutil.rmtree(beside, ignore_errors=True)
        command = [sys.executable, "-m", "replica", "make-world", "--out", str(beside)]
        command += ["--seed", str(self.settings.seed)]
        command += ["--people", str(self.settings.synthetic.people)]
        command += ["--titles", str(self.settings.synthetic.titles)]
        done = subprocess.run(
            command,
            cwd=REPOSITORY,
            env=os.environ | self.environment,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise StackError(f"the synthetic world could not be made: {done.stderr.strip()[-300:]}")
        beside.rename(self.folders.world)


def read_procfile(path: Path = REPOSITORY / "Procfile") -> dict[str, str]:
    """Name and command of every process, in the file's order; StackError for any other line."""
    processes = {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, colon, command = line.partition(":")
        if not colon or not command.strip():
            raise StackError(f"{path}:{number} is not 'name: command'", "correct that line")
        processes[name.strip()] = command.strip()
    return processes


def waves(names: list[str]) -> list[list[str]]:
    """Names in groups: each group may start once the groups before it are ready."""
    waiting, done, order = list(names), set[str](), list[list[str]]()
    while waiting:
        wave = [n for n in waiting if set(AFTER.get(n, ())) & set(names) <= done]
        if not wave:
            raise StackError(f"these processes wait for each other: {', '.join(waiting)}")
        order.append(wave)
        done.update(wave)
        waiting = [n for n in waiting if n not in done]
    return order
