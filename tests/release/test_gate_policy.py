"""Policies: typed, complete, and only ever tightened by a run."""

from __future__ import annotations

from dataclasses import asdict, fields

import pytest
from hypothesis import given
from hypothesis import strategies as st
from release_examples import BUDGET, POLICY_VALUES, RECOMMENDER

from marquee.errors import SettingsError
from marquee.policy import Policy, read_policy, tighten
from marquee.settings import load_settings


@pytest.mark.parametrize("model", ["recommender", "budget"])
def test_the_shipped_configuration_is_a_policy(model: str) -> None:
    policy = read_policy(model, getattr(load_settings().policy, model))
    assert {f.name for f in fields(policy)} == POLICY_VALUES[model].keys()


def test_unknown_and_missing_keys_are_named_together() -> None:
    values = dict(POLICY_VALUES["recommender"], rmse_cieling=1.0)
    del values["margin_rmse"]
    with pytest.raises(SettingsError, match=r"unknown key 'rmse_cieling', missing key 'margin_rm"):
        read_policy("recommender", values)


@pytest.mark.parametrize("value", [float("nan"), -0.1, 1.1, "0.5", None, True])
def test_a_bound_that_is_no_bound_is_refused(value: object) -> None:
    with pytest.raises(SettingsError, match="coverage_floor"):
        read_policy("recommender", dict(POLICY_VALUES["recommender"], coverage_floor=value))


def test_a_model_nobody_knows_has_no_policy() -> None:
    with pytest.raises(SettingsError, match="pricing"):
        read_policy("pricing", {})


@pytest.mark.parametrize(("model", "policy"), [("recommender", RECOMMENDER), ("budget", BUDGET)])
def test_a_policy_survives_its_table(model: str, policy: Policy) -> None:
    assert read_policy(model, asdict(policy)) == policy


def test_a_run_may_tighten() -> None:
    tightened = tighten(RECOMMENDER, {"rmse_ceiling": 0.9, "coverage_floor": 0.9})
    assert (tightened.rmse_ceiling, tightened.coverage_floor) == (0.9, 0.9)
    assert tightened.margin_rmse == RECOMMENDER.margin_rmse


@pytest.mark.parametrize(
    ("policy", "key", "value"),
    [
        (RECOMMENDER, "rmse_ceiling", 1.2),
        (RECOMMENDER, "coverage_floor", 0.4),
        (RECOMMENDER, "margin_rmse", 0.02),
        (RECOMMENDER, "margin_ndcg", 0.04),
        (RECOMMENDER, "fewest_people", 29),
        (BUDGET, "log_rmse_ceiling", 1.5),
        (BUDGET, "margin_log_rmse", 0.04),
        (BUDGET, "margin_ridge", 0.03),
        (BUDGET, "fewest_titles", 10),
        (BUDGET, "bias_most", 0.09),
        (BUDGET, "interval_coverage_floor", 0.79),
        (BUDGET, "world_missing", 0.2),
        (BUDGET, "world_crawl", 1501.0),
        (RECOMMENDER, "world_mean", 0.11),
        (RECOMMENDER, "world_drift", 0.31),
        *((policy, "world_leak", 0.11) for policy in (RECOMMENDER, BUDGET)),
        *((policy, "world_class_shrink", 0.21) for policy in (RECOMMENDER, BUDGET)),
        *((policy, "world_shrink", 0.03) for policy in (RECOMMENDER, BUDGET)),
        *((policy, "world_growth", 3.5) for policy in (RECOMMENDER, BUDGET)),
        *((policy, "world_psi", 0.25) for policy in (RECOMMENDER, BUDGET)),
        *((policy, "world_noise", 0.04) for policy in (RECOMMENDER, BUDGET)),
    ],
)
def test_loosening_is_refused_by_name(policy: Policy, key: str, value: float) -> None:
    with pytest.raises(SettingsError, match=f"'{key}'.* would loosen"):
        tighten(policy, {key: value})


def test_every_bound_has_a_loosening_test() -> None:
    cases = test_loosening_is_refused_by_name.pytestmark[0].args[1]
    bounds = {(type(p), f.name) for p in (RECOMMENDER, BUDGET) for f in fields(p)}
    assert {(type(policy), key) for policy, key, _ in cases} == bounds


def test_what_the_form_leaves_empty_changes_nothing() -> None:
    assert tighten(BUDGET, dict.fromkeys(("margin_ridge", "log_rmse_ceiling"))) == BUDGET


def test_an_unknown_override_is_refused_even_when_empty_ones_are_not() -> None:
    with pytest.raises(SettingsError, match="rmse_floor"):
        tighten(RECOMMENDER, {"rmse_floor": 1.0})


@given(st.floats(0, 3), st.floats(0, 3))
def test_tightening_never_loosens(first: float, second: float) -> None:
    policy = RECOMMENDER
    for value in (first, second):
        try:
            policy = tighten(policy, {"rmse_ceiling": value})
        except SettingsError:
            assert value > policy.rmse_ceiling
        else:
            assert policy.rmse_ceiling == value
    assert policy.rmse_ceiling <= RECOMMENDER.rmse_ceiling


def test_what_an_older_run_froze_is_read_with_the_defaults() -> None:
    old = {"rmse_ceiling": 1.0, "coverage_floor": 0.5, "margin_rmse": 0.01, "margin_ndcg": 0.03}
    policy = read_policy("recommender", old | {"fewest_people": 30})
    assert (policy.rmse_ceiling, policy.world_shrink, policy.world_psi) == (1.0, 0.02, 0.2)
