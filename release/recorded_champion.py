"""Group 4 of the gate, compared with the champion's holdout record (ADR 19).

The champion was fitted on other rows than the challenger, so a difference comes from the code or
from the rows. Therefore a loss refuses the challenger only where a 95 % bound shows it, and every
loss adds to the balance. `champion_conditions` decides when this comparison is made.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from marquee.artefacts.evaluation import Evaluation, Record
from marquee.artefacts.verdict import CHAMPION, Condition
from release.losses import (
    LOG_RMSE,
    NDCG,
    ONE_SIDED_95,
    RMSE,
    Holdout,
    Loss,
    Metric,
    finite,
    recorded_loss,
    unreadable,
    within_balance,
    worse_by,
)

RECORDED = "the champion as recorded"
TWO_SIDED_95 = 1.960
"""Standard errors in half a two-sided 95 % interval."""
WIDEST_HALF_INTERVAL = 0.2
"""A share of the figure: a half interval wider than this counts as 0, and allows no loss."""
ALWAYS_MEASURED = frozenset({RMSE.key, NDCG.key, LOG_RMSE.key})
"""Metrics that every release measures: a champion's evaluation that lacks one is damaged."""


@dataclass(frozen=True)
class ComparisonTerms:
    """What a comparison on one metric needs to know."""

    metric: Metric
    margin: float
    """The share of the champion's figure that may be lost."""
    holdout: Holdout
    accepted: Any = field(default_factory=dict)
    """The ledger's balance of accepted losses, by metric."""

    @property
    def title(self) -> str:
        """The condition's name."""
        return f"{self.metric.label} against {RECORDED}"


@dataclass(frozen=True)
class ComparisonResult:
    """The conditions of one comparison, and the loss that a promotion adds to the balance."""

    conditions: list[Condition]
    loss: Loss | None = None


def compare_paired(
    evaluation: Evaluation, terms: ComparisonTerms, preface: str = ""
) -> ComparisonResult | None:
    """The comparison on the people or titles whose holdout rows are the same.

    `preface` starts the condition's sentence. None where nothing can be paired: there is no record,
    the record lacks this metric, or too few people or titles match.
    """
    record = evaluation.record
    if record is not None and not _in_order(record, terms.metric):
        return _unreadable(terms)
    common = matched_holdout(record, terms)
    if record is None or terms.metric.key not in record.metrics or not common.is_enough:
        return None
    loss = recorded_loss(evaluation, terms.metric)
    if loss is None:
        return _unreadable(terms)
    return ComparisonResult([_not_shown_worse(terms, loss, preface), _balance(terms, loss)], loss)


def compare_unpaired(
    evaluation: Evaluation, terms: ComparisonTerms, recorded: Evaluation
) -> ComparisonResult:
    """The comparison of two figures that were measured on different rows; nothing is paired.

    The condition fails where the loss exceeds the margin plus the one-sided 95 % bound of the
    difference. The bound follows from the intervals of both figures, taken as independent.
    """
    metric = terms.metric
    ours, theirs = evaluation.metric(metric.key), recorded.metric(metric.key)
    is_optional = metric.key not in ALWAYS_MEASURED
    if is_optional and metric.key not in (recorded.metrics or {metric.key: None}):
        sentence = f"the champion's release did not measure {metric.label}: nothing to fall behind"
        return ComparisonResult([Condition(CHAMPION, terms.title, ours is not None, sentence)])
    if ours is None or theirs is None or theirs < 0:
        return ComparisonResult([Condition(CHAMPION, terms.title, False, _no_figure(metric))])
    loss = _difference(metric, ours, theirs, evaluation, recorded)
    most = terms.margin * theirs + (loss.upper - loss.point)
    sentence = (
        f"{metric.label} {ours:.4f}, the champion recorded {theirs:.4f}; "
        f"{matched_holdout(evaluation.record, terms).sentence}, so the figures are compared as "
        f"they stand: {most:.4f} worse is accepted, the margin of {terms.margin:.1%} and what both "
        f"95 % intervals allow"
    )
    measured, bound = finite(loss.point), finite(most)
    passed = None not in (measured, bound) and loss.point <= most
    condition = Condition(CHAMPION, terms.title, passed, sentence, measured, "loss at most", bound)
    return ComparisonResult([condition, _balance(terms, loss)], loss)


def matched_holdout(record: Record | None, terms: ComparisonTerms) -> Holdout:
    """How many people (or directors) have the same holdout rows in both evaluations.

    Where the record has a count for the metric, it is that one; else the record's count.
    """
    found = 0.0
    if record is not None:
        own = _own_count(record, terms.metric)
        found = record.matched or 0.0 if own is None else own
    return Holdout(f"{terms.holdout.units} of the champion's", found, terms.holdout.least)


def _own_count(record: Record, metric: Metric) -> float | None:
    comparison = record.metrics.get(metric.key)
    return comparison.matched if comparison else None


def _in_order(record: Record, metric: Metric) -> bool:
    """Whether 0 <= the metric's count <= matched units <= all units."""
    own = _own_count(record, metric)
    counts = (0.0, record.matched if own is None else own, record.matched, record.units)
    known = [count for count in counts if count is not None]
    return len(known) == len(counts) and known == sorted(known)


def _not_shown_worse(terms: ComparisonTerms, loss: Loss, preface: str) -> Condition:
    """Fails where the loss exceeds the margin and its lower 95 % bound is above zero."""
    margin = terms.margin
    point, lower = loss.share(loss.point), loss.share(loss.lower)
    sentence = f"{preface}{loss.figures(terms.metric, RECORDED)}: {worse_by(point)}"
    if point <= margin:
        sentence += f"; up to {margin:.1%} worse is accepted"
        return _loss_at_most(terms, True, sentence, point, margin)
    if lower <= 0:
        sentence += f", beyond the margin of {margin:.1%}, but a loss is not shown"
        return _loss_at_most(terms, True, sentence, lower, 0.0)
    sentence += f", more than the margin of {margin:.1%}, and a loss is shown with 95 % confidence"
    return _loss_at_most(terms, False, sentence, point, margin)


def _loss_at_most(
    terms: ComparisonTerms, passed: bool, sentence: str, share: float, most: float
) -> Condition:
    return Condition(
        CHAMPION, terms.title, passed, sentence, finite(share), "loss at most", most, "share"
    )


def _balance(terms: ComparisonTerms, loss: Loss) -> Condition:
    return within_balance(terms.metric, terms.margin, loss, terms.accepted)


def _unreadable(terms: ComparisonTerms) -> ComparisonResult:
    sentence = unreadable(terms.metric, RECORDED)
    return ComparisonResult([Condition(CHAMPION, terms.title, False, sentence)])


def _difference(
    metric: Metric, ours: float, theirs: float, evaluation: Evaluation, recorded: Evaluation
) -> Loss:
    """The loss between two independent figures, with the one-sided bounds of their difference."""
    point = ours - theirs if metric.lower_is_better else theirs - ours
    widths = _half_width(evaluation, metric), _half_width(recorded, metric)
    spread = ONE_SIDED_95 / TWO_SIDED_95 * math.hypot(*widths)
    return Loss(metric.key, theirs, ours, point, point + spread, point - spread)


def _half_width(evaluation: Evaluation, metric: Metric) -> float:
    """Half the width of the metric's interval.

    It is 0, which allows no loss, where the interval is missing, too wide or without the figure.
    """
    low, high = (evaluation.intervals or {}).get(metric.key) or (None, None)
    figure = evaluation.metric(metric.key)
    if low is None or high is None or figure is None or not low <= figure <= high:
        return 0.0
    half = high / 2 - low / 2
    return half if half <= WIDEST_HALF_INTERVAL * abs(figure) else 0.0


def _no_figure(metric: Metric) -> str:
    return (
        f"the champion's recorded {metric.label} is missing or cannot be read: restore its "
        f"bundle's evaluation.json from its run or a copy of the lake, or roll back to a bundle "
        f"that has one (marquee rollback)"
    )
