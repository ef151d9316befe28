"""Checks of a place's YARN: its ResourceManager, the room of its nodes, its queue.

`marquee doctor --place` prints the findings, each with a host and what to do there. The pages are
read in the form of Hadoop's own ResourceManager and of the minicluster jar's
(`marquee.resource_manager`).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

import httpx

from local_stack.yarn import containers_mb
from marquee.addresses import host_and_port
from marquee.errors import AwayError
from marquee.host_checks import UNREADABLE, Finding, check_clocks, host_of, port_finding
from marquee.place_settings import (
    RESOURCE_MANAGER_PORT,
    SparkSettings,
)
from marquee.remote_page import read_page
from marquee.resource_manager import listed, read_cluster, room_of

SMALLEST, LARGEST = "yarn.scheduler.minimum-allocation-mb", "yarn.scheduler.maximum-allocation-mb"


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
