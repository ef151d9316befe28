"""The gate: each condition refuses alone, and nothing unreadable gets through."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from put_to_gate import CHAMPION, EQUAL, changed, failing, judge
from release_examples import (
    budget_evaluation,
    comparison,
    question,
    recommender_evaluation,
)

from marquee.artefacts.evaluation import read_evaluation
from marquee.artefacts.verdict import GROUPS, read_verdict


def test_a_good_first_recommender_is_approved() -> None:
    verdict = judge(recommender_evaluation())
    assert verdict.approved
    assert {c.number for c in verdict.conditions} == GROUPS.keys()
    assert verdict.head is None


def test_a_good_first_budget_model_is_approved() -> None:
    verdict = judge(budget_evaluation(), model="budget")
    assert verdict.approved
    assert verdict.losses == {"log_rmse": 0.0, "log_rmse_before_release": 0.0}


@pytest.mark.parametrize(
    ("group", "path", "value"),
    [
        (1, "model", "budget"),
        (1, "metrics/mae", float("nan")),
        (1, "metrics/rmse", float("nan")),
        (1, "metrics/coverage", 1.01),
        (1, "metrics/mae", None),
        (1, "metrics/ndcg@10", 9.0),
        (1, "metrics/ndcg@10", -0.1),
        (1, "metrics/segments", {"cold people": {"rmse": float("nan"), "rows": 3}}),
        (1, "metrics/segments", [0.9]),
        (1, "holdout/rows", 0),
        (1, "metrics/answered", 0.999),
        (1, "metrics/coverage", 0.49),
        (3, "versus/bias/rmse", comparison(0.88, 0.90, 0.03)),
        (3, "versus/bias/rmse", comparison(0.88, 0.87, 0.001)),
        (3, "versus/popularity/ndcg@10", comparison(0.18, 0.19, 0.001)),
        (3, "versus/popularity/ndcg@10", None),
        (3, "versus/popularity_lately/ndcg@10", comparison(0.18, 0.19, 0.001)),
        (3, "versus/popularity_lately/ndcg@10", comparison(0.18, 0.175, 0.01)),
        (3, "versus/popularity_lately", None),
        (2, "turned_stars", None),
        (2, "turned_stars/changed", 0.0),
        (2, "turned_stars/disliked_reasons", 1),
        (4, "versus/champion/rmse", comparison(0.88, 0.86, 0.001)),
        (4, "versus/champion/rmse", comparison(0.88, 0.88, 0.02)),
        (4, "versus/champion/ndcg@10", comparison(0.18, 0.20, 0.001)),
        (4, "versus/champion/ndcg@10", None),
        (4, "versus/champion", None),
        (6, "shipped/loads", False),
        (6, "shipped/loads", "yes"),
        (6, "shipped/golden", {"count": 40, "failures": 1, "worst": 0.1}),
        (6, "shipped/golden", {"count": 0, "failures": 0, "worst": 0.0}),
        (6, "shipped/golden/worst", float("nan")),
        (6, "shipped/error_on_holdout", 0.8801),
        (6, "shipped/error_evaluated", 6.0),
    ],
)
def test_one_fault_fails_its_condition_and_no_other(group: int, path: str, value: Any) -> None:
    sound = recommender_evaluation(champion=EQUAL)
    assert judge(sound, CHAMPION).approved
    verdict = judge(changed(sound, path, value), CHAMPION)
    assert not verdict.approved
    assert failing(verdict) == {group}
    assert all(condition.sentence for condition in verdict.failed)


@pytest.mark.parametrize(
    ("group", "path", "value"),
    [
        (1, "holdout/titles", 0.5),
        (1, "metrics/answered", 0.9),
        (3, "versus/median_by_genre/log_rmse", comparison(0.55, 0.57, 0.05)),
        (3, "versus/ridge/log_rmse", comparison(0.55, 0.535, 0.05)),
        (4, "versus/champion/log_rmse", comparison(0.55, 0.55, 0.02)),
        (4, "versus/champion/log_rmse_before_release", comparison(0.57, 0.57, 0.02)),
        (4, "versus/champion/log_rmse_before_release", comparison(0.57, 0.50, 0.002)),
        (4, "versus/champion/log_rmse_before_release", None),
        (1, "metrics/log_rmse_before_release", None),
        (2, "questions", {"with rating": question()}),
        (2, "questions", {"with rating": question(), "x": question()}),
        (2, "questions", {"x": question()}),
        (2, "questions", {}),
        (6, "shipped/error_evaluated", 0.4),
    ],
)
def test_the_budget_models_conditions_too(group: int, path: str, value: Any) -> None:
    sound = budget_evaluation(champion=0.55)
    assert judge(sound, CHAMPION, model="budget").approved
    found = failing(judge(changed(sound, path, value), CHAMPION, model="budget"))
    assert group in found
    assert found == {group} or path == "holdout/titles"


def test_a_bundle_that_fails_says_why() -> None:
    torn = "user_factors.npy holds 12 rows and user_ids.npy 13: " + "train it again " * 5
    for broken in (
        {"loads": False, "why": torn},
        {"why": torn, "golden": {"count": 40, "failures": 2, "worst": 0.5}},
    ):
        evaluation = recommender_evaluation()
        evaluation["shipped"] |= broken
        (condition,) = judge(evaluation).failed
        assert torn in condition.sentence


def test_an_error_above_the_ceiling_is_not_good_enough() -> None:
    evaluation = recommender_evaluation(rmse=1.2)
    evaluation["versus"]["bias"]["rmse"] = comparison(1.2, 1.3, 0.01)
    assert failing(judge(evaluation)) == {2}


def test_not_worse_than_ridge_is_judged_by_the_point_within_the_margin() -> None:
    close = changed(budget_evaluation(), "versus/ridge/log_rmse", comparison(0.55, 0.545, 0.2))
    assert judge(close, model="budget").approved


def test_segments_inside_the_metrics_are_figures_too() -> None:
    segments = {"cold people": {"rmse": 1.0, "rows": 3}, "warm people": {}}
    assert judge(changed(recommender_evaluation(), "metrics/segments", segments)).approved


def test_nesting_without_end_is_no_way_around_the_gate() -> None:
    deep: Any = float("nan")
    for _ in range(100_000):
        deep = {"a": deep}
    found = failing(judge(changed_shallow(recommender_evaluation(), deep)))
    assert found == {1}


def changed_shallow(evaluation: dict[str, Any], metric: Any) -> dict[str, Any]:
    """One more metric, without copying it (copying recurses)."""
    evaluation["metrics"]["more"] = metric
    return evaluation


@pytest.mark.parametrize("question_key", ["with rating", "before release"])
@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"bias": -0.14}, "mean error"),
        ({"bias": 0.14}, "mean error"),
        ({"coverage": 0.73}, "inside the interval"),
        ({"bias": 0.12}, None),  # 0.07 is not ruled out
        ({"coverage": 0.75}, None),
        ({"coverage": 0.99}, None),
    ],
)
def test_bias_and_coverage_are_refused_where_the_interval_shows_them(
    question_key: str, values: dict[str, float], sentence: str | None
) -> None:
    """A mean error shown beyond 0.08, or a coverage shown below 0.80, of either question."""
    wrong = changed(budget_evaluation(), f"questions/{question_key}", question(**values))
    verdict = judge(wrong, model="budget")
    if sentence is None:
        assert verdict.approved, verdict.failed
    else:
        assert failing(verdict) == {2} and len(verdict.failed) == 1
        assert sentence in verdict.failed[0].sentence


@pytest.mark.parametrize("key", ["bias", "coverage"])
def test_an_interval_that_does_not_hold_its_figure_is_refused(key: str) -> None:
    wrong = changed(budget_evaluation(), "questions/with_rating", question() | {key: 0.4})
    assert failing(judge(wrong, model="budget")) == {2}


def test_an_evaluation_of_the_first_release_lacks_the_intervals_and_is_refused() -> None:
    old = changed(budget_evaluation(), "questions", {"with rating": {"log_rmse": 0.5, "bias": 0.0}})
    verdict = judge(old, model="budget")
    assert failing(verdict) == {2}
    assert all("evaluate again" in condition.sentence for condition in verdict.failed)


def test_figures_that_are_no_numbers_are_condition_1_alone() -> None:
    """NaN factors: the shipped error has nothing to be compared with, which is no second fault."""
    ruined = recommender_evaluation(rmse=math.nan, ndcg=math.nan, champion=EQUAL)
    ruined["shipped"] |= {"error_on_holdout": math.nan}
    assert failing(judge(ruined, CHAMPION)) == {1}
    assert failing(judge({"model": "recommender", "shipped": ruined["shipped"]}, CHAMPION)) == {1}


def test_a_torn_bundle_is_condition_6_alone() -> None:
    torn = recommender_evaluation(champion=EQUAL) | {"shipped": {"loads": False, "why": "torn"}}
    assert failing(judge(torn, CHAMPION)) == {6}


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner),
    max_leaves=20,
)


MODELS: dict[str, Callable[[], dict[str, Any]]] = {
    "recommender": lambda: recommender_evaluation(champion=EQUAL),
    "budget": lambda: budget_evaluation(champion=0.55),
}


def leaves(value: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    below = [leaf for key, inner in value.items() for leaf in leaves(inner, (*path, key))] if (
        isinstance(value, dict)
    ) else []  # fmt: skip
    return [path, *below] if path else below


@given(ANY_JSON, ANY_JSON, st.booleans(), st.sampled_from(sorted(MODELS)))
@settings(deadline=None)
def test_whatever_comes_in_a_verdict_comes_out(
    evaluation: Any, accepted: Any, same: bool, model: str
) -> None:
    recorded = read_evaluation(evaluation)
    verdict = judge(evaluation, CHAMPION, same, accepted, model, recorded=recorded, same_code=same)
    assert not verdict.approved
    assert read_verdict(json.dumps(verdict.to_json(), allow_nan=False).encode()) == verdict


@given(st.data())
@settings(deadline=None, max_examples=300)
def test_damage_anywhere_the_gate_looks_is_refused(
    data: st.DataObject,
) -> None:
    model = data.draw(st.sampled_from(sorted(MODELS)))
    sound = MODELS[model]()
    path = data.draw(st.sampled_from(leaves(sound)))
    damage = data.draw(ANY_JSON)
    verdict = judge(changed(sound, "/".join(path), damage), CHAMPION, model=model)
    json.dumps(verdict.to_json(), allow_nan=False)
    if verdict.approved:
        assert is_fine(path, damage) or not is_read(model, path), (
            f"{path} = {damage!r} was approved"
        )


def is_read(model: str, path: tuple[str, ...]) -> bool:
    """Whether the gate looks at what lies there: the report reads the rest."""
    unread = path[0] == "baselines" or path[-1] in ("interval", "units", "why", "overlap")
    unread |= path[0] == "questions" and path[-1] == "log_rmse"
    return not unread and (model, *path) != ("recommender", "holdout", "titles")


REPORTED = ("mae", "mae_log", "interval_coverage")
"""Metrics no condition asks for: they must be finite where they are, alone or in a table."""


def is_fine(path: tuple[str, ...], value: Any) -> bool:
    """Whether a value could be what the gate asks for; arbitrary JSON is otherwise damage."""
    if isinstance(value, dict):
        return path[-1] in REPORTED and all(is_fine(path, inner) for inner in value.values())
    return value is True or (isinstance(value, int | float) and math.isfinite(value))


@pytest.mark.parametrize("model", sorted(MODELS))
@pytest.mark.parametrize("damage", [None, "1", True, [1], float("nan"), float("inf")])
def test_every_figure_the_gate_needs_must_be_a_number(model: str, damage: Any) -> None:
    needed = [path for path in leaves(MODELS[model]()) if is_read(model, path)]
    assert len(needed) > 20
    for path in needed:
        if path == ("shipped", "loads") and damage is True:
            continue  # the one place where this is no damage
        broken = changed(MODELS[model](), "/".join(path), damage)
        assert not judge(broken, CHAMPION, model=model).approved, path


@pytest.mark.parametrize("model", sorted(MODELS))
def test_every_figure_the_gate_needs_must_be_there(model: str) -> None:
    needed = [
        path
        for path in leaves(MODELS[model]())
        if is_read(model, path) and path[-1] not in REPORTED
    ]
    assert len(needed) > 20
    for *folders, last in needed:
        broken = MODELS[model]()
        below = broken
        for folder in folders:
            below = below[folder]
        del below[last]
        assert not judge(broken, CHAMPION, model=model).approved, (*folders, last)
