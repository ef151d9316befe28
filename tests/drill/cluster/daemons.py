"""Which daemon runs on which host of the cluster: `daemons_of`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from local_stack.hdfs import DATANODE_CLASS, NAMENODE_CLASS
from tests.drill.cluster.environments import SPARK_OF_WORKER, java_command
from tests.drill.cluster.metadata_database import database_command

if TYPE_CHECKING:
    from tests.drill.cluster.cluster import Cluster

MASTER = "spark://spark-master:7077"
PORT = "--host 0.0.0.0 --port 8001"
WORKER_CORES, WORKER_MB = 1, 768
"""What a worker gives to executors."""


@dataclass(frozen=True)
class Daemon:
    """One process of one host."""

    host: str
    name: str
    command: tuple[str, ...]
    is_ready: Callable[[], bool]
    is_product: bool = False
    """Whether it is given the product's variables, secrets among them."""


def daemons_of(cluster: Cluster) -> list[Daemon]:
    """Every daemon of the cluster, in the order in which they start."""
    python, spark = sys.executable, f"{SPARK_OF_WORKER}/bin/spark-class"
    deploy = "org.apache.spark.deploy"
    master = [spark, f"{deploy}.master.Master", "--host", "spark-master", "--port", "7077"]
    master += ["--webui-port", "8080"]
    worker = [spark, f"{deploy}.worker.Worker", "--cores", str(WORKER_CORES)]
    worker += ["--memory", f"{WORKER_MB}m", "--port", "7078", "--work-dir", "/srv/data/work"]

    def health(component: str) -> Callable[[], bool]:
        def probe() -> bool:
            found = cluster.get_json("airflow", 8080, "/api/v2/monitor/health")
            return (found.get(component) or {}).get("status") == "healthy"

        return probe

    def airflow(name: str, component: str, *arguments: str) -> Daemon:
        command = (python, "-m", "airflow", *arguments)
        return Daemon("airflow", name, command, health(component), is_product=True)

    def of_worker(host: str) -> list[Daemon]:
        count = cluster.workers.index(host) + 1
        datanode = tuple(java_command(64, DATANODE_CLASS))
        own = (*worker, "--host", host, MASTER)
        return [
            Daemon(host, "datanode", datanode, lambda: cluster.live_datanodes() >= count),
            Daemon(host, "spark-worker", own, lambda: host in cluster.alive_workers()),
        ]

    def outside(name: str, command: tuple[str, ...], port: int, page: str) -> Daemon:
        def answers() -> bool:
            return cluster.get("serving", port, page) is not None

        return Daemon("serving", name, command, answers, is_product=True)

    lake = ("--lake", cluster.settings.lake.root, "--webhdfs", cluster.settings.lake.webhdfs)
    state = f"/srv/data/state/{cluster.settings.world}"
    folders = ("--cache", f"{state}/bundles", "--feedback", f"{state}/feedback")
    serving = (python, "-m", "serving", "--host", "0.0.0.0", "--port", "8000", *lake, *folders)
    replica = ("sh", "-c", f'eval exec {python} -m replica serve {PORT} "$REPLICA_TITLES"')
    database = []
    if cluster.has_postgres:
        is_ready = partial(cluster.network.listens, "airflow", 5432)
        database = [Daemon("airflow", "postgres", database_command(), is_ready)]
    listing = "/webhdfs/v1/?op=LISTSTATUS"
    return [
        Daemon(
            "namenode",
            "namenode",
            tuple(java_command(96, NAMENODE_CLASS)),
            lambda: cluster.get("namenode", 9870, listing) is not None,
        ),
        Daemon("spark-master", "master", tuple(master), lambda: bool(cluster.master())),
        *[daemon for host in cluster.workers for daemon in of_worker(host)],
        *database,
        airflow("api", "metadatabase", "api-server", "--host", "0.0.0.0", "--workers", "1"),
        airflow("scheduler", "scheduler", "scheduler", "--skip-serve-logs"),
        airflow("dags", "dag_processor", "dag-processor"),
        airflow("triggerer", "triggerer", "triggerer", "--skip-serve-logs"),
        outside("replica", replica, 8001, "/healthz"),
        outside("serving", serving, 8000, "/livez"),
    ]
