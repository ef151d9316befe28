"""The drill `compose`: build the images, bring docker-compose.yaml up, and see its demo end well.

What is checked: the demo's weekly run succeeded and promoted both models on two workers; every
daemon is healthy; only loopback is published; the API asks for a token, and one made as the
guide says opens it; after `down` and `up` the models are still there and no secret is a new one;
three DataNodes and three workers are there when asked for; sizes of the images.
"""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path

import httpx

from local_stack.systemd_units import memory_limits
from marquee.errors import StackError
from marquee.host_needs import DataSize
from marquee.settings import REPOSITORY, load_settings
from tests.drill.compose.engine import Engine, engine
from tests.drill.compose.stand_ins import images
from tests.drill.rounds import Drill, Figures

PROJECT = "marquee-drill"
WORKER = "marquee-worker:local"
MOST_BYTES = {"marquee:local": 1.8e9, WORKER: 0.9e9}
HEALTHY = ("python3", "-IS", "docker/healthy.py")
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


class Cluster:
    """The compose file under a project name of the drill's own."""

    def __init__(self, docker: Engine, postgres: str) -> None:
        self.docker = docker
        self.ports = {"airflow": _free_port(), "serving": _free_port()}
        self.variables = {
            "MARQUEE_POSTGRES_IMAGE": postgres,
            "MARQUEE_AIRFLOW_PORT": str(self.ports["airflow"]),
            "MARQUEE_SERVING_PORT": str(self.ports["serving"]),
        }
        self.peaks: dict[str, float] = {}
        self.made = ""

    def compose(self, *words: str) -> str:
        """`docker compose …` of this project."""
        file = str(REPOSITORY / "docker-compose.yaml")
        given = ["-p", PROJECT, "-f", file, "--profile", "demo", *words]
        return self.docker.up(*given, **self.variables)

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
        return httpx.get(address, headers=headers, timeout=30, trust_env=False)

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
        scales = [w for name in ("datanode", "spark-worker") for w in ("--scale", f"{name}=3")]
        self.compose("up", "--detach", "--no-build", "--scale", "demo=0", *scales)
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


def _round(seed: int, count: int, folder: Path) -> Figures:
    with engine(folder.parent / "engine") as docker:
        python, postgres = images(docker, folder)
        for target, name in (("worker", WORKER), ("marquee", "marquee:local")):
            _build(docker, python, target, name)
        cluster = Cluster(docker, postgres)
        cluster.compose("down", "--volumes")
        try:
            return _figures(cluster)
        finally:
            print(cluster.compose("ps"), flush=True)
            cluster.compose("down", "--volumes")


def _build(docker: Engine, python: str, target: str, name: str) -> None:
    print(f"compose: building {name} on {python}", flush=True)
    given = ["--network", "host", "--build-arg", f"PYTHON_IMAGE={python}", "--target", target]
    file = str(REPOSITORY / "docker" / "Dockerfile")
    docker.run("build", *given, "--tag", name, "--file", file, str(REPOSITORY))


def _figures(cluster: Cluster) -> Figures:
    cluster.compose("up", "--detach", "--no-build")
    status = cluster.wait_for_demo()
    print("\n".join(cluster.docker.run("logs", cluster.containers("demo")[0]).splitlines()))
    print(cluster.compose("ps"), cluster.memory_table(), sep="\n", flush=True)
    wrong = [] if status == 0 else [f"the demo ended with {status}"]
    wrong += [f"not healthy: {line}" for line in cluster.unhealthy()]
    wrong += _sizes(cluster.docker)
    wrong += _answers(cluster)
    workers = len(cluster.containers("spark-worker"))
    wrong += _again(cluster)
    wrong += cluster.scale_to_three()
    print("\n".join(f"WRONG: {one}" for one in wrong) or "all of it holds", flush=True)
    return {"runs": 1, "workers": workers, "failures": len(wrong) + (workers != 2)}


def _again(cluster: Cluster) -> list[str]:
    """`down` and `up`: what is not as it was."""
    before = cluster.secrets()
    cluster.compose("down")
    cluster.compose("up", "--detach", "--no-build", "--scale", "demo=0")
    cluster.wait_until_ready()
    changed = [] if cluster.secrets() == before else ["a secret was made anew"]
    return changed + _answers(cluster)


def _sizes(docker: Engine) -> list[str]:
    found = {}
    for name in MOST_BYTES:
        found[name] = int(docker.run("image", "inspect", "--format", "{{.Size}}", name))
        print(f"{name}: {found[name] / 1e9:.2f} GB", flush=True)
    return [f"{name} is too large" for name, most in MOST_BYTES.items() if found[name] > most]


def _answers(cluster: Cluster) -> list[str]:
    """The API as a stranger and with a token sees it; who may reach Airflow."""
    wrong = []
    if (closed := cluster.get("/v1/models").status_code) != 401:
        wrong.append(f"without a token the API answers {closed}")
    models = cluster.get("/v1/models", cluster.token())
    if models.status_code != 200 or "bundle" not in models.text:
        wrong.append(f"with a token it answers {models.status_code}: {models.text[:200]}")
    page = f"http://127.0.0.1:{cluster.ports['airflow']}/api/v2/dags"
    if (status := httpx.get(page, timeout=30, trust_env=False).status_code) != 401:
        wrong.append(f"Airflow answers strangers with {status}")
    return wrong


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


COMPOSE = Drill(
    shows="docker-compose.yaml comes up from built images, and its demo ends with two promotions",
    count=1,
    a_round=1,
    run=_round,
)
