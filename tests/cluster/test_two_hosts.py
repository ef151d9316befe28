"""One Spark job on two worker hosts, one of which loses its power: the job ends well, all rows are
there, and nothing is left at the master or on the machine.

The long form, whole weekly runs under each fault, is `make drill ARGS="cluster"`.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from steps.spark_submit import submit_command
from tests.drill.cluster.cluster import Cluster
from tests.drill.cluster.hosts import NAMES, NAMESPACES, why_not

pytestmark = [pytest.mark.stack, pytest.mark.timeout(3000)]
RUN = "two-hosts"
MINUTES = 30  # until something that hangs is given up; a loaded machine takes its time


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """HDFS and Spark on a NameNode's, a master's and two workers' hosts; no Airflow."""
    if reason := why_not():
        pytest.skip(f"this machine cannot hold several hosts: {reason}")
    folder = tmp_path_factory.mktemp("hosts")
    cluster = Cluster(folder, workers=("worker1", "worker2"), has_airflow=False)
    try:
        cluster.prepare_hosts()
        cluster.start("namenode", "spark-master")
        cluster.start(*cluster.workers)
        yield cluster
    finally:
        cluster.network.down()
    for place in (cluster.network.groups.root, NAMESPACES, NAMES):
        assert list(place.glob(f"{cluster.network.prefix}*")) == []


def wait_for(holds: Callable[[], bool], driver: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + MINUTES * 60
    while not holds():
        assert driver.poll() is None, "the job ended before"
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_a_worker_sees_none_of_the_checkout(cluster: Cluster) -> None:
    looks = f"import os; print(os.path.exists({str(Path(__file__))!r}))"
    assert cluster.network.run("worker1", ["/srv/worker/bin/python", "-c", looks], {}) == "False\n"
    assert cluster.python("airflow", "-c", looks) == "True\n"
    assert cluster.network.run("worker2", ["uname", "-n"], {"PATH": "/bin"}) == "worker2\n"


def test_a_job_outlives_a_worker_host(cluster: Cluster) -> None:
    cluster.python("airflow", "-m", "cli", "step", "freeze_inputs", "--run", RUN)
    command = submit_command(cluster.settings, "prepare_ratings", RUN, "")
    driver = cluster.network.start("airflow", "driver", command, cluster.environment("airflow"))
    wait_for(lambda: len(cluster.executors_of("prepare_ratings")) == 2, driver)
    cluster.network.kill("worker2")
    assert driver.poll() is None, "the job had ended before its worker was killed"
    log = cluster.folder / "logs" / "airflow-driver.log"
    assert driver.wait(MINUTES * 60) == 0, log.read_text(errors="replace")[-2000:]
    assert cluster.network.processes("worker2") == []

    left = json.loads(cluster.python("airflow", "-m", "tests.drill.cluster.contents", RUN))
    assert {"prepared/ratings", "split/ratings/train"} <= left["digests"].keys()
    release = cluster.state("airflow") / "world" / "ratings.csv"
    assert left["ratings"] == len(release.read_text().splitlines()) - 1


def test_no_application_is_left(cluster: Cluster) -> None:
    deadline = time.monotonic() + 60
    while cluster.applications() and time.monotonic() < deadline:
        time.sleep(0.5)
    assert cluster.applications() == []
    assert len(cluster.master()["completedapps"]) == 1
