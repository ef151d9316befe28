"""A disk that is full in a shuffle: one clear sentence, a status that is tried again, no data."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from marquee.errors import AWAY
from marquee.settings import REPOSITORY
from tests.spark_recommender.made_up import flags, make_lake

ROWS = 120_000


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 256 KB; a visible skip where this user may not mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no right to mount a small disk: the sentence alone is tested in test_job_ends")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_shuffle_that_fills_the_disk_ends_in_a_sentence(tmp_path: Path, small_disk: Path) -> None:
    lines = [f"{n * 7919 % 5000},{n},{1 + n % 5},{10**9 + n * 31 % 10**8}" for n in range(ROWS)]
    lake = make_lake(tmp_path, lines)
    command = [sys.executable, "-m", "spark_apps.prepare_ratings", *flags(lake)]
    environment = os.environ | {
        "SPARK_LOCAL_DIRS": str(small_disk),
        "PYSPARK_SUBMIT_ARGS": "--master local[2,4] --driver-memory 600m pyspark-shell",
    }
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True)
    assert done.returncode == AWAY, done.stderr[-2000:]
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and "No space left on device" in errors[0]
    assert not lake.exists("runs/r-1/prepared/ratings")
    assert not lake.exists("runs/r-1/split/ratings")
