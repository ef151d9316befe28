"""What a host needs, by arithmetic, is what was measured: within 25 % of each committed peak.

`bench/logs/peaks.jsonl` holds the peaks, each with the command that prints it.
"""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest

from marquee.host_needs import (
    DAEMONS,
    LAUNCHER,
    DataSize,
    heap_for,
    lake_mb,
    local_peak,
    run_mb,
    serving,
    task_needs,
    training,
    training_bytes,
)
from marquee.role_needs import engine_daemons
from marquee.settings import REPOSITORY

PEAKS = REPOSITORY / "bench" / "logs" / "peaks.jsonl"
MEASURED = [json.loads(line) for line in PEAKS.read_text().splitlines()]
WITHIN = 0.25
ML_LATEST_SMALL = DataSize(100_836, 610, 9_724)


def estimate(line: dict[str, Any]) -> float:
    """What `marquee plan` counts for a measured line."""
    size = DataSize.of(line["ratings"], line["people"], line["titles"])
    if line["what"] == "week":
        return local_peak(size, line["heap_mb"])
    if line["what"] == "serving":
        return serving(size)
    if line["what"] == "lake":  # after the fits, before a promotion copies the bundle
        return lake_mb(size, 1) - (run_mb(size) - 14 * size.millions) / 3
    if line["what"] in DAEMONS:
        return DAEMONS[line["what"]]
    heaps = (0, line["heap_mb"]) if line["what"] == "stream" else (line["heap_mb"], 0)
    if line["what"] in (engines := engine_daemons(size, *heaps)):
        return engines[line["what"]]
    found = task_needs(size)[line["what"]].local(line["heap_mb"])
    return found - LAUNCHER if line.get("without_launcher") else found


@pytest.mark.parametrize("line", MEASURED, ids=lambda line: f"{line['what']}-{line['ratings']}")
def test_an_estimate_is_within_a_quarter_of_the_measured_peak(line: dict[str, Any]) -> None:
    measured = line.get("peak_mb") or line["disk_mb"]
    assert measured > 0
    assert estimate(line) == pytest.approx(measured, rel=WITHIN)


def test_every_task_daemon_and_size_was_measured() -> None:
    what = {line["what"] for line in MEASURED}
    assert what >= {"train_recommender", "train_budget", "evaluate_recommender", "week", "serving"}
    assert {line["ratings"] for line in MEASURED} >= {100_000, 1_000_000, 10_000_000, 32_000_204}
    assert all(line["command"] for line in MEASURED)
    assert task_needs(ML_LATEST_SMALL).keys() - what == {"evaluate_budget"}
    assert DAEMONS.keys() | engine_daemons(ML_LATEST_SMALL, 768, 0).keys() <= what
    streams = {line["heap_mb"] > 0 for line in MEASURED if line["what"] == "stream"}
    assert streams == {True, False}  # of Spark, and the loop


def test_more_ratings_never_need_less() -> None:
    sizes = [DataSize.of(rows) for rows in (1, 20_000, 10**5, 10**6, 10**7, 32_000_204, 10**9)]
    for before, after in pairwise(sizes):
        for task, need in task_needs(before).items():
            more = task_needs(after)[task]
            assert need.local(900) <= more.local(900)
            assert need.at_driver(700) <= more.at_driver(700)
            assert need.at_driver(700) <= need.local(900)
        assert local_peak(before, 900) <= local_peak(after, 900)
        assert lake_mb(before, 52) < lake_mb(after, 52)
        assert heap_for(before) <= heap_for(after)


def test_unknown_people_and_titles_have_the_shape_of_movielens() -> None:
    guessed = DataSize.of(32_000_204)
    assert guessed.people == pytest.approx(200_948, rel=0.01)
    assert guessed.titles == pytest.approx(87_585, rel=0.01)
    assert DataSize.of(0) == DataSize(1, 1, DataSize.of(1).titles)
    assert DataSize.of(10, 3, 4) == DataSize(10, 3, 4)


def test_the_refusal_of_training_counts_what_the_plan_shows() -> None:
    size = DataSize.of(10_000_000, 62_796, 55_836)
    shown = training(size).local(heap_for(size))
    assert training_bytes(size) == round(shown * 2**20)
    assert shown == pytest.approx(2757, rel=WITHIN)
