"""The benchmark of sizes: what it makes up, what it measures, what it draws."""

from __future__ import annotations

import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from bench.made_up_ratings import MadeUpWorld, curve, write_release
from bench.resource_use import measured
from bench.scale import append, read
from bench.scale_chart import draw
from bench.scale_table import exponent, exponents, report, sweep_operations, sweeps, table
from bench.scale_tasks import OUT_OF_MEMORY, Figures, Limits, grouped, reason, waited
from local_stack.processes import is_alive
from scoring.recommender.ratings_files import read_any_release

CHILD = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]])"
HOLD = "held = b'x' * 60_000_000; print('ready', flush=True); input()"


def test_a_made_up_release_is_seeded_and_complete(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_release(tmp_path / name, 5_000, seed=3)
    one, two = ((tmp_path / name / "ratings.csv").read_bytes() for name in ("one", "two"))
    assert one == two
    found = read_any_release(tmp_path / "one")
    assert (len(found.ratings), found.dropped) == (5_000, 0)
    assert set(found.ratings.movie_ids.tolist()) <= set(found.titles)
    assert len(found.titles) == MadeUpWorld(5_000, 3).titles
    assert found.ratings.times.max() < 1_767_225_600  # 2026, the bench's as-of
    assert not is_twice(found.ratings.user_ids, found.ratings.movie_ids)


def is_twice(users: np.ndarray, titles: np.ndarray) -> bool:
    return len(np.unique(users * 10**6 + titles)) < len(users)


def test_the_made_up_curve_has_movielens_shape() -> None:
    blocks = list(MadeUpWorld(320_000, 1).blocks())
    users, titles = (np.concatenate([block[n] for block in blocks]) for n in (0, 1))
    assert not is_twice(users, titles)
    found = curve(users, titles)
    assert found["rows"] == 320_000
    assert found["ratings a person: least"] == 20
    assert 65 <= found["ratings a person: median"] <= 80
    assert 0.4 < found["share of people who rated the first title"] < 0.7
    assert found["people of the median title"] < 10
    assert found["share of ratings in the first 10 % of titles"] > 0.6
    sizes = MadeUpWorld(32_000_204, 1)
    assert (sizes.people, sizes.titles) == (200_948, 87_585)
    assert sizes.counts.sum() == 32_000_204


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


def took(task: str, rows: int, cpu: float, status: int = 0, /, **facts: Any) -> Figures:
    return Figures(
        task, rows, 2 * cpu, cpu, 500.0, status, "it was stopped" * bool(status), {}, facts
    )


TRAINED = {"recipe": "bayes-16", "rank": 16, "rows": 10**6, "people": 6_280, "titles": 23_497}
FOUND = [
    took("prepare_ratings", 10**5, 8.0),
    took("prepare_ratings", 10**6, 10.0),
    took("prepare_ratings", 10**7, 100.0),
    took("train_recommender", 10**6, 50.0, **TRAINED, sweep_cpu_seconds=0.5),
    took("train_recommender", 10**7, 600.0, OUT_OF_MEMORY),
    took(
        "bundle",
        10**6,
        1.0,
        bundle_mb=20,
        start_seconds=1.5,
        start_cpu_seconds=1.0,
        resident_mb=100,
        own_mb=80,
        top10_ms_median=1.0,
        top10_ms_95=2.0,
    ),
]


def test_figures_are_a_table_and_a_plot() -> None:
    lines = table(FOUND).splitlines()
    assert len(lines) == 1 + len(FOUND) + 3  # three sizes
    assert lines[1].split() == ["prepare_ratings", "100,000", "16.0", "8.0", "500", "80.00"]
    assert lines[5].endswith("it was stopped")
    assert lines[-2].split()[-5:] == ["1,000,000", "122.0", "61.0", "500", "61.00"]
    drawn = ET.fromstring(draw([vars(f) for f in FOUND]))
    circles = [e for e in drawn.iter() if e.tag.endswith("circle")]
    assert len(circles) == 2 * (len(FOUND) - 1)  # two panels, one task failed


def test_exponents_are_fitted_to_the_large_sizes_that_ended_well() -> None:
    assert list(exponents(FOUND, 10**6)) == [
        "exponent of CPU seconds, prepare_ratings: 1.00 from 1,000,000 to 10,000,000 rows"
    ]
    assert exponent({100: 1.0, 400: 8.0}) == pytest.approx(1.5)


def test_the_report_names_the_sweep_the_bundle_and_where_a_curve_ends() -> None:
    text = report(FOUND, 10**6)
    wanted = sweep_operations(10**6, 6_280, 23_497, 16)
    assert wanted == 2e6 * 304 + 29_777 * (4096 / 3 + 768)
    found = list(sweeps(FOUND, wanted))
    assert len(found) == 1 and "0.500 CPU s, 0.5 times one core's limit 1.0000 s" in found[0]
    assert "bundle of 1,000,000 ratings, 20 MB: start 1.5 s" in text
    assert "train_recommender ends at 10,000,000 ratings: it was stopped" in text


def test_a_task_over_the_memory_limit_is_ended_with_its_children(tmp_path: Path) -> None:
    command = [sys.executable, "-c", CHILD, HOLD]
    with (
        (tmp_path / "log").open("wb") as log,
        grouped(command, os.environ, log, stdin=subprocess.PIPE) as process,
        measured(process.pid) as cost,
    ):
        status = waited(process, cost, Limits(megabytes=40))
        children = psutil.Process(process.pid).children()
    assert status == OUT_OF_MEMORY and children
    psutil.wait_procs(children, timeout=30)
    assert not any(map(is_alive, children))
    ended = took("train_recommender", 10, 1.0, status)
    ended.peak_mb = cost.peak_mb
    assert "above the 40 MB" in reason(ended, "", Limits(40))


def test_a_refusal_is_told_in_the_products_own_words() -> None:
    said = "[train_recommender] read: 1 s\nerror: 30 ratings are more than the 20 — train on less\n"
    found = reason(took("train_recommender", 30, 1.0, 2), said, Limits(40))
    assert found == "it ended with status 2: 30 ratings are more than the 20 — train on less"


def test_the_log_is_read_back_and_a_later_result_replaces_an_earlier(tmp_path: Path) -> None:
    log = tmp_path / "results.jsonl"
    assert read(log) == []
    for cpu in (1.0, 2.0):
        append(log, took("prepare_ratings", 10, cpu))
    append(log, took("evaluate", 10, 3.0))
    assert [(f.task, f.cpu_seconds) for f in read(log)] == [
        ("prepare_ratings", 2.0),
        ("evaluate", 3.0),
    ]
