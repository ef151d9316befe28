"""The whole stack: made ready, started in order, stopped cleanly."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from marquee.errors import StackError
from marquee.settings import REPOSITORY, Settings
from marquee.stack.airflow import migrate, password
from marquee.stack.doctor import require
from marquee.stack.environment import Places, stack_environment
from marquee.stack.hdfs import format_namenode, write_conf
from marquee.stack.leftovers import end_leftovers
from marquee.stack.procfile import AFTER, read_procfile, waves
from marquee.stack.readiness import missing, wait_for
from marquee.stack.supervisor import Keeper


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
        self.places = Places(self.settings.state_folder)
        self.keeper = Keeper(self.places.state)
        self.environment = stack_environment(self.settings)
        self.processes = read_procfile()

    def up(self) -> Iterator[tuple[str, float]]:
        """Start what is not running; yield each part's name and seconds as it gets ready."""
        if not self.keeper.is_running():
            require(self.settings)
            yield from self._prepare()
            self.keeper.launch(self.processes, REPOSITORY, self.environment)
        # One after the other would waste the seconds in which a JVM waits for its disk, and a
        # Python for its imports: only what needs an earlier part waits for it.
        started: list[str] = []
        for wave in waves(list(self.processes)):
            needed = [n for n in started if any(n in AFTER.get(later, ()) for later in wave)]
            yield from wait_for(needed, self.settings, self.places.logs)
            started = [n for n in started if n not in needed] + wave
            for name in wave:
                if not self._is_started(name):
                    self.keeper.start(name)
        yield from wait_for(started, self.settings, self.places.logs)

    def down(self) -> bool:
        """Stop everything; whether anything ran."""
        if not self.keeper.is_running():
            return end_leftovers(self.places.state) > 0
        last = [["datanode"], ["namenode"]]  # whoever still writes needs them
        first = [name for name in self.processes if [name] not in last]
        self.keeper.shut_down([first, *last])
        end_leftovers(self.places.state)
        return True

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

    def _is_started(self, name: str) -> bool:
        return any(p["name"] == name and p["pid"] for p in self.keeper.processes())

    def _prepare(self) -> Iterator[tuple[str, float]]:
        """Folders, configuration, the world, Airflow's database, the NameNode's name space."""
        places = self.places
        for folder in (places.logs, places.feedback, places.figures, places.tmp):
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
        yield "prepared", 0.0

    def _format(self) -> None:
        format_namenode(
            Path(self.environment["JAVA"]),
            self.environment["HDFS_CLASS_PATH"],
            self.places.hdfs,
            self.environment,
        )

    def _migrate(self) -> None:
        """A migration takes seconds: only where the database is not there yet."""
        done = self.places.airflow / "migrated"
        if not done.is_file():
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
    """A signal handler that unwinds: Ctrl-C and TERM both end in `finally`."""
    raise KeyboardInterrupt


def unwind_on_term() -> None:
    """Make TERM end a command the way Ctrl-C does."""
    signal.signal(signal.SIGTERM, end_quietly)
