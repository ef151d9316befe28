"""Seven hosts of a small cluster, and what is done to them; `daemons` says what runs on which.

NameNode, Spark master, three workers (each with a DataNode and a Spark worker), Airflow (its
processes and the drivers they start), and serving (beside it the replica, for the world outside).
HDFS keeps two copies of a block.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import httpx

from local_stack.hdfs import NAMENODE_CLASS
from marquee.errors import StackError
from marquee.settings import REPOSITORY
from tests.drill.cluster.daemons import Daemon, daemons_of
from tests.drill.cluster.environments import (
    CACHE,
    daemon_environment,
    java_command,
    place_settings,
    product_environment,
    worker_environment,
    write_hadoop_conf,
    write_place,
)
from tests.drill.cluster.hosts import Host, Network
from tests.drill.cluster.metadata_database import make_database, why_sqlite

WORKERS = ("worker1", "worker2", "worker3")
HOSTS = {
    "namenode": 384,
    "spark-master": 384,
    **dict.fromkeys(WORKERS, 1100),
    "airflow": 3584,
    "serving": 900,
}
"""Hosts by the names that `config/cluster.toml` gives them, and the megabytes of each."""
WITH_PRODUCT = ("airflow", "serving")
"""Hosts that have the checkout and its environment."""
READY_SECONDS = 900


class Cluster:
    """The hosts, their disks below `folder`, and the daemons.

    `updates` are variables of the product's own processes, such as its recipes; `workers` are the
    worker hosts, all three or fewer. One that is not to have Airflow needs no database for it.
    """

    def __init__(
        self,
        folder: Path,
        updates: Mapping[str, str] | None = None,
        workers: tuple[str, ...] = WORKERS,
        has_airflow: bool = True,
    ) -> None:
        self.folder, self.workers = folder, workers
        self.has_postgres = has_airflow and not why_sqlite()
        self.updates = dict(updates or {})
        write_hadoop_conf(folder / "conf", "marquee")
        place = write_place(folder / "conf", "postgres" if self.has_postgres else "sqlite")
        self.settings = place_settings(place, self.updates)
        hosts = [_host(n, folder) for n in HOSTS if n in workers or n not in WORKERS]
        self.network = Network(hosts, folder)
        self.daemons = daemons_of(self)
        self.database = ""
        """The address of Airflow's metadata, where they lie in Postgres."""
        self._environments: dict[str, dict[str, str]] = {}
        self.processes: dict[tuple[str, str], subprocess.Popen[bytes]] = {}

    def environment(self, host: str) -> dict[str, str]:
        """Variables of the product's processes on a host; made once for each start of the drill."""
        if host not in self._environments:
            made = product_environment(self.network, host, self.updates, self.database)
            self._environments[host] = made
        return self._environments[host]

    def state(self, host: str) -> Path:
        """The world's state folder on a host, as this machine sees it."""
        return self.network.data(host) / "state" / self.settings.world

    @property
    def airflow_home(self) -> Path:
        """AIRFLOW_HOME as this machine sees it."""
        return self.state("airflow") / "airflow"

    def prepare(self) -> None:
        """Make all anew: disks, hosts, worlds, the name space, Airflow's database."""
        self.prepare_hosts()
        if self.has_postgres:
            self.database = make_database(self.network, "airflow")
            (database,) = [daemon for daemon in self.daemons if daemon.name == "postgres"]
            self.start_daemon(database)
            self.wait([database])
        self.python("airflow", "-m", "airflow", "db", "migrate")

    def prepare_hosts(self) -> None:
        """The same without Airflow."""
        self.network.down()
        for below in ("hosts", "logs"):
            shutil.rmtree(self.folder / below, ignore_errors=True)
        self._environments, self.database = {}, ""
        self.network.up()
        for host in WITH_PRODUCT:
            self._make_world(host)
        format_command = java_command(96, NAMENODE_CLASS, "-format", "-nonInteractive")
        self.network.run("namenode", format_command, daemon_environment(self.settings.lake.user))

    def _make_world(self, host: str) -> None:
        state = self.state(host)
        for folder in ("logs", "feedback", "figures", "progress", "tmp"):
            (state / folder).mkdir(parents=True)
        if self.settings.ratings.source:
            return
        command = [sys.executable, "-m", "replica", "make-world", "--out", str(state / "world")]
        command += ["--seed", str(self.settings.seed)]
        command += ["--people", str(self.settings.synthetic.people)]
        command += ["--titles", str(self.settings.synthetic.titles)]
        subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True)

    def python(self, host: str, *arguments: str) -> str:
        """Run the product's Python on a host that has it; what it printed."""
        return self.network.run(host, [sys.executable, *arguments], self.environment(host))

    def start(self, *hosts: str) -> None:
        """Mend the links of `hosts` and start their daemons; wait until each is ready."""
        chosen = [daemon for daemon in self.daemons if daemon.host in hosts]
        for host in hosts:
            self.network.mend(host)
        for daemon in chosen:
            if not self.runs(daemon):
                self.start_daemon(daemon)
            if daemon.name == "postgres":
                self.wait([daemon])  # Airflow's processes end where their database is away
        self.wait(chosen)

    def runs(self, daemon: Daemon) -> bool:
        """Whether the process was started and has not ended."""
        found = self.processes.get((daemon.host, daemon.name))
        return found is not None and found.poll() is None

    def start_daemon(self, daemon: Daemon) -> subprocess.Popen[bytes]:
        """Start one process, without waiting for it."""
        of_hdfs = daemon_environment(self.settings.lake.user)
        given = self.environment(daemon.host) if daemon.is_product else of_hdfs
        started = self.network.start(daemon.host, daemon.name, daemon.command, given)
        self.processes[daemon.host, daemon.name] = started
        return started

    def wait(self, daemons: Iterable[Daemon]) -> None:
        """Wait until each is ready; StackError for one that is not, with its log's last line."""
        deadline = time.monotonic() + READY_SECONDS
        for daemon in daemons:
            while not daemon.is_ready():
                ended = self.processes[daemon.host, daemon.name].poll()
                if ended is not None or time.monotonic() > deadline:
                    log = self.folder / "logs" / f"{daemon.host}-{daemon.name}.log"
                    last = log.read_text(errors="replace").strip().splitlines()[-1:]
                    state = "is not ready" if ended is None else f"ended with {ended}"
                    raise StackError(
                        f"{daemon.name} on {daemon.host} {state}: {last}", f"read {log}"
                    )
                time.sleep(0.5)

    def up(self, memory_mb: Mapping[str, int] | None = None) -> None:
        """Prepare and start the whole cluster; `memory_mb` replaces the limits of some hosts."""
        self.prepare()
        for host, megabytes in (memory_mb or {}).items():
            self.network.limit(host, megabytes)
        for group in (["namenode", "spark-master"], self.workers, WITH_PRODUCT):
            self.start(*group)

    def get(self, host: str, port: int, path: str) -> bytes | None:
        """A page of a host, asked for on the host itself; None without an answer of 200."""
        with self.network.inside(host):
            try:
                url = f"http://{self.network.addresses[host]}:{port}{path}"
                answer = httpx.get(url, timeout=5, trust_env=False)
            except httpx.HTTPError:
                return None
        return answer.content if answer.status_code == 200 else None

    def get_json(self, host: str, port: int, path: str) -> dict[str, Any]:
        """The same, where the page is a JSON object; empty where there is none."""
        found = json.loads(self.get(host, port, path) or b"{}")
        return found if isinstance(found, dict) else {}

    def master(self) -> dict[str, Any]:
        """The master's own account: `workers`, `activeapps`, `completedapps`; empty while away."""
        return self.get_json("spark-master", 8080, "/json/")

    def missing_blocks(self) -> int:
        """Blocks of which no DataNode has a copy, as the NameNode counts."""
        query = "/jmx?qry=Hadoop:service=NameNode,name=FSNamesystem"
        beans = self.get_json("namenode", 9870, query).get("beans") or [{}]
        return int(beans[0].get("MissingBlocks", -1))

    def live_datanodes(self) -> int:
        """How many DataNodes the NameNode counts as live."""
        query = "/jmx?qry=Hadoop:service=NameNode,name=FSNamesystemState"
        beans = self.get_json("namenode", 9870, query).get("beans") or [{}]
        return int(beans[0].get("NumLiveDataNodes", 0))

    def applications(self) -> list[str]:
        """Names of the applications that the master counts as active."""
        return [app["name"] for app in self.master().get("activeapps", [])]

    def executors_of(self, job: str) -> list[str]:
        """Hosts of a job's executors; a job takes all cores, so a second one has none."""
        found = self.master()
        apps = [app for app in found.get("activeapps", []) if app["state"] == "RUNNING"]
        if not any(job in app["name"] for app in apps):
            return []
        return [w["host"] for w in found["workers"] if w["state"] == "ALIVE" and w["coresused"]]

    def alive_workers(self) -> list[str]:
        """Hosts of the workers that the master counts as alive."""
        found = self.master().get("workers", [])
        return sorted(worker["host"] for worker in found if worker["state"] == "ALIVE")


def _host(name: str, folder: Path) -> Host:
    has = {"conf": folder / "conf", "jars": CACHE / "jars", "worker": worker_environment()}
    if name in WITH_PRODUCT:
        return Host(name, HOSTS[name], has, hidden=(folder,))
    checkouts = {REPOSITORY, (REPOSITORY / ".venv").resolve().parent}
    fetched_java = (CACHE / "java",) if (CACHE / "java").is_dir() else ()
    return Host(name, HOSTS[name], has, hidden=tuple(sorted(checkouts)), kept=fetched_java)
