"""`make run DATA=<folder>` as a user types it, on a real MovieLens release and real records."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from marquee.settings import REPOSITORY
from tests.plugins.local_stack import stack_settings

pytestmark = [pytest.mark.stack, pytest.mark.timeout(1500)]


def test_a_real_release_ends_with_real_titles_from_the_api(
    real_records: Path, tmp_path: Path
) -> None:
    release = real_records / "ml-latest-small"
    offset = stack_settings(tmp_path).stack.port_offset
    environment = os.environ | {
        "MARQUEE_STATE": str(tmp_path),
        "MARQUEE_STACK__PORT_OFFSET": str(offset),
    }
    command = [sys.executable, "-m", "cli", "run", "--data", str(release)]
    with subprocess.Popen(
        command, cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout is not None
        lines = []
        for line in run.stdout:
            lines.append(line)
            if "Ctrl-C stops everything" in line:
                break
        output = "".join(lines)
        try:
            assert "Ctrl-C stops everything" in output, output
            titles = _titles(release)
            answer = httpx.get(
                f"http://127.0.0.1:{8000 + offset}/v1/users/1/recommendations?n=10",
                trust_env=False,
                timeout=30,
            ).json()
            ids = [found["movie_id"] for found in answer["recommendations"]]
            assert len(ids) == 10
            assert set(ids) <= set(titles)
        finally:
            run.terminate()
            run.stdout.read()
    assert run.returncode == 0
    assert "100836 ratings at hdfs://" in output
    (kept,) = (tmp_path / "ml-latest-small" / "figures").glob("*.json")
    figures = json.loads(kept.read_text())
    names = {task["task"] for task in figures["tasks"]}
    assert {"crawl_titles", "prepare_ratings", "recommender.train", "budget.train"} <= names
    assert figures["resident_mb"] > 0


def _titles(release: Path) -> dict[int, str]:
    with (release / "movies.csv").open(encoding="utf-8") as stream:
        return {int(row["movieId"]): row["title"] for row in csv.DictReader(stream)}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("ratings.csv", "userId,movieId,rating\n1,1,4.0\n", "no column timestamp"),
        ("ratings.csv", "userId,movieId,rating,timestamp\n", "holds no rows"),
    ],
)
def test_a_faulty_release_fails_with_one_sentence(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    """Before anything is started: the same check the task makes."""
    folder = tmp_path / "faulty"
    folder.mkdir()
    (folder / "movies.csv").write_text("movieId,title,genres\n1,A (1999),Drama\n")
    (folder / "links.csv").write_text("movieId,imdbId,tmdbId\n1,0000001,1\n")
    (folder / "ratings.csv").write_text("userId,movieId,rating,timestamp\n1,1,4.0,1\n")
    (folder / name).write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "cli", "run", "--data", str(folder)],
        cwd=REPOSITORY,
        env=os.environ | {"MARQUEE_STATE": str(tmp_path / "state")},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "state").exists()
