"""A new image on old volumes, and the guide's back-up put into empty ones."""

from __future__ import annotations

import subprocess
from pathlib import Path

from marquee.errors import StackError
from marquee.host_needs import AIRFLOW
from tests.drill.compose.cluster import PROJECT, WORKER, Cluster

KEPT = {"name": "/data", "blocks": "/data", "airflow": "/state", "serving": "/state"}
"""The volumes of a back-up, and where their containers mount them."""
OLDER = "3.2.0"
"""A release of Airflow whose database has fewer tables than ours."""
COMMAND = ("python", "-m", "local_stack.host_daemon", "airflow-api", "--airflow")
SERVED = ("model", "serving", "bundle", "number", "digest")
DATABASE = ("-U", "airflow", "airflow")


def upgrade(cluster: Cluster) -> None:
    """Take Airflow's database back to an older release, and `up` with images of another id."""
    cluster.compose("stop", *AIRFLOW)
    back = ("db", "downgrade", "--to-version", OLDER, "--yes")
    cluster.compose("run", "--rm", "-T", "--no-deps", "airflow-migrate", *COMMAND, *back)
    before = revision(cluster)
    for image in ("marquee:local", WORKER):
        _derive(cluster, image)
    cluster.up(demo=0)
    after = revision(cluster)
    print(f"compose: Airflow's database went from {before} to {after}", flush=True)
    if before == after:
        raise StackError(f"Airflow's database is at {after}, before and after the migration")


def _derive(cluster: Cluster, image: str) -> None:
    """Another image of the same name, as a build after `git pull` makes one."""
    text = f"FROM {image}\nLABEL org.marquee.drill=upgrade\n"
    command = [*cluster.docker.docker, "build", "--quiet", "--tag", image, "-"]
    done = subprocess.run(
        command, input=text, env=cluster.docker.environment, capture_output=True, text=True
    )
    if done.returncode:
        raise StackError(f"{image} was not derived: {done.stderr[-300:]}")


def revision(cluster: Cluster) -> str:
    """The revision of Airflow's database."""
    return _psql(cluster, "-Atc", "select version_num from alembic_version").strip()


def contents(cluster: Cluster) -> str:
    """What outlives both: entry and bundle of each model that serves, and Airflow's good runs."""
    page = cluster.get("/v1/models", cluster.token()).json()["models"]
    models = [" ".join(str(one[key]) for key in SERVED) for one in page]
    asked = "select run_id, state from dag_run where state = 'success' order by run_id"
    return "\n".join([*models, _psql(cluster, "-Atc", asked)])


def back_up(cluster: Cluster, folder: Path) -> None:
    """The guide's commands: all but Postgres stands still, so what is kept is of one moment."""
    cluster.compose("stop")
    cluster.compose("start", "postgres")
    _to_file(cluster, ("exec", "-T", "postgres", "pg_dump", *DATABASE), folder / "airflow.sql")
    for volume in KEPT:
        tar = _in_volume(cluster, f"{volume}:/from:ro", "-C", "/from", "-cz", ".")
        with (folder / f"{volume}.tgz").open("wb") as out:
            subprocess.run(tar, env=cluster.docker.environment, stdout=out, check=True)


def restore(cluster: Cluster, folder: Path) -> None:
    """The guide's commands, into the volumes of a project that has none."""
    cluster.compose("create", "--no-build", *cluster.scaled(demo=0))
    for volume, place in KEPT.items():
        tar = _in_volume(cluster, f"{volume}:{place}", "-C", place, "-xz")
        with (folder / f"{volume}.tgz").open("rb") as archive:
            subprocess.run(tar, env=cluster.docker.environment, stdin=archive, check=True)
    cluster.compose("up", "--detach", "--no-build", "--wait", "postgres")
    with (folder / "airflow.sql").open("rb") as dump:
        words = cluster.words("exec", "-T", "postgres", "psql", "-q", *DATABASE)
        subprocess.run(words, env=cluster.environment, stdin=dump, check=True, capture_output=True)
    cluster.up(demo=0)


def _in_volume(cluster: Cluster, mount: str, *words: str) -> list[str]:
    own = ["run", "--rm", "-i", "--network", "none", "--entrypoint", "tar"]
    return [*cluster.docker.docker, *own, "-v", f"{PROJECT}_{mount}", WORKER, *words]


def _to_file(cluster: Cluster, words: tuple[str, ...], file: Path) -> None:
    with file.open("wb") as out:
        subprocess.run(cluster.words(*words), env=cluster.environment, stdout=out, check=True)


def _psql(cluster: Cluster, *words: str) -> str:
    return cluster.compose("exec", "-T", "postgres", "psql", *DATABASE, *words)
