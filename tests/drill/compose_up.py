"""The drill `compose`: build the images, bring docker-compose.yaml up, and see its demo end well.

Its parts, each of which wants the images and clears the volumes before it begins, but `upgrade`,
which goes on with what the part before has left:

- `standalone`: the demo's weekly run succeeded and promoted both models on two workers; every
  daemon is healthy; only loopback is published; the API asks for a token, and one made as the guide
  says opens it; after `down` and `up` the models are still there and no secret is a new one; three
  DataNodes and three workers are there when asked for; sizes of the images.
- `engines`: the same run with Kafka, a stream and Spark Connect beside it: the API answers with
  Spark as it does natively, and a question on a topic has the API's answer on another.
- `yarn`: the same run on two NodeManagers, without a daemon of Standalone.
- `upgrade`: other images start on these volumes, with Airflow's database of an older release; then
  the guide's back-up, put into empty volumes, serves the same models.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import httpx

from marquee.errors import StackError
from marquee.settings import REPOSITORY
from tests.drill.compose.cluster import WORKER, Cluster
from tests.drill.compose.engine import Engine, engine
from tests.drill.compose.stand_ins import images
from tests.drill.compose.upgrade import back_up, contents, restore, upgrade
from tests.drill.rounds import Figures, NamedDrill

LIST = "/v1/users/7/recommendations?n=3"
MOST_BYTES = {"marquee:local": 1.8e9, WORKER: 0.9e9}


def run(seed: int, parts: Sequence[str], home: Path) -> Figures:
    """The named parts, all anew."""
    home.mkdir(parents=True, exist_ok=True)
    with engine(home.parent / "engine") as docker:
        python, postgres = images(docker, home)
        extras = "kafka" if "engines" in parts else ""
        for target, name in (("worker", WORKER), ("marquee", "marquee:local")):
            _build(docker, python, target, name, extras)
        cluster = Cluster(docker, postgres)
        cluster.clear()
        try:
            wrong = [one for part in parts for one in _part(part, cluster, home)]
        finally:
            cluster.clear()
    print("\n".join(f"WRONG: {one}" for one in wrong) or "all of it holds", flush=True)
    return {"parts": len(parts), "failures": len(wrong)}


def _part(name: str, cluster: Cluster, home: Path) -> list[str]:
    print(f"compose: {name}", flush=True)
    try:
        wrong = PARTS[name](cluster, home)
    except StackError as error:
        wrong = [str(error)]
    print(cluster.compose("ps"), "\n".join(wrong) or f"{name} holds", sep="\n", flush=True)
    return [f"{name}: {one}" for one in wrong]


def _build(docker: Engine, python: str, target: str, name: str, extras: str) -> None:
    print(f"compose: building {name} on {python}", flush=True)
    given = ["--network", "host", "--build-arg", f"PYTHON_IMAGE={python}", "--target", target]
    given += ["--build-arg", f"EXTRAS={extras}"]
    file = str(REPOSITORY / "docker" / "Dockerfile")
    docker.run("build", *given, "--tag", name, "--file", file, str(REPOSITORY))


def _standalone(cluster: Cluster, home: Path) -> list[str]:
    cluster.clear()
    wrong = _sizes(cluster.docker) + _demo(cluster) + _count(cluster, "spark-worker")
    return wrong + _again(cluster) + cluster.scale_to_three()


def _engines(cluster: Cluster, home: Path) -> list[str]:
    cluster.clear()
    cluster.with_engines()
    wrong = _demo(cluster)
    liked = _ids(cluster.get(LIST, cluster.token()).json(), "recommendations")[0]
    asked: tuple[tuple[str, str, dict[str, int], str], ...] = (
        ("recommendations", "recommendations", {"user_id": 7, "n": 3}, LIST),
        ("similar", "similar", {"movie_id": liked, "n": 3}, f"/v1/titles/{liked}/similar?n=3"),
    )  # a question, the field with the titles of its answer, its request on a topic, its route
    for question, field, request, path in asked:
        native = _ids(cluster.get(path, cluster.token()).json(), field)
        answers = {
            "Spark": cluster.ask_spark(path),
            "the stream": cluster.ask_topic(question, request),
        }
        print(
            f"{path}: {native}, { ({k: _ids(v, field) for k, v in answers.items()}) }", flush=True
        )
        for name, answer in answers.items():
            if _ids(answer, field) != native or not native:
                wrong.append(f"{name} answers {path} with {answer}, not {native}")
    print(cluster.memory_table(), flush=True)
    return wrong


def _ids(answer: dict[str, Any], field: str) -> list[int]:
    return [one["movie_id"] for one in answer.get(field, [])]


def _yarn(cluster: Cluster, home: Path) -> list[str]:
    cluster.clear()
    cluster.on_yarn()
    wrong = _demo(cluster) + _count(cluster, "nodemanager")
    if left := cluster.containers("spark-worker"):
        wrong.append(f"a worker of Standalone is there: {left}")
    return wrong


def _upgrade(cluster: Cluster, home: Path) -> list[str]:
    if not cluster.containers("serving"):
        raise StackError("nothing is up", "name a part before it: --only yarn,upgrade")
    before = contents(cluster)
    print(f"compose: what must outlive it:\n{before}", flush=True)
    upgrade(cluster)
    cluster.wait_until_ready()
    wrong = _answers(cluster)
    if contents(cluster) != before:
        wrong.append("models or runs are others after the upgrade")
    back_up(cluster, home)
    token = cluster.made
    cluster.clear()
    cluster.made = token  # its hash is in the back-up
    restore(cluster, home)
    cluster.wait_until_ready()
    if contents(cluster) != before:
        wrong.append("models or runs are others after the back-up was restored")
    return wrong + _answers(cluster)


def _demo(cluster: Cluster) -> list[str]:
    """Up, until the demo has ended: what is not as it should be."""
    cluster.up()
    status = cluster.wait_for_demo()
    print("\n".join(cluster.docker.run("logs", cluster.containers("demo")[0]).splitlines()))
    print(cluster.compose("ps"), cluster.memory_table(), sep="\n", flush=True)
    wrong = [] if status == 0 else [f"the demo ended with {status}"]
    wrong += [f"not healthy: {line}" for line in cluster.unhealthy()]
    return wrong + _answers(cluster)


def _count(cluster: Cluster, service: str) -> list[str]:
    found = len(cluster.containers(service))
    return [] if found == 2 else [f"{found} of {service}, and not 2"]


def _again(cluster: Cluster) -> list[str]:
    """`down` and `up`: what is not as it was."""
    before = cluster.secrets()
    cluster.compose("down")
    cluster.up(demo=0)
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


PARTS: dict[str, Callable[[Cluster, Path], list[str]]] = {
    "standalone": _standalone,
    "engines": _engines,
    "yarn": _yarn,
    "upgrade": _upgrade,
}
COMPOSE = NamedDrill(
    "docker-compose.yaml comes up, promotes twice on Standalone and on YARN, and outlives upgrades",
    parts=tuple(PARTS),
    run=run,
)
