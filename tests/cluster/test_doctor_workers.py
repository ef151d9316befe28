"""The doctor's job on a real Standalone cluster: what each worker is, and a Python that is not."""

from __future__ import annotations

import socket
import sys

from cli.stack_commands import check_spark_job
from local_stack.spark_checks import check_spark
from marquee.settings import Settings
from tests.cluster.standalone import Standalone


def roomy(place: Settings) -> Settings:
    """The place, on a made-up machine that wants one megabyte of disk."""
    return place.model_copy(update={"stack": place.stack.model_copy(update={"disk_mb": 1})})


def test_a_real_cluster_is_as_its_file_says(cluster: Standalone, place: Settings) -> None:
    findings = list(check_spark(place.spark))
    assert [str(one) for one in findings if not one.passed] == []
    names = {one.name for one in findings}
    assert {"driver's host", "Spark master in charge", "Spark workers"} <= names
    assert f"Spark master 127.0.0.1:{cluster.port}" in names
    assert {"Spark on 127.0.0.1", "clock of 127.0.0.1"} <= names
    assert sum(name.startswith("Spark worker 127.0.0.1:") for name in names) == 2


def test_an_executor_that_no_worker_can_hold_is_named(place: Settings) -> None:
    spark = place.spark.model_copy(update={"executor_memory": "900g"})
    wrong = [str(one) for one in check_spark(spark) if not one.passed]
    assert len(wrong) == 2
    assert all("raise SPARK_WORKER_MEMORY on 127.0.0.1" in line for line in wrong)


def test_every_worker_reports_its_python_and_packages(place: Settings) -> None:
    host = socket.gethostname()
    found = {one.name: one for one in check_spark_job(roomy(place))}
    assert [str(one) for one in found.values() if not (one.passed or one.warning)] == []
    assert {
        f"{what} {host}" for what in ("Python on", "packages on", "clock of", "disk on")
    } <= set(found)
    own = ".".join(map(str, sys.version_info[:3]))
    assert found[f"Python on {host}"].detail == f"{own}, the driver's is {own}"


def test_a_python_that_a_worker_lacks_is_one_line(place: Settings) -> None:
    spark = place.spark.model_copy(update={"worker_python": "/opt/moon/bin/python3"})
    found = list(check_spark_job(roomy(place).model_copy(update={"spark": spark})))
    (wrong,) = [str(one) for one in found if not one.passed]
    host = socket.gethostname()
    assert wrong.startswith(f"Python on {host}: /opt/moon/bin/python3 does not start: ")
    assert "not found" in wrong and f"install it on {host}" in wrong and "\n" not in wrong
