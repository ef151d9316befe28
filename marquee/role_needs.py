"""What a role of a host needs: Airflow with its drivers, an executor, the optional engines.

`marquee.host_needs` has the arithmetic of daemons and tasks, and says what a number means;
`marquee.shelf` places the roles, and `local_stack.systemd_units` limits them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from marquee.errors import SettingsError
from marquee.host_needs import (
    AIRFLOW,
    CHAINS,
    DAEMONS,
    LEAST_HEAP,
    MOST_HEAP,
    OUTSIDE_OF_HEAP,
    TOGETHER,
    DataSize,
    bundles,
    task_needs,
    training,
)
from marquee.place_settings import megabytes

if TYPE_CHECKING:
    from marquee.settings import Settings

UNCERTAIN = 1.25
"""Factor from an estimate to a limit: estimates are within a quarter of what was measured."""
BROKER = 230
"""A broker of Kafka of our own."""
CONNECT_HELD, CONNECT_HELD_OF_ROWS = 345, 18
"""What the heap of Spark Connect's server holds with both models, and for each thousand people and
titles, if it is as large. A batch of many rows may fill a larger one."""
CONNECT_WORKER = 157
"""Our worker before that server, beside its bundles: pandas, and the client of gRPC."""
STREAM_LOOP = 75
"""The plain loop, beside its bundles."""
STREAM_SPARK = 400
"""Micro-batches of Spark, beside the heap of their driver and the bundles of each worker."""
STREAM_WORKERS = 2
"""Python workers of the micro-batches, one a core."""
APPLICATION_MASTER = 300
"""Of a job on YARN whose driver stays with Airflow: a JVM on one of the workers. An assumption."""
PYTHON_WORKERS = 60
"""Below an executor, beside the chains: pyspark's daemon with NumPy and pyarrow."""
PLACES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "kafka": ("kafka", {"embedded": True}, {"bootstrap": "kafka:9092"}),
    "connect": (
        "connect",
        {"embedded": True},
        {"host": "0.0.0.0", "worker": "http://connect:8002"},
    ),
    "stream": ("streams", {"embedded": True}, {}),
    "documents": (
        "documents",
        {"url": "http://127.0.0.1:5984"},
        {"url": "http://couchdb:5984"},
    ),
}
"""By engine: a section of a place's file, its values on one machine, and on several."""


def airflow(size: DataSize, heap: float, in_cluster: bool = False) -> float:
    """Airflow's four processes, Postgres, and the two largest tasks that run together there."""
    idle = sum(DAEMONS[name] for name in (*AIRFLOW, "postgres"))
    return idle + sum(drivers(size, heap, in_cluster).values())


def drivers(size: DataSize, heap: float, in_cluster: bool = False) -> dict[str, float]:
    """The tasks that together hold the most beside Airflow, each with its megabytes.

    `in_cluster`: YARN holds the drivers of Spark (`[spark] deploy_mode`).
    """
    needs = task_needs(size)

    def held(task: str) -> float:
        return needs[task].at_submitter if in_cluster else needs[task].at_driver(heap)

    pairs = ({task: held(task) for task in pair} for pair in TOGETHER)
    return max(pairs, key=lambda pair: sum(pair.values()))


def driver_need(size: DataSize, heap: float) -> float:
    """The largest driver in a container of YARN: its JVM, and its Python."""
    tasks = (need for need in task_needs(size).values() if need.client_heap)
    return max(need.at_driver(heap) - need.launcher for need in tasks)


def on_yarn(size: DataSize, in_cluster: bool, heap: float, workers: int) -> dict[str, str]:
    """The settings of a place on YARN with executors of this heap.

    A container has what stands beside its heap, and a quarter, for YARN ends one that holds more.
    """
    beside = {"executor_overhead": executor_need(size, heap, workers) - heap}
    if in_cluster:
        python = max(need.python for need in task_needs(size).values() if need.client_heap)
        beside["driver_overhead"] = OUTSIDE_OF_HEAP + python
    return {
        "master": "yarn",
        "deploy_mode": "cluster" if in_cluster else "client",
        "resource_manager": "resourcemanager:8032",
        **{name: f"{math.ceil(UNCERTAIN * need / 16) * 16}m" for name, need in beside.items()},
    }


def executor_need(size: DataSize, heap: float, workers: int) -> float:
    """One executor: its JVM with a full heap, its Python workers, and its share of the chains."""
    chains = math.ceil(CHAINS / workers) * training(size).chains / CHAINS
    return OUTSIDE_OF_HEAP + heap + PYTHON_WORKERS + chains


def wanted_heap(size: DataSize, workers: int) -> int:
    """The heap of an executor with which `prepare_ratings` and training spill nothing."""
    needs = task_needs(size)
    most = max(needs[task].heap for task in ("prepare_ratings", "train_recommender"))
    return round(min(MOST_HEAP, max(LEAST_HEAP, needs["train_budget"].heap, most / workers)))


def partitions(size: DataSize, workers: int) -> int:
    """Two for each of four cores of a worker where there is much; never above a task of 4,000."""
    most = max(2, size.ratings // 4_000)
    return int(min(most, 8 * workers, 64))


def engine_daemons(size: DataSize, connect_heap: float, stream_heap: float) -> dict[str, float]:
    """Every daemon of the optional engines; a stream with a heap is Spark's, else the loop."""
    held = CONNECT_HELD + CONNECT_HELD_OF_ROWS * size.rows / 1_000
    in_spark = STREAM_SPARK + stream_heap + STREAM_WORKERS * bundles(size)
    return {
        "kafka": BROKER,
        "connect-server": OUTSIDE_OF_HEAP + min(connect_heap, held),
        "connect-worker": CONNECT_WORKER + 2 * bundles(size),
        "stream": in_spark if stream_heap else STREAM_LOOP + bundles(size),
    }


@dataclass(frozen=True)
class Engines:
    """The optional engines that a place runs beside the weekly run, and their heaps."""

    names: frozenset[str] = frozenset()
    """Of ENGINES."""
    connect_heap: float = 768
    stream_heap: float = 0
    """Of the stream's driver; 0: the plain loop."""

    @classmethod
    def of(cls, settings: Settings, named: str = "") -> Engines:
        """Those that the settings switch on, or the named ones (`kafka,stream`, or `none`).

        Raises SettingsError for a name of no engine, and for a stream without a Kafka.
        """
        own = {
            "kafka": settings.kafka.embedded,
            "connect": settings.connect.embedded or bool(settings.connect.worker),
            "stream": settings.streams.embedded,
            "documents": settings.documents.is_on,
        }
        given = {word.strip() for word in named.split(",")} - {"", "none"}
        if unknown := ", ".join(sorted(given - own.keys())):
            raise SettingsError(
                f"there is no engine '{unknown}'", f"name some of: {', '.join(own)}, none"
            )
        names = given if named else {name for name, is_on in own.items() if is_on}
        if "stream" in names and "kafka" not in names and not settings.kafka.bootstrap:
            raise SettingsError("a stream needs a Kafka", "add kafka, or set [kafka] bootstrap")
        heap = megabytes(settings.spark.driver_memory) if settings.streams.how == "spark" else 0
        return cls(frozenset(names), megabytes(settings.connect.memory), heap)

    def extra(self, place: dict[str, dict[str, Any]], alone: bool) -> None:
        """Add what a place's file says of them; `alone`: the local stack runs them."""
        for name, (section, embedded, elsewhere) in PLACES.items():
            if name in self.names and (values := embedded if alone else elsewhere):
                place.setdefault(section, {}).update(values)

    def roles(self, size: DataSize) -> dict[str, float]:
        """Megabytes by role of a host; documents are published by a task of Airflow's."""
        needs = engine_daemons(size, self.connect_heap, self.stream_heap)
        connect = needs["connect-server"] + needs["connect-worker"]
        found = {"kafka": needs["kafka"], "connect": connect, "stream": needs["stream"]}
        return {role: need for role, need in found.items() if role in self.names}
