"""A serving host and Airflow's host share the lake and no folder: ratings arrive all the same."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from serving_bundles import promote_recommender

from marquee.lake import Lake, World, claim_world
from marquee.run_folder import inputs_of
from marquee.settings import load_settings
from steps.form import Form
from steps.freeze_inputs import freeze_inputs
from steps.load_sources import find_ratings, load_feedback, load_ratings
from steps.run import Run


@contextmanager
def serving(lake: Lake, folder: Path, minutes: float) -> Iterator[tuple[Any, httpx.Client]]:
    """The real command over `lake`, with a state folder of its own; killed at the end."""
    flags = ["--port", "0", "--lake", lake.root, "--webhdfs", "", "--cache", str(folder)]
    env = os.environ | {"MARQUEE_SERVING__FEEDBACK_MINUTES": str(minutes), "MARQUEE_WORLD": "ours"}
    words = [sys.executable, "-m", "serving", *flags]
    with subprocess.Popen(words, env=env, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            found = (re.search(r"http://127\.0\.0\.1:\d+", line) for line in process.stderr)
            address = next((match[0] for match in found if match), None)
            assert address, "the server ended before it listened"
            with httpx.Client(base_url=address, timeout=60) as client:
                yield process, client
        finally:
            process.send_signal(signal.SIGKILL)


def until_ready(client: httpx.Client) -> None:
    until = time.monotonic() + 120
    while client.get("/readyz").status_code != 200:
        assert time.monotonic() < until, client.get("/readyz").text
        time.sleep(0.1)


def lines_when(lake: Lake, count: int) -> list[tuple[int | None, float | None]]:
    """All lines in the lake, oldest segment of a host first, once there are `count`."""
    until, found = time.monotonic() + 120, []
    while len(found) < count:
        assert time.monotonic() < until, f"{len(found)} lines are in the lake"
        names = lake.names("raw/feedback")
        data = [lake.read_bytes(f"raw/feedback/{name}/feedback.jsonl") for name in names]
        found = [json.loads(row) for one in data for row in one.splitlines()]
        time.sleep(0.1)
    return [(row["movie_id"], row["rating"]) for row in found]


def airflow_run(lake: Lake, folder: Path) -> Run:
    """A run on another host: its state folder has no feedback."""
    release = folder / "release"
    release.mkdir(parents=True)
    (release / "ratings.csv").write_text("userId,movieId,rating,timestamp\n1,10,4.0,1000\n")
    (release / "movies.csv").write_text("movieId,title,genres\n10,A Film (1999),Drama\n")
    base = load_settings("local")
    settings = base.model_copy(
        update={
            "world": "ours",
            "state": str(folder / "state"),
            "ratings": base.ratings.model_copy(update={"source": str(release)}),
        }
    )
    moment = datetime(2026, 1, 4, tzinfo=UTC)
    return Run("r", moment, "manual", Form.of(settings, {}), settings, lake)


def test_a_run_on_another_host_reads_what_was_rated_and_taken_back(
    lake: Lake, tmp_path: Path
) -> None:
    promote_recommender(lake, tmp_path / "one")
    claim_world(lake, World("ours"))
    given = {"ratings": [{"movie_id": 1, "rating": 5}, {"movie_id": 2, "rating": 2}]}
    with serving(lake, tmp_path / "serving", minutes=1440) as (_, client):
        until_ready(client)
        client.post("/v1/users/p-ada/ratings", json=given).raise_for_status()
    assert lake.names("raw/feedback") == [], "the server was killed before it handed over"
    with serving(lake, tmp_path / "serving", minutes=0.005) as (_, client):
        assert lines_when(lake, 2) == [(1, 5.0), (2, 2.0)]
        client.delete("/v1/users/p-ada/ratings/1").raise_for_status()
        client.delete("/v1/users/p-ada").raise_for_status()
        found = lines_when(lake, 5)
    assert found == [(1, 5.0), (2, 2.0), (1, None), (2, None), (None, None)]

    run = airflow_run(lake, tmp_path / "airflow")
    fetched = find_ratings(run)
    loaded = load_ratings(run, fetched["folder"], fetched["name"])
    segments = [f"raw/feedback/{name}" for name in lake.names("raw/feedback")]
    assert load_feedback(run) == {"paths": len(segments)}
    freeze_inputs(run, loaded["path"])
    assert [one.path for one in inputs_of(lake, run.id).feedback] == segments and segments
