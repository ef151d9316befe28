"""What the processes of a host are given: HDFS' configuration, a Python for workers, variables.

Nothing here comes from the variables of whoever starts the drill: a host knows its own alone.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from local_stack.hdfs import JARS_FROM_PYSPARK, core_values, shared_values, write_conf
from local_stack.java_setup import cache_folder, java_home, spark_jars
from marquee.errors import StackError
from marquee.settings import REPOSITORY, Settings, load_settings
from tests.drill.cluster.hosts import Network

CACHE = cache_folder(load_settings("local"))
LOCK = REPOSITORY / "requirements" / "run.txt"
WORKER_LOCK = REPOSITORY / "requirements" / "worker.txt"
SPARK_OF_WORKER = f"/srv/worker/lib/python3.{sys.version_info.minor}/site-packages/pyspark"
JVM = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.net.preferIPv4Stack=true")
HDFS_SITE = {
    "dfs.replication": "2",
    "dfs.namenode.name.dir": "file:///srv/data/name",
    "dfs.datanode.data.dir": "file:///srv/data/blocks",
    "dfs.namenode.rpc-bind-host": "0.0.0.0",
    "dfs.namenode.http-address": "namenode:9870",
    "dfs.client.socket-timeout": "20000",
    **shared_values(),
}
RECOVERY = (
    "-Dspark.deploy.recoveryMode=FILESYSTEM -Dspark.deploy.recoveryDirectory=/srv/data/recovery "
    "-Dspark.master.rest.enabled=false"
)
"""A master that is started again knows its workers and applications."""
PLACE = """\
state = "/srv/data/state"

[lake]
root = "hdfs://namenode:8020/marquee"
webhdfs = "http://namenode:9870"
replication = 2
drill = true

[crawl]
site = "http://serving:8001"

[spark]
master = "spark://spark-master:7077"
driver_memory = "700m"
executor_memory = "700m"
shuffle_partitions = 4
# Jobs of seconds: the first compiler alone halves the processor's time, as in local.toml.
java_options = "{java}"

[airflow]
database = "{database}"

[stack]
processes = ["airflow-api", "airflow-scheduler", "airflow-dags", "airflow-triggerer", "serving"]

[serving]
host = "serving"
"""
PRINT_ENVIRONMENT = (
    "import json; from local_stack.environment import admin_password, stack_environment; "
    "from marquee.settings import load_settings; from marquee.state_folders import StateFolders; "
    "settings = load_settings(); "
    "admin_password(StateFolders(settings.state_folder).airflow); "
    "print(json.dumps(stack_environment(settings)))"
)
DATABASE = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def write_hadoop_conf(conf: Path, user: str) -> None:
    """Write the configuration that all hosts share, clients and daemons."""
    write_conf(conf, core_values("namenode:8020", user, Path("/srv/data/hadoop")), HDFS_SITE)


def worker_environment() -> Path:
    """A worker's Python, made once for each lock; hosts see it as /srv/worker.

    pyspark is in it for its jars: on other machines a Spark distribution brings them.
    """
    locks = hashlib.sha256(LOCK.read_bytes() + WORKER_LOCK.read_bytes()).hexdigest()
    folder = CACHE / f"worker-{locks[:12]}"
    if (folder / "made").is_file():
        return folder
    uv = str(REPOSITORY / ".venv" / "tool" / "bin" / "uv")
    print("cluster: making the workers' Python (pyspark is 450 MB), once", flush=True)
    install = [uv, "pip", "install", "-q", "--python", str(folder / "bin" / "python")]
    for command in (
        [uv, "venv", "-q", "--clear", "--python", sys.executable, str(folder)],
        [*install, "--require-hashes", "-r", str(WORKER_LOCK)],
        [*install, "--constraint", str(LOCK), "pyspark"],
    ):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            last = done.stderr.strip().splitlines()[-1:] or ["no word"]
            raise StackError(f"the workers' Python could not be made: {last[0]}")
    (folder / "made").touch()
    return folder


def java_command(megabytes: int, java_class: str, *arguments: str) -> list[str]:
    """A daemon of HDFS, by its class."""
    shipped = [
        f"{SPARK_OF_WORKER}/jars/{jar.name}" for p in JARS_FROM_PYSPARK for jar in spark_jars(p)
    ]
    fetched = [f"/srv/jars/{jar.name}" for jar in sorted((CACHE / "jars").glob("*.jar"))]
    classes = ":".join(["/srv/conf", *fetched, *shipped])
    return ["java", f"-Xmx{megabytes}m", "-Xss512k", *JVM, "-cp", classes, java_class, *arguments]


def daemon_environment(user: str) -> dict[str, str]:
    """Variables of HDFS' and Spark's daemons; `user` owns HDFS."""
    java = java_home(CACHE)
    return {
        "PATH": f"{java}/bin:/usr/bin:/bin",
        "HOME": "/srv/data",
        "LANG": "C.UTF-8",
        "JAVA_HOME": str(java),
        "TMPDIR": "/srv/tmp",
        "HADOOP_CONF_DIR": "/srv/conf",
        "HADOOP_USER_NAME": user,
        "SPARK_HOME": SPARK_OF_WORKER,
        "SPARK_LOCAL_DIRS": "/srv/tmp",
        "SPARK_DAEMON_MEMORY": "160m",
        "SPARK_DAEMON_JAVA_OPTS": " ".join([*JVM, RECOVERY]),
        "SPARK_LAUNCHER_OPTS": "-XX:+UseSerialGC -XX:TieredStopAtLevel=1",
        "PYSPARK_PYTHON": "/srv/worker/bin/python",
        "MALLOC_ARENA_MAX": "2",
        **ONE_THREAD,
    }


def write_place(conf: Path, database: str) -> Path:
    """Write the place that the product's hosts are told of: one file, as a reader would write it.

    `database` is sqlite or postgres.
    """
    java = load_settings("local").spark.java_options
    path = conf / "place.toml"
    path.write_text(PLACE.format(database=database, java=java))
    return path


def place_settings(path: Path, updates: Mapping[str, str]) -> Settings:
    """The settings of the place; `updates` are variables that replace single ones."""
    with _variables(updates):
        return load_settings(str(path))


def product_environment(
    network: Network, host: str, updates: Mapping[str, str], database: str
) -> dict[str, str]:
    """Variables of the product's processes on a host, made there by the product itself.

    `database` is the address of Airflow's metadata, or "" where they lie in SQLite.
    """
    java = java_home(CACHE)
    given = {
        "PATH": f"{java}/bin:/usr/bin:/bin",
        "HOME": "/srv/data",
        "LANG": "C.UTF-8",
        "JAVA_HOME": str(java),
        "HADOOP_CONF_DIR": "/srv/conf",
        "PYSPARK_PYTHON": "/srv/worker/bin/python",
        "MARQUEE_PLACE": "/srv/conf/place.toml",
        "PYTHONPATH": str(REPOSITORY),
        **updates,
        **({DATABASE: database} if database else {}),
    }
    printed = network.run(host, [sys.executable, "-c", PRINT_ENVIRONMENT], given)
    made: dict[str, str] = json.loads(printed.splitlines()[-1])
    return {**made, **updates, **ONE_THREAD}


@contextmanager
def _variables(values: Mapping[str, str]) -> Iterator[None]:
    """This process' MARQUEE_ variables are `values` alone, meanwhile."""
    before = dict(os.environ)
    for key in [key for key in os.environ if key.startswith("MARQUEE_")]:
        del os.environ[key]
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
