"""One weekly run on YARN, through an Airflow of its own: started, disturbed, watched, measured."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psutil
import pytest

from local_stack.airflow_api import DAG, ENDED_STATES, AirflowApi
from local_stack.stack import Stack
from marquee.errors import MarqueeError, StackError
from marquee.identifiers import run_slug
from marquee.lake import Lake, open_lake
from marquee.policy import MODELS
from marquee.resource_manager import ACTIVE, listed, read_cluster
from marquee.settings import Settings, load_settings
from marquee.spark_applications import active_applications
from release.ledger import Ledger
from steps.spark_submit import all_attempts
from tests.drill.cluster.contents import digests_of
from tests.drill.cluster_faults import SMALL_RECIPES
from tests.plugins.local_stack import stack_settings

T = TypeVar("T")
MINUTES = 40
"""Until a run that hangs is given up."""
RUN_ID = "drill"


@dataclass(frozen=True)
class Weekly:
    """One run of a fresh stack."""

    stack: Stack
    api: AirflowApi
    as_of: str

    @property
    def spark(self) -> Any:
        """The place's settings of Spark."""
        return self.stack.settings.spark

    @cached_property
    def lake(self) -> Lake:
        """The lake of the place."""
        found = self.stack.settings.lake
        return open_lake(found.root, found.webhdfs, found.user)

    def trigger(self) -> None:
        """Start the run."""
        self.api.create_pools()
        self.api.unpause(seconds=300)
        body = {"logical_date": None, "dag_run_id": RUN_ID, "conf": {"as_of": self.as_of}}
        self.api.call("POST", f"/dags/{DAG}/dagRuns", json=body)

    def state(self) -> str:
        """The run's, in Airflow."""
        return str(patiently(lambda: self.api.run(RUN_ID))["state"])

    def tasks(self) -> dict[str, dict[str, Any]]:
        """Task instances by task id."""
        return {task["task_id"]: task for task in patiently(lambda: self.api.tasks(RUN_ID))}

    def applications(self, job: str) -> dict[str, str]:
        """The state of each application of a job, by its id."""
        prefix = all_attempts(job, run_slug(RUN_ID))
        master, pages = self.spark.master, self.spark.pages
        found = patiently(lambda: active_applications(master, pages, prefix))
        return {one.id: one.state for one in found}

    def await_running(self, job: str) -> str:
        """Wait until an application of the job runs; its id. StackError if the run ends before."""
        deadline = time.monotonic() + MINUTES * 60
        while True:
            for number, state in self.applications(job).items():
                if state == "RUNNING":
                    return number
            if self.state() in ENDED_STATES or time.monotonic() > deadline:
                raise StackError(f"no application of {job} was seen")
            time.sleep(0.5)

    def submission(self, job: str) -> psutil.Process:
        """The process of spark-submit, which in client mode is the driver too."""
        for process in psutil.process_iter(["name", "cmdline"]):
            line = " ".join(process.info["cmdline"] or [])
            is_ours = all(part in line for part in (f"{job}.py", self.lake.root))
            if process.info["name"] == "java" and is_ours and "SparkSubmit" in line:
                return process
        raise StackError(f"no spark-submit of {job} was seen")

    def seconds_to_end(self, job: str, number: str) -> float:
        """How long an application is still listed; StackError after two minutes."""
        since = time.monotonic()
        while number in self.applications(job):
            if time.monotonic() - since > 120:
                raise StackError(f"{number} of {job} goes on after two minutes")
            time.sleep(0.2)
        return time.monotonic() - since

    def finish(self) -> dict[str, Any]:
        """Wait for the end; what `tests.drill.cluster.report.failures` asks for."""
        deadline = time.monotonic() + MINUTES * 60
        while (state := self.state()) not in ENDED_STATES:
            if time.monotonic() > deadline:
                raise StackError(f"the run did not end: {self._states()}")
            time.sleep(1)
        tasks = self.tasks()
        run = run_slug(RUN_ID)
        return {
            "state": state,
            "states": self._states(),
            "seconds": {name: round(t["duration"] or 0.0, 1) for name, t in tasks.items()},
            "attempts": {name: int(t["try_number"]) for name, t in tasks.items()},
            "promotions": {model: len(Ledger(self.lake, model).entries()) for model in MODELS},
            "digests": dict(sorted(digests_of(self.lake, f"runs/{run}"))),
            "orphans": self._orphans(),
            "missing_blocks": self._missing_blocks(),
        }

    def _states(self) -> dict[str, str]:
        return {name: str(task["state"]) for name, task in self.tasks().items()}

    def _orphans(self) -> list[str]:
        """Applications that YARN still lists 30 s after the end, whosoever they are."""
        asked, deadline = f"apps?states={ACTIVE}", time.monotonic() + 30
        page = self.spark.pages[0]
        while found := listed(patiently(lambda: read_cluster(page, asked)), "apps", "app"):
            if time.monotonic() > deadline:
                return [str(one)[:200] for one in found]
            time.sleep(1)
        return []

    def _missing_blocks(self) -> int:
        query = "jmx?qry=Hadoop:service=NameNode,name=FSNamesystem"
        for page in self.stack.settings.lake.pages:
            with suppress(httpx.HTTPError, LookupError):
                beans = httpx.get(f"{page}/{query}", trust_env=False, timeout=30).json()["beans"]
                if beans[0].get("tag.HAState", "active") == "active":
                    return int(beans[0]["MissingBlocks"])
        return -1


def patiently(ask: Callable[[], T]) -> T:
    """The answer of an API that a loaded machine lets wait."""
    deadline = time.monotonic() + 300
    while True:
        try:
            return ask()
        except MarqueeError:
            if time.monotonic() > deadline:
                raise
            time.sleep(2)


def task_of(submission: psutil.Process) -> psutil.Process:
    """The process of the Airflow task that has started this spark-submit."""
    for parent in submission.parents():
        if "java" not in parent.name():
            return parent
    raise StackError("spark-submit has no task")


def kill(process: psutil.Process) -> None:
    """As the kernel does when memory runs out."""
    with suppress(ProcessLookupError):
        os.kill(process.pid, signal.SIGKILL)


@contextmanager
def weekly(place: str, state: Path, as_of: str) -> Iterator[Weekly]:
    """A run's Airflow, replica and serving at a place (TOML with `{replica}`); none is left."""
    state.mkdir(parents=True)
    offset = stack_settings(state).stack.port_offset
    with pytest.MonkeyPatch.context() as environment:
        for key, value in SMALL_RECIPES.items():
            environment.setenv(key, value)
        stack = Stack(_settings(place, state, offset))
        try:
            for name, seconds in stack.up():
                print(f"yarn: {name} is ready after {seconds:.0f} s", flush=True)
            yield Weekly(stack, AirflowApi(stack.settings, stack.folders.airflow), as_of)
        finally:
            stack.down()


def _settings(place: str, state: Path, offset: int) -> Settings:
    port = load_settings("local").stack.ports.replica + offset
    file = state / "place.toml"
    file.write_text(place.replace("{replica}", f"http://127.0.0.1:{port}"), "utf-8")
    settings = load_settings(str(file))
    stack = settings.stack.model_copy(update={"port_offset": offset})
    return settings.model_copy(update={"state": str(state / "state"), "stack": stack})
