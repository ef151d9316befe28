"""Condition 4: the challenger beside the champion, retrained or as it recorded itself.

Another recipe is compared with the champion's, retrained on the same rows by the same code. Where
the code is another, that champion is the new code's too: the challenger is compared with what the
champion recorded of its own holdout, on the people or titles whose holdout rows are the same
(ADR 28). The same recipe and code pass by identity: only the rows are newer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from marquee.release import balance, relative
from marquee.release.condition import Condition
from marquee.release.evaluation import Evaluation
from marquee.release.loss import Loss, read_loss, recorded_loss
from marquee.release.metric import Metric
from marquee.release.relative import CHAMPION, RECORDED, RETRAINED, Holdout
from marquee.release.subject import Head

ONE_SIDED = balance.ONE_SIDED_95 / 1.960
"""From the half width of a two-sided 95 % interval to the one-sided bound of a normal figure."""


@dataclass(frozen=True)
class Against:
    """What the challenger must not fall behind."""

    head: Head | None
    """The champion's ledger entry; None before the first promotion."""
    same_recipe: bool = False
    same_code: bool = False
    accepted: Any = field(default_factory=dict)
    """The ledger's balance at the champion, by metric, as shares."""
    recorded: Evaluation = field(default_factory=Evaluation)
    """The champion's own `evaluation.json`."""

    @property
    def is_identical(self) -> bool:
        """Whether only the rows are newer."""
        return self.head is not None and self.same_recipe and self.same_code

    @property
    def is_retrained(self) -> bool:
        """Whether the champion's recipe was fitted beside the challenger's."""
        return self.head is None or not self.same_recipe


@dataclass(frozen=True)
class Compared:
    """The metrics compared, the share each may lose, and what the comparison rests on."""

    margins: Mapping[Metric, float]
    holdout: Holdout


def beside_champion(evaluation: Evaluation, asked: Compared, against: Against) -> list[Condition]:
    """Every comparison with the champion that there must be; at least one condition."""
    if is_first(evaluation, against):
        return [_said(True, "nothing serves yet, so there is nothing to fall behind")]
    if against.is_identical:
        return [_by_identity(asked, against)]
    found: list[Condition] = []
    for metric, margin in asked.margins.items():
        if against.is_retrained:
            loss = read_loss(evaluation, "champion", metric)
            accepted, holdout = against.accepted, asked.holdout
            found += relative.not_worse(loss, metric, margin, accepted, holdout, RETRAINED)
        if against.head is not None and not against.same_code:
            found += _beside_record(evaluation, metric, margin, asked, against)
    return found


def is_first(evaluation: Evaluation, against: Against) -> bool:
    """No champion, and no stand-in for one either (a backfill may bring the default recipe)."""
    stand_in = evaluation.versus.champion if evaluation.versus else None
    return against.head is None and stand_in is None


def losses(evaluation: Evaluation, asked: Compared, against: Against) -> dict[str, float]:
    """The balance a promotion would book: after each comparison made, else unchanged."""
    found: dict[str, float] = {}
    for metric, margin in asked.margins.items():
        made = _losses_made(evaluation, metric, asked, against)
        balances = [balance.balance_after(loss, against.accepted, margin) for loss in made]
        if not made:
            balances = [balance.balance_before(against.accepted, metric.key)]
        known = [share for share in balances if share is not None]
        if known and max(known) < math.inf:
            found[metric.key] = max(known)
    return found


def _losses_made(
    evaluation: Evaluation, metric: Metric, asked: Compared, against: Against
) -> list[Loss]:
    if is_first(evaluation, against) or against.is_identical:
        return []
    retrained = read_loss(evaluation, "champion", metric) if against.is_retrained else None
    by_record = against.head is not None and not against.same_code
    is_enough = by_record and _matched(evaluation, asked.holdout).is_enough
    recorded = recorded_loss(evaluation, metric) if is_enough else None
    return [loss for loss in (retrained, recorded) if loss is not None]


def _beside_record(
    evaluation: Evaluation, metric: Metric, margin: float, asked: Compared, against: Against
) -> list[Condition]:
    matched = _matched(evaluation, asked.holdout)
    if not matched.is_enough:
        return [_beside_recorded_figure(evaluation, metric, margin, matched, against.recorded)]
    loss = recorded_loss(evaluation, metric)
    return relative.not_worse(loss, metric, margin, against.accepted, matched, RECORDED)


def _matched(evaluation: Evaluation, holdout: Holdout) -> Holdout:
    record = evaluation.record
    found = record.matched if record else 0.0
    return Holdout(f"{holdout.units} of the champion's", found, holdout.least)


def _beside_recorded_figure(
    evaluation: Evaluation, metric: Metric, margin: float, matched: Holdout, recorded: Evaluation
) -> Condition:
    """Too few are the same to pair: the two figures, each with its own interval.

    They were measured on other rows, so the loss beyond the margin must be shown: the bound of
    the difference of two independent figures, from the half widths of their own intervals.
    """
    title = f"{metric.label} against {RECORDED}"
    ours, theirs = evaluation.metric(metric.key), recorded.metric(metric.key)
    if ours is None or theirs is None or theirs < 0:
        sentence = f"the champion's recorded {metric.label} is missing or cannot be read"
        return Condition(CHAMPION, title, False, sentence)
    loss = ours - theirs if metric.lower_is_better else theirs - ours
    widths = _half_width(evaluation, metric), _half_width(recorded, metric)
    most = margin * theirs + ONE_SIDED * math.hypot(*widths)
    sentence = (
        f"{metric.label} {ours:.4f}, the champion recorded {theirs:.4f}; {matched.sentence}, so "
        f"the figures are compared as they stand: {most:.4f} worse is accepted, the margin of "
        f"{margin:.1%} and what both 95 % intervals allow"
    )
    return Condition(CHAMPION, title, loss <= most, sentence, loss, "loss at most", most)


def _half_width(evaluation: Evaluation, metric: Metric) -> float:
    """Half of the metric's own interval; 0, the strictest, where there is none."""
    ends = (evaluation.intervals or {}).get(metric.key)
    low, high = ends or (None, None)
    return 0.0 if low is None or high is None else max(high - low, 0.0) / 2


def _by_identity(asked: Compared, against: Against) -> Condition:
    readable = None not in (balance.balance_before(against.accepted, m.key) for m in asked.margins)
    return _said(
        readable,
        "it has the champion's recipe and code, only newer rows: it passes by identity"
        if readable
        else "the ledger's accepted losses cannot be read",
    )


def _said(passed: bool, sentence: str) -> Condition:
    return Condition(CHAMPION, "against the champion", passed, sentence)
