"""Run one daemon of a cluster on this host: `python -m local_stack.host_daemon NAME`.

The systemd units (`systemd_units`) start it. It builds the command and the environment of the place
(MARQUEE_PLACE), and the process then becomes the daemon. `Procfile` has the commands of Airflow,
serving and the replica; those of HDFS and Spark are here, since the local stack's listen on
loopback alone. Everything that a daemon keeps lies below MARQUEE_DATA, which should be an SSD.

`namenode --format` makes the name space, once, on an empty disk: a NameNode that formats by itself
would lose everything where its disk is not mounted. `airflow-api --prepare` makes or migrates
Airflow's database and its pools, and is right before every start. `airflow-api --airflow …` runs a
command of Airflow's with the place's environment.
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from local_stack.airflow_database import prepare_airflow
from local_stack.environment import connect_variables, replica_titles, stack_environment
from local_stack.hdfs import (
    DATANODE_CLASS,
    JOURNALNODE_CLASS,
    JVM,
    NAMENODE_CLASS,
    class_path,
    core_site,
    format_namenode,
    hdfs_site,
    write_conf,
    write_values,
)
from local_stack.java_setup import (
    cache_folder,
    class_archive,
    jar_files,
    java_home,
    spark_environment,
    spark_home,
)
from local_stack.kafka import broker_address, kafka_command, prepare_kafka
from local_stack.stack import read_procfile
from local_stack.yarn import (
    NODE_MANAGER_CLASS,
    RESOURCE_MANAGER_CLASS,
    daemon_command,
    place_values,
    write_yarn_conf,
)
from marquee.daemon_settings import CONNECT_PROCESSES, KAFKA, STREAM
from marquee.errors import MarqueeError, StackError
from marquee.host_needs import AIRFLOW
from marquee.place_settings import SparkSettings, megabytes
from marquee.process_secrets import (
    SPARK_SECRET,
    spark_authentication,
    spark_secret,
    variables_for,
)
from marquee.settings import REPOSITORY, Settings, load_settings
from marquee.state_folders import StateFolders

DATA = "MARQUEE_DATA"
"""The variable with the folder of the daemons' data, on each host."""
DEPLOY = "org.apache.spark.deploy"
OF_HDFS = {
    "namenode": (NAMENODE_CLASS, 96),
    "datanode": (DATANODE_CLASS, 64),
    "journalnode": (JOURNALNODE_CLASS, 64),
}
"""By name: the class, and the megabytes of its heap."""
OF_SPARK = ("spark-master", "spark-worker")
OF_YARN = {"resourcemanager": RESOURCE_MANAGER_CLASS, "nodemanager": NODE_MANAGER_CLASS}
SPARK_HEAP = 160
ROLES: dict[str, tuple[str, ...]] = {
    **{name: (name,) for name in (*OF_HDFS, *OF_SPARK, *OF_YARN)},
    "airflow": AIRFLOW,
    **{name: (name,) for name in ("serving", "replica", KAFKA, STREAM)},
    "connect": CONNECT_PROCESSES,
}
"""The daemons of each role that a host may have. Postgres is the system's own package. The two of
Spark Connect speak over loopback: with a token, its client goes nowhere else without TLS."""
NAMES = tuple(name for names in ROLES.values() for name in names)


class Launch(NamedTuple):
    """A command, and the variables that it needs beside the host's own."""

    command: tuple[str, ...]
    environment: dict[str, str]


def main(argv: Sequence[str] | None = None) -> int:
    """Become the daemon; the exit status where that, or `--format`, `--prepare`, fails."""
    parser = argparse.ArgumentParser(prog="python -m local_stack.host_daemon")
    parser.add_argument("name", choices=NAMES)
    one = parser.add_mutually_exclusive_group()
    one.add_argument("--format", action="store_true", help="make HDFS' name space, once")
    one.add_argument("--prepare", action="store_true", help="migrate Airflow's database")
    one.add_argument("--airflow", nargs=argparse.REMAINDER, help="run a command of Airflow's")
    options = parser.parse_args(argv)
    if options.format and options.name != "namenode":
        parser.error("--format is for namenode alone")
    if (options.prepare or options.airflow is not None) and options.name not in AIRFLOW:
        parser.error(f"--prepare and --airflow are for {', '.join(AIRFLOW)}")
    if options.airflow == []:
        parser.error("--airflow wants Airflow's words, such as dags trigger weekly_retrain")
    try:
        settings, data = load_settings(), data_folder()
        if options.format:
            make_name_space(settings, data)
        elif options.prepare:
            prepare_airflow(settings)
        else:
            found = launch(options.name, settings, data)
            airflow = (sys.executable, "-m", "airflow", *(options.airflow or ()))
            command = airflow if options.airflow else found.command
            os.chdir(REPOSITORY)
            variables = variables_for(options.name, os.environ | found.environment)
            os.execvpe(command[0], command, variables)
    except (MarqueeError, OSError) as error:
        away = StackError(str(error), f"let this user write below {DATA} and MARQUEE_STATE")
        known = error if isinstance(error, MarqueeError) else away
        print(f"error: {known}", file=sys.stderr, flush=True)
        return known.status
    return 0


def data_folder() -> Path:
    """The folder of MARQUEE_DATA; StackError where it is not there, so that none is made by name.

    A disk that is not mounted must not be taken for an empty one.
    """
    folder = Path(os.environ.get(DATA, ""))
    if not os.environ.get(DATA) or not folder.is_dir():
        raise StackError(
            f"{DATA} names no folder: '{os.environ.get(DATA, '')}'",
            f"mount the disk and make the folder, or correct {DATA} in the environment file",
        )
    return folder


def launch(name: str, settings: Settings, data: Path) -> Launch:
    """The command and the variables of one daemon of this host."""
    if name in OF_HDFS:
        return _hdfs(name, settings, data)
    if name in OF_SPARK:
        return _spark(name, settings, data)
    if name in OF_YARN:
        return _yarn(name, settings, data)
    if name == KAFKA:
        return _kafka(settings, data)
    for folder in StateFolders(settings.state_folder).of_tasks:
        folder.mkdir(parents=True, exist_ok=True)
    made = stack_environment(settings) if name in AIRFLOW else procfile_variables(name, settings)
    if name in (CONNECT_PROCESSES[0], STREAM):  # these may hold a driver of Spark
        made |= _spark_driver(settings)
    return Launch(("/bin/sh", "-c", read_procfile()[name]), made)


def procfile_variables(name: str, settings: Settings) -> dict[str, str]:
    """What the commands of serving, the replica, Connect and a stream read, and no secret."""
    folders = StateFolders(settings.state_folder)
    return {
        "PYTHON": sys.executable,
        "PYTHONPATH": str(REPOSITORY),
        "STATE": str(folders.state),
        "TMPDIR": str(folders.tmp),
        "MARQUEE_LAKE__ROOT": settings.lake.root,
        "MARQUEE_LAKE__WEBHDFS": settings.lake.webhdfs,
        "MARQUEE_LAKE__USER": settings.lake.user,
        "SERVING_PORT": str(settings.stack.port("serving")),
        "REPLICA_PORT": str(settings.stack.port("replica")),
        "REPLICA_TITLES": replica_titles(settings, folders) if name == "replica" else "",
        **connect_variables(settings),
        "STREAM_HOW": settings.streams.how,
        # Each loop of a group has a name, and the same after a restart.
        "STREAM_NAME": os.environ.get("MARQUEE_SLOT") or socket.gethostname(),
    }


def _spark_driver(settings: Settings) -> dict[str, str]:
    """What a driver of Spark wants that computes in its own process, on loopback alone."""
    folders = StateFolders(settings.state_folder)
    write_values(folders.conf / "hdfs-site.xml", settings.lake.client_values)
    cache = cache_folder(settings)
    return spark_environment(java_home(cache)) | {
        "SPARK_ARCHIVE": str(class_archive(cache)),
        "HADOOP_CONF_DIR": str(folders.conf),
        "HADOOP_USER_NAME": settings.lake.user,
        "SPARK_LOCAL_DIRS": str(folders.tmp),
        "MALLOC_ARENA_MAX": "2",
    }


def _kafka(settings: Settings, data: Path) -> Launch:
    """The broker of a place: one node, on the host that `[kafka] bootstrap` names."""
    folder, (host, port) = data / "kafka", broker_address(settings.kafka)
    controller = settings.stack.port("kafka_controller")
    prepare_kafka(settings, folder, port, controller, host)
    home = java_home(cache_folder(settings))
    return Launch(tuple(kafka_command(settings, folder)), _variables(settings, data, home))


def _hdfs(name: str, settings: Settings, data: Path) -> Launch:
    home = java_home(cache_folder(settings))
    java_class, heap = OF_HDFS[name]
    if name == "journalnode" and not settings.lake.journals:
        raise StackError("the place has no journal", "name the JournalNodes in [lake] journals")
    java = (str(home / "bin" / "java"), f"-Xmx{heap}m", *JVM)
    classes = _class_path(settings, data)
    return Launch((*java, "-cp", classes, java_class), _variables(settings, data, home))


def _class_path(settings: Settings, data: Path) -> str:
    """The daemons' class path; writes the configuration that is its first entry."""
    write_conf(data / "conf", core_site(settings, data), hdfs_site(settings, data))
    return class_path(data / "conf", jar_files(settings))


def _spark(name: str, settings: Settings, data: Path) -> Launch:
    if not settings.spark.masters:
        raise StackError(
            f"spark.master is {settings.spark.master}, which is no Standalone master",
            "set MARQUEE_PLACE to a place with spark://host:port",
        )
    home = java_home(cache_folder(settings))
    program = str(spark_home() / "bin" / "spark-class")
    if name == "spark-master":
        host, port = own_master(settings.spark.masters, socket.gethostname())
        command = [program, f"{DEPLOY}.master.Master", "--host", host, "--port", str(port)]
    else:
        memory = f"{megabytes(settings.spark.executor_memory)}m"
        command = [program, f"{DEPLOY}.worker.Worker", "--memory", memory]
        command += ["--work-dir", str(data / "work"), settings.spark.master]
    variables = _variables(settings, data, home) | _spark_variables(settings.spark, data)
    return Launch(tuple(command), variables)


def _yarn(name: str, settings: Settings, data: Path) -> Launch:
    home, conf = java_home(cache_folder(settings)), data / "conf"
    write_conf(conf, core_site(settings, data), hdfs_site(settings, data))
    write_yarn_conf(conf, place_values(settings.spark, data))
    command = daemon_command(home / "bin" / "java", OF_YARN[name], conf, jar_files(settings))
    own = {"HADOOP_CONF_DIR": str(conf), "YARN_CONF_DIR": str(conf)}  # containers are given them
    return Launch(tuple(command), _variables(settings, data, home) | own)


def own_master(masters: Sequence[tuple[str, int]], this_host: str) -> tuple[str, int]:
    """Host and port of the master on this host: the one of its name, else the first."""
    return next((one for one in masters if one[0] == this_host), masters[0])


def _variables(settings: Settings, data: Path, home: Path) -> dict[str, str]:
    """Variables of the daemons of HDFS, YARN and Spark."""
    tmp = data / "tmp"
    tmp.mkdir(parents=True, exist_ok=True)
    return {
        "JAVA_HOME": str(home),
        "TMPDIR": str(tmp),
        "HADOOP_USER_NAME": settings.lake.user,
        "MALLOC_ARENA_MAX": "2",
    }


def _spark_variables(spark: SparkSettings, data: Path) -> dict[str, str]:
    """A master that comes back knows its workers; a worker removes what is a week old."""
    secret = spark_secret(spark)
    recovery = data / "recovery"
    recovery.mkdir(parents=True, exist_ok=True)
    options = [*JVM, "-Dspark.deploy.recoveryMode=FILESYSTEM"]
    options += [f"-Dspark.deploy.recoveryDirectory={recovery}", "-Dspark.master.rest.enabled=false"]
    options += [f"-D{name}={text}" for name, text in spark_authentication(spark).items()]
    return {
        **({SPARK_SECRET: secret} if secret else {}),
        "SPARK_HOME": str(spark_home()),
        "SPARK_DAEMON_MEMORY": f"{SPARK_HEAP}m",
        "SPARK_DAEMON_JAVA_OPTS": " ".join(options),
        "SPARK_WORKER_OPTS": "-Dspark.worker.cleanup.enabled=true",
        "SPARK_LOCAL_DIRS": str(data / "tmp"),
        **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
    }


def make_name_space(settings: Settings, data: Path) -> None:
    """Format the NameNode, unless it is formatted."""
    home = java_home(cache_folder(settings))
    variables = _variables(settings, data, home)
    format_namenode(home / "bin" / "java", _class_path(settings, data), data, variables)
    print(f"the name space is in {data / 'name'}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
