"""The daemons of HDFS and Spark and a broker of Kafka on one host, started as their units do it.

    unshare --net python -m tests.capacity.one_host DATA

In a network of its own the ports are Hadoop's and Spark's, whatever else runs here. Prints what the
daemons answer, as JSON, and ends them.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from local_stack.kafka import why_silent
from marquee.errors import LakeError
from marquee.lake.webhdfs import WebHdfsLake, connect

DAEMONS = ("namenode", "datanode", "spark-master", "spark-worker", "kafka")
PLACE = {
    "MARQUEE_LAKE__ROOT": "hdfs://127.0.0.1:8020/marquee",
    "MARQUEE_LAKE__WEBHDFS": "http://127.0.0.1:9870",
    "MARQUEE_SPARK__MASTER": "spark://127.0.0.1:7077",
    "MARQUEE_SPARK__EXECUTOR_MEMORY": "600m",
    "MARQUEE_KAFKA__BOOTSTRAP": "localhost:9092",
    "SPARK_LOCAL_IP": "127.0.0.1",
}
SET_FLAGS, UP_AND_RUNNING = 0x8914, 0x1 | 0x40  # linux/sockios.h, linux/if.h
SECONDS = 400


def raise_loopback() -> None:
    """A new network has a loopback that is down."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        fcntl.ioctl(made, SET_FLAGS, struct.pack("16sh14x", b"lo", UP_AND_RUNNING))


def answer(ask: Callable[[], Any]) -> Any:
    """The first answer; None where there is none in time."""
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        try:
            if found := ask():
                return found
        except (httpx.HTTPError, LakeError, ValueError):
            pass
        time.sleep(1)
    return None


def workers() -> list[dict[str, Any]]:
    """The workers that the master counts as alive."""
    found = httpx.get("http://127.0.0.1:8080/json/", timeout=10, trust_env=False).json()["workers"]
    return [one for one in found if one["state"] == "ALIVE"]


def written(lake: WebHdfsLake) -> str:
    """What a file holds after a write."""
    lake.write_bytes("shelf/file", b"came back")
    return lake.read_bytes("shelf/file").decode()


def main(data: Path) -> None:
    """Format, start, ask, kill the NameNode, start it again, ask again."""
    raise_loopback()
    environment = os.environ | PLACE | {"MARQUEE_DATA": str(data)}
    program = [sys.executable, "-m", "local_stack.host_daemon"]
    subprocess.run([*program, "namenode", "--format"], env=environment, check=True, stdout=2)

    def start(name: str) -> subprocess.Popen[bytes]:
        log = (data / f"{name}.log").open("ab")
        return subprocess.Popen([*program, name], env=environment, stdout=log, stderr=log)

    started = {name: start(name) for name in DAEMONS}
    client = connect(PLACE["MARQUEE_LAKE__WEBHDFS"], "marquee")
    lake = WebHdfsLake(PLACE["MARQUEE_LAKE__ROOT"], client, seconds_to_retry=0)
    found = {"written": answer(lambda: written(lake)), "workers": answer(workers)}
    started["namenode"].kill()
    started["namenode"].wait()
    started["namenode"] = start("namenode")
    found["broker"] = answer(lambda: not why_silent(9092))
    found["read_again"] = answer(lambda: lake.read_bytes("shelf/file").decode())
    for process in started.values():
        process.kill()
        process.wait()
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
