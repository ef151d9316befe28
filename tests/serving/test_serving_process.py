"""The real command: no Spark, no Airflow, no Java in it; clear errors; a clean end."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest
from serving_bundles import promote_budget, promote_recommender

from marquee.errors import LakeUnavailableError
from marquee.lake import FolderLake, Lake, World, claim_world
from serving.backend import WorldCheck

# Runs what `python -m serving` runs; when it ends, it prints the modules it loaded.
WATCHED = """
import atexit, json, runpy, sys
atexit.register(lambda: print("MODULES " + json.dumps(sorted(sys.modules)), flush=True))
sys.argv[0] = "serving"
runpy.run_module("serving", run_name="__main__", alter_sys=True)
"""
FORBIDDEN = {"pyspark", "airflow", "py4j", "scrapy", "web_poet", "replica", "spark_apps"}


def command(lake: Lake, tmp_path: Path) -> list[str]:
    flags = ["--host", "127.0.0.1", "--port", "0", "--lake", lake.root, "--webhdfs", ""]
    return [*flags, "--cache", str(tmp_path / "cache"), "--feedback", str(tmp_path / "feedback")]


def test_the_command_serves_without_spark_and_ends_cleanly(lake: Lake, tmp_path: Path) -> None:
    promote_recommender(lake, tmp_path / "one")
    promote_budget(lake, tmp_path / "two")
    with subprocess.Popen(
        [sys.executable, "-c", WATCHED, *command(lake, tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            base = _address(process)
            with httpx.Client(base_url=base, timeout=30) as client:
                _until_both_serve(client)
                body = client.get("/v1/users/10/recommendations").json()
                assert body["strategy"] == "personal" and body["recommendations"]
                rated = {"ratings": [{"movie_id": 1, "rating": 5}]}
                client.post("/v1/users/p-ada/ratings", json=rated).raise_for_status()
                assert client.post("/v1/budget-estimates", json={"year": 2020}).status_code == 200
            assert _children(process.pid) == []
        finally:
            process.send_signal(signal.SIGINT)
            out, _ = process.communicate(timeout=30)
    modules = set(json.loads(out.split("MODULES ", 1)[1]))
    assert "serving.app" in modules and "numpy" in modules
    assert {m.split(".")[0] for m in modules} & FORBIDDEN == set()
    assert "p-ada" in (tmp_path / "feedback" / "local-000001.open.jsonl").read_text()


def test_a_lake_that_is_none_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    flags = ["--lake", "nowhere", "--webhdfs", "", "--cache", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "serving", *flags], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: ") and len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "flags", [[], ["--lake", "{lake}"], ["--lake", "{lake}/"]], ids=["settings", "flag", "slash"]
)
def test_a_lake_of_another_world_is_refused(lake: Lake, tmp_path: Path, flags: list[str]) -> None:
    """As the Procfile starts it: the settings name the lake and the world."""
    claim_world(lake, World("theirs"))
    words = [flag.format(lake=lake.root) for flag in flags]
    done = subprocess.run(
        [sys.executable, "-m", "serving", *words, "--port", "0", "--cache", str(tmp_path)],
        env=os.environ | {"MARQUEE_LAKE__ROOT": lake.root, "MARQUEE_WORLD": "ours"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 2
    assert "holds the world 'theirs', not 'ours'" in done.stderr.splitlines()[-1]
    assert "http://" not in done.stderr


def test_a_lake_that_the_flag_alone_names_is_served_and_named(lake: Lake, tmp_path: Path) -> None:
    claim_world(lake, World("theirs"))
    words = [sys.executable, "-m", "serving", *command(lake, tmp_path)]
    env = {name: value for name, value in os.environ.items() if name != "MARQUEE_WORLD"}
    with subprocess.Popen(words, env=env, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            output = ""
            while "http://127.0.0.1" not in output:
                line = process.stderr.readline()
                assert line, output
                output += line
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=30)
    assert f"{lake.root} holds the world 'theirs'" in output
    assert process.returncode == 0


def test_a_lake_that_answers_late_stops_what_serves(lake: Lake) -> None:
    """A server may start from its cache while HDFS is away; then it learns whose lake it is."""
    late, stopped = Late(lake.root), threading.Event()
    check = WorldCheck(late, "ours", stopped.set)
    claim_world(lake, World("theirs"))
    check.start()
    assert late.requested.wait(30) and not check.refusal
    late.is_away = False
    assert stopped.wait(30)
    check.join(30)
    assert "holds the world 'theirs', not 'ours'" in check.refusal


class Late(FolderLake):
    """A lake that does not answer until `is_away` is False."""

    def __init__(self, root: str) -> None:
        super().__init__(root)
        self.is_away, self.requested = True, threading.Event()

    def read_bytes(self, path: str) -> bytes:
        self.requested.set()
        if self.is_away:
            raise LakeUnavailableError("it is away")
        return super().read_bytes(path)


def _address(process: subprocess.Popen[str]) -> str:
    """Where the server says it listens; fails where it ends before it does."""
    assert process.stderr is not None
    for line in process.stderr:
        if match := re.search(r"http://127\.0\.0\.1:\d+", line):
            return match[0]
    raise AssertionError("the server ended before it listened")


def _until_both_serve(client: httpx.Client) -> None:
    """Ask until both champions are loaded; the followers run beside the server."""
    for _ in range(3_000):
        models = client.get("/v1/models").json()["models"]
        if all(m["serving"] for m in models):
            return
    raise AssertionError(f"still not serving: {models}")


def _children(pid: int) -> list[str]:
    """Command names of the process's children, from /proc."""
    found = []
    for task in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, rest = task.read_text().rsplit(")", 1)
        except OSError:
            continue  # it ended meanwhile
        if int(rest.split()[1]) == pid and int(name.split(" ", 1)[0]) != os.getpid():
            found.append(name)
    return found
