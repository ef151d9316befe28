"""The whole stack: made ready, started in order, stopped cleanly."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import psutil

from local_stack.airflow import migrate, password
from local_stack.doctor import require
from local_stack.environment import stack_environment
from local_stack.hdfs import format_namenode, write_conf
from local_stack.processes import end_leftovers, is_alive, running_stacks
from local_stack.procfile import AFTER, read_procfile, waves
from local_stack.readiness import missing, wait_for
from local_stack.supervisor import Keeper
from marquee.errors import StackError
from marquee.settings import REPOSITORY, Settings
from marquee.state_folders import StateFolders

STOPPED_REMEDY = "start it again with `marquee up` or `marquee run`; all state is still there"


def place_locally(settings: Settings) -> Settings:
    """The settings with every address that depends on the stack's ports filled in."""
    port = settings.stack.port
    if not settings.lake.root.startswith("hdfs://127.0.0.1:"):
        return settings
    lake = settings.lake.model_copy(
        update={
            "root": f"hdfs://127.0.0.1:{port('namenode')}/marquee",
            "webhdfs": f"http://127.0.0.1:{port('namenode_http')}",
        }
    )
    crawl = settings.crawl
    if crawl.site.startswith("http://127.0.0.1:"):
        crawl = crawl.model_copy(update={"site": f"http://127.0.0.1:{port('replica')}"})
    return settings.model_copy(update={"lake": lake, "crawl": crawl})


class Stack:
    """Every process of Procfile, for one world."""

    def __init__(self, settings: Settings) -> None:
        self.settings = place_locally(settings)
        self.places = StateFolders(self.settings.state_folder)
        self.keeper = Keeper(self.places.state)
        self.processes = read_procfile()
        self.supervisord: psutil.Process | None = None
        """The one this command found or started; another one since is another start."""
        self.started = False
        """Whether it was this command that started it."""

    @cached_property
    def environment(self) -> dict[str, str]:
        """What every process is told; keys are made where there are none yet."""
        return stack_environment(self.settings)

    def up(self) -> Iterator[tuple[str, float]]:
        """Start what is not running; yield each part's name and seconds as it gets ready.

        Raises StackError where a part does not get ready, and where another command stops the
        stack meanwhile.
        """
        with self.keeper.alone():
            self._stop_asked.unlink(missing_ok=True)
            if not self.keeper.is_running():
                self._refuse_neighbours()
                end_leftovers(self.places.state)
                require(self.settings)
                self._prepare()
                if self._stop_asked.exists():
                    raise StackError("another command stopped the stack", STOPPED_REMEDY)
                self.started = True
                self.keeper.launch(self.processes, REPOSITORY, self.environment)
            self.supervisord = self.keeper.process()
        yield "prepared", 0.0
        # One after the other would waste the seconds in which a JVM waits for its disk, and a
        # Python for its imports: only what needs an earlier part waits for it.
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
        if self.supervisord is None or not is_alive(self.supervisord):
            raise StackError("the stack was stopped by another command", STOPPED_REMEDY)

    def down(self) -> bool:
        """Stop everything; whether anything ran.

        Everything of this state is gone when it returns, whoever started it. A command that is
        just making it ready gives up first.
        """
        if not self.places.state.is_dir():
            return False
        self._stop_asked.touch()
        with self.keeper.alone():
            self._stop_asked.unlink(missing_ok=True)
            ran = self.keeper.process() is not None
            if ran:
                last = [["datanode"], ["namenode"]]  # whoever still writes needs them
                first = [name for name in self.processes if [name] not in last]
                self.keeper.shut_down([first, *last])
            return end_leftovers(self.places.state) > 0 or ran

    def status(self) -> list[dict[str, object]]:
        """Each process: name, state, pid, since when (epoch seconds), what it lacks."""
        if not self.keeper.is_running():
            return []
        return [
            {
                "name": p["name"],
                "state": p["statename"].lower(),
                "pid": p["pid"],
                "since": p["start"],
                "lacks": missing(p["name"], self.settings) if p["pid"] else "not running",
            }
            for p in self.keeper.processes()
        ]

    def pids(self) -> list[int]:
        """Process ids of supervisord's children."""
        return [int(p["pid"]) for p in self.keeper.processes() if p["pid"]]

    @property
    def _stop_asked(self) -> Path:
        return self.places.state / "stop-asked"

    def _wait_for(self, names: list[str]) -> Iterator[tuple[str, float]]:
        return wait_for(names, self.settings, self.places.logs, self.check_running)

    def _start(self, name: str) -> None:
        """Start a process that does not run; another command may do so at the same time."""
        try:
            if not any(p["name"] == name and p["pid"] for p in self.keeper.processes()):
                self.keeper.start(name)
        except StackError as error:
            self.check_running()
            if "ALREADY_STARTED" not in error.message:
                raise

    def _refuse_neighbours(self) -> None:
        """StackError naming a stack of another world, or folder, that holds these ports."""
        port = str(self.settings.stack.port_offset)
        for found in running_stacks():
            taken = found.environment.get("MARQUEE_STACK__PORT_OFFSET", "0") == port
            if found.state != self.places.state and taken:
                raise StackError(
                    f"the stack of {found} runs on these ports",
                    f"stop it: `marquee down --data {found.world}`, or set "
                    "MARQUEE_STACK__PORT_OFFSET=100 for this one",
                )

    def _prepare(self) -> None:
        """Folders, configuration, the world, Airflow's database, the NameNode's name space."""
        places = self.places
        folders = (places.logs, places.feedback, places.figures, places.progress, places.tmp)
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
        write_conf(self.settings, self.places.conf, self.places.hdfs)
        password(self.places.airflow)
        with ThreadPoolExecutor() as pool:
            jobs = [
                pool.submit(self._make_world),
                pool.submit(self._migrate),
                pool.submit(self._format),
            ]
            for job in jobs:
                job.result()

    def _format(self) -> None:
        format_namenode(
            Path(self.environment["JAVA"]),
            self.environment["HDFS_CLASS_PATH"],
            self.places.hdfs,
            self.environment,
        )

    def _migrate(self) -> None:
        """A migration takes seconds: only where the database is not there yet.

        One that was killed half-way is laid aside: Airflow could not go on from it.
        """
        done, made = self.places.airflow / "migrated", self.places.airflow / "airflow.db"
        if not done.is_file():
            if made.is_file():
                made.replace(made.with_suffix(".db.unfinished"))
            migrate(self.environment)
            done.touch()

    def _make_world(self) -> None:
        """The synthetic world, once; the command writes beside and renames."""
        if self.settings.ratings.source or self.places.world.is_dir():
            return
        beside = self.places.state / ".world"
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
        beside.rename(self.places.world)


def end_quietly(*_: object) -> None:
    """A signal handler that unwinds: Ctrl-C, TERM and a closed terminal all end in `finally`."""
    raise KeyboardInterrupt


def unwind_on_term() -> None:
    """Make TERM, and HUP unless it is ignored (nohup), end a command the way Ctrl-C does."""
    signal.signal(signal.SIGTERM, end_quietly)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, end_quietly)


@contextmanager
def undisturbed() -> Iterator[None]:
    """What must end well once begun: no second Ctrl-C, TERM or HUP comes between."""
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, signal.SIG_IGN) for number in signals]
    try:
        yield
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)
