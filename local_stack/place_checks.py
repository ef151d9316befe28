"""Checks of a place's HDFS and of Airflow's database: addresses, clocks, room, and a real write.

`marquee doctor --place` prints the findings. Each failed one names the host and what to do there.
"""

from __future__ import annotations

import json
import os
import socket
import time
import uuid
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import httpx

from local_stack.health_checks import Finding
from marquee.errors import MarqueeError
from marquee.lake import STAGING
from marquee.lake.webhdfs import WebHdfsLake, connect
from marquee.place_settings import LakeSettings
from marquee.remote_page import read_page
from marquee.settings import Settings

SECONDS_TO_CONNECT = 5.0
UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)
"""What reading a stranger's JSON raises where it has another shape."""
MOST_SKEW = 60.0
"""Seconds that two clocks may differ. A moment five minutes ahead is refused (`marquee.clock`)."""
NAMENODE_INFO = "Hadoop:service=NameNode,name=NameNodeInfo"
NAMENODE_STATUS = "Hadoop:service=NameNode,name=NameNodeStatus"


def check_lake(settings: Settings) -> Iterator[Finding]:
    """Check every NameNode, every DataNode's room, and that the lake's user may write.

    A lake in a folder has no address to check.
    """
    lake, active = settings.lake, []
    for host, port in lake.rpc_addresses:
        yield port_finding(f"NameNode {host}:{port}", host, port, "[lake] root or namenodes")
    if lake.rpc_addresses and not lake.pages:
        remedy = "set it to http://host:9870 of each NameNode"
        yield Finding("WebHDFS", False, "[lake] webhdfs names no NameNode", remedy)
    for page in lake.pages:
        beans, moment, finding = _beans(page)
        yield finding
        if moment:
            yield clock_finding(host_of(page), moment)
        if beans:
            state = beans.get(NAMENODE_STATUS, {}).get("State", "active")
            if state == "active":
                active.append((page, beans.get(NAMENODE_INFO, {})))
    if lake.pages:
        asked = ", ".join(lake.pages)
        names = ", ".join(page for page, _ in active) or f"none of {asked}"
        remedy = f"make one active (`hdfs haadmin -failover`), or start the NameNode of {asked}"
        yield Finding("active NameNode", len(active) == 1, names, remedy)
    for page, info in active[:1]:
        try:
            yield from list(_datanodes(page, info, lake, settings.stack.disk_mb))
        except UNREADABLE as error:
            detail = f"what {page} says of its DataNodes cannot be read ({type(error).__name__})"
            yield Finding("DataNodes", False, detail, "correct [lake] webhdfs: is it a NameNode?")
        yield _probe_file(lake)


def _beans(page: str) -> tuple[Mapping[str, Any], str, Finding]:
    """The NameNode's beans by name, its own moment (HTTP's Date), and whether it answered."""
    name, remedy = f"WebHDFS {page}", "correct [lake] webhdfs, or start the NameNode there"
    try:
        text, moment = read_page(f"{page}/jmx")
        beans = {one["name"]: one for one in json.loads(text)["beans"]}
    except (httpx.HTTPError, *UNREADABLE) as error:
        return {}, "", Finding(name, False, _why(page, error), remedy)
    if NAMENODE_INFO not in beans:
        return {}, "", Finding(name, False, "this is no NameNode", remedy)
    return beans, moment, Finding(name, True, "it answers")


def host_of(page: str) -> str:
    """The host of an address of the settings."""
    return urlsplit(page).hostname or page


def _why(page: str, error: Exception) -> str:
    host, text = host_of(page), str(error)
    if "Name or service not known" in text or "name resolution" in text or "nodename" in text:
        return f"{host} has no address: the name is wrong, or this machine's resolver lacks it"
    return f"no NameNode answers ({type(error).__name__})"


def _datanodes(page: str, info: Any, lake: LakeSettings, disk_mb: int) -> Iterator[Finding]:
    """Safe mode, the number of living DataNodes, those lost, and the room on each."""
    safe = str(info.get("Safemode", ""))
    remedy = "wait until the DataNodes have reported their blocks, or make room on the NameNode"
    yield Finding("safe mode", not safe, safe[:120] or "off", remedy)
    live, dead = (json.loads(info.get(key) or "{}") for key in ("LiveNodes", "DeadNodes"))
    wanted = max(1, lake.replication)
    remedy = f"start DataNodes that name {host_of(page)}, or lower [lake] replication"
    detail = f"{len(live)} alive, {wanted} wanted for replication"
    yield Finding("DataNodes", len(live) >= wanted, detail, remedy)
    for name in dead:
        yield Finding(f"DataNode {name}", False, "lost", f"start it on {name}", warning=True)
    for name, node in live.items():
        free = int(node.get("remaining", 0)) // 2**20
        detail = f"{free} MB free, {disk_mb} MB wanted"
        remedy = f"make room on {name.split(':')[0]} below dfs.datanode.data.dir"
        # Several full disks are an outage; one alone still leaves others to write to.
        yield Finding(f"disk of DataNode {name}", free >= disk_mb, detail, remedy)


def _probe_file(lake: LakeSettings) -> Finding:
    """Write, read and delete a file as the lake's user."""
    path, name = f"{STAGING}/doctor-{uuid.uuid4().hex}", f"writing as {lake.user}"
    client = connect(lake.webhdfs, lake.user)
    probe = WebHdfsLake(lake.root, client, seconds_to_retry=0, replication=lake.replication)
    try:
        probe.write_bytes(path, b"doctor")
        same = probe.read_bytes(path) == b"doctor"
        probe.delete(path)
    except MarqueeError as error:
        return Finding(name, False, error.message, error.remedy)
    return Finding(name, same, f"{lake.root} holds what was written", "look at HDFS's logs")


def check_database(settings: Settings) -> Iterator[Finding]:
    """Whether Airflow's database can be reached, where the environment names one."""
    if settings.airflow.database == "sqlite":
        return
    name, url = "Airflow's database", os.environ.get("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "")
    if not url:
        remedy = "set AIRFLOW__DATABASE__SQL_ALCHEMY_CONN to its address"
        yield Finding(name, False, "the environment does not name it", remedy)
        return
    yield _database(name, url)


def _database(name: str, url: str) -> Finding:
    """Ask the database one question. No text of an error is shown: it may hold the password."""
    from sqlalchemy import create_engine, text
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import SQLAlchemyError

    where = "the address"
    try:
        parts = make_url(url)
        where = f"{parts.username or ''}@{parts.host or 'localhost'}:{parts.port or 5432}"
        with create_engine(url).connect() as connection:
            connection.execute(text("SELECT 1"))
    except ImportError as error:
        return Finding(name, False, str(error), "install psycopg2-binary beside Airflow")
    except (SQLAlchemyError, ValueError) as error:
        remedy = "correct AIRFLOW__DATABASE__SQL_ALCHEMY_CONN, or start Postgres there"
        return Finding(name, False, f"{where} does not answer ({type(error).__name__})", remedy)
    return Finding(name, True, where)


def port_finding(name: str, host: str, port: int, setting: str) -> Finding:
    """Whether a host has an address and something listens at its port."""
    try:
        socket.getaddrinfo(host, port)
    except (OSError, UnicodeError):  # the latter for a label that is too long
        remedy = f"correct {setting}, or add {host} to /etc/hosts"
        return Finding(name, False, f"{host} has no address", remedy)
    try:
        with socket.create_connection((host, port), SECONDS_TO_CONNECT):
            return Finding(name, True, "something listens")
    except OSError as error:
        remedy = f"start it on {host}, open the port in its firewall, or correct {setting}"
        return Finding(name, False, f"port {port} is closed ({type(error).__name__})", remedy)


def clock_finding(host: str, moment: str | float, now: float | None = None) -> Finding:
    """How far a host's clock is from ours.

    `moment` is an HTTP date, or seconds since 1970; so is `now`, by default the present.
    """
    try:
        theirs = parsedate_to_datetime(moment).timestamp() if isinstance(moment, str) else moment
    except (ValueError, OverflowError):
        detail, remedy = "its page has no clock", f"ask {host} itself, not a proxy before it"
        return Finding(f"clock of {host}", False, detail, remedy)
    skew = theirs - (time.time() if now is None else now)
    word = "ahead" if skew > 0 else "behind"
    detail = f"{abs(skew):.0f} s {word}" if abs(skew) > MOST_SKEW else "as ours"
    remedy = f"let {host} and this machine follow one time server (`timedatectl set-ntp true`)"
    return Finding(f"clock of {host}", abs(skew) <= MOST_SKEW, detail, remedy)
