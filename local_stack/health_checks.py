"""Health checks: can this machine run the stack, and is each process ready?

Checks of the machine run before a start: Java, memory, disk, ports. `marquee doctor` prints their
findings, and `Stack` refuses to start if one of them failed. After a start, each process has a
readiness probe that tries its real work, because an open port does not mean a working process.
`Stack` waits for the probes, and `marquee status` shows their results.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import psutil

from local_stack.java_setup import cache_folder, java_home, java_version, listed_files
from local_stack.kafka import JARS as KAFKA_JARS
from local_stack.kafka import why_silent
from marquee.daemon_settings import STREAM, PortSettings
from marquee.errors import LakeError, MarqueeError, StackError
from marquee.host_checks import Finding
from marquee.host_needs import heap_for, local_peak
from marquee.lake.webhdfs import WebHdfsLake, connect
from marquee.role_needs import Engines
from marquee.settings import Settings
from marquee.state_folders import StateFolders
from sources.ratings_release import size_of_world

Probe = Callable[[Settings], str]
"""Returns why the process is not ready; empty if it is ready."""


def check_machine(settings: Settings, running: bool = False) -> Iterator[Finding]:
    """Check Java, memory and disk; also the ports, unless the stack is `running` and holds them."""
    yield _java(settings)
    yield _memory(settings)
    yield _disk(settings)
    if settings.kafka.embedded:
        yield _jars("Kafka", KAFKA_JARS, "of a broker of our own", settings)
    if settings.streams.embedded:
        yield _stream(settings)
    if not running:
        yield from _ports(settings)


def require_fit_machine(settings: Settings) -> None:
    """Raise StackError for the first check that failed; print warnings."""
    for finding in check_machine(settings):
        if not finding.passed and finding.warning:
            print(f"warning: {finding}", file=sys.stderr, flush=True)
        elif not finding.passed:
            raise StackError(f"{finding.name}: {finding.detail}", finding.remedy)


def _java(settings: Settings) -> Finding:
    try:
        home = java_home(cache_folder(settings))
    except MarqueeError as error:
        return Finding("Java", False, error.message, error.remedy)
    return Finding("Java", True, f"{java_version(home / 'bin' / 'java')} at {home}")


def _jars(name: str, listed: str, what: str, settings: Settings) -> Finding:
    try:
        found = listed_files(listed, settings)
    except StackError as error:
        return Finding(name, False, error.message, error.remedy)
    return Finding(name, True, f"{len(found)} jars {what}")


def _stream(settings: Settings) -> Finding:
    """Whether the stack's stream has a Kafka, its client, and for Spark the source of topics."""
    if not settings.kafka_bootstrap:
        remedy = "set [kafka] embedded = true, or bootstrap"
        return Finding(STREAM, False, "[streams] embedded, and this place has no Kafka", remedy)
    if importlib.util.find_spec("confluent_kafka") is None:
        return Finding(STREAM, False, "Kafka's client is not installed", "make setup-kafka")
    if settings.streams.how == "spark":
        return _jars(STREAM, "spark-kafka", "for Spark's micro-batches", settings)
    return Finding(STREAM, True, f"the loop asks {settings.kafka_bootstrap}")


def _memory(settings: Settings) -> Finding:
    free = psutil.virtual_memory().available // 2**20
    needed = max(settings.stack.memory_mb, _planned_mb(settings))
    remedy = "close something, or train on a smaller release; `marquee plan` says what holds it"
    detail = f"{free} MB free, {needed} MB wanted"
    # Between the half and the whole a run swaps and is slow, but ends: machines of 4 GB lie there.
    return Finding("memory", free >= needed, detail, remedy, warning=free >= needed // 2)


def _planned_mb(settings: Settings) -> int:
    """What `marquee plan` counts for the world on this machine; 0 for a folder that is no release.

    The load refuses such a folder by name.
    """
    with suppress(MarqueeError, OSError):
        size = size_of_world(settings)
        engines = sum(Engines.of(settings).roles(size).values())
        return round(local_peak(size, heap_for(size)) + engines)
    return 0


def _disk(settings: Settings) -> Finding:
    folder = next(p for p in [settings.state_folder, *settings.state_folder.parents] if p.exists())
    free = shutil.disk_usage(folder).free // 2**20
    needed = settings.stack.disk_mb
    remedy = "free some, or set MARQUEE_STATE to a folder on a larger disk"
    return Finding("disk", free >= needed, f"{free} MB free, {needed} MB wanted", remedy)


def _ports(settings: Settings) -> Iterator[Finding]:
    here = {
        process.partition("-")[0]
        for process in (*settings.stack.processes, *settings.connect.processes)
    }
    for name in PortSettings.model_fields:
        if name.partition("_")[0] not in here:
            continue
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
    """The process that holds a port, as ` by NAME (process PID)`; empty if unknown."""
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port:
                name = psutil.Process(connection.pid).name() if connection.pid else "?"
                return f" by {name} (process {connection.pid})"
    except (psutil.Error, OSError):
        pass
    return ""


def why_not_ready(name: str, settings: Settings) -> str:
    """Why the process is not ready; empty if it is ready."""
    try:
        return PROBES[name](settings)
    except (httpx.HTTPError, ValueError) as error:
        return f"no answer yet ({type(error).__name__})"


def wait_for(
    names: list[str], settings: Settings, logs: Path, check: Callable[[], None]
) -> Iterator[tuple[str, float]]:
    """Yield each name with its seconds when it is ready; StackError for one that takes too long.

    Every round calls `check`, which may raise to end the waiting.
    """
    started, waiting = time.monotonic(), list(names)
    while waiting:
        check()
        for name in list(waiting):
            reason = why_not_ready(name, settings)
            seconds = time.monotonic() - started
            if not reason:
                waiting.remove(name)
                yield name, seconds
            elif seconds > settings.stack.ready_seconds:
                raise StackError(
                    f"{name} is not ready after {seconds:.0f} s: {reason}{_tail(logs, name)}",
                    f"the whole log is {logs / name}.log",
                )
        if waiting:
            time.sleep(0.25)


def _tail(logs: Path, name: str) -> str:
    path = logs / f"{name}.log"
    lines = path.read_text(errors="replace").splitlines()[-3:] if path.is_file() else []
    return "".join(f"\n    {line}" for line in lines)


def _namenode(settings: Settings) -> str:
    """Lists a folder. (Without jaxb the daemon seems healthy, but WebHDFS always answers 404.)"""
    found = _get(f"{settings.lake.webhdfs}/webhdfs/v1/?op=LISTSTATUS")
    return "" if found.status_code == 200 else f"WebHDFS says {found.status_code}"


def _datanode(settings: Settings) -> str:
    """Writes and reads a file, which also warms up the code for later writes."""
    place = settings.lake
    client = connect(place.webhdfs, place.user)
    lake = WebHdfsLake(place.root, client, seconds_to_retry=0, replication=place.replication)
    try:
        lake.write_bytes(".staging/ready", b"ready")
        return "" if lake.read_bytes(".staging/ready") == b"ready" else "a block reads wrong"
    except LakeError as error:
        return error.message


def _airflow(component: str) -> Probe:
    def probe(settings: Settings) -> str:
        port = settings.stack.port("airflow")
        health = _get(f"http://127.0.0.1:{port}/api/v2/monitor/health").json()
        status = (health.get(component) or {}).get("status")
        return "" if status == "healthy" else f"{component} is {status}"

    return probe


def _http(port: str, path: str) -> Probe:
    def probe(settings: Settings) -> str:
        found = _get(f"http://127.0.0.1:{settings.stack.port(port)}{path}")
        return "" if found.status_code == 200 else f"{path} says {found.status_code}"

    return probe


def _listens(port: str) -> Probe:
    def probe(settings: Settings) -> str:
        return "it does not listen yet" if _is_free(settings.stack.port(port)) else ""

    return probe


def _answering_stream(settings: Settings) -> str:
    """Reads what the stream reports every `status_seconds`."""
    path = StateFolders(settings.state_folder).stream_status
    try:
        age, found = time.time() - path.stat().st_mtime, json.loads(path.read_bytes())
    except (OSError, ValueError):
        return "it has not reported yet"
    if age > max(60.0, 3 * settings.streams.status_seconds):
        return f"its last report is {age:.0f} s old"
    return str(found.get("failure", ""))


def _get(url: str) -> httpx.Response:
    return httpx.get(url, timeout=5, trust_env=False)


PROBES: dict[str, Probe] = {
    "namenode": _namenode,
    "datanode": _datanode,
    "airflow-api": _airflow("metadatabase"),
    "airflow-scheduler": _airflow("scheduler"),
    "airflow-dags": _airflow("dag_processor"),
    "airflow-triggerer": _airflow("triggerer"),
    "kafka": lambda settings: why_silent(settings.stack.port("kafka")),
    "replica": _http("replica", "/healthz"),
    "serving": _http("serving", "/livez"),
    "connect-server": _listens("connect_server"),
    "connect-worker": _http("connect_worker", "/livez"),
    STREAM: _answering_stream,
}
