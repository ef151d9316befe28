"""What an answer says of fields that the query does not state."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from marquee.errors import BundleError
from scoring.budget.bundle import BudgetBundle, write_bundle
from scoring.budget.features import BEFORE_RELEASE, FURTHER, FieldCosts
from scoring.budget.model import BudgetModel, BudgetQuery
from tests.scoring_budget.handmade_bundle import bundle

COSTS = FieldCosts({"director": 1.25, "genre": 0.9, "rating": 1.1, FURTHER: 1.3}, joint=1.0)


def with_costs(costs: FieldCosts) -> BudgetBundle:
    whole = bundle()
    before = replace(whole.predictors[BEFORE_RELEASE], costs=costs)
    return replace(whole, predictors={**whole.predictors, BEFORE_RELEASE: before})


@pytest.fixture
def model(tmp_path: Path) -> BudgetModel:
    return BudgetModel.load(write_bundle(tmp_path, with_costs(COSTS)))


def test_each_missing_field_states_its_cost(model: BudgetModel) -> None:
    whole = model.estimate(BudgetQuery(("Ada Lane",), ("Drama",), 2006))
    assert whole.missing == {"rating": 1.1, FURTHER: 1.3}
    bare = model.estimate(BudgetQuery((), (), 2006))
    assert bare.missing == {"director": 1.25, "genre": 0.9, "rating": 1.1, FURTHER: 1.3}


def test_the_interval_is_wider_without_a_field_and_never_narrower(model: BudgetModel) -> None:
    def half_widths(*directors: str) -> tuple[float, float]:
        found = model.estimate(BudgetQuery(directors, (), 2006))
        return math.log10(found.median / found.low), math.log10(found.high / found.median)

    assert half_widths("Ada Lane") == pytest.approx((0.2, 0.3))  # the genre's ratio is below 1
    assert half_widths() == pytest.approx((0.2 * 1.25, 0.3 * 1.25))


def test_squared_errors_add_up_and_fields_that_say_the_same_count_jointly() -> None:
    costs = FieldCosts({"cast": 1.1, "writer": 1.2}, joint=1.0)
    assert costs.widening(["cast", "writer"]) == pytest.approx(math.sqrt(1 + 0.21 + 0.44))
    assert costs.widening(["keyword"]) == costs.widening([]) == 1.0
    joint = replace(costs, joint=2.0)
    assert joint.widening(["cast"]) == pytest.approx(math.sqrt(1 + 2 * 0.21))


def test_a_bundle_without_costs_loads_and_says_nothing(tmp_path: Path) -> None:
    folder = write_bundle(tmp_path, bundle())
    value = json.loads((folder / "bundle.json").read_text())
    for question in value["questions"].values():
        del question["costs"]
    (folder / "bundle.json").write_text(json.dumps(value))
    assert BudgetModel.load(folder).estimate(BudgetQuery((), (), 2006)).missing == {}


@pytest.mark.parametrize(
    "costs", [{"ratios": {"cast": -1.0}, "joint": 1.0}, {"ratios": {}, "joint": "NaN"}, {}]
)
def test_costs_that_cannot_be_are_refused(tmp_path: Path, costs: dict[str, object]) -> None:
    folder = write_bundle(tmp_path, bundle())
    value = json.loads((folder / "bundle.json").read_text())
    value["questions"][BEFORE_RELEASE]["costs"] = costs
    (folder / "bundle.json").write_text(json.dumps(value))
    with pytest.raises(BundleError):
        BudgetModel.load(folder)
