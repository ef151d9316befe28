"""systemd units of a host's roles, so that a shelf of boards comes back after a power cut.

One service for each daemon of `host_daemon.ROLES`, and `marquee.target`, which starts and stops all
of a host. MemoryMax is what the plan counts, and a quarter: estimates are that uncertain. The
scheduler's holds the Spark drivers, the Spark worker's and the NodeManager's the executors, since
these are their children.
`systemd-analyze verify` accepts the files (tests).
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from local_stack.host_daemon import DATA, ROLES
from local_stack.yarn import SMALLEST_CONTAINER_MB, containers_mb
from marquee.errors import BAD_INPUT, SettingsError, StackError
from marquee.host_needs import DAEMONS, DataSize, serving
from marquee.place_settings import megabytes
from marquee.role_needs import UNCERTAIN, drivers, engine_daemons, executor_need
from marquee.settings import LOCAL, REPOSITORY, Settings

USER = "marquee"
DATA_FOLDER = "/srv/marquee"
ENVIRONMENT_FILE = "/etc/marquee/marquee.env"
SECRETS_FILE = "/etc/marquee/{role}.env"
"""Of one role's units alone: no other process of the host is given what is in it."""
TARGET = "marquee.target"
ACCOUNT = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,30}")
FOLDER = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._+@-]+)+/?")
"""A path without `.` and `..`, which systemd takes as it stands, quoted nowhere."""
TITLES = {
    "namenode": "HDFS NameNode",
    "datanode": "HDFS DataNode",
    "journalnode": "HDFS JournalNode",
    "spark-master": "Spark master",
    "spark-worker": "Spark worker and its executors",
    "resourcemanager": "YARN ResourceManager",
    "nodemanager": "YARN NodeManager and its containers",
    "airflow-api": "Airflow's API server",
    "airflow-scheduler": "Airflow's scheduler, tasks and Spark drivers",
    "airflow-dags": "Airflow's DAG processor",
    "airflow-triggerer": "Airflow's triggerer",
    "serving": "the REST API",
    "kafka": "a broker of Kafka",
    "stream": "answers to the questions of a topic",
    "connect-server": "Spark Connect's server",
    "connect-worker": "the API's routes, answered by Spark Connect",
    "replica": "the replica of the crawled site",
}
AFTER = {
    "namenode": ("journalnode",),
    "datanode": ("namenode",),
    "nodemanager": ("resourcemanager",),
    "spark-worker": ("spark-master",),
    "airflow-api": ("postgresql",),
    "airflow-scheduler": ("airflow-api",),
    "airflow-dags": ("airflow-api",),
    "airflow-triggerer": ("airflow-api",),
    "serving": ("namenode", "datanode"),
    "stream": ("namenode", "datanode", "kafka"),
    "connect-server": ("namenode", "datanode"),
    "connect-worker": ("connect-server",),
}
"""Daemons that start first where they are on the same host; others are waited for by retries."""
PARENTS = ("airflow-scheduler", "spark-worker", "nodemanager")
"""Daemons whose children do the work: one that the kernel kills for its memory ends alone."""
UNIT = """# Made by `marquee units --role {role}`.
[Unit]
Description=Marquee: {title}
Documentation=file://{checkout}/docs/guides/cluster.md
Wants=network-online.target time-sync.target
After=network-online.target time-sync.target{after}
RequiresMountsFor={data}
PartOf={target}
StartLimitIntervalSec=0

[Service]
User={user}
Group={user}
WorkingDirectory={checkout}
Environment={variable}={data}
EnvironmentFile={environment}
{own}{prepare}ExecStart={python} -m local_stack.host_daemon {name}
Restart=always
RestartSec=5
TimeoutStartSec=600
TimeoutStopSec=60
MemoryMax={memory}M
OOMPolicy={oom}
UMask=0077
NoNewPrivileges=true
ProtectSystem=full

[Install]
WantedBy={target}
"""
TARGET_UNIT = """# Made by `marquee units`. Starts and stops every daemon of Marquee on this host.
[Unit]
Description=Marquee on this host

[Install]
WantedBy=multi-user.target
"""
ENVIRONMENT = """# Copy to {environment}, on every host; it holds no secret.
MARQUEE_PLACE={place}
MARQUEE_STATE={data}/state
"""
SECRETS = {
    "airflow": """# Variables of Airflow's. Where the place's database is Postgres:
# AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=postgresql+psycopg2://marquee:PASSWORD@localhost/airflow
""",
    "serving": """# Where the place has Spark Connect, as in connect.env: MARQUEE_CONNECT_SECRET=
# Where Kafka asks for a login: MARQUEE_KAFKA_USERNAME= and MARQUEE_KAFKA_PASSWORD=
""",
    "stream": """# Where Kafka asks for a login: MARQUEE_KAFKA_USERNAME= and MARQUEE_KAFKA_PASSWORD=
""",
    "connect": """# Two secrets of your own, as openssl rand -hex 32 makes. Whoever has the
# first runs code as the server's user; serving shows the second (serving.env).
# SPARK_CONNECT_AUTHENTICATE_TOKEN=
# MARQUEE_CONNECT_SECRET=
""",
}
"""By role: an example of its file."""
SECRETS_HEAD = "# Copy to {file}; owner root, mode 0600: systemd alone reads it.\n"


@dataclass(frozen=True)
class Host:
    """Where things lie on the host that runs the units."""

    checkout: Path = REPOSITORY
    python: Path = Path(sys.executable)
    data: str = DATA_FOLDER
    user: str = USER


def unit_files(
    roles: Iterable[str], settings: Settings, size: DataSize, host: Host | None = None
) -> dict[str, str]:
    """The files by name: a service for each daemon, the target, an example of the environment.

    Raises StackError for an unknown role, and SettingsError for a host that no unit can name, or
    for a stream without a Kafka.
    """
    host, roles = host or Host(), list(roles)
    if "stream" in roles and "kafka" not in roles and not settings.kafka_bootstrap:
        raise SettingsError(
            "a stream needs a Kafka", "set [kafka] bootstrap in the place's file (MARQUEE_PLACE)"
        )
    _require_plain(host)
    names = [(role, name) for role in dict.fromkeys(roles) for name in daemons_of(role)]
    memory = memory_limits(settings, size)
    made = {
        f"marquee-{name}.service": _service(role, name, memory[name], host) for role, name in names
    }
    made["marquee.env.example"] = ENVIRONMENT.format(
        environment=ENVIRONMENT_FILE,
        data=host.data,
        place="cluster" if settings.place == LOCAL else settings.place,
    )
    for role in SECRETS.keys() & {role for role, _ in names}:
        head = SECRETS_HEAD.format(file=SECRETS_FILE.format(role=role))
        made[f"{role}.env.example"] = head + SECRETS[role]
    return made | {TARGET: TARGET_UNIT}


def _require_plain(host: Host) -> None:
    """Refuse what systemd reads otherwise: an empty user is root, a relative folder no disk."""
    if not ACCOUNT.fullmatch(host.user):
        raise SettingsError(
            f"'{host.user}' is no name of a user", "give a letter or _, then A-Z a-z 0-9 _ -"
        )
    paths = {"data": host.data, "checkout": host.checkout, "Python": host.python}
    for name, path in paths.items():
        if not FOLDER.fullmatch(str(path)):
            raise SettingsError(
                f"the path of the {name} is '{path}', which a unit cannot name",
                "give an absolute path of A-Z a-z 0-9 . _ + @ - and /, without . and .. as a step",
            )


def daemons_of(role: str) -> tuple[str, ...]:
    """The daemons of a role; StackError where there is none of that name."""
    if role == "postgres":
        raise StackError(
            "Postgres brings a unit of its own", "apt install postgresql, on the host of Airflow"
        )
    if role not in ROLES:
        raise StackError(f"there is no role '{role}'", f"name one of: {', '.join(ROLES)}")
    return ROLES[role]


def memory_limits(settings: Settings, size: DataSize) -> Mapping[str, int]:
    """MemoryMax in megabytes, by daemon: the plan's estimate with a quarter, in steps of 16."""
    heap = megabytes(settings.spark.executor_memory)
    driver, in_cluster = megabytes(settings.spark.driver_memory), settings.spark.deploy_mode
    tasks = drivers(size, driver, in_cluster == "cluster")
    connect = megabytes(settings.connect.memory)
    engines = engine_daemons(size, connect, driver if settings.streams.how == "spark" else 0)
    needs: dict[str, float] = {**DAEMONS, "serving": serving(size), **engines}
    needs["airflow-scheduler"] += sum(tasks.values())
    needs["spark-worker"] += executor_need(size, heap, 1)
    # YARN ends a container that holds more than it asked for.
    needs["nodemanager"] += sum(containers_mb(settings.spark, SMALLEST_CONTAINER_MB))
    return {name: math.ceil(need * UNCERTAIN / 16) * 16 for name, need in needs.items()}


def _service(role: str, name: str, memory: int, host: Host) -> str:
    after = "".join(f" {_unit_of(other)}" for other in AFTER.get(name, ()))
    start = f"{host.python} -m local_stack.host_daemon {name}"
    own = f"EnvironmentFile=-{SECRETS_FILE.format(role=role)}\n" if role in SECRETS else ""
    if name == "stream":  # it has a twin, or wrong settings: started again it would meet them again
        own += f"RestartPreventExitStatus={BAD_INPUT}\n"
    return UNIT.format(
        role=role,
        name=name,
        title=TITLES[name],
        checkout=host.checkout,
        python=host.python,
        after=after,
        data=host.data,
        user=host.user,
        target=TARGET,
        variable=DATA,
        environment=ENVIRONMENT_FILE,
        own=own,
        prepare=f"ExecStartPre={start} --prepare\n" if name == "airflow-api" else "",
        memory=memory,
        oom="continue" if name in PARENTS else "stop",
    )


def _unit_of(name: str) -> str:
    return "postgresql.service" if name == "postgresql" else f"marquee-{name}.service"
