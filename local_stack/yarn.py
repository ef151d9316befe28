"""YARN: its daemons from the jars of HDFS and three of BouncyCastle, and checks of a place's YARN.

`host_daemon` starts a ResourceManager or a NodeManager with them. `marquee doctor --place` prints
the findings of `check_yarn`, each with a host and what to do there. The pages are read in the form
of Hadoop's own ResourceManager and of the minicluster jar's (`marquee.resource_manager`).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpx

from local_stack.hdfs import JVM, class_path, write_values
from marquee.addresses import host_and_port
from marquee.errors import AwayError, StackError
from marquee.host_checks import UNREADABLE, Finding, check_clocks, host_of, port_finding
from marquee.place_settings import RESOURCE_MANAGER_PORT, SparkSettings, megabytes
from marquee.remote_page import read_page
from marquee.resource_manager import listed, read_cluster, room_of

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
SMALLEST, LARGEST = "yarn.scheduler.minimum-allocation-mb", "yarn.scheduler.maximum-allocation-mb"


class NodeSize(NamedTuple):
    """What one NodeManager offers to containers."""

    memory_mb: int
    cores: int


def daemon_command(java: Path, java_class: str, conf: Path, jars: list[Path]) -> list[str]:
    """The command of one daemon of YARN; `conf` is the first entry of its class path."""
    heap = f"-Xmx{HEAPS[java_class]}m"
    java_flags = [str(java), heap, *JVM, OPEN_MODULES]
    return [*java_flags, "-cp", class_path(conf, jars), java_class]


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
        SMALLEST: str(SMALLEST_CONTAINER_MB),
        LARGEST: str(size.memory_mb),
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


def check_yarn(settings: SparkSettings) -> Iterator[Finding]:
    """Check the ResourceManager's port and pages, the room of its nodes, and the queue."""
    yield from _address(settings)
    if not settings.pages:
        remedy = "set [spark] master_pages to http://host:8088 of the ResourceManager"
        detail = "no page is known, so a killed task cannot end its application"
        yield Finding("YARN's page", False, detail, remedy)
    for page in settings.pages:
        try:
            yield from list(_resource_manager(page))
            yield from list(_nodes(page, settings))
            yield from list(_queue(page, settings.queue or "default"))
        except AwayError as error:
            yield Finding(f"YARN's page {page}", False, error.message, error.remedy)
        except UNREADABLE as error:
            detail = f"what {page} says cannot be read ({type(error).__name__})"
            remedy = "correct [spark] master_pages: is it YARN's?"
            yield Finding(f"YARN's page {page}", False, detail, remedy)


def _address(settings: SparkSettings) -> Iterator[Finding]:
    if settings.resource_manager:
        host, port = host_and_port(settings.resource_manager, RESOURCE_MANAGER_PORT)
        name = f"ResourceManager {host}:{port}"
        yield port_finding(name, host, port, "[spark] resource_manager")
        return
    folder = os.environ.get("HADOOP_CONF_DIR") or os.environ.get("YARN_CONF_DIR") or ""
    known = bool(folder) and os.path.isfile(os.path.join(folder, "yarn-site.xml"))
    detail = f"as {folder}/yarn-site.xml says" if known else "nothing names it"
    remedy = "set [spark] resource_manager, or HADOOP_CONF_DIR to a folder with yarn-site.xml"
    yield Finding("ResourceManager", known, detail, remedy)


def _resource_manager(page: str) -> Iterator[Finding]:
    """Its state, whether it is the active one, and its clock."""
    info = read_cluster(page, "info")
    inner = info.get("clusterInfo", info)
    state = str(inner["state"])
    role = str(inner.get("haState") or inner.get("hastate") or "active")
    host = host_of(page)
    good = state == "STARTED" and role.lower() == "active"
    remedy = f"start the ResourceManager on {host}, or name the active one's page"
    detail = f"{state}, {role.lower()}, Hadoop {inner.get('hadoopVersion', '?')}"
    yield Finding(f"ResourceManager on {host}", good, detail, remedy)
    yield from check_clocks([f"{page}/ws/v1/cluster/info"])


def _nodes(page: str, settings: SparkSettings) -> Iterator[Finding]:
    """Whether each living node has room for an executor, and one of them for the driver."""
    smallest = max(int(_setting(page, SMALLEST) or 1024), 1)
    largest = int(_setting(page, LARGEST) or 8192)
    executor, driver = containers_mb(settings, smallest)
    host = host_of(page)
    biggest = max(executor, driver)
    remedy = f"raise {LARGEST} on {host}, or lower [spark] driver_memory and executor_memory"
    detail = f"{largest} MB at most, {biggest} MB wanted; rounded to {smallest} MB"
    yield Finding("YARN's largest container", largest >= biggest, detail, remedy)
    nodes = listed(read_cluster(page, "nodes"), "nodes", "node")
    alive = [one for one in nodes if one["state"] == "RUNNING"]
    text = f"{len(alive)} of {len(nodes)} run at {page}"
    yield Finding("NodeManagers", bool(alive), text, "start a NodeManager with this configuration")
    for one in nodes:
        yield _node(one, executor)
    rooms = [room_of(one)[0] for one in alive]
    remedy = "raise yarn.nodemanager.resource.memory-mb, or lower [spark] driver_memory"
    detail = f"{max(rooms, default=0)} MB on the largest node, {driver} MB wanted"
    yield Finding("room for the driver", max(rooms, default=0) >= driver, detail, remedy)


def _node(found: dict[str, Any], executor_mb: int) -> Finding:
    host = str(found.get("id") or found.get("nodeId") or "?").partition(":")[0]
    if found["state"] != "RUNNING":
        report = str(found.get("healthReport") or "no word")
        remedy = f"look at the NodeManager's log on {host}, and at its disks"
        detail = f"{found['state']}: {report}"
        return Finding(f"NodeManager {host}", False, detail, remedy, warning=True)
    memory, cores = room_of(found)
    detail = f"{cores} cores and {memory} MB for containers, {executor_mb} MB wanted"
    remedy = (
        f"raise yarn.nodemanager.resource.memory-mb on {host}, or lower [spark] executor_memory"
    )
    return Finding(f"NodeManager {host}", memory >= executor_mb and cores > 0, detail, remedy)


def _setting(page: str, name: str) -> str:
    """One value of the ResourceManager's configuration, from its page `/conf`; "" if unknown."""
    try:
        found = json.loads(read_page(f"{page}/conf?format=json&name={name}")[0])
        return str(found["property"]["value"])
    except (httpx.HTTPError, *UNREADABLE):
        return ""


def _queue(page: str, queue: str) -> Iterator[Finding]:
    """Whether the queue exists, and takes applications."""
    found = dict(_queues(read_cluster(page, "scheduler")))
    name = queue.rpartition(".")[2]
    state = found.get(name, "")
    known = ", ".join(sorted(found)) or "none"
    good = name in found and state in ("", "RUNNING")
    detail = f"{queue} is {state or 'there'}" if name in found else f"no {queue}; there are {known}"
    yield Finding("YARN's queue", good, detail, "correct [spark] queue, or start that queue")


def _queues(found: Any) -> Iterator[tuple[str, str]]:
    """Name and state of each queue, wherever the answer holds it."""
    if isinstance(found, dict):
        if "queueName" in found:
            yield str(found["queueName"]), str(found.get("state") or "")
        for value in found.values():
            yield from _queues(value)
    elif isinstance(found, list):
        for value in found:
            yield from _queues(value)
