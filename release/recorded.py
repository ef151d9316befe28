"""Condition 4 beside what the champion recorded of its own holdout (ADR 28).

The champion as recorded was fitted on other rows than the challenger, so a difference is not the
code's alone: a loss refuses where it is shown, and every loss is booked on the balance.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from marquee.artefacts.condition import Condition
from marquee.artefacts.evaluation import Evaluation, Record
from release import balance, relative
from release.loss import Loss, recorded_loss
from release.metric import LOG_RMSE, NDCG, RMSE, Metric
from release.relative import CHAMPION, RECORDED, Holdout

TWO_SIDED_95 = 1.960
"""Standard errors in half an interval."""
WIDEST = 0.2
"""Of the figure: half an interval that is wider tells nothing, and allows nothing."""
ALWAYS = frozenset({RMSE.key, NDCG.key, LOG_RMSE.key})
"""What every release measured: a champion's evaluation without it is damaged."""


@dataclass(frozen=True)
class Made:
    """One comparison: what it says, and the loss that a promotion books."""

    conditions: list[Condition]
    loss: Loss | None = None


@dataclass(frozen=True)
class Asked:
    """One metric, what may be lost of it, and what the comparison rests on."""

    metric: Metric
    margin: float
    holdout: Holdout
    accepted: Any = field(default_factory=dict)
    """The ledger's balance, by metric."""

    @property
    def title(self) -> str:
        """The condition's name."""
        return f"{self.metric.label} against {RECORDED}"


def matched(record: Record | None, asked: Asked) -> Holdout:
    """How many people (directors) both were asked the same about; the metric's own count where
    the record gives one."""
    found = 0.0
    if record is not None:
        own = _own_count(record, asked.metric)
        found = record.matched or 0.0 if own is None else own
    return Holdout(f"{asked.holdout.units} of the champion's", found, asked.holdout.least)


def _own_count(record: Record, metric: Metric) -> float | None:
    comparison = record.metrics.get(metric.key)
    return comparison.matched if comparison else None


def paired(evaluation: Evaluation, asked: Asked, preface: str = "") -> Made | None:
    """The comparison on what both were asked about.

    None where there is nothing to pair: no record, none of this metric, or too few.
    """
    record = evaluation.record
    if record is not None and not _in_order(record, asked.metric):
        return _unreadable(asked)
    common = matched(record, asked)
    if record is None or asked.metric.key not in record.metrics or not common.is_enough:
        return None
    loss = recorded_loss(evaluation, asked.metric)
    if loss is None:
        return _unreadable(asked)
    shown = relative.not_shown_worse(asked.title, asked.metric, asked.margin, loss, preface)
    return Made([shown, _balance(asked, loss)], loss)


def as_they_stand(evaluation: Evaluation, asked: Asked, recorded: Evaluation) -> Made:
    """Nothing to pair: the two figures, each with its own interval.

    They were measured on other rows, so the loss beyond the margin must be shown: the bound of
    the difference of two independent figures, from the half widths of their own intervals.
    """
    metric = asked.metric
    ours, theirs = evaluation.metric(metric.key), recorded.metric(metric.key)
    if metric.key not in ALWAYS and metric.key not in (recorded.metrics or {metric.key: None}):
        sentence = f"the champion's release did not measure {metric.label}: nothing to fall behind"
        return Made([Condition(CHAMPION, asked.title, ours is not None, sentence)])
    if ours is None or theirs is None or theirs < 0:
        return Made([Condition(CHAMPION, asked.title, False, _no_figure(metric))])
    loss = _difference(metric, ours, theirs, evaluation, recorded)
    most = asked.margin * theirs + (loss.upper - loss.point)
    sentence = (
        f"{metric.label} {ours:.4f}, the champion recorded {theirs:.4f}; "
        f"{matched(evaluation.record, asked).sentence}, so the figures are compared as they "
        f"stand: {most:.4f} worse is accepted, the margin of {asked.margin:.1%} and what both "
        f"95 % intervals allow"
    )
    measured, bound = relative.finite(loss.point), relative.finite(most)
    passed = None not in (measured, bound) and loss.point <= most
    condition = Condition(CHAMPION, asked.title, passed, sentence, measured, "loss at most", bound)
    return Made([condition, _balance(asked, loss)], loss)


def _difference(
    metric: Metric, ours: float, theirs: float, evaluation: Evaluation, recorded: Evaluation
) -> Loss:
    """Two independent figures as a loss, with the one-sided bounds of their difference."""
    point = ours - theirs if metric.lower_is_better else theirs - ours
    widths = _half_width(evaluation, metric), _half_width(recorded, metric)
    spread = balance.ONE_SIDED_95 / TWO_SIDED_95 * math.hypot(*widths)
    return Loss(metric.key, theirs, ours, point, point + spread, point - spread)


def _half_width(evaluation: Evaluation, metric: Metric) -> float:
    """Half of the metric's own interval; 0, the strictest, where that is none of this figure."""
    low, high = (evaluation.intervals or {}).get(metric.key) or (None, None)
    figure = evaluation.metric(metric.key)
    if low is None or high is None or figure is None or not low <= figure <= high:
        return 0.0
    half = high / 2 - low / 2
    return half if half <= WIDEST * abs(figure) else 0.0


def _in_order(record: Record, metric: Metric) -> bool:
    """Whether the counts can be: the metric's within the matched, those within all."""
    own = _own_count(record, metric)
    counts = (0.0, record.matched if own is None else own, record.matched, record.units)
    known = [count for count in counts if count is not None]
    return len(known) == len(counts) and known == sorted(known)


def _balance(asked: Asked, loss: Loss) -> Condition:
    return balance.within_balance(asked.metric, asked.margin, loss, asked.accepted)


def _unreadable(asked: Asked) -> Made:
    sentence = relative.unreadable(asked.metric, RECORDED)
    return Made([Condition(CHAMPION, asked.title, False, sentence)])


def _no_figure(metric: Metric) -> str:
    return (
        f"the champion's recorded {metric.label} is missing or cannot be read: restore its "
        f"bundle's evaluation.json from its run or a copy of the lake, or roll back to a bundle "
        f"that has one (marquee rollback)"
    )
