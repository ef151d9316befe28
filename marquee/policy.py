"""The gate's bounds, typed: data in `config/`, which a run's form may only tighten.

Every bound states which direction is stricter, so `tighten` needs no list of its own. The names of
the models and of a run's choices stand here too, because everybody needs them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, replace
from typing import Any, Literal, get_args

from marquee.errors import SettingsError

Model = Literal["recommender", "budget"]
MODELS: tuple[Model, ...] = get_args(Model)
Promote = Literal["yes", "ask", "no"]
"""Whether an approved model serves, waits for a person's approval, or is only judged."""
Search = Literal["none", "quick", "full"]
"""How many recipes training tries: the champion's alone, those of a quick search, or all."""


def _bound(
    stricter: Literal["lower", "higher"], least: float, most: float, default: Any = MISSING
) -> Any:
    """One bound; a later bound has a default, because the inputs of older runs lack it."""
    metadata = {"stricter": stricter, "least": least, "most": most}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class SameWorld:
    """Bounds of condition 5, for either model."""

    world_shrink: float = _bound("lower", 0.0, 1.0, 0.02)
    """Share of rows, people or titles that may be gone."""
    world_leak: float = _bound("lower", 0.0, 1.0, 0.1)
    """Share that may be gone of the most that served since a person last accepted a world."""
    world_growth: float = _bound("lower", 1.0, math.inf, 3.0)
    """How many times as many there may be; of crawled titles, for each interval since."""
    world_psi: float = _bound("lower", 0.0, math.inf, 0.2)
    """Population stability index of a distribution."""
    world_class_shrink: float = _bound("lower", 0.0, 1.0, 0.2)
    """Share of one decade, genre or class of people's activity that may be gone."""
    world_noise: float = _bound("higher", 0.0, math.inf, 0.05)
    """The index expected of two samples of one world; above it the index decides nothing."""


@dataclass(frozen=True, kw_only=True)
class RecommenderPolicy(SameWorld):
    """Bounds of the recommender; margins are shares of the champion's own figure."""

    rmse_ceiling: float = _bound("lower", 0.0, math.inf)
    """Stars; the challenger's RMSE must not be above."""
    coverage_floor: float = _bound("higher", 0.0, 1.0)
    """Share of holdout rows that must be answered personally."""
    margin_rmse: float = _bound("lower", 0.0, 1.0)
    margin_ndcg: float = _bound("lower", 0.0, 1.0)
    fewest_people: float = _bound("higher", 2.0, math.inf)
    """People in the holdout below which no difference counts as shown."""
    world_mean: float = _bound("lower", 0.0, math.inf, 0.1)
    """Stars by which the mean rating may differ from the champion's world."""
    world_drift: float = _bound("lower", 0.0, math.inf, 0.3)
    """Stars by which it may differ from the first that served since then."""

    def __post_init__(self) -> None:
        _check(self)


@dataclass(frozen=True, kw_only=True)
class BudgetPolicy(SameWorld):
    """Bounds of the budget model; errors are in log10 dollars."""

    log_rmse_ceiling: float = _bound("lower", 0.0, math.inf)
    margin_log_rmse: float = _bound("lower", 0.0, 1.0)
    margin_ridge: float = _bound("lower", 0.0, 1.0)
    """Share of ridge's error by which the challenger may be above it."""
    fewest_titles: float = _bound("higher", 2.0, math.inf)
    """Titles in the holdout below which no difference counts as shown."""
    bias_most: float = _bound("lower", 0.0, math.inf, 0.08)
    """log10 dollars; the interval of the mean error must not lie wholly beyond."""
    interval_coverage_floor: float = _bound("higher", 0.0, 1.0, 0.80)
    """The interval of the intervals' coverage must not lie wholly below."""
    world_crawl: float = _bound("lower", 0.0, math.inf, 1500.0)
    """Titles a crawl may add in one interval, however few there were."""
    world_missing: float = _bound("lower", 0.0, 1.0, 0.1)
    """By how much the share of titles without a field may rise."""

    def __post_init__(self) -> None:
        _check(self)


Policy = RecommenderPolicy | BudgetPolicy
POLICIES: Mapping[str, type[RecommenderPolicy] | type[BudgetPolicy]] = {
    "recommender": RecommenderPolicy,
    "budget": BudgetPolicy,
}


def read_policy(model: str, values: Mapping[str, Any]) -> Policy:
    """The policy of `model` from a table; SettingsError names every key that is wrong."""
    if model not in POLICIES:
        raise SettingsError(f"there is no policy for a model '{model}'", _one_of(POLICIES))
    known = {f.name for f in fields(POLICIES[model])}
    needed = {f.name for f in fields(POLICIES[model]) if f.default is MISSING}
    unknown, missing = sorted(set(values) - known), sorted(needed - set(values))
    if unknown or missing:
        wrong = [f"unknown key '{k}'" for k in unknown] + [f"missing key '{k}'" for k in missing]
        raise SettingsError(
            f"[policy.{model}] has {', '.join(wrong)}", f"correct it in config/: {_one_of(known)}"
        )
    return POLICIES[model](**values)


def tighten(policy: Policy, overrides: Mapping[str, Any]) -> Policy:
    """The policy with stricter bounds; a value of None leaves its key alone.

    Raises SettingsError naming the key that is unknown, not a number, or would loosen the gate.
    """
    known = {f.name: f for f in fields(policy)}
    given = {key: value for key, value in overrides.items() if value is not None}
    for key in given:
        if key not in known:
            raise SettingsError(f"the gate has no bound '{key}'", _one_of(known))
    tightened = replace(policy, **given)
    for key in given:
        _refuse_loosening(known[key], getattr(policy, key), getattr(tightened, key))
    return tightened


def _refuse_loosening(bound: Field[Any], current: float, given: float) -> None:
    is_looser = given > current if bound.metadata["stricter"] == "lower" else given < current
    if is_looser:
        limit = "most" if bound.metadata["stricter"] == "lower" else "least"
        raise SettingsError(
            f"'{bound.name}' = {given:g} would loosen the gate, which holds {current:g}",
            f"a run may only tighten it: give at {limit} {current:g}, or change config/",
        )


def _check(policy: Policy) -> None:
    for bound in fields(policy):
        value, name = getattr(policy, bound.name), bound.name
        least, most = bound.metadata["least"], bound.metadata["most"]
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not math.isfinite(value) or not least <= value <= most:
            span = (
                f"from {least:g} to {most:g}" if math.isfinite(most) else f"of at least {least:g}"
            )
            raise SettingsError(f"the gate's '{name}' is {value!r}", f"give a number {span}")


def _one_of(names: Any) -> str:
    return "known are " + ", ".join(sorted(names))
