"""The options of spark-submit for our Spark jobs, for Airflow, a shell and benchmarks."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from marquee.settings import REPOSITORY, Settings


def submit_options(settings: Settings, job: str, archive: str) -> dict[str, Any]:
    """The options of one submission, as arguments of Airflow's SparkSubmitOperator.

    `archive` is the path of a class-data archive (CDS) for the JVM, or "".
    """
    return {
        "application": str(REPOSITORY / "spark_apps" / f"{job}.py"),
        "name": f"marquee-{job}",
        "conf": spark_conf(settings, archive),
        "total_executor_cores": settings.spark.cores or None,
        "executor_memory": settings.spark.executor_memory,
        "driver_memory": settings.spark.driver_memory,
    }


def submit_command(settings: Settings, job: str, run: str, archive: str) -> list[str]:
    """The same submission as a command line, for `marquee step`.

    A golden file holds the command line. A test compares the flags with those of Airflow's hook.
    """
    options = submit_options(settings, job, archive)
    command = ["spark-submit", "--master", settings.spark.master]
    for key, value in options["conf"].items():
        command += ["--conf", f"{key}={value}"]
    if options["total_executor_cores"]:
        command += ["--total-executor-cores", str(options["total_executor_cores"])]
    command += ["--executor-memory", options["executor_memory"]]
    command += ["--driver-memory", options["driver_memory"], "--name", options["name"]]
    command += ["--deploy-mode", "client", options["application"]]
    return [*command, *job_flags(settings, settings.lake.root, settings.lake.webhdfs, run)]


def job_flags(settings: Settings, root: str, webhdfs: str, run: str) -> list[str]:
    """The flags of the job itself: the lake, the run, and the longest wait for Spark executors."""
    flags = ["--lake", root, "--webhdfs", webhdfs, "--run", run]
    return [*flags, "--resource-minutes", f"{settings.spark.resource_minutes:g}"]


def spark_conf(settings: Settings, archive: str) -> dict[str, str]:
    """spark-submit's `--conf` values."""
    java = settings.spark.java_options
    if archive and Path(archive).is_file():
        java += f" -XX:SharedArchiveFile={archive} -Xshare:auto"
    scratch = os.environ.get("TMPDIR", "")  # Java does not read TMPDIR by itself
    driver_java = f" -Djava.io.tmpdir={scratch}" if scratch and Path(scratch).is_dir() else ""
    partitions = str(settings.spark.shuffle_partitions)
    loopback = {"spark.driver.bindAddress": "127.0.0.1"}
    return (loopback if settings.spark.master.startswith("local") else {}) | {
        "spark.driver.extraJavaOptions": java + driver_java,
        "spark.executor.extraJavaOptions": java,
        "spark.sql.shuffle.partitions": partitions,
        "spark.default.parallelism": partitions,
        "spark.sql.adaptive.enabled": "false",
        # A small driver evicts larger results from its storage memory.
        "spark.task.maxDirectResultSize": "16m",
        "spark.ui.enabled": "false",
        # Since Spark 4.1, a master accepts submissions over HTTP unless this is off.
        "spark.master.rest.enabled": "false",
    }
