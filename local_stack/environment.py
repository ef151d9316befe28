"""The environment of the processes of a place: addresses, variables, secrets.

`Stack` has it for all its processes, each of which is given its part (`marquee.process_secrets`);
`marquee step` and benchmarks pass it to the processes they start. It contains Airflow's variables,
keys and database. What belongs to the local stack alone
(loopback, its Hadoop configuration, the Python of this checkout) stays there: ADR 46. Passwords and
keys are in files that only their owner can read; no command prints them.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import shlex
import sys
from pathlib import Path
from urllib.parse import urlsplit

from local_stack.airflow_postgres import DATABASE, DATABASE_VARIABLES
from local_stack.hdfs import class_path
from local_stack.java_setup import (
    cache_folder,
    class_archive,
    jar_files,
    java_home,
    spark_environment,
)
from local_stack.kafka import kafka_class_path
from marquee.clock import OFFSET
from marquee.errors import SettingsError
from marquee.lake import COPIES
from marquee.place_settings import is_local_master
from marquee.process_secrets import CONNECT_SECRETS, write_private
from marquee.progress import PROGRESS
from marquee.settings import REPOSITORY, Settings
from marquee.state_folders import StateFolders
from sources.tables import find_table

ADMIN_USER = "admin"


def with_local_addresses(settings: Settings) -> Settings:
    """The settings with the addresses of a local lake and replica, made from the stack's ports.

    Settings of a place whose HDFS runs elsewhere stay as they are.
    """
    port = settings.stack.port
    if not (settings.runs_hdfs and settings.lake.is_on_loopback):
        return settings
    lake = settings.lake.model_copy(
        update={
            "root": f"hdfs://127.0.0.1:{port('namenode')}/marquee",
            "webhdfs": f"http://127.0.0.1:{port('namenode_http')}",
        }
    )
    crawl = settings.crawl
    if crawl.site.startswith("http://127.0.0.1:"):
        crawl = crawl.model_copy(update={"site": f"http://127.0.0.1:{port('replica')}"})
    return settings.model_copy(update={"lake": lake, "crawl": crawl})


def stack_environment(settings: Settings) -> dict[str, str]:
    """The caller's variables, and all that the processes of `Procfile` read.

    Where HDFS runs elsewhere, the caller's own variables of Airflow, Hadoop and Spark stay.
    """
    folders, broker = StateFolders(settings.state_folder), settings.kafka.embedded
    made = {
        **job_environment(settings),
        **airflow_environment(settings, folders.airflow),
        # The DAG starts unpaused. So a paused DAG was paused by a person, and commands ask first.
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        **(_hdfs_environment(settings, folders) if settings.runs_hdfs else {}),
        "KAFKA_CLASS_PATH": kafka_class_path(settings, folders.kafka) if broker else "",
        "PYTHON": sys.executable,
        "JAVA": str(java_home(cache_folder(settings)) / "bin" / "java"),
        "STATE": str(folders.state),
        PROGRESS: str(folders.progress),
        COPIES: str(folders.copies),
        "AIRFLOW_PORT": str(settings.stack.port("airflow")),
        "REPLICA_PORT": str(settings.stack.port("replica")),
        "SERVING_PORT": str(settings.stack.port("serving")),
        "REPLICA_TITLES": replica_titles(settings, folders),
        **(_connect_environment(settings, folders) if settings.connect.embedded else {}),
        "STREAM_HOW": settings.streams.how,
    }
    return made if settings.runs_hdfs else made | _own_variables()


def job_environment(settings: Settings) -> dict[str, str]:
    """The caller's variables, and those of a process that submits a Spark job at this place.

    Only the settings' own addresses enter. Workers elsewhere must see nothing of this machine, so
    the Python of this checkout is theirs only where Spark runs inside the driver.
    """
    cache, spark = cache_folder(settings), settings.spark
    home, tmp = java_home(cache), str(StateFolders(settings.state_folder).tmp)
    worker_python = sys.executable if is_local_master(spark.master) else spark.worker_python
    binaries = f"{REPOSITORY / 'plugins/marquee_airflow/bin'}:{Path(sys.executable).parent}"
    return {
        **spark_environment(home, spark.driver_bind, worker_python),
        # glibc keeps freed memory for each thread; two such arenas suit two cores.
        "MALLOC_ARENA_MAX": "2",
        **_settings_environment(settings),
        "PATH": f"{binaries}:{os.environ.get('PATH', '')}",
        "PYTHONPATH": str(REPOSITORY),
        "HADOOP_USER_NAME": settings.lake.user,
        "SPARK_ARCHIVE": str(class_archive(cache)),
        "TMPDIR": tmp,
        "SPARK_LOCAL_DIRS": spark.local_dir or tmp,
        **(_yarn_environment(settings) if spark.on_yarn else {}),
    }


def _yarn_environment(settings: Settings) -> dict[str, str]:
    """spark-submit wants a folder of YARN's configuration, also where the settings say all."""
    if os.environ.get("HADOOP_CONF_DIR") or os.environ.get("YARN_CONF_DIR"):
        return {}
    return {"YARN_CONF_DIR": str(StateFolders(settings.state_folder).conf)}


def _hdfs_environment(settings: Settings, folders: StateFolders) -> dict[str, str]:
    """What the local stack's HDFS and its clients read."""
    return {
        "HADOOP_CONF_DIR": str(folders.conf),
        "HDFS_CLASS_PATH": class_path(folders.conf, jar_files(settings)),
    }


def _connect_environment(settings: Settings, folders: StateFolders) -> dict[str, str]:
    """What Spark Connect's server and our worker read; their two secrets are made once."""
    path = folders.state / "connect" / "keys.json"
    if not path.is_file():
        write_private(path, json.dumps({n: secrets.token_urlsafe(32) for n in CONNECT_SECRETS}))
    return connect_variables(settings) | dict(json.loads(path.read_text()))


def connect_variables(settings: Settings) -> dict[str, str]:
    """What the commands of Spark Connect's server and of our worker read, and no secret."""
    return {
        "CONNECT_MEMORY": settings.connect.memory,
        "CONNECT_SERVER_PORT": str(settings.stack.port("connect_server")),
        "CONNECT_WORKER_PORT": str(settings.stack.port("connect_worker")),
    }


def _own_variables() -> dict[str, str]:
    """The caller's variables of Airflow, Hadoop and Spark."""
    folders = ("HADOOP_CONF_DIR", "YARN_CONF_DIR", "SPARK_CONF_DIR", "SPARK_LOCAL_DIRS")
    names = ("AIRFLOW_", "PYSPARK_PYTHON", *folders)
    return {name: value for name, value in os.environ.items() if name.startswith(names)}


def replica_titles(settings: Settings, folders: StateFolders) -> str:
    """The flags that tell the replica which titles to serve, quoted for a shell.

    Synthetic world: its own titles. Ratings release: the titles in its `links.csv`, from the
    records (`imdb5000/`, `imdb-pages/`) beside the release, if there are any.
    """
    source = settings.ratings.source
    if not source:
        return shlex.join(["--world", str(folders.world)])
    records = Path(source).resolve().parent
    csv, pages = records / "imdb5000" / "movie_metadata.csv", records / "imdb-pages"
    links = find_table(Path(source).resolve(), "links.csv")
    flags = ["--links", str(links)] if links else []
    flags += ["--imdb5000", str(csv)] if csv.is_file() else []
    flags += ["--pages", str(pages)] if pages.is_dir() else []
    return shlex.join(flags)


def _settings_environment(settings: Settings) -> dict[str, str]:
    """The settings as variables, for child processes that load settings themselves."""
    return {
        "MARQUEE_PLACE": settings.place,
        "MARQUEE_WORLD": settings.world,
        "MARQUEE_STATE": settings.state,
        "MARQUEE_STACK__PORT_OFFSET": str(settings.stack.port_offset),
        "MARQUEE_LAKE__ROOT": settings.lake.root,
        "MARQUEE_LAKE__WEBHDFS": settings.lake.webhdfs,
        "MARQUEE_LAKE__USER": settings.lake.user,
        "MARQUEE_LAKE__DRILL": str(settings.lake.drill).lower(),
        OFFSET: os.environ.get(OFFSET, ""),
        "MARQUEE_CRAWL__SITE": settings.crawl.site,
        "MARQUEE_RATINGS__SOURCE": settings.ratings.source,
        "MARQUEE_RATINGS__NAME": settings.ratings.name,
        "MARQUEE_KAFKA__EMBEDDED": str(settings.kafka.embedded).lower(),
        "MARQUEE_KAFKA__BOOTSTRAP": settings.kafka.bootstrap,
        "MARQUEE_SPARK__MASTER": settings.spark.master,
        "MARQUEE_SPARK__AUTHENTICATE": str(settings.spark.authenticate).lower(),
        "MARQUEE_SPARK__SECRET_FILE": settings.spark.secret_file,
    }


def airflow_environment(settings: Settings, home: Path) -> dict[str, str]:
    """All variables of Airflow's processes, connections included."""
    port = settings.stack.port("airflow")
    keys = _keys(home / "keys.json")
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(REPOSITORY / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(REPOSITORY / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        # At most four tasks of a run can be under way at once; every idle worker holds 50 MB.
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__FERNET_KEY": keys["fernet"],
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{ADMIN_USER}:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / "passwords.json"),
        **_database(settings, home),
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
        "AIRFLOW__API__SECRET_KEY": keys["secret"],
        "AIRFLOW__API_AUTH__JWT_SECRET": keys["jwt"],
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "30",
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "30",
        "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK": "False",
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
        "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "2",
        # A task sends a heartbeat each 5 s: one without any for a minute is lost, and so are those
        # of a scheduler that has sent none for 30 s. Airflow waits for five minutes, both times.
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",
        "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "30",
        # A busy board answers a task that starts late; after 5 s, the default, the attempt is lost.
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "30",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "AIRFLOW_CONN_SPARK_CLUSTER": json.dumps(_spark_connection(settings)),
        "AIRFLOW_CONN_HDFS_LAKE": json.dumps(_lake_connection(settings)),
        "PYTHONPATH": str(REPOSITORY),
        "PYTHONWARNINGS": "ignore",
    }


def _database(settings: Settings, home: Path) -> dict[str, str]:
    """The address of Airflow's metadata; another database than SQLite has it in the environment.

    Raises SettingsError where the place wants Postgres and no variable names it.
    """
    if settings.airflow.database == "sqlite":
        return {DATABASE: f"sqlite:///{home / 'airflow.db'}"}
    given = {name: os.environ[name] for name in DATABASE_VARIABLES if os.environ.get(name)}
    if not given:
        raise SettingsError(
            f"the place '{settings.place}' keeps Airflow's metadata in Postgres, and {DATABASE} "
            "is not set",
            f"set {DATABASE}=postgresql+psycopg2://user:password@host/airflow, or its _CMD",
        )
    return given


def _keys(path: Path) -> dict[str, str]:
    if not path.is_file():
        made = {
            "fernet": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "secret": secrets.token_urlsafe(32),
            "jwt": secrets.token_urlsafe(48),
        }
        write_private(path, json.dumps(made))
    keys: dict[str, str] = json.loads(path.read_text())
    return keys


def _spark_connection(settings: Settings) -> dict[str, object]:
    extra = {"deploy-mode": settings.spark.deploy_mode, "spark-binary": "spark-submit"}
    return {"conn_type": "spark", "host": settings.spark.master, "extra": extra}


def _lake_connection(settings: Settings) -> dict[str, object]:
    """Airflow's WebHDFS connection; our own code reads the lake's root from `extra`.

    The provider takes a list of hosts, and one port for all. Where ports differ, each host keeps
    its own.
    """
    pages = [urlsplit(page) for page in settings.lake.webhdfs.split(";") if page]
    ports = {page.port for page in pages}
    port = ports.pop() if len(ports) == 1 else None
    extra: dict[str, object] = {"root": settings.lake.root}
    if any(page.scheme == "https" for page in pages):
        extra |= {"use_ssl": True, "verify": True}
    hosts = (page.hostname or "" if port else page.netloc for page in pages)
    return {
        "conn_type": "webhdfs",
        "host": ",".join(hosts),
        "port": port,
        "login": settings.lake.user,
        "extra": extra,
    }


def admin_password(home: Path) -> str:
    """The password of ADMIN_USER; the first call makes it, in a file only its owner can read."""
    path = home / "passwords.json"
    if not path.is_file():
        write_private(path, json.dumps({ADMIN_USER: secrets.token_urlsafe(18)}))
    return str(json.loads(path.read_text())[ADMIN_USER])
