"""What Spark Connect costs beside the native engine: one answer, a batch, memory, a restart.

python -m bench.connect --lake file:///path   # any lake whose champions were trained for Spark

Starts the server and the worker as `Procfile` does, and asks the worker over HTTP; the native
engine is asked in this process. Memory is the proportional set size.
"""

from __future__ import annotations

import argparse
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bench.resource_use import measured
from local_stack.java_setup import cache_folder, java_home, spark_environment
from local_stack.processes import memory_mb
from local_stack.stack import read_procfile
from marquee.lake import open_lake
from marquee.settings import REPOSITORY, load_settings
from scoring.budget.model import BudgetQuery
from serving.backend import Backend, open_backend

FILM = {"year": 2020, "genres": ["Drama"], "rating": 7.0}
PAIRS = 10_000


def main() -> int:
    """Print one table."""
    parser = argparse.ArgumentParser(prog="python -m bench.connect", description=__doc__)
    parser.add_argument("--lake", required=True, help="root of a lake with both champions")
    parser.add_argument("--webhdfs", default="", help="the NameNode's http://host:port")
    parser.add_argument("--repeats", type=int, default=7, help="questions of a kind")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-connect-") as folder:
        run = Run(Path(folder), options.lake, options.webhdfs)
        try:
            run.measure(options.repeats)
        finally:
            run.end()
    return 0


class Run:
    """A server, a worker and the native engine over one lake."""

    def __init__(self, folder: Path, lake: str, webhdfs: str) -> None:
        self.folder, ports = folder, [_free_port(), _free_port()]
        self.secret = secrets.token_urlsafe(32)
        self.environment = spark_environment(java_home(cache_folder(load_settings()))) | {
            "PYTHON": sys.executable,
            "STATE": str(folder),
            "SPARK_LOCAL_DIRS": str(folder),
            "MARQUEE_LAKE__ROOT": lake,
            "MARQUEE_LAKE__WEBHDFS": webhdfs,
            "MARQUEE_CONNECT_SECRET": self.secret,
            "SPARK_CONNECT_AUTHENTICATE_TOKEN": secrets.token_urlsafe(32),
            "CONNECT_MEMORY": load_settings().connect.memory,
            "CONNECT_SERVER_PORT": str(ports[0]),
            "CONNECT_WORKER_PORT": str(ports[1]),
        }
        self.client = httpx.Client(
            base_url=f"http://127.0.0.1:{ports[1]}",
            headers={"Authorization": f"Bearer {self.secret}"},
            timeout=120,
            trust_env=False,
        )
        self.lake = open_lake(lake, webhdfs)
        self.native = open_backend(self.lake, folder / "own", folder / "feedback")
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def measure(self, repeats: int) -> None:
        """Start, ask, kill, ask."""
        listens, loads = self.begin()
        print(f"{'server listens':<34}{listens:>9.1f} s")
        print(f"{'both models loaded':<34}{loads:>9.1f} s{self.mb('connect-server'):>9.0f} MB")
        print(f"\n{'median of ' + str(repeats):<34}{'spark-connect':>14}{'native':>14}")
        with ExitStack() as watched:
            peaks = {
                name: watched.enter_context(measured(process.pid))
                for name, process in self.running.items()
            }
            for name, spark, native in self.questions():
                theirs, ours = (times(ask, repeats)[0] for ask in (spark, native))
                print(f"{name:<34}{theirs:>11.1f} ms{ours:>11.3f} ms")
        print()
        for name, peak in peaks.items():
            print(f"{name + ', at its peak':<34}{peak.peak_mb:>20.0f} MB")
        print(f"{'server killed: answers again after':<34}{self.restart():>9.1f} s")

    def begin(self) -> tuple[float, float]:
        """Start both; seconds until the server listens, and from then until all is loaded."""
        started = time.perf_counter()
        self.start("connect-server")
        self.until(lambda: self.listens("CONNECT_SERVER_PORT"))
        listens = time.perf_counter()
        self.start("connect-worker")
        self.until(self.is_ready)
        return listens - started, time.perf_counter() - listens

    def questions(self) -> list[tuple[str, Callable[[], Any], Callable[[], Any]]]:
        """The same questions to both engines."""
        loaded(self.native)
        model = self.native.recommender.view.champion.model.recommender  # type: ignore[union-attr]
        budget = self.native.budget.view.champion.model  # type: ignore[union-attr]
        person, movie = int(model.bundle.user_ids[0]), int(model.bundle.movie_ids[0])
        rng = np.random.default_rng(1)
        users = rng.choice(model.bundle.user_ids, PAIRS)
        movies = rng.choice(model.bundle.movie_ids, PAIRS)
        pairs = [
            {"user_id": u, "movie_id": m}
            for u, m in zip(users.tolist(), movies.tolist(), strict=True)
        ]
        query = BudgetQuery(directors=(), genres=("Drama",), year=2020, rating=7.0)
        one = np.array([person]), np.array([movie])
        return [
            (
                "stars of one pair",
                lambda: self.ask("GET", f"/v1/users/{person}/predictions/{movie}"),
                lambda: model.predict(*one),
            ),
            (
                "a list of ten",
                lambda: self.ask("GET", f"/v1/users/{person}/recommendations"),
                lambda: model.recommend(person, 10),
            ),
            (
                "one budget",
                lambda: self.ask("POST", "/v1/budget-estimates", FILM),
                lambda: budget.estimate(query),
            ),
            (
                f"stars of {PAIRS:,} pairs",
                lambda: self.ask("POST", "/v1/predictions", {"pairs": pairs}),
                lambda: model.predict(users, movies),
            ),
            (
                f"a batch of {PAIRS:,} films",
                self.films,
                lambda: budget.log_estimates([query] * PAIRS),
            ),
        ]

    def films(self) -> None:
        """Score a folder of films of the lake, by a batch job."""
        name = f"batch/bench-{secrets.token_hex(6)}"
        folder = self.folder / name
        folder.mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist([FILM] * PAIRS), folder / "part-0.parquet")
        self.lake.publish(folder, name, PAIRS)
        asked = {"input": name, "output": f"{name}-scored"}
        job = self.ask("POST", "/v1/batch/budget-estimates", asked)["job"]
        path = f"/v1/batch-jobs/{job}"
        while (found := self.ask("GET", path))["state"] in ("waiting", "running"):
            time.sleep(0.02)
        if found["state"] != "done":
            raise SystemExit(f"error: {found['why']}")

    def restart(self) -> float:
        """Kill the server, start it again; seconds until the first answer."""
        self.kill("connect-server")
        self.until(lambda: not self.answers())  # the first question finds the session lost
        started = time.perf_counter()
        self.start("connect-server")
        self.until(self.answers)
        return time.perf_counter() - started

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """One question to the worker, and its answer."""
        return self.client.request(method, path, json=body).raise_for_status().json()

    def answers(self) -> bool:
        """Whether a budget is answered."""
        try:
            self.ask("POST", "/v1/budget-estimates", FILM)
        except httpx.HTTPError:
            return False
        return True

    def is_ready(self) -> bool:
        """Whether both models serve and nothing is wrong."""
        try:
            found = self.client.get("/readyz").json()
        except httpx.HTTPError:
            return False
        is_whole = found.get("status") == "ready"
        return is_whole and all(model["serving"] for model in found["models"])

    def listens(self, port: str) -> bool:
        """Whether somebody listens at this port."""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", int(self.environment[port]))) == 0

    def until(self, what: Callable[[], bool]) -> None:
        """Wait; a process that ends is an error."""
        while not what():
            for name, process in self.running.items():
                if process.poll() is not None:
                    log = (self.folder / f"{name}.log").read_text()[-2000:]
                    raise SystemExit(f"error: {name} has ended\n{log}")
            time.sleep(0.1)

    def start(self, name: str) -> None:
        """Start a process of `Procfile`."""
        with (self.folder / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                ["/bin/sh", "-c", read_procfile()[name]],
                cwd=REPOSITORY,
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self, name: str) -> None:
        """Kill a process and its children."""
        process = self.running.pop(name)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def mb(self, name: str) -> float:
        """Megabytes of a process and its children."""
        return memory_mb([self.running[name].pid])

    def end(self) -> None:
        """Leave nothing running."""
        for name in list(self.running):
            self.kill(name)


def times(call: Callable[[], Any], repeats: int) -> tuple[float, float]:
    """Median and 99th percentile, in milliseconds; the first calls do not count."""
    for _ in range(max(1, repeats // 10)):
        call()
    found = []
    for _ in range(repeats):
        started = time.perf_counter()
        call()
        found.append(1000 * (time.perf_counter() - started))
    one, late = np.percentile(found, [50, 99]).tolist()
    return one, late


def loaded(backend: Backend) -> Backend:
    """The backend with both models loaded; SystemExit where one does not serve."""
    for follower in backend.followers.values():
        follower.poll()
        if follower.view.champion is None:
            raise SystemExit(f"error: {follower.failure}")
    return backend


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
