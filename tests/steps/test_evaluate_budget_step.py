"""The budget model's evaluation at the lake: its record, the champion's, and a damaged one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from marquee.clock import iso
from marquee.identifiers import canonical_json
from scoring.budget.bundle import write_bundle
from steps.evaluate import evaluate
from steps.run import Run
from tests.frozen_inputs import frozen
from tests.scoring_budget.handmade_bundle import bundle
from tests.scoring_budget.test_budget_holdout_record import DIRECTORS, rows
from tests.scoring_budget.titles_folder import write

Make = Callable[..., Run]
RECORD = "serving/budget/bundles/champions/record.jsonl"


def measured(run: Run, folder: Path) -> dict[str, Any]:
    """The evaluation of a handmade model that is compared with the bundle `champions`."""
    asked = {"budget": {"champion": {"bundle": "champions"}}}
    run.lake.create_json(run.path("inputs.json"), frozen(run.id, iso(run.as_of), models=asked))
    split = folder / run.id / "split"
    split.mkdir(parents=True)
    write(split / "train", rows()[:40])
    write(split / "holdout", rows()[40:])
    run.lake.publish(split, run.path("split/titles"))
    model = folder / run.id / "model"
    for name in ("evaluated", "shipped"):
        (model / name).mkdir(parents=True)
        write_bundle(model / name / "bundle", bundle())
    (model / "card.json").write_bytes(canonical_json({"model": "budget", "recipe": {}}))
    run.lake.publish(model, run.path("models/budget"))
    evaluate(run, "budget")
    found: dict[str, Any] = run.lake.read_json(run.path("models/budget/evaluation.json"))
    assert found["metrics"]["log_rmse"] > 0
    return found


def test_a_model_leaves_its_record_and_is_compared_with_the_champions(
    make_run: Make, tmp_path: Path
) -> None:
    first = make_run("first")
    assert measured(first, tmp_path)["versus"]["record"] is None
    record = first.lake.read_bytes(first.path("models/budget/record.jsonl"))
    assert len(record.splitlines()) == 20
    first.lake.create(RECORD, record)
    found = measured(make_run("second"), tmp_path)["versus"]["record"]
    assert (found["matched"], found["log_rmse"]["difference"]) == (DIRECTORS, 0.0)


HUGE = b'{"unit": "tt1", "holdout": "000000000000", "cluster": "nm1", "error": %s}\n'


@pytest.mark.parametrize(
    "damage",
    [
        b"", b"{", b'{"unit": "tt1"}\n', b"\xff\n", b"[" * 100_000,
        HUGE % b"1e200", HUGE % (b"1" + b"0" * 400),
    ],
)  # fmt: skip
def test_a_record_that_is_damaged_compares_nothing_and_stops_nothing(
    make_run: Make, tmp_path: Path, damage: bytes
) -> None:
    run = make_run("run")
    run.lake.create(RECORD, damage)
    assert measured(run, tmp_path)["versus"]["record"] is None
    assert run.lake.exists(run.path("models/budget/record.jsonl"))
