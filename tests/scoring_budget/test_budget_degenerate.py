"""Holdouts that tell little: finite figures, or a sentence that says what is missing."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from marquee.errors import ContractError
from marquee.identifiers import canonical_json
from scoring.budget.bundle import write_bundle
from scoring.budget.features import BEFORE_RELEASE
from scoring.budget.holdout_evaluation import evaluate_budget
from tests.scoring_budget.handmade_bundle import bundle
from tests.scoring_budget.titles_folder import row, write

Rows = list[dict[str, object]]


def plain(count: int, start: int = 0, **changes: object) -> Rows:
    rng = np.random.default_rng(start)
    dollars = 10 ** rng.normal(7.2, 0.4, count)
    return [row(start + i, 1990 + i % 15, float(d)) | changes for i, d in enumerate(dollars)]


TRAINS = {
    "usual": plain(40),
    "one film": plain(1),
    "two films": plain(2),
    "one budget": [r | {"budget_usd": 1e7, "year": 2000} for r in plain(40)],
    "no genre often enough": [r | {"genres": [f"G{i}"]} for i, r in enumerate(plain(12))],
    "no ratings": plain(40, rating=None),
    "no directors": plain(40, directors=[], director_names=[]),
}
HOLDOUTS = {
    "usual": plain(12, 100),
    "one film": plain(1, 100),
    "one budget": [r | {"budget_usd": 1e7, "year": 2005} for r in plain(12, 100)],
    "no directors": plain(12, 100, directors=[], director_names=[]),
    "null directors": plain(12, 100, directors=None, director_names=None),
    "no ratings": plain(12, 100, rating=None),
    "unknown genres": plain(12, 100, genres=["Puppetry"]),
    "many genres": plain(12, 100, genres=[f"G{i}" for i in range(30)]),
    "first films": plain(12, 100, year=1874),
    "far years": plain(12, 100, year=2100),
}


def not_finite(value: Any, path: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from not_finite(inner, f"{path}.{key}")
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from not_finite(inner, f"{path}[{number}]")
    elif isinstance(value, float) and not math.isfinite(value):
        yield path


CASES = [("usual", holdout) for holdout in HOLDOUTS] + [(train, "one film") for train in TRAINS]


@pytest.mark.parametrize("questions", ["both", "before release"])
@pytest.mark.parametrize(("train", "holdout"), CASES)
def test_figures_are_finite(tmp_path: Path, train: str, holdout: str, questions: str) -> None:
    made = bundle()
    if questions == "before release":
        only = {BEFORE_RELEASE: made.predictors[BEFORE_RELEASE]}
        made = made.__class__(made.encoder, only, made.titles, made.facts, made.golden)
    folder = write_bundle(tmp_path / "bundle", made)
    split = write(tmp_path / "train", TRAINS[train]), write(tmp_path / "later", HOLDOUTS[holdout])
    record = tmp_path / "record.jsonl"
    evaluate_budget(folder, folder, folder, *split, seed=1, own_record=record)
    found = evaluate_budget(folder, folder, folder, *split, seed=1, record=record)
    assert list(not_finite(found)) == []
    assert canonical_json(found)
    assert found["metrics"]["answered"] == 1.0
    assert found["versus"]["record"]["matched"] == found["holdout"]["directors"]
    for figures in found["questions"].values():
        assert figures["bias_interval"][0] <= figures["bias"] + 1e-12
        assert figures["coverage_interval"][1] <= 1.0


@pytest.mark.parametrize(
    ("train", "holdout", "says"),
    [
        ([], plain(3), "0 films in train"),
        (plain(3), [], "0 in the holdout"),
        (plain(3), plain(3, 100, budget_usd=None), "without budget"),
        (plain(3), plain(3, 100, year=None), "without budget or year"),
        (plain(3), plain(3, 100, budget_usd=0.0), "no amount of money"),
        (plain(3), plain(3, 100, budget_usd=-5.0), "no amount of money"),
        (plain(3), plain(3, 100, budget_usd=float("nan")), "no amount of money"),
        (plain(3), plain(3, 100, budget_usd=float("inf")), "no amount of money"),
    ],
)
def test_what_cannot_be_measured_is_refused(
    tmp_path: Path, train: Rows, holdout: Rows, says: str
) -> None:
    folder = write_bundle(tmp_path / "bundle", bundle())
    split = write(tmp_path / "train", train), write(tmp_path / "later", holdout)
    with pytest.raises(ContractError, match=says):
        evaluate_budget(folder, folder, None, *split, seed=1)
