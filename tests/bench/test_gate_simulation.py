"""The simulation of the gate: it judges with the product's own gate, and prints what it counted."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.gate_simulation import MEASURED, Pair, main, read_pairs, row
from release.losses import LOG_RMSE, NDCG, RMSE

PAIRS = [
    Pair("two seeds", "recommender", RMSE, 0.83, 0.0013, 600),
    Pair("two rankers", "recommender", NDCG, 0.12, 0.006, 580),
    Pair("two seeds", "budget", LOG_RMSE, 0.45, 0.006, 200),
]


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.metric.key)
def test_equal_models_pass_the_balance_and_two_margins_do_not_pass_the_gate(pair: Pair) -> None:
    found = row(pair, weeks=60, histories=3, seed=2)
    assert found["balance"] <= 0.05
    assert found["margin"] < 0.5
    assert found["twice by balance"] >= 0.95
    assert found["twice by gate"] >= 0.95
    assert found["slide first"] <= 12
    assert found["slide lost"] < 0.5 * 0.3 * 52


def test_a_holdout_too_small_to_tell_shows_as_refusals_by_the_margin() -> None:
    unsure = row(Pair("unlike", "recommender", NDCG, 0.12, 0.03, 60), 60, 3, seed=2)
    assert unsure["margin"] > 0.5
    assert unsure["twice by gate"] >= 0.95


def test_the_table_has_a_line_for_every_pair_and_metric(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--weeks", "3", "--histories", "2"]) == 0
    _, header, *lines = capsys.readouterr().out.splitlines()
    assert "balance" in header
    assert len(lines) == len(read_pairs(MEASURED)) >= 2


def test_errors_that_cannot_be_read_are_said_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "errors.json").write_text("[]")
    assert main(["--errors", str(tmp_path / "errors.json")]) == 2
    assert "errors.json" in capsys.readouterr().err
