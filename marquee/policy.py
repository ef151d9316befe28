"""The gate's bounds as typed values, and the names of the models and of a run's choices.

The values come from `config/`. A run's form may only tighten a bound, so every bound states which
direction is stricter.
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
"""An approved model is promoted (`yes`), waits for a person's approval (`ask`), or is not promoted
(`no`)."""
Search = Literal["none", "quick", "full"]
"""Training tries the champion's recipe (`none`), the recipes of a quick search, or all recipes."""


def _bound(
    stricter: Literal["lower", "higher"], least: float, most: float, default: Any = MISSING
) -> Any:
    """One bound. A bound of a later release has a default, because inputs of older runs lack it."""
    metadata = {"stricter": stricter, "least": least, "most": most}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class SameWorld:
    """Bounds of condition 5: the data are like the data of the champion's run."""

    world_shrink: float = _bound("lower", 0.0, 1.0, 0.02)
    """Largest share of rows, people or titles that may be missing since the champion's run."""
    world_leak: float = _bound("lower", 0.0, 1.0, 0.1)
    """Largest share that may be missing since the largest data of any earlier champion.

    `world_shrink` bounds one step, `world_leak` the sum of many small steps. Champions before a
    person's last `accept_world` do not count.
    """
    world_growth: float = _bound("lower", 1.0, math.inf, 3.0)
    """Largest ratio of counts, now to the champion's run; for crawled titles, in each interval."""
    world_psi: float = _bound("lower", 0.0, math.inf, 0.2)
    """Largest population stability index (PSI) of a distribution against the champion's run."""
    world_class_shrink: float = _bound("lower", 0.0, 1.0, 0.2)
    """Largest share of one decade, genre or activity class that may be missing."""
    world_noise: float = _bound("higher", 0.0, math.inf, 0.05)
    """Largest PSI expected by chance (`expected_psi`) at which the PSI is still judged."""


@dataclass(frozen=True, kw_only=True)
class RecommenderPolicy(SameWorld):
    """Bounds of the recommender."""

    rmse_ceiling: float = _bound("lower", 0.0, math.inf)
    """Stars; the largest RMSE of a challenger."""
    coverage_floor: float = _bound("higher", 0.0, 1.0)
    """Least share of holdout rows with a personal answer."""
    margin_rmse: float = _bound("lower", 0.0, 1.0)
    """Largest accepted rise of RMSE against the champion, as a share of the champion's RMSE."""
    margin_ndcg: float = _bound("lower", 0.0, 1.0)
    """Largest accepted fall of nDCG@10 against the champion, as a share of the champion's nDCG."""
    fewest_people: float = _bound("higher", 2.0, math.inf)
    """Least number of people in the holdout for a comparison."""
    world_mean: float = _bound("lower", 0.0, math.inf, 0.1)
    """Stars; the largest change of the mean rating since the champion's run."""
    world_drift: float = _bound("lower", 0.0, math.inf, 0.3)
    """Stars; the largest change of the mean rating since the first champion.

    The first champion is the first since a person's last `accept_world`, if there is one.
    """

    def __post_init__(self) -> None:
        _check(self)


@dataclass(frozen=True, kw_only=True)
class BudgetPolicy(SameWorld):
    """Bounds of the budget model; errors are in log10 dollars."""

    log_rmse_ceiling: float = _bound("lower", 0.0, math.inf)
    """The largest log-RMSE of a challenger."""
    margin_log_rmse: float = _bound("lower", 0.0, 1.0)
    """Largest accepted rise of log-RMSE against the champion, as a share of the champion's."""
    margin_ridge: float = _bound("lower", 0.0, 1.0)
    """Largest accepted excess over the error of ridge regression, as a share of that error."""
    fewest_titles: float = _bound("higher", 2.0, math.inf)
    """Least number of titles (directors, where the evaluation counts them) for a comparison."""
    bias_most: float = _bound("lower", 0.0, math.inf, 0.08)
    """The 95 % interval of the mean error must reach into -`bias_most` to +`bias_most`."""
    interval_coverage_floor: float = _bound("higher", 0.0, 1.0, 0.80)
    """The 95 % interval of the coverage of cost intervals must reach this share."""
    world_crawl: float = _bound("lower", 0.0, math.inf, 1500.0)
    """Titles that a crawl may add in one interval, also where `world_growth` allows fewer."""
    world_missing: float = _bound("lower", 0.0, 1.0, 0.1)
    """Largest rise of the share of titles without a field, since the champion's run."""

    def __post_init__(self) -> None:
        _check(self)


Policy = RecommenderPolicy | BudgetPolicy
POLICIES: Mapping[str, type[RecommenderPolicy] | type[BudgetPolicy]] = {
    "recommender": RecommenderPolicy,
    "budget": BudgetPolicy,
}


def read_policy(model: str, values: Mapping[str, Any]) -> Policy:
    """The policy of `model` from a table; SettingsError names every unknown and missing key."""
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
    """The policy with the stricter bounds of `overrides`; a value of None changes nothing.

    Raises SettingsError with the first key that is unknown, has no number, or would loosen the
    gate.
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
