"""Answers worked out by hand, and bundles that must not load."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from marquee.errors import BundleError, SourceError
from scoring.budget.bundle import write_bundle
from scoring.budget.features import BEFORE_RELEASE, WITH_RATING
from scoring.budget.model import BudgetModel, BudgetQuery
from tests.scoring_budget.handmade_bundle import bundle


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_bundle(tmp_path / "bundle", bundle())


@pytest.fixture
def model(folder: Path) -> BudgetModel:
    return BudgetModel.load(folder)


def log_of(model: BudgetModel, *args: Any) -> float:
    return math.log10(model.estimate(BudgetQuery(*args)).median)


def test_before_release(model: BudgetModel) -> None:
    found = model.estimate(BudgetQuery(("nm0000001",), ("Action",), 2006))
    # Ada Lane before 2006: 0.6 and -0.3 above their time, shrunk by one film: 0.3 / 3 = 0.1.
    assert math.log10(found.median) == pytest.approx(7.6)
    assert math.log10(found.low) == pytest.approx(7.4)
    assert math.log10(found.high) == pytest.approx(7.9)
    assert (found.question, found.price_year, found.notes) == (BEFORE_RELEASE, 2010, ())


def test_with_rating_rounds_it(model: BudgetModel) -> None:
    assert log_of(model, ("nm0000001",), (), 2006, 6.5) == pytest.approx(7.8)
    assert log_of(model, ("nm0000001",), (), 2006, 6.4) == pytest.approx(7.7)
    assert model.estimate(BudgetQuery((), (), 2006, 7.0)).question == WITH_RATING


def test_only_earlier_years_count(model: BudgetModel) -> None:
    assert log_of(model, ("nm0000001",), (), 1995) == pytest.approx(7.0)
    assert log_of(model, ("nm0000001",), (), 1996) == pytest.approx(7.3)  # 0.6 / 2
    assert log_of(model, ("nm0000001",), (), 2000) == pytest.approx(7.3)


@pytest.mark.parametrize(
    "name", ["Ada Lane", "ada  lane", " ADA LANE ", "Áda Lane", "Ada La\u0301ne", "nm0000001"]
)
def test_a_director_by_any_spelling(model: BudgetModel, name: str) -> None:
    assert log_of(model, (name,), (), 2006) == pytest.approx(7.1)


def test_a_director_named_twice_counts_once(model: BudgetModel) -> None:
    assert log_of(model, ("Ada Lane", "nm0000001"), (), 2006) == pytest.approx(7.1)
    # With an unknown colleague the mean of 0.1 and 0.
    assert log_of(model, ("Ada Lane", "Nobody"), (), 2006) == pytest.approx(7.05)


def test_doubts_are_said(model: BudgetModel) -> None:
    found = model.estimate(BudgetQuery(("Nobody",), ("Drama", "Puppetry"), 2040))
    assert found.notes == (
        "director Nobody has no film in training",
        "genre Puppetry not seen in training",
        "year 2040 is answered as 2010",
    )


def test_contributions_add_up(model: BudgetModel) -> None:
    found = model.estimate(BudgetQuery(("Ada Lane",), ("Action", "Drama"), 2006, 8.0))
    assert sum(found.contributions.values()) == pytest.approx(math.log10(found.median), abs=1e-12)
    assert found.contributions["director"] == pytest.approx(0.1)
    assert found.contributions["genre Action"] == pytest.approx(0.5)
    assert found.contributions["rating"] == pytest.approx(0.8)


def test_evidence_is_the_nearest_film_first(model: BudgetModel) -> None:
    found = model.estimate(BudgetQuery(("Bo Zell",), ("Drama",), 2004))
    assert found.evidence[0].title_id == "tt0000004"
    assert len(found.evidence) == 3


def test_without_ratings_in_training(tmp_path: Path) -> None:
    whole = bundle()
    only = {BEFORE_RELEASE: whole.predictors[BEFORE_RELEASE]}
    write_bundle(
        tmp_path, whole.__class__(whole.encoder, only, whole.titles, whole.facts, whole.golden)
    )
    found = BudgetModel.load(tmp_path).estimate(BudgetQuery((), (), 2000, 9.0))
    assert found.question == BEFORE_RELEASE
    assert "this model knows no ratings: answered as before release" in found.notes


@pytest.mark.parametrize(
    "bad",
    [((), (), 1500), ((), (), 9999), ((), ("Drama",) * 13, 2000), ((), (), 2000, 11.0),
     ((), (), 2000, float("nan"))],
)  # fmt: skip
def test_questions_that_cannot_be_put(bad: tuple[Any, ...]) -> None:
    with pytest.raises(SourceError):
        BudgetQuery(*bad)


def golden(**changes: Any) -> dict[str, Any]:
    query = {
        "directors": ["nm0000001"],
        "genres": ["Action"],
        "year": 2006,
        "rating": None,
        "question": BEFORE_RELEASE,
        "log10": 7.6,
    }
    return {"tolerance": 1e-9, "queries": [query | changes]}


def test_golden_answers_are_repeated(tmp_path: Path) -> None:
    report = BudgetModel.load(write_bundle(tmp_path, bundle(golden()))).check_golden()
    assert report.passed and report.count == 1 and report.worst < 1e-12


@pytest.mark.parametrize("change", [{"log10": 7.6 + 1e-7}, {"question": WITH_RATING}])
def test_a_golden_answer_not_repeated_is_named(tmp_path: Path, change: dict[str, Any]) -> None:
    report = BudgetModel.load(write_bundle(tmp_path, bundle(golden(**change)))).check_golden()
    assert not report.passed
    assert "nm0000001" in report.failures[0]


def test_no_golden_queries_is_no_pass(model: BudgetModel) -> None:
    assert not model.check_golden().passed


def edited(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    def tear(folder: Path) -> None:
        value = json.loads((folder / "bundle.json").read_text())
        change(value)
        (folder / "bundle.json").write_text(json.dumps(value))

    return tear


@pytest.mark.parametrize(
    "tear",
    [
        edited(lambda b: b.update(format=4)),
        edited(lambda b: b.update(format=None)),
        edited(lambda b: b.update(model="recommender")),
        edited(lambda b: b.pop("stages")),
        edited(lambda b: b.pop("price_year")),
        edited(lambda b: b["stages"].update(director_smoothing=0)),
        edited(lambda b: b["stages"].update(genres=["Action"])),
        edited(lambda b: b["questions"].pop(BEFORE_RELEASE)),
        edited(lambda b: b["questions"].update(anything={})),
        edited(lambda b: b["questions"][WITH_RATING].update(intercept=float("nan"))),
        edited(lambda b: b["questions"][WITH_RATING].update(residuals=[0.1, 0.2])),
        edited(lambda b: b["questions"][WITH_RATING].update(linear_share=0.5)),
        edited(lambda b: b["questions"][WITH_RATING].update(has_trees=True)),
        lambda folder: (folder / "bundle.json").unlink(),
        lambda folder: (folder / "bundle.json").write_text("{"),
        lambda folder: (folder / "golden.json").unlink(),
        lambda folder: (folder / "films.jsonl").unlink(),
        lambda folder: (folder / "films.jsonl").write_text(""),
        lambda folder: (folder / "films.jsonl").write_text('{"title_id": "tt1"}\n'),
        lambda folder: (folder / "films.jsonl").write_text('{"title_id'),
    ],
)
def test_a_torn_bundle_does_not_load(folder: Path, tear: Callable[[Path], None]) -> None:
    BudgetModel.load(folder)
    tear(folder)
    with pytest.raises(BundleError):
        BudgetModel.load(folder)


def test_a_torn_golden_is_said(tmp_path: Path) -> None:
    loaded = BudgetModel.load(write_bundle(tmp_path, bundle({"queries": [{"year": "x"}]})))
    with pytest.raises(BundleError, match=r"golden\.json"):
        loaded.check_golden()


def test_many_at_once_equal_one_by_one(model: BudgetModel) -> None:
    queries = [BudgetQuery(("Ada Lane",), ("Action",), year) for year in range(1990, 2012)]
    alone = [math.log10(model.estimate(query).median) for query in queries]
    np.testing.assert_allclose(model.log_estimates(queries), alone, rtol=0, atol=1e-12)
