"""When is a part ready? When it does its work, not when its port opens."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx

from marquee.errors import LakeError, StackError
from marquee.lake import WebHdfsLake
from marquee.lake.webhdfs import connect
from marquee.settings import Settings

Probe = Callable[[Settings], str]  # "" when ready, else what is still missing


def _get(url: str) -> httpx.Response:
    return httpx.get(url, timeout=5, trust_env=False)


def _namenode(settings: Settings) -> str:
    """Without jaxb everything looks healthy and every WebHDFS call is a 404: so call it."""
    found = _get(f"{settings.lake.webhdfs}/webhdfs/v1/?op=LISTSTATUS")
    return "" if found.status_code == 200 else f"WebHDFS says {found.status_code}"


def _datanode(settings: Settings) -> str:
    """A real write; it also warms up the path every later write takes."""
    lake = WebHdfsLake(
        settings.lake.root, connect(settings.lake.webhdfs, settings.lake.user), seconds_to_retry=0
    )
    try:
        lake.write_bytes(".staging/ready", b"ready")
        return "" if lake.read_bytes(".staging/ready") == b"ready" else "a block reads wrong"
    except LakeError as error:
        return error.message


def _airflow(part: str) -> Probe:
    def probe(settings: Settings) -> str:
        port = settings.stack.port("airflow")
        health = _get(f"http://127.0.0.1:{port}/api/v2/monitor/health").json()
        status = (health.get(part) or {}).get("status")
        return "" if status == "healthy" else f"{part} is {status}"

    return probe


def _http(port: str, path: str) -> Probe:
    def probe(settings: Settings) -> str:
        found = _get(f"http://127.0.0.1:{settings.stack.port(port)}{path}")
        return "" if found.status_code == 200 else f"{path} says {found.status_code}"

    return probe


PROBES: dict[str, Probe] = {
    "namenode": _namenode,
    "datanode": _datanode,
    "airflow-api": _airflow("metadatabase"),
    "airflow-scheduler": _airflow("scheduler"),
    "airflow-dags": _airflow("dag_processor"),
    "airflow-triggerer": _airflow("triggerer"),
    "replica": _http("replica", "/healthz"),
    "serving": _http("serving", "/livez"),
}


def missing(name: str, settings: Settings) -> str:
    """What a part still lacks; an empty string when it is ready."""
    try:
        return PROBES[name](settings)
    except (httpx.HTTPError, ValueError) as error:
        return f"no answer yet ({type(error).__name__})"


def wait_for(
    names: list[str], settings: Settings, logs: Path, check: Callable[[], None]
) -> Iterator[tuple[str, float]]:
    """Yield each name with its seconds as it gets ready; StackError for the first that does not.

    `check` is called on the way, and raises where waiting has no sense any more.
    """
    started, left = time.monotonic(), list(names)
    while left:
        check()
        for name in list(left):
            lacks = missing(name, settings)
            seconds = time.monotonic() - started
            if not lacks:
                left.remove(name)
                yield name, seconds
            elif seconds > settings.stack.ready_seconds:
                raise StackError(
                    f"{name} is not ready after {seconds:.0f} s: {lacks}{_tail(logs, name)}",
                    f"the whole log is {logs / name}.log",
                )
        if left:
            time.sleep(0.25)


def _tail(logs: Path, name: str) -> str:
    path = logs / f"{name}.log"
    lines = path.read_text(errors="replace").splitlines()[-3:] if path.is_file() else []
    return "".join(f"\n    {line}" for line in lines)
