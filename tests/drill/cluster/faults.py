"""The faults of the cluster drill, one function each: `FAULTS`.

A fault waits for its moment in a run that has just been triggered, does its harm and says what it
did; where somebody would come to repair it, it repairs it. Which host is hit, and how late, comes
from the seed.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from marquee.errors import StackError
from marquee.settings import REPOSITORY
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
"""How long a host or a daemon is away where somebody repairs it."""
SMALL_MB = 560
RELEASE = REPOSITORY.parent / "shared" / "data" / "ml-latest-small"


@dataclass(frozen=True)
class Scene:
    """Where a fault happens."""

    cluster: Cluster
    run: WeeklyRun
    rng: random.Random

    def await_job(self, task: str) -> str:
        """Wait until the task's application has executors, and a while; one of their hosts."""
        job, executors = SPARK_TASKS[task], self.cluster.executors_of
        self.run.wait_for(lambda: bool(executors(job)), f"{task} had executors")
        time.sleep(self.rng.uniform(0, 2))
        hosts = executors(job)
        if not hosts:
            raise StackError(f"{task} ended before it could be disturbed")
        return self.rng.choice(sorted(hosts))


Act = Callable[[Scene], str]
"""Disturb a run; a sentence on what was done, empty where nothing was."""


@dataclass(frozen=True)
class Fault:
    """One fault: what it does in words, and when and how as a function."""

    does: str
    act: Act
    updates: Mapping[str, str] = field(default_factory=dict)
    """Variables of the product that differ."""
    memory_mb: Mapping[str, int] = field(default_factory=dict)
    """By host: memory that differs."""
    is_compared: bool = True
    """Whether the lake must be as after the undisturbed run, with its small recipes."""


def nothing(scene: Scene) -> str:
    """The undisturbed run."""
    return ""


def kill_worker(task: str, scene: Scene) -> str:
    """A worker host with an executor of the task loses its power, and stays off."""
    host = scene.await_job(task)
    scene.cluster.network.kill(host)
    return f"{host} lost its power in {task}"


def kill_master(scene: Scene) -> str:
    """The master dies in training and is started again; the recovery folder has its state."""
    scene.await_job("recommender.train")
    return _restart(scene, "spark-master")


def restart_namenode(scene: Scene) -> str:
    """The NameNode dies while ratings are prepared, and is started again."""
    scene.await_job("prepare_ratings")
    return _restart(scene, "namenode")


def kill_airflow(scene: Scene) -> str:
    """The host of Airflow, and of every driver, loses its power in training, and comes back."""
    scene.await_job("recommender.train")
    return _restart(scene, "airflow")


def lose_datanode(scene: Scene) -> str:
    """One DataNode dies in training and stays away; its host's Spark worker goes on."""
    host = scene.await_job("recommender.train")
    process = scene.cluster.processes[host, "datanode"]
    process.kill()
    process.wait()
    return f"the DataNode of {host} was killed"


def cut_link(scene: Scene) -> str:
    """A worker's link is cut in training for 10 to 30 seconds."""
    host = scene.await_job("recommender.train")
    seconds = scene.rng.uniform(10, 30)
    scene.cluster.network.cut(host)
    time.sleep(seconds)
    scene.cluster.network.mend(host)
    return f"{host} was cut off for {seconds:.0f} s"


def _restart(scene: Scene, host: str) -> str:
    scene.cluster.network.kill(host)
    time.sleep(REPAIR_SECONDS)
    scene.cluster.start(host)
    return f"{host} lost its power for {REPAIR_SECONDS:.0f} s"


FAULTS: dict[str, Fault] = {
    "undisturbed": Fault("nothing: the others are compared with this run", nothing),
    "local": Fault(
        "no cluster: Spark is local[2] on the Airflow host",
        nothing,
        updates={"MARQUEE_SPARK__MASTER": "local[2,4]"},
    ),
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
    "real_release": Fault(
        "nothing: ml-latest-small with the recipes that ship",
        nothing,
        updates={
            "MARQUEE_WORLD": "ml-latest-small",
            "MARQUEE_RATINGS__SOURCE": str(RELEASE),
            "MARQUEE_RATINGS__NAME": "ml-latest-small",
        },
        is_compared=False,
    ),
}
"""By name, in the order in which they are run; the first is what most are compared with."""
