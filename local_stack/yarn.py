"""YARN from the jars of HDFS and three of BouncyCastle: its classes, its configuration, containers.

`host_daemon` starts a ResourceManager or a NodeManager with them; `yarn_checks` asks such daemons.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from local_stack.hdfs import JVM, class_path, write_values
from marquee.addresses import host_and_port
from marquee.errors import StackError
from marquee.place_settings import RESOURCE_MANAGER_PORT, SparkSettings, megabytes

RESOURCE_MANAGER_CLASS = "org.apache.hadoop.yarn.server.resourcemanager.ResourceManager"
NODE_MANAGER_CLASS = "org.apache.hadoop.yarn.server.nodemanager.NodeManager"
HEAPS = {RESOURCE_MANAGER_CLASS: 128, NODE_MANAGER_CLASS: 96}
"""Megabytes of the daemons' heaps."""
OPEN_MODULES = "--add-opens=java.base/java.lang=ALL-UNNAMED"
"""Guice of Hadoop 3.4 makes classes by reflection, which Java 17 refuses otherwise."""
SMALLEST_CONTAINER_MB = 128
MOST_FOR_MASTERS = "0.8"
"""Share of a queue for application masters; with YARN's own 0.1 none starts on a shelf."""
LEAST_OVERHEAD_MB, OVERHEAD_SHARE = 384, 0.1
"""What Spark adds to a heap where no overhead is set: a tenth, and at least so much."""
MASTER_HEAP = "512m"
"""Of Spark's own application master in client mode (`spark.yarn.am.memory`)."""


class NodeSize(NamedTuple):
    """What one NodeManager offers to containers."""

    memory_mb: int
    cores: int


def daemon_command(java: Path, java_class: str, conf: Path, jars: list[Path]) -> list[str]:
    """The command of one daemon of YARN; `conf` is the first entry of its class path."""
    heap = f"-Xmx{HEAPS[java_class]}m"
    return [
        str(java),
        heap,
        *JVM,
        OPEN_MODULES,
        "-cp",
        class_path(conf, jars),
        java_class,
    ]


def write_yarn_conf(conf: Path, values: dict[str, str]) -> None:
    """Write `yarn-site.xml` and `capacity-scheduler.xml`, which HDFS's files stand beside."""
    write_values(conf / "yarn-site.xml", values)
    queue = "yarn.scheduler.capacity"
    write_values(
        conf / "capacity-scheduler.xml",
        {
            f"{queue}.root.queues": "default",
            f"{queue}.root.default.capacity": "100",
            f"{queue}.maximum-am-resource-percent": MOST_FOR_MASTERS,
            # Without it, a container's cores are not counted.
            f"{queue}.resource-calculator": (
                "org.apache.hadoop.yarn.util.resource.DominantResourceCalculator"
            ),
        },
    )


def yarn_values(host: str, size: NodeSize, folder: Path) -> dict[str, str]:
    """`yarn-site.xml` of a small cluster: the ResourceManager's host, and what each node offers.

    `folder` holds a NodeManager's containers and their logs.
    """
    return {
        "yarn.resourcemanager.hostname": host,
        "yarn.nodemanager.local-dirs": str(folder / "containers"),
        "yarn.nodemanager.log-dirs": str(folder / "container-logs"),
        "yarn.nodemanager.resource.memory-mb": str(size.memory_mb),
        "yarn.nodemanager.resource.cpu-vcores": str(size.cores),
        "yarn.scheduler.minimum-allocation-mb": str(SMALLEST_CONTAINER_MB),
        "yarn.scheduler.maximum-allocation-mb": str(size.memory_mb),
        # A JVM reserves far more addresses than it uses memory.
        "yarn.nodemanager.vmem-check-enabled": "false",
        # By default a disk that is nine tenths full counts as broken, and no container starts.
        "yarn.nodemanager.disk-health-checker.max-disk-utilization-per-disk-percentage": "99",
        # Silent for two minutes is lost (YARN's own: ten). A driver's JVM says its first word after
        # half a minute on a loaded board, so less would end jobs that are only slow.
        "yarn.nm.liveness-monitor.expiry-interval-ms": "120000",
        "yarn.am.liveness-monitor.expiry-interval-ms": "120000",
    }


def container_mb(heap: str, overhead: str, smallest: int) -> int:
    """Megabytes of a container for this heap, rounded up as YARN does."""
    heap_mb = megabytes(heap)
    usual = max(LEAST_OVERHEAD_MB, int(heap_mb * OVERHEAD_SHARE))
    needed = heap_mb + (megabytes(overhead) if overhead else usual)
    return -(-needed // smallest) * smallest


def containers_mb(settings: SparkSettings, smallest: int) -> tuple[int, int]:
    """Megabytes of the containers of an executor, and of a driver or its application master."""
    executor = container_mb(settings.executor_memory, settings.executor_overhead, smallest)
    if settings.deploy_mode == "cluster":
        driver = container_mb(settings.driver_memory, settings.driver_overhead, smallest)
        return executor, driver
    return executor, container_mb(MASTER_HEAP, "", smallest)


def place_values(settings: SparkSettings, data: Path) -> dict[str, str]:
    """`yarn-site.xml` of a place's daemons: each node has room for an executor and a driver.

    Raises StackError where the place names no ResourceManager.
    """
    if not (settings.on_yarn and settings.resource_manager):
        raise StackError(
            f"spark.master is {settings.master}, and no ResourceManager is named",
            "set MARQUEE_PLACE to a place with master = yarn and resource_manager",
        )
    host, port = host_and_port(settings.resource_manager, RESOURCE_MANAGER_PORT)
    size = NodeSize(sum(containers_mb(settings, SMALLEST_CONTAINER_MB)), os.cpu_count() or 1)
    return {
        **yarn_values(host, size, data / "yarn"),
        "yarn.resourcemanager.address": f"{host}:{port}",
        "yarn.resourcemanager.webapp.address": urlsplit(settings.pages[0]).netloc,
        "yarn.resourcemanager.bind-host": "0.0.0.0",
    }
