"""A weekly run of the cluster, through Airflow's API: trigger, watch, and what it left behind."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from local_stack.airflow_api import DAG, ENDED_STATES, AirflowApi
from marquee.errors import StackError
from marquee.identifiers import run_slug
from tests.drill.cluster.cluster import Cluster
from tests.drill.cluster.memory import plan_mb

MINUTES = 60
"""Until a run that hangs is given up."""
RUN_ID = "drill"


@dataclass(frozen=True)
class Ended:
    """A run that has ended, as one value that a log can hold."""

    state: str
    seconds: dict[str, float]
    """By task: of its last attempt."""
    attempts: dict[str, int]
    promotions: dict[str, int]
    """Entries of each model's ledger."""
    digests: dict[str, str]
    """What the run left in the lake, by path; see `contents`."""
    orphans: list[str]
    """Applications that the master still holds after the run's end."""
    missing_blocks: int
    """Blocks of HDFS without any copy."""
    peak_mb: dict[str, int]
    """By host: the most memory that was used, page cache included."""
    held_mb: dict[str, int]
    """By host: the most that its processes held, without page cache."""
    killed: dict[str, int]
    """By host: processes that the kernel killed for want of memory; hosts without any left out."""
    plan_mb: dict[str, int]
    """By host: what `marquee plan` counts for such a host and such a world."""

    def as_json(self) -> dict[str, Any]:
        """The value as JSON."""
        return asdict(self)


class WeeklyRun:
    """The one run of a fresh cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.api: AirflowApi | None = None

    def call(self, ask: Callable[[AirflowApi], Any], seconds: float = 300) -> Any:
        """Ask Airflow's API; while its host is away, ask again."""
        deadline = time.monotonic() + seconds
        with self.cluster.network.inside("airflow"):
            while True:
                try:
                    self.api = self.api or AirflowApi(
                        self.cluster.settings, self.cluster.airflow_home
                    )
                    return ask(self.api)
                except StackError:
                    self.api = None
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(1)

    def trigger(self, form: Mapping[str, Any]) -> None:
        """Start the run."""
        body = {"logical_date": None, "dag_run_id": RUN_ID, "conf": dict(form)}
        self.call(lambda api: api.create_pools())
        self.call(lambda api: api.unpause())
        self.call(lambda api: api.call("POST", f"/dags/{DAG}/dagRuns", json=body))

    def tasks(self) -> dict[str, dict[str, Any]]:
        """Task instances by task id."""
        found = self.call(lambda api: api.tasks(RUN_ID))
        return {task["task_id"]: task for task in found}

    def state(self) -> str:
        """The run's state in Airflow."""
        return str(self.call(lambda api: api.run(RUN_ID))["state"])

    def wait_for(self, holds: Callable[[], bool], what: str) -> None:
        """Wait until `holds`; StackError where the run ends before, or nothing comes."""
        deadline = time.monotonic() + MINUTES * 60
        while not holds():
            if self.state() in ENDED_STATES or time.monotonic() > deadline:
                raise StackError(f"the run ended, or an hour passed, before {what}")
            time.sleep(1)

    def finish(self, held_mb: Mapping[str, int]) -> Ended:
        """Wait for the run's end; what it left. `held_mb` are the hosts' peaks as they grow."""
        deadline = time.monotonic() + MINUTES * 60
        while self.state() not in ENDED_STATES:
            if time.monotonic() > deadline:
                raise StackError(f"the run did not end: {self._unfinished()}")
            time.sleep(1)
        left = json.loads(
            self.cluster.python("airflow", "-m", "tests.drill.cluster.contents", run_slug(RUN_ID))
        )
        tasks, network = self.tasks(), self.cluster.network
        return Ended(
            state=self.state(),
            seconds={name: round(task["duration"] or 0.0, 1) for name, task in tasks.items()},
            attempts={name: int(task["try_number"]) for name, task in tasks.items()},
            promotions=left["promotions"],
            digests=left["digests"],
            orphans=self._orphans(),
            missing_blocks=self.cluster.missing_blocks(),
            peak_mb={name: round(network.peak_mb(name)) for name in network.hosts},
            held_mb=dict(held_mb),
            killed={name: n for name in network.hosts if (n := network.killed(name))},
            plan_mb=plan_mb(self.cluster.settings, self.cluster.workers),
        )

    def _unfinished(self) -> str:
        found = [f"{n}: {t['state']}" for n, t in self.tasks().items() if t["state"] != "success"]
        return ", ".join(found)

    def _orphans(self, seconds: float = 30) -> list[str]:
        """Names of applications that are still registered `seconds` after the end."""
        deadline = time.monotonic() + seconds
        while (found := self.cluster.applications()) and time.monotonic() < deadline:
            time.sleep(1)
        return found
