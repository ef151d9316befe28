"""The gate's bounds, typed; data in `config/`, and a run's form may only tighten them.

Every bound says which direction is the stricter one, so `tighten` needs no list of its own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields, replace
from typing import Any, Literal

from marquee.errors import SettingsError

Model = Literal["recommender", "budget"]


def _bound(stricter: Literal["lower", "higher"], least: float, most: float) -> Any:
    return field(metadata={"stricter": stricter, "least": least, "most": most})


@dataclass(frozen=True, kw_only=True)
class RecommenderPolicy:
    """Bounds of the recommender; margins are shares of the champion's own figure."""

    rmse_ceiling: float = _bound("lower", 0.0, math.inf)
    """Stars; the challenger's RMSE must not be above."""
    coverage_floor: float = _bound("higher", 0.0, 1.0)
    """Share of holdout rows that must be answered personally."""
    margin_rmse: float = _bound("lower", 0.0, 1.0)
    margin_ndcg: float = _bound("lower", 0.0, 1.0)
    fewest_people: float = _bound("higher", 2.0, math.inf)
    """People in the holdout below which no difference counts as shown."""

    def __post_init__(self) -> None:
        _check(self)


@dataclass(frozen=True, kw_only=True)
class BudgetPolicy:
    """Bounds of the budget model; errors are in log10 dollars."""

    log_rmse_ceiling: float = _bound("lower", 0.0, math.inf)
    margin_log_rmse: float = _bound("lower", 0.0, 1.0)
    margin_ridge: float = _bound("lower", 0.0, 1.0)
    """Share of ridge's error by which the challenger may be above it."""
    fewest_titles: float = _bound("higher", 2.0, math.inf)
    """Titles in the holdout below which no difference counts as shown."""

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
    unknown, missing = sorted(set(values) - known), sorted(known - set(values))
    if unknown or missing:
        said = [f"unknown key '{k}'" for k in unknown] + [f"missing key '{k}'" for k in missing]
        raise SettingsError(
            f"[policy.{model}] has {', '.join(said)}", f"correct it in config/: {_one_of(known)}"
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


def _refuse_loosening(bound: Field[Any], current: float, asked: float) -> None:
    looser = asked > current if bound.metadata["stricter"] == "lower" else asked < current
    if looser:
        side = "most" if bound.metadata["stricter"] == "lower" else "least"
        raise SettingsError(
            f"'{bound.name}' = {asked:g} would loosen the gate, which holds {current:g}",
            f"a run may only tighten it: give at {side} {current:g}, or change config/",
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
