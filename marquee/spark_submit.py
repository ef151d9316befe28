"""How Spark is configured, wherever it is started from: a task, a shell, a benchmark."""

from __future__ import annotations

import os
from pathlib import Path

from marquee.settings import REPOSITORY, Settings


def spark_conf(settings: Settings, archive: str) -> dict[str, str]:
    """spark-submit's `--conf` values."""
    java = settings.spark.java_options
    if archive and Path(archive).is_file():
        java += f" -XX:SharedArchiveFile={archive} -Xshare:auto"
    scratch = os.environ.get("TMPDIR", "")  # of a driver; Java has a word of its own for it
    of_driver = f" -Djava.io.tmpdir={scratch}" if scratch and Path(scratch).is_dir() else ""
    partitions = str(settings.spark.shuffle_partitions)
    loopback = {"spark.driver.bindAddress": "127.0.0.1"}
    return (loopback if settings.spark.master.startswith("local") else {}) | {
        "spark.driver.extraJavaOptions": java + of_driver,
        "spark.executor.extraJavaOptions": java,
        "spark.sql.shuffle.partitions": partitions,
        "spark.default.parallelism": partitions,
        "spark.sql.adaptive.enabled": "false",
        # Larger results take a detour through storage memory, from which small drivers lose them.
        "spark.task.maxDirectResultSize": "16m",
        "spark.ui.enabled": "false",
        # Since 4.1 a master answers anybody's submissions over HTTP unless told not to.
        "spark.master.rest.enabled": "false",
    }


def submit_command(settings: Settings, job: str, run: str, archive: str) -> list[str]:
    """The same submission from a shell: what the benchmark of overheads compares with."""
    command = ["spark-submit", "--master", settings.spark.master]
    for key, value in spark_conf(settings, archive).items():
        command += ["--conf", f"{key}={value}"]
    command += ["--executor-memory", settings.spark.executor_memory]
    command += ["--driver-memory", settings.spark.driver_memory, "--name", f"marquee-{job}"]
    command += ["--deploy-mode", "client"]
    command += [str(REPOSITORY / "spark_apps" / f"{job}.py")]
    return [*command, *job_flags(settings, settings.lake.root, settings.lake.webhdfs, run)]


def job_flags(settings: Settings, root: str, webhdfs: str, run: str) -> list[str]:
    """What every job is told: where the lake is, for which run, and how long to wait for Spark."""
    flags = ["--lake", root, "--webhdfs", webhdfs, "--run", run]
    return [*flags, "--resource-minutes", f"{settings.spark.resource_minutes:g}"]
