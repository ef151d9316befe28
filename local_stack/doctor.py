"""Can this machine run Marquee? Ports, memory, disk, Java: one line each."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from dataclasses import dataclass

import psutil

from local_stack.java import java_home, java_version
from local_stack.setup import cache_folder
from marquee.errors import MarqueeError, StackError
from marquee.settings import PortSettings, Settings


@dataclass(frozen=True)
class Finding:
    """One thing looked at: whether it is fine, what it is, and what to do where it is not."""

    name: str
    fine: bool
    says: str
    remedy: str = ""


def examine(settings: Settings, running: bool = False) -> Iterator[Finding]:
    """Look at everything; with the stack `running` its ports are taken, as they should be."""
    yield _java(settings)
    yield _memory(settings)
    yield _disk(settings)
    if not running:
        yield from _ports(settings)


def require(settings: Settings) -> None:
    """StackError naming the first thing that keeps the stack from starting."""
    for finding in examine(settings):
        if not finding.fine:
            raise StackError(f"{finding.name}: {finding.says}", finding.remedy)


def _java(settings: Settings) -> Finding:
    try:
        home = java_home(cache_folder(settings))
    except MarqueeError as error:
        return Finding("Java", False, error.message, error.remedy)
    return Finding("Java", True, f"{java_version(home / 'bin' / 'java')} at {home}")


def _memory(settings: Settings) -> Finding:
    free = psutil.virtual_memory().available // 2**20
    needed = settings.stack.memory_mb
    remedy = "close something, or lower spark.driver_memory and stack.memory_mb"
    return Finding("memory", free >= needed, f"{free} MB free, {needed} MB wanted", remedy)


def _disk(settings: Settings) -> Finding:
    folder = next(p for p in [settings.state_folder, *settings.state_folder.parents] if p.exists())
    free = shutil.disk_usage(folder).free // 2**20
    needed = settings.stack.disk_mb
    remedy = "free some, or set MARQUEE_STATE to a folder on a larger disk"
    return Finding("disk", free >= needed, f"{free} MB free, {needed} MB wanted", remedy)


def _ports(settings: Settings) -> Iterator[Finding]:
    for name in PortSettings.model_fields:
        port = settings.stack.port(name)
        if not 0 < port < 2**16:
            remedy = "correct MARQUEE_STACK__PORT_OFFSET"
            yield Finding(f"port {name}", False, f"{port} is no port", remedy)
            continue
        free = _is_free(port)
        says = f"{port} is {'free' if free else 'in use' + _holder(port)}"
        remedy = (
            f"stop it, or set MARQUEE_STACK__PORTS__{name.upper()} or MARQUEE_STACK__PORT_OFFSET"
        )
        yield Finding(f"port {name}", free, says, remedy)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _holder(port: int) -> str:
    """Who holds a port, where the system tells."""
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port:
                name = psutil.Process(connection.pid).name() if connection.pid else "?"
                return f" by {name} (process {connection.pid})"
    except (psutil.Error, OSError):
        pass
    return ""
