"""Prepare, start and stop the whole stack of one world.

`Procfile` lists the processes; `WAITS_FOR` sets their order. `marquee up`, `run`, `down` and
`status` use a `Stack`, and so do the tests with real daemons.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path

import psutil

from local_stack.airflow_database import prepare_database
from local_stack.environment import admin_password, stack_environment, with_local_addresses
from local_stack.hdfs import format_namenode, write_hdfs_conf
from local_stack.health_checks import require_fit_machine, wait_for, why_not_ready
from local_stack.kafka import prepare_kafka
from local_stack.processes import end_stack_processes, is_alive, running_stacks
from local_stack.supervisor import Supervisor
from marquee.errors import StackError
from marquee.settings import REPOSITORY, Settings
from marquee.state_folders import StateFolders

STOPPED_REMEDY = "start it again with `marquee up` or `marquee run`; all state is still there"
WAITS_FOR: dict[str, tuple[str, ...]] = {
    "datanode": ("namenode",),
    "serving": ("datanode",),
    "connect-server": ("datanode",),
    "connect-worker": ("connect-server",),
    "stream": ("datanode", "kafka"),
}
"""By process: those that must be ready before it starts. Others start at once."""


class Stack:
    """The processes of `Procfile`, for one world."""

    def __init__(self, settings: Settings) -> None:
        self.settings = with_local_addresses(settings)
        self.folders = StateFolders(self.settings.state_folder)
        self.supervisor = Supervisor(self.folders.state)
        self.processes = read_procfile(only=stack_processes(self.settings))
        self.daemon: psutil.Process | None = None
        """The supervisord that `up` found or started; None before `up`."""
        self.started = False
        """Whether this command started the stack."""

    @cached_property
    def environment(self) -> dict[str, str]:
        """The variables of all processes; reading it the first time may make Airflow's keys."""
        return stack_environment(self.settings)

    def up(self) -> Iterator[tuple[str, float]]:
        """Start the processes that do not run; yield (name, seconds) of each when it is ready.

        Raises StackError if a process does not get ready, or if another command stops the stack
        meanwhile.
        """
        with self.supervisor.command_lock():
            self._stop_request.unlink(missing_ok=True)
            if not self.supervisor.is_running():
                self._refuse_taken_ports()
                end_stack_processes(self.folders.state)
                require_fit_machine(self.settings)
                self._prepare()
                if self._stop_request.exists():
                    raise StackError("another command stopped the stack", STOPPED_REMEDY)
                self.started = True
                self.supervisor.launch(self.processes, REPOSITORY, self.environment)
            self.daemon = self.supervisor.process()
        yield "prepared", 0.0
        # Processes start in parallel, because JVMs wait for the disk while Python imports. Only
        # those in WAITS_FOR start later.
        started: list[str] = []
        for group in start_groups(list(self.processes)):
            needed = [n for n in started if any(n in WAITS_FOR.get(later, ()) for later in group)]
            yield from self._wait_for(needed)
            started = [n for n in started if n not in needed] + group
            for name in group:
                self._start(name)
        yield from self._wait_for(started)

    def check_running(self) -> None:
        """Raise StackError if the stack that `up` started or found has been stopped."""
        if self.daemon is None or not is_alive(self.daemon):
            raise StackError("the stack was stopped by another command", STOPPED_REMEDY)

    def down(self) -> bool:
        """Stop all processes of this state; returns whether any ran.

        A command that is preparing the stack at the same time gives up.
        """
        if not self.folders.state.is_dir():
            return False
        self._stop_request.touch()
        with self.supervisor.command_lock():
            self._stop_request.unlink(missing_ok=True)
            ran = self.supervisor.process() is not None
            if ran:
                last = [["datanode"], ["namenode"]]  # other processes still write to HDFS
                first = [name for name in self.processes if [name] not in last]
                self.supervisor.shut_down([first, *last])
            return end_stack_processes(self.folders.state) > 0 or ran

    def status(self) -> list[dict[str, object]]:
        """By process: `name`, `state`, `pid`, `since` (epoch seconds), `lacks` (why not ready)."""
        if not self.supervisor.is_running():
            return []
        return [
            {
                "name": p["name"],
                "state": p["statename"].lower(),
                "pid": p["pid"],
                "since": p["start"],
                "lacks": why_not_ready(p["name"], self.settings) if p["pid"] else "not running",
            }
            for p in self.supervisor.processes()
        ]

    def pids(self) -> list[int]:
        """The ids of the processes that supervisord runs."""
        return [int(p["pid"]) for p in self.supervisor.processes() if p["pid"]]

    @property
    def _stop_request(self) -> Path:
        return self.folders.state / "stop-requested"

    def _wait_for(self, names: list[str]) -> Iterator[tuple[str, float]]:
        return wait_for(names, self.settings, self.folders.logs, self.check_running)

    def _start(self, name: str) -> None:
        """Start a process unless it runs; another command may start it at the same time."""
        try:
            if not any(p["name"] == name and p["pid"] for p in self.supervisor.processes()):
                self.supervisor.start(name)
        except StackError as error:
            self.check_running()
            if "ALREADY_STARTED" not in error.message:
                raise

    def _refuse_taken_ports(self) -> None:
        """Raise StackError if a stack of another world or folder uses these ports."""
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
        """Make folders, HDFS' configuration, the world, Airflow's database, the HDFS name space."""
        for folder in self.folders.of_tasks:
            folder.mkdir(parents=True, exist_ok=True)
        self.folders.stream_status.unlink(missing_ok=True)  # of the start before
        jobs = [self._make_world] if "replica" in self.settings.stack.processes else []
        if any(name.startswith("airflow") for name in self.settings.stack.processes):
            admin_password(self.folders.airflow)
            jobs.append(lambda: prepare_database(self.environment))
        if self.settings.kafka.embedded:
            jobs.append(self._prepare_kafka)
        if self.settings.runs_hdfs:
            write_hdfs_conf(self.settings, self.folders.conf, self.folders.hdfs)
            jobs.append(self._format)
        with ThreadPoolExecutor() as pool:
            for job in [pool.submit(one) for one in jobs]:
                job.result()

    def _format(self) -> None:
        format_namenode(
            Path(self.environment["JAVA"]),
            self.environment["HDFS_CLASS_PATH"],
            self.folders.hdfs,
            self.environment,
        )

    def _prepare_kafka(self) -> None:
        port = self.settings.stack.port
        prepare_kafka(self.settings, self.folders.kafka, port("kafka"), port("kafka_controller"))

    def _make_world(self) -> None:
        """Make the synthetic world if it is missing, in a temporary folder that is renamed last."""
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


def stack_processes(settings: Settings) -> tuple[str, ...]:
    """The processes of this machine: those of `[stack]`, and those that other sections embed."""
    embedded = (*settings.connect.processes, *settings.streams.processes)
    return tuple(dict.fromkeys((*settings.stack.processes, *embedded)))


def read_procfile(
    path: Path = REPOSITORY / "Procfile", only: Sequence[str] | None = None
) -> dict[str, str]:
    """Commands by process name, in the file's order; `only` those, where it is given.

    Raises StackError for a line of another form, and for a name of `only` that the file lacks.
    """
    processes = {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, colon, command = line.partition(":")
        if not colon or not command.strip():
            raise StackError(f"{path}:{number} is not 'name: command'", "correct that line")
        processes[name.strip()] = command.strip()
    if unknown := ", ".join(sorted(set(only or ()) - processes.keys())):
        known = ", ".join(processes)
        raise StackError(f"stack.processes names {unknown}", f"name some of: {known}")
    return {name: text for name, text in processes.items() if only is None or name in only}


def start_groups(names: list[str]) -> list[list[str]]:
    """The names in groups, such that each process waits only for processes of earlier groups.

    Raises StackError if processes wait for each other.
    """
    waiting, done, order = list(names), set[str](), list[list[str]]()
    while waiting:
        group = [n for n in waiting if set(WAITS_FOR.get(n, ())) & set(names) <= done]
        if not group:
            raise StackError(f"these processes wait for each other: {', '.join(waiting)}")
        order.append(group)
        done.update(group)
        waiting = [n for n in waiting if n not in done]
    return order
