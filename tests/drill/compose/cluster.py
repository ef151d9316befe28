"""The containers of docker-compose.yaml, as a project of the drill's own, and what they answer."""

from __future__ import annotations

import json
import time
from typing import Any

import httpx

from local_stack.systemd_units import memory_limits
from marquee.errors import StackError
from marquee.host_needs import DataSize
from marquee.settings import REPOSITORY, load_settings
from tests.drill.compose.engine import Engine
from tests.plugins.free_ports import free_port

PROJECT = "marquee-drill"
WORKER = "marquee-worker:local"
HEALTHY = ("python3", "-IS", "docker/healthy.py")
EVERY = ("--profile", "*")
ENGINES = ("kafka", "stream", "connect")
"""Profiles of engines whose images we build; that of CouchDB is an official one."""
MINUTES = 60
SIZE = DataSize(23_560, 400, 600)
"""The synthetic world, about."""
SCALED = {
    "spark-master": ("http://spark-master:8080/json/", '"aliveworkers" : 3'),
    "namenode": (
        "http://namenode:9870/jmx?qry=Hadoop:service=NameNode,name=FSNamesystemState",
        '"NumLiveDataNodes" : 3',
    ),
}
"""By service, a page and what is on it once three are there."""

ASK_TOPIC = """
import json, sys, time
from confluent_kafka import TopicPartition
from broker.client import Brokers
from marquee.settings import load_settings
from streams.messages import request_message
settings = load_settings()
brokers, topics = Brokers.of(settings), settings.streams
reader, writer = brokers.consumer(), brokers.producer()
ends = brokers.offsets(reader, topics.answers)
reader.assign([TopicPartition(topics.answers, part, at.end) for part, at in ends.items()])
name = f"drill-{time.time_ns()}"
writer.produce(topics.requests, request_message(name, sys.argv[1], json.loads(sys.argv[2])))
writer.flush(30)
until = time.monotonic() + 120
while time.monotonic() < until:
    message = reader.poll(1)
    if message is not None and not message.error() and message.key() == name.encode():
        found = json.loads(message.value())
        print(json.dumps(found.get("answer", found)))
        break
else:
    print(json.dumps({"problem": "no answer within two minutes"}))
"""
"""A program for a container with Kafka's client: one question, and its answer."""


class Cluster:
    """The compose file under a project name of the drill's own."""

    def __init__(self, docker: Engine, postgres: str) -> None:
        self.docker = docker
        self.ports = {"airflow": free_port(), "serving": free_port()}
        self.variables = {
            "MARQUEE_POSTGRES_IMAGE": postgres,
            "MARQUEE_AIRFLOW_PORT": str(self.ports["airflow"]),
            "MARQUEE_SERVING_PORT": str(self.ports["serving"]),
        }
        self.profiles = ["--profile", "demo"]
        self.scales: dict[str, int] = {}
        self.peaks: dict[str, float] = {}
        self.made = ""

    def on_yarn(self) -> None:
        """From now on jobs run on YARN, and no daemon of Standalone is there."""
        self.profiles += ["--profile", "yarn"]
        self.variables["MARQUEE_SPARK__MASTER"] = "yarn"
        self.scales = {"spark-master": 0, "spark-worker": 0}

    def with_engines(self) -> None:
        """From now on Kafka, a stream and Spark Connect are there, too."""
        self.profiles += [word for name in ENGINES for word in ("--profile", name)]
        self.variables["MARQUEE_KAFKA__BOOTSTRAP"] = "kafka:9092"
        self.variables["MARQUEE_CONNECT__WORKER"] = "http://connect-server:8002"

    def words(self, *words: str) -> list[str]:
        """The command line of `docker compose …` of this project."""
        file = str(REPOSITORY / "docker-compose.yaml")
        return [*self.docker.compose, "-p", PROJECT, "-f", file, *self.profiles, *words]

    @property
    def environment(self) -> dict[str, str]:
        """The variables of that command line."""
        return self.docker.environment | self.variables

    def compose(self, *words: str) -> str:
        """`docker compose …` of this project."""
        given = self.words(*words)[len(self.docker.compose) :]
        return self.docker.up(*given, **self.variables)

    def up(self, **scales: int) -> None:
        """`docker compose up` without a build; how many of a service (its `-` is a `_` here)."""
        self.compose("up", "--detach", "--no-build", *self.scaled(**scales))

    def scaled(self, **scales: int) -> list[str]:
        """The flags `--scale`."""
        given = self.scales | {name.replace("_", "-"): count for name, count in scales.items()}
        return [word for name, count in given.items() for word in ("--scale", f"{name}={count}")]

    def clear(self) -> None:
        """`docker compose down --volumes`, of every profile.

        Docker 20.10 now and then counts an endpoint of a container that is gone, and keeps its
        network until it is started again; the next `up` takes that network.
        """
        self.profiles, own = [*EVERY], self.profiles
        try:
            self.compose("down", "--volumes", "--remove-orphans")
        except StackError as error:
            if "has active endpoints" not in str(error) or self._left():
                raise
            print("compose: the engine keeps a network without containers", flush=True)
        self.profiles, self.made = own, ""

    def _left(self) -> str:
        """Containers and volumes of the project."""
        project = ("-q", "--filter", f"label=com.docker.compose.project={PROJECT}")
        return self.docker.run("ps", "-a", *project) + self.docker.run("volume", "ls", *project)

    def containers(self, service: str) -> list[str]:
        """The ids of a service's containers, ended ones included."""
        label = f"label=com.docker.compose.service={service}"
        project = f"label=com.docker.compose.project={PROJECT}"
        found = self.docker.run("ps", "-aq", "--filter", label, "--filter", project)
        return found.split()

    def wait_for_demo(self) -> int:
        """Wait until the demo has ended; its exit status."""
        deadline = time.monotonic() + MINUTES * 60
        while time.monotonic() < deadline:
            self.look_at_memory()
            for one in self.containers("demo"):
                state = json.loads(self.docker.run("inspect", one))[0]["State"]
                if state["Status"] == "exited" and not state["StartedAt"].startswith("0001"):
                    return int(state["ExitCode"])
            time.sleep(10)
        raise StackError(f"the demo did not end within {MINUTES} minutes")

    def look_at_memory(self) -> None:
        """Keep the most memory that each container was seen with, page cache left out."""
        form = "{{.Name}} {{.MemUsage}}"
        for line in self.docker.run("stats", "--no-stream", "--format", form).splitlines():
            name, used = line.split()[:2]
            if not name.startswith(PROJECT):
                continue
            number, unit = float(used.rstrip("KMGiB")), used.lstrip("0123456789.")
            size = number * {"GiB": 1024, "MiB": 1, "KiB": 1 / 1024, "B": 0}[unit]
            self.peaks[name] = max(self.peaks.get(name, 0), size)

    def memory_table(self) -> str:
        """Megabytes by container beside the limit that the plan counts."""
        planned = memory_limits(load_settings("cluster"), SIZE)
        lines = [f"{'container':<40} {'seen MB':>8} {'limit of the plan':>18}"]
        for name, seen in sorted(self.peaks.items()):
            service = name.removeprefix(f"{PROJECT}-").removeprefix(f"{PROJECT}_")[:-2]
            lines.append(f"{name:<40} {seen:8.0f} {planned.get(service, 0):18}")
        return "\n".join(lines)

    def unhealthy(self) -> list[str]:
        """Daemons that run and are not healthy, or do not run."""
        form = '{{.Names}} {{.Status}} {{.Label "com.docker.compose.service"}}'
        project = f"label=com.docker.compose.project={PROJECT}"
        found = self.docker.run("ps", "-a", "--filter", project, "--format", form).splitlines()
        return [line for line in found if "(healthy)" not in line and "Exited (0)" not in line]

    def get(self, path: str, token: str = "") -> httpx.Response:
        """A page of the API, from outside of the containers."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        address = f"http://127.0.0.1:{self.ports['serving']}{path}"
        return httpx.get(address, headers=headers, timeout=90, trust_env=False)

    def ask_spark(self, path: str) -> dict[str, Any]:
        """What Spark answers, once its worker has loaded the models; ten minutes at most."""
        deadline = time.monotonic() + 600
        while True:
            self.look_at_memory()
            found = self.get(f"{path}&engine=spark-connect", self.token())
            if found.status_code != 503 or time.monotonic() > deadline:
                return dict(found.json())
            time.sleep(5)

    def ask_topic(self, question: str, request: dict[str, int]) -> dict[str, Any]:
        """What the stream answers to a question on its topic."""
        program = ["python", "-c", ASK_TOPIC, question, json.dumps(request)]
        self.look_at_memory()
        return dict(json.loads(self.compose("exec", "-T", "stream", *program)))

    def token(self) -> str:
        """A token of the API, made as the guide says, once: it must outlive `down` and `up`."""
        if self.made:
            return self.made
        words = ["marquee", "tokens", "add", "drill", "--may", "read", "--json"]
        printed = self.compose("exec", "-T", "serving", *words)
        self.made = str(json.loads(printed)["secret"])
        return self.made

    def secrets(self) -> str:
        """Digests of both generated secrets."""
        mounts = ("database-secret:/database:ro", "spark-secret:/spark:ro")
        given = [word for one in mounts for word in ("--volume", f"{PROJECT}_{one}")]
        given += ["--rm", "--network", "none", "--entrypoint", "sha256sum"]
        return self.docker.run("run", *given, WORKER, "/database/password", "/spark/spark")

    def scale_to_three(self) -> list[str]:
        """Ask for three DataNodes and three workers; which of them were not seen in 3 minutes."""
        self.up(demo=0, datanode=3, spark_worker=3)
        missing, deadline = dict(SCALED), time.monotonic() + 180
        while missing and time.monotonic() < deadline:
            for service, page in list(missing.items()):
                if self.docker.succeeds("exec", *self.containers(service), *HEALTHY, *page):
                    del missing[service]
            time.sleep(3)
        return [f"{service} does not see three" for service in missing]

    def wait_until_ready(self) -> None:
        """Wait until serving has loaded what was promoted."""
        deadline = time.monotonic() + 600
        while time.monotonic() < deadline:
            try:
                if self.get("/readyz").status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            time.sleep(3)
        raise StackError("serving was not ready within ten minutes after `down` and `up`")
