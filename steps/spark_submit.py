"""The options of spark-submit for our Spark jobs, for Airflow, a shell and benchmarks."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from marquee.addresses import host_and_port
from marquee.clock import OFFSET
from marquee.place_settings import (
    RESOURCE_MANAGER_PORT,
    SparkSettings,
    is_local_master,
)
from marquee.process_secrets import spark_authentication
from marquee.resource_manager import tag_of
from marquee.settings import REPOSITORY, Settings
from marquee.spark_master import LOCAL_CONF
from steps.shipped_code import code_zip


def application_name(job: str, run: str, attempt: object) -> str:
    """The name by which a master lists one attempt of a job."""
    return f"{all_attempts(job, run)}{attempt}"


def all_attempts(job: str, run: str) -> str:
    """How the names of all attempts at a job of a run begin, and of no other's."""
    return f"marquee-{job} {run} try "


def submit_options(
    settings: Settings, job: str, run: str, archive: str, attempt: object = 1
) -> dict[str, Any]:
    """The options of one submission, as arguments of Airflow's SparkSubmitOperator.

    `archive` is the path of a class-data archive (CDS) for the driver's JVM, or "".
    """
    spark = settings.spark
    return {
        "application": str(REPOSITORY / "spark_apps" / f"{job}.py"),
        "name": application_name(job, run, attempt),
        "conf": spark_conf(settings, archive),
        "archives": spark.archives or None,
        # YARN takes no number of cores; its executors have one core each.
        "num_executors": (spark.cores if spark.on_yarn else 0) or None,
        "total_executor_cores": (0 if spark.on_yarn else spark.cores) or None,
        "executor_memory": spark.executor_memory,
        "driver_memory": spark.driver_memory,
        "yarn_queue": spark.queue or None,
    }


def conf_of_master(master: str, prefix: str) -> dict[str, str]:
    """The `--conf` values that depend on the kind of the master.

    By the tags YARN finds all attempts at a job of a run, whose names begin with `prefix`.
    """
    if is_local_master(master):
        return LOCAL_CONF
    return {"spark.yarn.tags": tag_of(prefix)} if master == "yarn" else {}


def submit_command(settings: Settings, job: str, run: str, archive: str) -> list[str]:
    """The same submission as a command line, for `marquee step` and `marquee doctor`.

    A golden file holds the command line. A test compares the flags with those of Airflow's hook.
    """
    options = submit_options(settings, job, run, archive)
    command = ["spark-submit", "--master", settings.spark.master]
    own = conf_of_master(settings.spark.master, all_attempts(job, run))
    for key, value in (options["conf"] | own).items():
        command += ["--conf", f"{key}={value}"]
    if py_files := shipped_code(settings, settings.spark.master):
        command += ["--py-files", py_files]
    if options["archives"]:
        command += ["--archives", options["archives"]]
    if options["num_executors"]:
        command += ["--num-executors", str(options["num_executors"])]
    if options["total_executor_cores"]:
        command += ["--total-executor-cores", str(options["total_executor_cores"])]
    command += ["--executor-memory", options["executor_memory"]]
    command += ["--driver-memory", options["driver_memory"], "--name", options["name"]]
    if options["yarn_queue"]:
        command += ["--queue", options["yarn_queue"]]
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
    if archive and spark.deploy_mode == "client" and Path(archive).is_file():
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
        **{f"spark.hadoop.{key}": value for key, value in settings.lake.client_values.items()},
        **(_yarn_conf(settings) if spark.on_yarn else {}),
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


def _yarn_conf(settings: Settings) -> dict[str, str]:
    """What YARN must know: its address, where jobs put their files, and its containers' variables.

    A driver in a container starts once: Airflow tries again (`spark.yarn.maxAppAttempts`).
    """
    spark, lake = settings.spark, settings.lake
    given = {
        "spark.yarn.maxAppAttempts": "1",
        "spark.yarn.jars": spark.yarn_jars,
        "spark.driver.memoryOverhead": spark.driver_overhead,
        "spark.executor.memoryOverhead": spark.executor_overhead,
    }
    if spark.resource_manager:
        host, port = host_and_port(spark.resource_manager, RESOURCE_MANAGER_PORT)
        given["spark.hadoop.yarn.resourcemanager.hostname"] = host
        given["spark.hadoop.yarn.resourcemanager.address"] = f"{host}:{port}"
    if lake.root.startswith("hdfs://"):
        given["spark.hadoop.fs.defaultFS"] = f"hdfs://{urlsplit(lake.root).netloc}"
    for prefix in ("spark.yarn.appMasterEnv", "spark.executorEnv"):
        given |= {f"{prefix}.{name}": value for name, value in _container_variables().items()}
    return {key: value for key, value in given.items() if value}


def _container_variables() -> dict[str, str]:
    """Variables of every container: a container sees none of this machine's.

    The shell that starts a container replaces `$PWD` with the container's own folder, which YARN
    removes. A drill's clock goes along.
    """
    one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    own = {"TMPDIR": "$PWD/tmp", "MALLOC_ARENA_MAX": "2", OFFSET: os.environ.get(OFFSET, "")}
    return one | own
