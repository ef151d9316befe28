"""The benchmark of sizes: what it makes up, what it measures, what it draws."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import psutil

from bench.made_up_ratings import write_release
from bench.resource_use import measured
from bench.scale import Figures as Took
from bench.scale import table
from bench.scale_chart import draw
from scoring.recommender.ratings_files import read_any_release

CHILD = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]])"
HOLD = "held = b'x' * 60_000_000; print('ready', flush=True); input()"


def test_made_up_ratings_are_seeded_and_crowd_on_few_titles(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_release(tmp_path / name, 5_000, seed=3)
    one, two = ((tmp_path / name / "ratings.csv").read_bytes() for name in ("one", "two"))
    assert one == two
    found = read_any_release(tmp_path / "one")
    assert (len(found.ratings), found.dropped) == (5_000, 0)
    assert set(found.ratings.movie_ids.tolist()) <= set(found.titles)
    counts = np.sort(np.bincount(found.ratings.movie_ids))[::-1]
    assert counts[: len(counts) // 10].sum() > 0.15 * counts.sum()


def test_memory_is_that_of_the_whole_tree() -> None:
    command = [sys.executable, "-c", CHILD, HOLD]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout and parent.stdin
        assert parent.stdout.readline() == b"ready\n"
        with measured(parent.pid) as whole:
            pass
        (child,) = psutil.Process(parent.pid).children()
        with measured(child.pid) as part:
            pass
        parent.stdin.write(b"\n")
        parent.stdin.close()
    assert whole.peak_mb > part.peak_mb > 60 > whole.peak_mb - part.peak_mb


def test_figures_are_a_table_and_a_plot() -> None:
    found = [
        Took(job, rows, rows / 1e4, 1.0, 500.0 + rows / 1e4, status)
        for rows, status in ((100_000, 0), (1_000_000, 0), (10_000_000, 124))
        for job in ("prepare_ratings", "train_recommender")
    ]
    lines = table(found).splitlines()
    assert len(lines) == 7
    assert lines[1].split() == ["prepare_ratings", "100,000", "10.0", "1.0", "510", "100.0"]
    assert "failed (124)" in lines[-1]
    drawn = ET.fromstring(draw([vars(f) for f in found]))
    circles = [e for e in drawn.iter() if e.tag.endswith("circle")]
    assert len(circles) == 2 * 2 * 2  # panels, jobs, sizes that did not fail
