"""The options of spark-submit for our Spark jobs, for Airflow, a shell and benchmarks."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from marquee.place_settings import LakeSettings, SparkSettings, is_local_master
from marquee.process_secrets import spark_authentication
from marquee.settings import REPOSITORY, Settings
from steps.shipped_code import code_zip

FAILOVER = "org.apache.hadoop.hdfs.server.namenode.ha.ConfiguredFailoverProxyProvider"


def application_name(job: str, run: str, attempt: object) -> str:
    """The name by which a master lists one attempt of a job.

    What is before `try` is the same for all attempts of a job in a run, and of no other's.
    """
    return f"marquee-{job} {run} try {attempt}"


def submit_options(
    settings: Settings, job: str, run: str, archive: str, attempt: object = 1
) -> dict[str, Any]:
    """The options of one submission, as arguments of Airflow's SparkSubmitOperator.

    `archive` is the path of a class-data archive (CDS) for the driver's JVM, or "".
    """
    return {
        "application": str(REPOSITORY / "spark_apps" / f"{job}.py"),
        "name": application_name(job, run, attempt),
        "conf": spark_conf(settings, archive),
        "archives": settings.spark.archives or None,
        "total_executor_cores": settings.spark.cores or None,
        "executor_memory": settings.spark.executor_memory,
        "driver_memory": settings.spark.driver_memory,
    }


def submit_command(settings: Settings, job: str, run: str, archive: str) -> list[str]:
    """The same submission as a command line, for `marquee step` and `marquee doctor`.

    A golden file holds the command line. A test compares the flags with those of Airflow's hook.
    """
    options = submit_options(settings, job, run, archive)
    command = ["spark-submit", "--master", settings.spark.master]
    for key, value in options["conf"].items():
        command += ["--conf", f"{key}={value}"]
    if py_files := shipped_code(settings, settings.spark.master):
        command += ["--py-files", py_files]
    if options["archives"]:
        command += ["--archives", options["archives"]]
    if options["total_executor_cores"]:
        command += ["--total-executor-cores", str(options["total_executor_cores"])]
    command += ["--executor-memory", options["executor_memory"]]
    command += ["--driver-memory", options["driver_memory"], "--name", options["name"]]
    command += ["--deploy-mode", settings.spark.deploy_mode, options["application"]]
    lake = settings.lake
    return [*command, *job_flags(settings, lake.root, lake.webhdfs, lake.user, run)]


def job_flags(settings: Settings, root: str, webhdfs: str, user: str, run: str) -> list[str]:
    """The flags of the job itself: the lake, the run, and the longest wait for Spark executors."""
    flags = ["--lake", root, "--webhdfs", webhdfs, "--user", user, "--run", run]
    if settings.lake.replication:
        flags += ["--replication", str(settings.lake.replication)]
    return [*flags, "--resource-minutes", f"{settings.spark.resource_minutes:g}"]


def shipped_code(settings: Settings, master: str) -> str:
    """The path of the zip that executors need; "" where the driver runs the tasks itself."""
    if is_local_master(master):
        return ""
    return str(code_zip(REPOSITORY / settings.cache / "code"))


def spark_conf(settings: Settings, archive: str) -> dict[str, str]:
    """spark-submit's `--conf` values.

    `archive` is for the driver's JVM: executors elsewhere have no such file.
    """
    spark = settings.spark
    java = spark.java_options
    driver_java = java
    if archive and Path(archive).is_file():
        driver_java += f" -XX:SharedArchiveFile={archive} -Xshare:auto"
    scratch = os.environ.get("TMPDIR", "")  # Java does not read TMPDIR by itself
    if scratch and Path(scratch).is_dir() and spark.deploy_mode == "client":
        driver_java += f" -Djava.io.tmpdir={scratch}"
    partitions = str(spark.shuffle_partitions)
    return _driver_conf(spark) | {
        "spark.driver.extraJavaOptions": driver_java,
        "spark.executor.extraJavaOptions": java,
        "spark.sql.shuffle.partitions": partitions,
        "spark.default.parallelism": partitions,
        "spark.sql.adaptive.enabled": "false",
        # A small driver evicts larger results from its storage memory.
        "spark.task.maxDirectResultSize": "16m",
        "spark.ui.enabled": "false",
        # Since Spark 4.1, a master accepts submissions over HTTP unless this is off.
        "spark.master.rest.enabled": "false",
        **spark_authentication(spark),
        **_hdfs_conf(settings.lake),
    }


def _driver_conf(spark: SparkSettings) -> dict[str, str]:
    """Where the driver is found, where jobs keep temporary files, and the Python of the workers."""
    given = {
        "spark.driver.bindAddress": spark.driver_bind,
        "spark.driver.host": spark.driver_host,
        "spark.driver.port": spark.driver_port,
        "spark.blockManager.port": spark.block_manager_port,
        "spark.local.dir": spark.local_dir,
        "spark.pyspark.python": spark.worker_python,
    }
    if spark.worker_python and spark.deploy_mode == "client":
        # spark-submit prefers the workers' Python to PYSPARK_DRIVER_PYTHON (Spark's PythonRunner).
        given["spark.pyspark.driver.python"] = sys.executable
    return {key: str(value) for key, value in given.items() if value}


def _hdfs_conf(lake: LakeSettings) -> dict[str, str]:
    """What HDFS's client in the JVM must know: copies of each block, NameNodes of a nameservice.

    The keys are those of hdfs-default.xml (Hadoop 3.4), behind Spark's prefix.
    """
    found = {"dfs.replication": str(lake.replication)} if lake.replication else {}
    if lake.namenodes:
        service = urlsplit(lake.root).netloc
        names = [f"nn{number}" for number in range(len(lake.namenodes))]
        found["dfs.nameservices"] = service
        found[f"dfs.ha.namenodes.{service}"] = ",".join(names)
        found[f"dfs.client.failover.proxy.provider.{service}"] = FAILOVER
        for name, address in zip(names, lake.namenodes, strict=True):
            found[f"dfs.namenode.rpc-address.{service}.{name}"] = address
    return {f"spark.hadoop.{key}": value for key, value in found.items()}
