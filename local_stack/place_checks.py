"""Checks of a place's HDFS and of Airflow's database: addresses, clocks, room, and a real write.

`marquee doctor --place` prints the findings. Each failed one names the host and what to do there.
"""

from __future__ import annotations

import os
import subprocess
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial

from local_stack.airflow_database import database_address
from local_stack.airflow_postgres import DATABASE, DATABASE_VARIABLES, connected, where
from local_stack.spark_checks import judge_spark_job
from marquee.deadlines import at_once
from marquee.errors import AwayError, MarqueeError
from marquee.host_checks import Finding, answered, check_hdfs
from marquee.lake import STAGING
from marquee.lake.webhdfs import WebHdfsLake, connect
from marquee.place_settings import LakeSettings
from marquee.settings import Settings
from marquee.spark_applications import end_applications

SECONDS_FOR_JOB = 300
"""For the doctor's whole job; the job's own deadlines end sooner."""


def check_lake(settings: Settings) -> Iterator[Finding]:
    """Check every NameNode, every DataNode's room, and that the lake's user may write.

    A lake in a folder has no address to check.
    """
    lake, found = settings.lake, []
    for one in check_hdfs(lake, settings.stack.disk_mb, max(1, lake.replication)):
        found.append(one)
        yield one
    if any(one.name == "active NameNode" and one.passed for one in found):
        name = f"writing as {lake.user}"
        (written,) = at_once([partial(_probe_file, name, lake)])
        yield answered(name, lake.root, written)


def _probe_file(name: str, lake: LakeSettings) -> Finding:
    """Write, read and delete a file as the lake's user."""
    path = f"{STAGING}/doctor-{uuid.uuid4().hex}"
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
    name = "Airflow's database"
    if not any(os.environ.get(variable) for variable in DATABASE_VARIABLES):
        yield Finding(name, False, "the environment does not name it", f"set {DATABASE}")
        return
    (found,) = at_once([partial(_database, name)])
    yield answered(name, "its host", found)


def _database(name: str) -> Finding:
    """Reach the server as a start does; the operator's variable may name a file instead."""
    try:
        address = database_address(os.environ)
        if address.startswith("sqlite"):
            return Finding(name, True, "a file of SQLite, as the environment says")
        with connected(address) as connection:
            return Finding(name, True, where(connection.engine.url))
    except MarqueeError as error:
        return Finding(name, False, error.message, error.remedy)


def check_by_job(
    command: Sequence[str], environment: Mapping[str, str], settings: Settings, name: str
) -> Iterator[Finding]:
    """Run the job `probe_workers`, and judge what it reports of each worker.

    Its application, whose name begins with `name`, ends with it, also on Ctrl-C.
    """
    spark = settings.spark
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=SECONDS_FOR_JOB
        )
    except subprocess.TimeoutExpired:
        remedy = f"look at the logs of {spark.master} and of its workers"
        yield Finding("Spark job", False, f"it has not ended after {SECONDS_FOR_JOB} s", remedy)
        return
    finally:
        with suppress(AwayError):
            end_applications(spark.master, spark.pages, name, seconds=10)
    yield from judge_spark_job(done.stdout, done.stderr, spark, settings.stack.disk_mb)
