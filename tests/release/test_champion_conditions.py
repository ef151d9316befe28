"""Condition 4: beside the champion, retrained or as it recorded itself, and the losses booked."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import pytest
from put_to_gate import CHAMPION, EQUAL, changed, failing, judge
from release_examples import (
    RECOMMENDER,
    budget_evaluation,
    comparison,
    recommender_evaluation,
    record,
)

from marquee.artefacts.evaluation import read_evaluation
from marquee.artefacts.verdict import Verdict, read_verdict
from release.losses import ALLOWANCE, ONE_SIDED_95


def test_a_better_error_with_a_ruined_ranking_is_refused() -> None:
    ruined = recommender_evaluation(rmse=0.80, ndcg=0.14, champion=EQUAL)
    verdict = judge(ruined, CHAMPION)
    assert failing(verdict) == {4}
    assert all("nDCG" in condition.sentence for condition in verdict.failed)


def test_a_holdout_too_small_to_tell_keeps_the_champion() -> None:
    unsure = recommender_evaluation(champion=EQUAL)
    unsure["versus"]["champion"]["rmse"] = comparison(0.88, 0.881, 0.03)
    (condition,) = judge(unsure, CHAMPION).failed
    assert "too small to tell" in condition.sentence
    few = changed(recommender_evaluation(champion=EQUAL), "holdout/people", 29)
    assert failing(judge(few, CHAMPION)) == {3, 4}
    assert judge(changed(few, "holdout/people", 30), CHAMPION).approved


@pytest.mark.parametrize(("lower", "approved"), [(-0.004, True), (-0.006, False)])
def test_for_a_ranking_the_lower_bound_of_the_difference_is_the_loss(
    lower: float, approved: bool
) -> None:
    skewed = comparison(0.18, 0.18, 0.001) | {"lower95": lower}
    evaluation = recommender_evaluation(champion=EQUAL)
    verdict = judge(changed(evaluation, "versus/champion/ndcg@10", skewed), CHAMPION)
    assert verdict.approved is approved, "the margin is 3 % of 0.18"


def test_the_same_recipe_and_code_pass_by_identity_and_say_so() -> None:
    verdict = judge(recommender_evaluation(), CHAMPION, same=True, accepted={"rmse": 0.004})
    assert verdict.approved
    (condition,) = (c for c in verdict.conditions if c.number == 4)
    assert "identity" in condition.sentence
    assert verdict.losses == {"rmse": 0.004, "ndcg@10": 0.0}
    assert verdict.head is not None
    assert verdict.head.number == 3


def test_identity_needs_a_champion() -> None:
    verdict = judge(recommender_evaluation(champion=(0.8, 0.3)), None, same=True)
    assert failing(verdict) == {4}, "a stand-in for the champion is judged, not waved through"


def test_accepted_losses_add_up_to_one_margin_and_no_further() -> None:
    accepted: Mapping[str, float] = {}
    rounds = []
    for _ in range(4):
        lossy = recommender_evaluation(rmse=0.88 * 1.004, champion=EQUAL)
        verdict = judge(lossy, CHAMPION, accepted=accepted)
        rounds.append(verdict.approved)
        accepted = verdict.losses if verdict.approved else accepted
    assert rounds == [True, True, False, False]
    error = 0.002 / 0.88 / ONE_SIDED_95
    assert math.isclose(accepted["rmse"], 2 * (0.004 - ALLOWANCE * error**2 / 0.01), rel_tol=1e-6)


def test_an_improvement_makes_up_for_losses() -> None:
    better = recommender_evaluation(rmse=0.875, champion=EQUAL)
    verdict = judge(better, CHAMPION, accepted={"rmse": 0.009, "ndcg@10": 0.0})
    error = 0.002 / 0.88 / ONE_SIDED_95
    expected = 0.009 - 0.005 / 0.88 - ALLOWANCE * error**2 / 0.01
    assert math.isclose(verdict.losses["rmse"], expected, rel_tol=1e-6)
    assert judge(better, CHAMPION, accepted={"rmse": 0.001}).losses["rmse"] == 0.0


@pytest.mark.parametrize("accepted", [{"rmse": float("nan")}, {"rmse": -1}, {"rmse": "0"}, 7])
@pytest.mark.parametrize("same", [True, False])
def test_a_balance_nobody_can_read_refuses(accepted: Any, same: bool) -> None:
    verdict = judge(recommender_evaluation(champion=EQUAL), CHAMPION, same, accepted)
    assert failing(verdict) == {4}


@pytest.mark.parametrize(
    "forged",
    [
        {"challenger": 0.5, "other": 0.9, "difference": -0.4, "upper95": -0.3, "lower95": -0.5},
        {"challenger": 0.88, "other": 0.9, "difference": -0.4, "upper95": -0.3, "lower95": -0.5},
        {"challenger": 0.88, "other": 0.9, "difference": -0.02, "upper95": -0.3, "lower95": -0.5},
    ],
)
def test_a_comparison_that_contradicts_itself_or_the_metric_refuses(forged: Any) -> None:
    assert failing(judge(changed(recommender_evaluation(), "versus/bias/rmse", forged))) == {3}


def compared_with_record(value: Any, **evaluation: Any) -> Verdict:
    """The same recipe under other code; `value` is `versus.record`."""
    mine = changed(recommender_evaluation(**evaluation), "versus/record", value)
    recorded = recommender_evaluation() | {
        "intervals": {"rmse": [0.87, 0.89], "ndcg@10": [0.17, 0.19]}
    }
    figures = (mine["metrics"][key] for key in ("rmse", "ndcg@10"))
    mine["intervals"] = {
        key: [f - 0.01, f + 0.01] for key, f in zip(("rmse", "ndcg@10"), figures, strict=True)
    }
    return judge(
        mine, CHAMPION, same_recipe=True, same_code=False, recorded=read_evaluation(recorded)
    )


def test_code_that_makes_the_same_recipe_worse_is_refused() -> None:
    verdict = compared_with_record(record(0.90, 0.87, 0.004))
    assert failing(verdict) == {4}
    assert all("as recorded" in c.sentence or "so far" in c.sentence for c in verdict.failed)


def test_code_that_makes_the_same_recipe_better_is_approved_and_pays_back() -> None:
    verdict = compared_with_record(record(0.85, 0.87, 0.004), rmse=0.86)
    assert verdict.approved, verdict.failed
    assert not any("identity" in c.sentence for c in verdict.conditions)
    assert verdict.losses == {"rmse": 0.0, "ndcg@10": 0.0}


def budget_beside_record(before: dict[str, Any]) -> Verdict:
    """The champion's recipe under other code; one question as then, the other as given."""
    mine = budget_evaluation()
    mine["metrics"]["log_rmse_before_release"] = before["challenger"]
    mine["versus"]["record"] = {
        "matched": 100, "units": 110,
        "log_rmse": comparison(0.55, 0.55, 0.005), "log_rmse_before_release": before,
    }  # fmt: skip
    return judge(
        mine, CHAMPION, model="budget", same_recipe=True, same_code=False,
        recorded=read_evaluation(budget_evaluation()),
    )  # fmt: skip


def test_code_that_ruins_the_question_before_release_is_refused() -> None:
    """Bias and coverage may be sound where the error is not: log-RMSE 5 is a factor of 100,000."""
    assert budget_beside_record(comparison(0.57, 0.57, 0.005)).approved
    for ruined in (5.0, 0.60):
        verdict = budget_beside_record(comparison(ruined, 0.57, 0.005))
        assert failing(verdict) == {4}
        assert all("before release" in condition.sentence for condition in verdict.failed)


def test_a_loss_beside_the_record_is_booked() -> None:
    verdict = compared_with_record(record(0.874, 0.87, 0.001))
    assert verdict.approved
    error = 0.001 / 0.87 / ONE_SIDED_95
    allowed = ALLOWANCE * error**2 / RECOMMENDER.margin_rmse
    assert math.isclose(verdict.losses["rmse"], 0.004 / 0.87 - allowed, rel_tol=1e-6)


def test_a_loss_beside_the_record_refuses_where_it_is_shown() -> None:
    """Other train rows are not other code: 2 % worse on few people is no evidence."""
    unsure = compared_with_record(record(0.8874, 0.87, 0.03))
    assert unsure.approved and any("is not shown" in c.sentence for c in unsure.conditions)
    shown = compared_with_record(record(0.8874, 0.87, 0.016))
    assert failing(shown) == {4} and "a loss is shown" in shown.failed[0].sentence
    small = compared_with_record(record(0.8735, 0.87, 0.001))
    assert small.approved, "shown, and within the margin"


def test_a_better_budget_model_on_few_directors_is_approved() -> None:
    """7 % better, though 4 % worse is not ruled out."""
    better = comparison(0.51, 0.55, 0.06, "directors")
    found = {"matched": 25, "units": 120, "log_rmse": better, "log_rmse_before_release": better}
    mine = changed(budget_evaluation(), "versus/record", found)
    verdict = judge(mine, CHAMPION, model="budget", same_recipe=True, same_code=False)
    assert verdict.approved, verdict.failed


def by_identity(value: Any, accepted: Any = None) -> Verdict:
    mine = changed(recommender_evaluation(), "versus/record", value)
    return judge(mine, CHAMPION, same=True, accepted=accepted)


def test_a_champions_twin_that_is_shown_to_be_worse_is_refused() -> None:
    """Rows spoilt so that every count stays the same make the same recipe and code worse."""
    verdict = by_identity(record(0.95, 0.87, 0.01))
    assert failing(verdict) == {4}
    assert "has the champion's recipe and code; on the 500 people" in verdict.failed[0].sentence
    assert by_identity(record(0.87, 0.87, 0.01)).approved


def test_a_twins_losses_add_up_too() -> None:
    found = by_identity(record(0.874, 0.87, 0.001), {"rmse": 0.004})
    assert found.approved and found.losses["rmse"] > 0.008
    assert failing(by_identity(record(0.874, 0.87, 0.001), {"rmse": 0.008})) == {4}


@pytest.mark.parametrize("value", [None, {"matched": 29, "units": 600}])
def test_a_twin_passes_by_identity_where_nothing_can_be_paired(value: Any) -> None:
    verdict = by_identity(value)
    assert verdict.approved
    assert any("passes by identity" in c.sentence for c in verdict.conditions)


@pytest.mark.parametrize("same", [True, False])
@pytest.mark.parametrize(
    "damage",
    [
        {"matched": 1e9, "units": 3},
        {"matched": 500, "units": None},
        {"matched": -1},
        {"rmse": "lost"},
        {"ndcg@10": comparison(0.17, 0.17, 0.002) | {"matched": 501}},
    ],
)
def test_a_record_whose_counts_cannot_be_is_refused(damage: Any, same: bool) -> None:
    value = record(0.87, 0.87, 0.001) | damage
    verdict = by_identity(value) if same else compared_with_record(value)
    assert failing(verdict) == {4}
    assert all("contradicts itself" in c.sentence for c in verdict.failed)


@pytest.mark.parametrize("few", [None, comparison(0.10, 0.30, 0.01) | {"matched": 3}])
def test_a_metric_that_few_or_none_can_be_compared_on_goes_by_its_figures(few: Any) -> None:
    """500 people matched; three of them, or nobody, liked something."""
    verdict = compared_with_record(record(0.87, 0.87, 0.001) | {"ndcg@10": few})
    assert verdict.approved, verdict.failed
    (ranking,) = (c for c in verdict.conditions if c.name.startswith("nDCG@10 against the champ"))
    assert "as they stand" in ranking.sentence
    left_out = {"matched": 500, "units": 600, "rmse": comparison(0.87, 0.87, 0.001)}
    assert compared_with_record(left_out).approved


@pytest.mark.parametrize("value", [None, {"matched": 29, "units": 600}, "none"])
@pytest.mark.parametrize(
    ("rmse", "ndcg", "approved"),
    [
        # 0.88 recorded: 0.0088 of margin and 0.0119 of what both intervals allow; of the balance
        # 0.0088, and an allowance of 0.0044.
        (0.88, 0.18, True),
        (0.893, 0.18, True),
        (0.894, 0.18, False),
        (0.902, 0.18, False),
        (0.86, 0.16, False),
    ],
)
def test_too_few_to_pair_means_a_bound_on_the_recorded_figure(
    value: Any, rmse: float, ndcg: float, approved: bool
) -> None:
    evaluation = {"rmse": rmse, "ndcg": ndcg}
    verdict = compared_with_record(value, **evaluation)
    trivial = [c for c in verdict.failed if c.number != 4]
    if rmse > 0.895:  # beside the bias model's 0.90 it would fail too
        trivial = [c for c in trivial if c.number != 3]
    assert trivial == []
    assert (4 not in failing(verdict)) is approved
    if not approved:
        said = " ".join(c.sentence for c in verdict.failed if c.number == 4)
        assert "both 95 % intervals allow" in said or "would add up to" in said


def by_figures(rmse: float, theirs: float, accepted: Any, ends: Any = None) -> Verdict:
    """The same recipe under other code, where no record was left."""
    mine = recommender_evaluation(rmse=rmse)
    mine["intervals"] = {"rmse": ends or [rmse - 0.005, rmse + 0.005]}
    recorded = recommender_evaluation(rmse=theirs) | {
        "intervals": {"rmse": [theirs - 0.005, theirs + 0.005]}
    }
    found = read_evaluation(recorded)
    return judge(
        mine, CHAMPION, same_recipe=True, same_code=False, accepted=accepted, recorded=found
    )


def test_figures_as_they_stand_add_up_to_one_margin_and_no_further() -> None:
    accepted: Mapping[str, float] = {}
    figure, promoted = 0.80, []
    for _ in range(5):
        verdict = by_figures(figure * 1.008, figure, accepted)
        promoted.append(verdict.approved)
        if verdict.approved:
            figure, accepted = figure * 1.008, verdict.losses
    assert promoted == [True, False, False, False, False]
    error = math.hypot(0.005, 0.005) / 1.96 / 0.80
    allowed = ALLOWANCE * error**2 / RECOMMENDER.margin_rmse
    assert math.isclose(accepted["rmse"], 0.008 - allowed, rel_tol=1e-3)


@pytest.mark.parametrize(
    "ends", [[-1e308, 1e308], [0.0, 5.0], [0.5, 0.6], [0.9, 0.87], [None, 0.9], "wide"]
)
def test_an_interval_that_is_none_of_its_figure_allows_nothing(ends: Any) -> None:
    verdict = by_figures(0.89, 0.88, {}, ends)
    assert not verdict.approved
    assert read_verdict(json.dumps(verdict.to_json(), allow_nan=False).encode()) == verdict
    assert by_figures(0.87, 0.88, {}, ends).approved


def test_a_champion_without_record_and_evaluation_keeps_serving() -> None:
    verdict = judge(recommender_evaluation(), CHAMPION, same_recipe=True, same_code=False)
    assert failing(verdict) == {4}
    assert "missing or cannot be read" in verdict.failed[0].sentence
    assert "marquee rollback" in verdict.failed[0].sentence, "the way out"


def test_another_recipe_under_other_code_is_compared_with_both() -> None:
    mine = changed(
        recommender_evaluation(champion=EQUAL), "versus/record", record(0.87, 0.87, 0.001)
    )
    assert judge(mine, CHAMPION, same_code=False).approved
    worse = changed(mine, "versus/record", record(0.90, 0.87, 0.001))
    assert failing(judge(worse, CHAMPION, same_code=False)) == {4}
    worse = changed(mine, "versus/champion/rmse", comparison(0.88, 0.86, 0.001))
    assert failing(judge(worse, CHAMPION, same_code=False)) == {4}
