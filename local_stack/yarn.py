"""YARN's daemons, run from the same jars as HDFS: their classes and their configuration.

The minicluster jar holds ResourceManager and NodeManager; three BouncyCastle jars go with
it. A place whose Hadoop belongs to somebody else needs none of this: Spark finds it by
`[spark] resource_manager`, or by the operator's HADOOP_CONF_DIR.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from local_stack.hdfs import JVM_OF_DAEMONS, class_path, write_values

RESOURCE_MANAGER_CLASS = "org.apache.hadoop.yarn.server.resourcemanager.ResourceManager"
NODE_MANAGER_CLASS = "org.apache.hadoop.yarn.server.nodemanager.NodeManager"
HEAPS = {RESOURCE_MANAGER_CLASS: 128, NODE_MANAGER_CLASS: 96}
"""Megabytes of the daemons' heaps."""
OPEN_MODULES = "--add-opens=java.base/java.lang=ALL-UNNAMED"
"""Guice of Hadoop 3.4 makes classes by reflection, which Java 17 refuses otherwise."""
SMALLEST_CONTAINER_MB = 128
MOST_FOR_MASTERS = "0.8"
"""Share of a queue for application masters; with YARN's own 0.1 none starts on a shelf."""


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
        *JVM_OF_DAEMONS,
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
