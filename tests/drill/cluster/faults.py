"""The faults of the cluster drill, one function each: `FAULTS`.

A fault waits for its moment in a run that has just been triggered, does its harm, and, where
somebody would come to repair it, repairs it. Which host is hit, and how late, comes from the seed.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from marquee.errors import StackError
from tests.drill.cluster.cluster import Cluster
from tests.drill.cluster.runs import WeeklyRun

SPARK_TASKS = {
    "prepare_titles": "prepare_titles",
    "prepare_ratings": "prepare_ratings",
    "budget.train": "train_budget",
    "recommender.train": "train_recommender",
    "recommender.forecast": "forecast_recommender",
}
"""Tasks that a Spark job does, and the job, which names the application."""
REPAIR_SECONDS = 10.0
"""How long a host, a link or a daemon is away where somebody repairs it."""
SMALL_MB = 560


@dataclass(frozen=True)
class Scene:
    """Where a fault happens."""

    cluster: Cluster
    run: WeeklyRun
    rng: random.Random

    def await_job(self, task: str) -> str:
        """Wait until the task's application has executors, and a while; one of their hosts."""
        job = SPARK_TASKS[task]
        self.run.wait_for(lambda: bool(self.cluster.executors_of(job)), f"{task} had executors")
        time.sleep(self.rng.uniform(0, 3))
        hosts = self.cluster.executors_of(job) or list(self.cluster.workers)
        return self.rng.choice(sorted(hosts))


Act = Callable[[Scene], None]


@dataclass(frozen=True)
class Fault:
    """One fault: what it does, in words; when, as a function; and what differs from the start."""

    does: str
    act: Act
    updates: Mapping[str, str] = field(default_factory=dict)
    """Variables of the product that differ."""
    memory_mb: Mapping[str, int] = field(default_factory=dict)
    """By host: memory that differs."""


def nothing(scene: Scene) -> None:
    """The undisturbed run."""


def kill_worker(task: str, scene: Scene) -> None:
    """A worker host with an executor of the task loses its power, and stays off."""
    scene.cluster.network.kill(scene.await_job(task))


def kill_master(scene: Scene) -> None:
    """The master dies in training and is started again; the recovery folder has its state."""
    scene.await_job("recommender.train")
    _restart(scene, "spark-master")


def restart_namenode(scene: Scene) -> None:
    """The NameNode dies while ratings are prepared, and is started again."""
    scene.await_job("prepare_ratings")
    _restart(scene, "namenode")


def kill_airflow(scene: Scene) -> None:
    """The host of Airflow, and of every driver, loses its power in training, and comes back."""
    scene.await_job("recommender.train")
    _restart(scene, "airflow")


def lose_datanode(scene: Scene) -> None:
    """One DataNode dies in training and stays away; its host's Spark worker goes on."""
    host = scene.await_job("recommender.train")
    process = scene.cluster.processes[host, "datanode"]
    process.kill()
    process.wait()


def cut_link(scene: Scene) -> None:
    """A worker's link is cut in training for longer than HDFS and Spark wait, then mended."""
    host = scene.await_job("recommender.train")
    scene.cluster.network.cut(host)
    time.sleep(REPAIR_SECONDS + scene.rng.uniform(0, 20))
    scene.cluster.network.mend(host)


def _restart(scene: Scene, host: str) -> None:
    scene.cluster.network.kill(host)
    time.sleep(REPAIR_SECONDS)
    scene.cluster.start(host)


FAULTS: dict[str, Fault] = {
    "undisturbed": Fault("nothing: the others are compared with this run", nothing),
    **{
        f"kill_worker_in_{task.replace('.', '_')}": Fault(
            f"a worker host is killed in {task}", partial(kill_worker, task)
        )
        for task in SPARK_TASKS
    },
    "kill_master": Fault("the Spark master is killed in training, back after 10 s", kill_master),
    "lose_datanode": Fault("a DataNode is lost in training", lose_datanode),
    "cut_link": Fault("a worker's link is cut in training, mended after 10 to 30 s", cut_link),
    "restart_namenode": Fault("the NameNode is killed, back after 10 s", restart_namenode),
    "small_worker": Fault(
        f"one worker host has {SMALL_MB} MB", nothing, memory_mb={"worker1": SMALL_MB}
    ),
    "kill_airflow": Fault("the Airflow host is killed in training, back after 10 s", kill_airflow),
    "local": Fault(
        "no cluster: Spark is local[2] on the Airflow host",
        nothing,
        updates={"MARQUEE_SPARK__MASTER": "local[2,4]"},
    ),
}
"""By name; the first is run first, and the seconds of the last stand beside the cluster's."""


def fault_named(name: str) -> Fault:
    """The fault; StackError with the known names where there is none."""
    if name not in FAULTS:
        raise StackError(f"no fault is called {name}", f"there are {', '.join(FAULTS)}")
    return FAULTS[name]
