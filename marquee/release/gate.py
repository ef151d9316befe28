"""The gate: an evaluation and a policy in, a verdict out. Pure, total, and closed when in doubt.

`decide` never raises, whatever the evaluation holds: what cannot be judged is refused with a
sentence. Where the figures themselves are not sound, conditions 2 to 4 are left out (there is
nothing to judge them on), and a verdict without all its conditions is not approved.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from marquee.release import absolute, balance, relative
from marquee.release.condition import Condition
from marquee.release.metric import LOG_RMSE, NDCG, RMSE, Metric
from marquee.release.policy import BudgetPolicy, Policy, RecommenderPolicy
from marquee.release.reading import dig, number, read_loss
from marquee.release.subject import Head, Subject
from marquee.release.verdict import Verdict


def decide(
    evaluation: Any,
    policy: Policy,
    *,
    subject: Subject,
    champion: Mapping[str, Any] | None,
    incumbent_same: bool,
    accepted_losses: Mapping[str, float],
) -> Verdict:
    """Judge one challenger; every condition with its measured value, its bound and a sentence.

    `champion` is `inputs.json`'s (number, digest, …; None before the first promotion);
    `incumbent_same` says that the challenger has its recipe and code; `accepted_losses` is the
    ledger's balance at the champion, by metric, as shares.
    """
    rules = _RULES[type(policy)](evaluation, policy)
    finite = absolute.figures_finite(evaluation, subject.model, rules.needed)
    conditions = [finite, *rules.sound]
    against = _Against(champion, incumbent_same, accepted_losses)
    if finite.passed:
        conditions += [*rules.alone, *_beside_champion(evaluation, rules, against)]
    conditions += absolute.servable(evaluation)
    losses = _losses(evaluation, rules, against)
    return Verdict(
        subject=subject, conditions=tuple(conditions), head=_head(champion), losses=losses
    )


@dataclass(frozen=True)
class _Rules:
    """What one kind of model is asked."""

    needed: tuple[str, ...]
    sound: list[Condition]
    alone: list[Condition]
    """Conditions 2 and 3."""
    margins: Mapping[Metric, float]
    """The metrics compared with the champion, and the share each may lose."""
    holdout: relative.Holdout


def _ask_recommender(e: Any, p: RecommenderPolicy) -> _Rules:
    holdout = relative.read_holdout(e, "people", p.fewest_people)
    return _Rules(
        needed=("rmse", "ndcg@10", "answered", "coverage"),
        sound=[
            absolute.holdout_filled(e, "people"),
            absolute.every_pair_answered(e),
            absolute.coverage_reached(e, p.coverage_floor),
        ],
        alone=[
            absolute.below_ceiling(e, RMSE, p.rmse_ceiling),
            relative.beats(e, RMSE, "bias", "the bias model", holdout),
            relative.beats(e, NDCG, "popularity", "popularity", holdout),
        ],
        margins={RMSE: p.margin_rmse, NDCG: p.margin_ndcg},
        holdout=holdout,
    )


def _ask_budget(e: Any, p: BudgetPolicy) -> _Rules:
    holdout = relative.read_holdout(e, "titles", p.fewest_titles)
    return _Rules(
        needed=("log_rmse", "answered"),
        sound=[absolute.holdout_filled(e, "titles"), absolute.every_pair_answered(e)],
        alone=[
            absolute.below_ceiling(e, LOG_RMSE, p.log_rmse_ceiling),
            relative.beats(e, LOG_RMSE, "median_by_genre", "the median by genre", holdout),
            relative.near(e, LOG_RMSE, "ridge", "ridge regression", p.margin_ridge),
        ],
        margins={LOG_RMSE: p.margin_log_rmse},
        holdout=holdout,
    )


_RULES: Mapping[type, Callable[[Any, Any], _Rules]] = {
    RecommenderPolicy: _ask_recommender,
    BudgetPolicy: _ask_budget,
}


@dataclass(frozen=True)
class _Against:
    """What the challenger must not fall behind."""

    champion: Any
    is_same: bool
    accepted: Any


def _beside_champion(evaluation: Any, rules: _Rules, against: _Against) -> list[Condition]:
    if _is_first(evaluation, against):
        return [_champion(True, "nothing serves yet, so there is nothing to fall behind")]
    if against.champion is not None and _head(against.champion) is None:
        return [_champion(False, "the champion this run was told of cannot be read")]
    if against.champion is not None and against.is_same:
        return [_by_identity(rules, against)]
    conditions: list[Condition] = []
    for metric, margin in rules.margins.items():
        conditions += relative.not_worse(
            evaluation, metric, margin, against.accepted, rules.holdout
        )
    return conditions


def _is_first(evaluation: Any, against: _Against) -> bool:
    """No champion, and no stand-in for one either (a backfill may bring the default recipe)."""
    return against.champion is None and dig(evaluation, "versus", "champion") is None


def _by_identity(rules: _Rules, against: _Against) -> Condition:
    readable = None not in (balance.balance_before(against.accepted, m.key) for m in rules.margins)
    return _champion(
        readable,
        "it has the champion's recipe and code, only newer rows: it passes by identity"
        if readable
        else "the ledger's accepted losses cannot be read",
    )


def _champion(passed: bool, sentence: str) -> Condition:
    return Condition(relative.CHAMPION, "against the champion", passed, sentence)


def _losses(evaluation: Any, rules: _Rules, against: _Against) -> dict[str, float]:
    """The balance a promotion would book: unchanged by identity, else after this comparison."""
    balances: dict[str, float | None] = {}
    for metric, margin in rules.margins.items():
        loss = read_loss(evaluation, "champion", metric.key, metric.lower_is_better)
        if _is_first(evaluation, against) or against.is_same or loss is None:
            balances[metric.key] = balance.balance_before(against.accepted, metric.key)
        else:
            balances[metric.key] = balance.balance_after(loss, against.accepted, margin)
    return {key: share for key, share in balances.items() if share is not None and share < math.inf}


def _head(champion: Any) -> Head | None:
    """The ledger entry a verdict stands on."""
    entry, digest = number(champion, "number"), dig(champion, "digest")
    if entry is None or entry < 1 or not entry.is_integer() or not isinstance(digest, str):
        return None
    return Head(int(entry), digest)
