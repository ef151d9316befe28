"""YARN's daemons and a JournalNode on one host, started as their units start them.

    unshare --net python -m tests.yarn.one_host DATA

In a network of its own the ports are Hadoop's. Prints what the doctor finds, and ends them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import httpx

from local_stack.yarn import check_yarn
from marquee.settings import load_settings
from tests.capacity.one_host import answer, raise_loopback

DAEMONS = ("resourcemanager", "nodemanager", "journalnode")
PLACE = """
[lake]
root = "hdfs://shelf/marquee"
webhdfs = "http://127.0.0.1:9870;http://127.0.0.1:9871"
namenodes = ["127.0.0.1:8020", "127.0.0.1:8021"]
journals = ["127.0.0.1:8485"]

[spark]
master = "yarn"
deploy_mode = "cluster"
resource_manager = "127.0.0.1"
driver_memory = "600m"
driver_overhead = "900m"
executor_memory = "600m"
"""


def wrong() -> list[str]:
    """What the doctor finds wrong with the place's YARN."""
    return [str(one) for one in check_yarn(load_settings().spark) if not one.passed]


def main(data: Path) -> None:
    """Start them, and ask until all is well."""
    raise_loopback()
    place = data / "place.toml"
    place.write_text(PLACE)
    os.environ |= {"MARQUEE_PLACE": str(place), "MARQUEE_DATA": str(data)}
    started = []
    for name in DAEMONS:
        log = (data / f"{name}.log").open("ab")
        command = [sys.executable, "-m", "local_stack.host_daemon", name]
        started.append(subprocess.Popen(command, stdout=log, stderr=log))
    well = answer(lambda: not wrong())
    page = "http://127.0.0.1:8480/jmx"
    journal = answer(lambda: httpx.get(page, timeout=10, trust_env=False).is_success)
    found = {"well": well, "journal": journal, "wrong": wrong()}
    found["findings"] = [str(one) for one in check_yarn(load_settings().spark)]
    for process in started:
        process.kill()
        process.wait()
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
