"""A paired comparison read as a loss: how much worse the challenger is."""

from __future__ import annotations

import math
from dataclasses import dataclass

from marquee.artefacts.evaluation import Comparison, Evaluation
from release.metric import Metric

SAME = 1e-6
"""Two spellings of one metric may differ by so much (relative above 1, absolute below)."""


@dataclass(frozen=True)
class Loss:
    """How much worse the challenger is than another model on one metric; negative is better."""

    metric: str
    other: float
    challenger: float
    point: float
    upper: float
    """One-sided 95 % bound: the loss is not shown to be larger."""
    lower: float
    """One-sided 95 % bound: the loss is not shown to be smaller."""

    def share(self, loss: float) -> float:
        """`loss` as a share of the other model's figure."""
        if self.other > 0:
            return loss / self.other
        return math.copysign(math.inf, loss) if loss else 0.0


def read_loss(evaluation: Evaluation, against: str, metric: Metric) -> Loss | None:
    """The paired comparison on `metric` as a loss.

    None where a number is missing, or the comparison contradicts itself or the metric it is
    about: a comparison made on other rows says nothing.
    """
    found = loss_of(evaluation.comparison(against, metric.key), metric)
    measured = evaluation.metric(metric.key)
    if found is None or measured is None or not _same(found.challenger, measured):
        return None
    return found


def recorded_loss(evaluation: Evaluation, metric: Metric) -> Loss | None:
    """The same beside the champion's record: on the matched people or titles alone."""
    record = evaluation.record
    return loss_of(record.metrics.get(metric.key), metric) if record else None


def loss_of(comparison: Comparison | None, metric: Metric) -> Loss | None:
    """A comparison as a loss; None where it is not one or contradicts itself."""
    c = comparison
    if c is None or c.challenger is None or c.other is None or c.difference is None:
        return None
    if c.upper95 is None or c.lower95 is None or c.other < 0:
        return None
    in_order = c.lower95 - SAME <= c.difference <= c.upper95 + SAME
    if not in_order or not _same(c.difference, c.challenger - c.other):
        return None
    if metric.lower_is_better:
        return Loss(metric.key, c.other, c.challenger, c.difference, c.upper95, c.lower95)
    return Loss(metric.key, c.other, c.challenger, -c.difference, -c.lower95, -c.upper95)


def _same(a: float, b: float) -> bool:
    return abs(a - b) <= SAME * max(1.0, abs(a), abs(b))
