"""The trend's share of an answer, by hand, and bundles from before there was one."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from marquee.errors import BundleError
from scoring.budget.bundle import write_bundle
from scoring.budget.model import BudgetModel, BudgetQuery
from scoring.budget.predictor import NO_TREND, Trend
from tests.scoring_budget.handmade_bundle import bundle

TREND = Trend(per_year=0.02, centre=2000.0, first=1990, last=2020)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_bundle(tmp_path / "bundle", replace(bundle(), trend=TREND))


def log_of(model: BudgetModel, year: int) -> float:
    return math.log10(model.estimate(BudgetQuery((), ("Action",), year)).median)


@pytest.mark.parametrize(
    ("year", "expected"),
    [(2000, 7.5), (2006, 7.62), (2010, 7.7), (2016, 7.82), (2020, 7.9), (2060, 7.9), (1900, 7.3)],
)
def test_the_line_is_followed_ten_years_beyond_training(
    folder: Path, year: int, expected: float
) -> None:
    model = BudgetModel.load(folder)
    assert log_of(model, year) == pytest.approx(expected, abs=1e-12)
    many = model.log_estimates([BudgetQuery((), ("Action",), year)] * 2)
    assert many == pytest.approx([expected] * 2, abs=1e-12)


def test_it_counts_as_the_years_contribution_and_moves_the_interval(folder: Path) -> None:
    plain, carried = BudgetModel(bundle()), BudgetModel.load(folder)
    query = BudgetQuery(("Ada Lane",), ("Action",), 2015, 8.0)
    before, after = plain.estimate(query), carried.estimate(query)
    moved = {k: after.contributions[k] - before.contributions[k] for k in after.contributions}
    assert moved.pop("year") == pytest.approx(0.3)
    assert set(moved.values()) == {0.0}
    assert sum(after.contributions.values()) == pytest.approx(math.log10(after.median), abs=1e-12)
    for name in ("low", "high"):
        ratio = getattr(after, name) / getattr(before, name)
        assert math.log10(ratio) == pytest.approx(0.3)


def test_years_beyond_are_said(folder: Path) -> None:
    model = BudgetModel.load(folder)
    assert model.estimate(BudgetQuery((), ("Drama",), 2040)).notes[-1] == (
        "year 2040 is answered as 2010, the trend of budgets followed to 2020"
    )
    assert model.estimate(BudgetQuery((), ("Drama",), 1950)).notes[-1] == (
        "year 1950 is answered as 1990"
    )


def test_a_bundle_from_before_trends_answers_as_it_did(tmp_path: Path, folder: Path) -> None:
    old = write_bundle(tmp_path / "old", bundle())
    facts = json.loads((old / "bundle.json").read_text())
    assert facts.pop("trend") is None
    (old / "bundle.json").write_text(json.dumps(facts | {"format": 1}))
    model = BudgetModel.load(old)
    assert model.bundle.trend == NO_TREND
    assert [log_of(model, year) for year in (1980, 2006, 2040)] == pytest.approx([7.5] * 3)
    assert BudgetModel.load(folder).bundle.trend == TREND


@pytest.mark.parametrize(
    "wrong",
    [
        {"per_year": None},
        {"per_year": float("nan")},
        {"centre": float("inf")},
        {"first": 2030},
        {"last": "soon"},
    ],
)
def test_a_torn_trend_does_not_load(folder: Path, wrong: dict[str, object]) -> None:
    path = folder / "bundle.json"
    facts = json.loads(path.read_text())
    path.write_text(json.dumps(facts | {"trend": facts["trend"] | wrong}))
    with pytest.raises(BundleError):
        BudgetModel.load(folder)
