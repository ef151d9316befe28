"""The cluster drill's own arithmetic: what counts as a failure, what its log keeps, what is the
attempt's own in a run's documents."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from marquee.errors import StackError
from marquee.lake import open_lake
from tests.drill.__main__ import read_options
from tests.drill.cluster.contents import digests_of
from tests.drill.cluster.faults import FAULTS, SPARK_TASKS
from tests.drill.cluster.report import failures, table
from tests.drill.cluster_faults import CLUSTER, Log, model

ENDED: dict[str, Any] = {
    "state": "success",
    "seconds": {"recommender.train": 40.0},
    "attempts": {"recommender.train": 2},
    "promotions": {"recommender": 1, "budget": 1},
    "digests": {"split/ratings/train": "aa", "models/budget/card.json": "bb"},
    "orphans": [],
    "missing_blocks": 0,
    "peak_mb": {"worker1": 700},
    "held_mb": {"worker1": 600},
    "plan_mb": {"worker1": 800},
}


def test_a_run_like_the_undisturbed_one_is_no_failure() -> None:
    assert failures(ENDED, ENDED) == []
    assert failures(ENDED, None) == []


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"state": "failed"}, "ended as failed"),
        ({"promotions": {"recommender": 2, "budget": 1}}, "ledger of the recommender has 2"),
        ({"promotions": {"recommender": 1, "budget": 0}}, "ledger of the budget has 0"),
        ({"orphans": ["marquee-train"]}, "left behind: marquee-train"),
        ({"missing_blocks": 3}, "3 blocks of HDFS have no copy"),
        ({"digests": {**ENDED["digests"], "split/ratings/train": "zz"}}, "split/ratings/train"),
        ({"digests": {"split/ratings/train": "aa"}}, "models/budget/card.json"),
    ],
)
def test_whatever_differs_is_a_failure(change: dict[str, Any], sentence: str) -> None:
    (found,) = failures(ENDED | change, ENDED)
    assert sentence in found


def test_an_empty_lake_equals_nothing() -> None:
    assert failures(ENDED | {"digests": {}}, None) == ["the run left nothing in the lake"]


def test_every_spark_task_loses_a_worker_once() -> None:
    names = {f"kill_worker_in_{task.replace('.', '_')}" for task in SPARK_TASKS}
    assert names <= FAULTS.keys()
    assert next(iter(FAULTS)) == "undisturbed"
    assert CLUSTER.parts == tuple(FAULTS)


def test_single_faults_are_run_in_the_drills_own_order(capsys: pytest.CaptureFixture[str]) -> None:
    chosen = read_options(["cluster", "--only", "kill_master,undisturbed"])
    assert chosen.only == ["undisturbed", "kill_master"]
    for wrong in (["cluster", "--only", "kill_nobody"], ["--only", "kill_master"]):
        with pytest.raises(SystemExit):
            read_options(wrong)
    with pytest.raises(SystemExit):
        read_options(["fuzz_pages", "--only", "undisturbed"])
    said = capsys.readouterr().err
    assert "no part is called kill_nobody" in said
    assert said.count("--only wants one drill, and one of parts: cluster") == 2


def test_the_log_outlives_a_kill(tmp_path: Path) -> None:
    log = Log(tmp_path / "cluster.jsonl")
    log.add({"fault": "undisturbed", "as_of": "2026-01-04T03:00:00Z", "failures": []})
    with log.path.open("a") as stream:
        stream.write('{"fault": "kill_mas')  # killed while it wrote
    again = Log(log.path)
    assert list(again.records) == ["undisturbed"]
    assert again.as_of == "2026-01-04T03:00:00Z"
    again.add({"fault": "kill_master", "as_of": again.as_of, "failures": ["the run ended"]})
    assert [json.loads(line)["fault"] for line in log.path.read_text().splitlines()] == [
        "undisturbed",
        "kill_master",
    ]


def test_the_table_has_every_fault_and_says_what_was_not_run() -> None:
    bad = {"failures": ["the run ended as failed"], "minutes": 3.2, "did": "worker1 lost its power"}
    ended = ENDED | {"killed": {"worker1": 4}}
    good = {"failures": [], "minutes": 2.0, "did": "", "ended": ended}
    text = table({"undisturbed": good, "kill_master": bad})
    lines = text.splitlines()
    assert [line.split()[0] for line in lines if line.startswith(tuple(FAULTS))] == list(FAULTS)
    assert "recommender.train (2)" in text
    assert "  the run ended as failed" in lines
    assert "  short of memory, worker1 had 4 processes killed" in lines
    assert text.count("not run") == len(FAULTS) - 2


def test_the_table_has_seconds_beside_local_and_memory_beside_the_plan() -> None:
    def run(seconds: float) -> dict[str, Any]:
        ended = ENDED | {"seconds": {"recommender.train": seconds}}
        return {"failures": [], "minutes": 2.0, "did": "", "ended": ended}

    lines = table({"undisturbed": run(40), "local": run(20)}).splitlines()
    assert ["recommender.train", "40", "20", "2.00"] in [line.split() for line in lines]
    assert ["worker1", "600", "800", "0.75", "700", "1100"] in [line.split() for line in lines]
    assert ["worker1", "-", "-", "-", "-", "1100"] in [
        line.split() for line in lines
    ]  # of the release


@pytest.mark.parametrize(
    "undisturbed",
    [
        None,
        {"metadata": "SQLite", "failures": [], "ended": ENDED},
        {"metadata": "Postgres", "failures": ["the run ended as failed"], "ended": ENDED},
    ],
)
def test_nothing_is_compared_with_a_run_of_another_kind(
    undisturbed: dict[str, Any] | None, tmp_path: Path
) -> None:
    log = Log(tmp_path / "cluster.jsonl")
    if undisturbed:
        log.add({"fault": "undisturbed", **undisturbed})
    with pytest.raises(StackError, match="no undisturbed run, with Airflow's metadata in Postgres"):
        model({"metadata": "Postgres"}, log)
    log.add({"fault": "undisturbed", "metadata": "Postgres", "failures": [], "ended": ENDED})
    assert model({"metadata": "Postgres"}, log) == ENDED


def test_moments_and_megabytes_do_not_count_and_all_else_does(tmp_path: Path) -> None:
    def digests(name: str, **changes: object) -> dict[str, str]:
        lake = open_lake(f"file://{tmp_path}/{name}")
        card = {"created_at": name, "fit": {"peak_mb": len(name), "rmse": 0.9}} | changes
        lake.create("runs/r/models/budget/card.json", json.dumps(card).encode())
        lake.create("runs/r/data/ratings.json", b'{"rows": 3}')
        return dict(digests_of(lake, "runs/r"))

    first = digests("first")
    assert set(first) == {"models/budget/card.json", "data/ratings.json"}
    assert digests("second-try") == first
    assert digests("third", recipe="other") != first
