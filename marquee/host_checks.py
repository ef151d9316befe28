"""Ask the hosts of a place, all at once: names, ports, clocks, NameNodes, DataNodes.

Each failed finding names a host and what to do there. `marquee doctor --place` asks this and more.
A weekly run asks it before its first Spark job (`marquee.place_preflight`).
"""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import partial
from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit

from marquee.deadlines import SECONDS_FOR_ALL, at_once
from marquee.place_settings import LakeSettings
from marquee.remote_page import SECONDS_TO_CONNECT, read_page

UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)
"""What reading a stranger's JSON raises where it has another shape."""
MOST_SKEW = 60.0
"""Seconds that two clocks may differ. A moment five minutes ahead is refused (`marquee.clock`)."""
VERSION_ON_PAGE = re.compile(r'class="version"[^<>]{0,200}>\s{0,200}([\w.+-]{1,100})\s{0,200}<')
PAGES_HEAD = 65_536
"""Characters of a master's page in which its version is looked for."""
UNPRINTABLE = re.compile(r"[^\x20-\x7e\xa0-\ud7ff\ue000-\U0010ffff]")
"""Controls and lone surrogates, which a stranger's JSON may hold."""
NAMENODE_INFO = "Hadoop:service=NameNode,name=NameNodeInfo"
NAMENODE_STATUS = "Hadoop:service=NameNode,name=NameNodeStatus"


@dataclass(frozen=True)
class Finding:
    """The result of one check; `remedy` says what to do if it failed.

    A check that failed and is a `warning` does not keep the stack from starting.
    """

    name: str
    passed: bool
    detail: str
    remedy: str = ""
    warning: bool = False

    def __str__(self) -> str:
        """The check, its detail, and the remedy if it failed: one line, whatever a host said."""
        text = f"{self.name}: {self.detail}{'' if self.passed else f' — {self.remedy}'}"
        return UNPRINTABLE.sub("?", text)


def answered(name: str, host: str, finding: Finding | None) -> Finding:
    """The finding of one host of `at_once`; a failed one where it was silent."""
    if finding is not None:
        return finding
    remedy = f"is {host} up, and does a firewall drop what it is sent?"
    return Finding(name, False, f"{host} gave no answer in {SECONDS_FOR_ALL:.0f} s", remedy)


def check_ports(addresses: Sequence[tuple[str, int]], what: str, setting: str) -> list[Finding]:
    """Whether something listens at each address; `what` is its role."""
    names = [f"{what} {host}:{port}" for host, port in addresses]
    found = at_once(
        [
            partial(port_finding, name, *address, setting)
            for name, address in zip(names, addresses, strict=True)
        ]
    )
    asked = zip(names, addresses, found, strict=True)
    return [answered(name, host, one) for name, (host, _), one in asked]


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


def check_clocks(pages: Sequence[str]) -> list[Finding]:
    """The clock of each host that answers at one of its pages, all asked at once.

    A page that is silent, or has no address, is left out.
    """
    asked = [page for page in pages if is_address(page)]
    found = at_once([partial(_clock, page) for page in asked])
    return list({one.name: one for one in found if one is not None}.values())


def _clock(page: str) -> Finding | None:
    import httpx

    try:
        moment = read_page(page, may_break_off=True)[1]
    except httpx.HTTPStatusError as error:  # a page that is not there has a clock too
        moment = str(error.response.headers.get("date", ""))
    except (httpx.HTTPError, ValueError):
        return None
    return clock_finding(host_of(page), moment) if moment else None


def check_version(page: str) -> Iterator[Finding]:
    """A master's Spark must be our pyspark's, in its first two numbers."""
    import httpx

    own, host = version("pyspark"), host_of(page)
    try:
        text, _ = read_page(f"{page}/")
    except (httpx.HTTPError, ValueError) as error:
        detail = f"its version cannot be read ({type(error).__name__})"
        remedy = "is this the master's own page, and no proxy's?"
        yield Finding(f"Spark's page {page}", False, detail, remedy, warning=True)
        return
    if named := VERSION_ON_PAGE.search(text[:PAGES_HEAD]):
        same = named[1].split(".")[:2] == own.split(".")[:2]
        remedy = f"install Spark {own} on {host} and on its workers"
        yield Finding(f"Spark on {host}", same, f"{named[1]}, ours is {own}", remedy)


def is_address(page: str) -> bool:
    """Whether a page that a stranger names can be asked."""
    try:
        return bool(urlsplit(page).hostname) and (urlsplit(page).port or 1) > 0
    except ValueError:
        return False


def host_of(page: str) -> str:
    """The host of an address of the settings."""
    return urlsplit(page).hostname or page


@dataclass(frozen=True)
class NameNode:
    """What a NameNode's page says."""

    answer: Finding
    beans: Mapping[str, Any]

    @property
    def is_active(self) -> bool:
        """Whether it is the one in charge."""
        return bool(self.beans) and (
            self.beans.get(NAMENODE_STATUS, {}).get("State", "active") == "active"
        )


def check_hdfs(lake: LakeSettings, disk_mb: int, copies: int) -> Iterator[Finding]:
    """Check every NameNode's port, page and clock, and each DataNode's room.

    `copies` DataNodes must live and have `disk_mb` free. A lake in a folder has no address.
    """
    yield from check_ports(lake.rpc_addresses, "NameNode", "[lake] root or namenodes")
    if lake.rpc_addresses and not lake.pages:
        remedy = "set it to http://host:9870 of each NameNode"
        yield Finding("WebHDFS", False, "[lake] webhdfs names no NameNode", remedy)
    nodes = namenodes(lake.pages)
    for node in nodes.values():
        yield node.answer
    if not lake.pages:
        return
    active = [page for page, node in nodes.items() if node.is_active]
    asked = ", ".join(lake.pages)
    names = ", ".join(active) or f"none of {asked}"
    remedy = f"make one active (`hdfs haadmin -failover`), or start the NameNode of {asked}"
    yield Finding("active NameNode", len(active) == 1, names, remedy)
    clocks = [page for page, node in nodes.items() if node.beans]
    for page in active[:1]:
        try:
            info = nodes[page].beans.get(NAMENODE_INFO, {})
            yield from list(_datanodes(host_of(page), info, disk_mb, copies))
            live = json.loads(info.get("LiveNodes") or "{}").values()
            clocks += [f"http://{one['infoAddr']}/" for one in live if one.get("infoAddr")]
        except UNREADABLE as error:
            detail = f"what {page} says of its DataNodes cannot be read ({type(error).__name__})"
            yield Finding("DataNodes", False, detail, "correct [lake] webhdfs: is it a NameNode?")
    yield from check_clocks(clocks)


def namenodes(pages: Sequence[str]) -> dict[str, NameNode]:
    """What each NameNode says, by its page."""
    found = at_once([partial(_namenode, page) for page in pages])
    silent = (NameNode(answered(f"WebHDFS {page}", host_of(page), None), {}) for page in pages)
    return {page: one or other for page, one, other in zip(pages, found, silent, strict=True)}


def _namenode(page: str) -> NameNode:
    import httpx  # Airflow's tasks import this module, and few of them ask a page

    name, remedy = f"WebHDFS {page}", "correct [lake] webhdfs, or start the NameNode there"
    try:
        text, _ = read_page(f"{page}/jmx")
        beans = {one["name"]: one for one in json.loads(text)["beans"]}
    except (httpx.HTTPError, *UNREADABLE) as error:
        return NameNode(Finding(name, False, _why(page, error), remedy), {})
    if NAMENODE_INFO not in beans:
        return NameNode(Finding(name, False, "this is no NameNode", remedy), {})
    return NameNode(Finding(name, True, "it answers"), beans)


def _why(page: str, error: Exception) -> str:
    host, text = host_of(page), str(error)
    if "Name or service not known" in text or "name resolution" in text or "nodename" in text:
        return f"{host} has no address: the name is wrong, or this machine's resolver lacks it"
    return f"no NameNode answers ({type(error).__name__})"


def _datanodes(host: str, info: Any, disk_mb: int, copies: int) -> Iterator[Finding]:
    """Safe mode, the number of living DataNodes, those lost, and the room on each."""
    safe = str(info.get("Safemode", ""))
    remedy = "wait until the DataNodes have reported their blocks, or make room on the NameNode"
    yield Finding("safe mode", not safe, safe[:120] or "off", remedy)
    live, dead = (json.loads(info.get(key) or "{}") for key in ("LiveNodes", "DeadNodes"))
    remedy = f"start DataNodes that name {host}, or lower [lake] replication"
    detail = f"{len(live)} alive, {copies} wanted for replication"
    yield Finding("DataNodes", len(live) >= copies, detail, remedy)
    for name in dead:
        yield Finding(f"DataNode {name}", False, "lost", f"start it on {name}", warning=True)
    free = {name: int(node.get("remaining", 0)) // 2**20 for name, node in live.items()}
    # One full disk is no outage where enough of the others have room.
    enough = sum(room >= disk_mb for room in free.values()) >= copies
    for name, room in free.items():
        detail = f"{room} MB free, {disk_mb} MB wanted"
        remedy = f"make room on {name.split(':')[0]} below dfs.datanode.data.dir"
        yield Finding(f"disk of DataNode {name}", room >= disk_mb, detail, remedy, warning=enough)
