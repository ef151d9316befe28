"""Losses as the gate counts them: metrics, paired comparisons, the balance of accepted losses.

The balance keeps small weekly losses, each within the margin, from adding up unseen:

    balance = max(0, balance + loss - allowance),    allowance = ALLOWANCE * s^2 / m

Here s is the standard error of the comparison and m the margin. Gains are negative losses. This is
a CUSUM chart (Page, Biometrika 41, 1954): it finds a loss that recurs every week after a few weeks.

The allowance keeps noise from filling the balance. A random walk with standard deviation s, drift
-d and a barrier at zero has an exponential distribution with mean s^2 / (2 d) (Harrison, Brownian
Motion and Stochastic Flow Systems, 1985). With the allowance as d, this mean is m / (2 ALLOWANCE)
for every s: noise takes the same share of the margin however large the holdout is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from marquee.artefacts.document import number
from marquee.artefacts.evaluation import Comparison, Evaluation
from marquee.artefacts.verdict import CHAMPION, Condition

TOLERANCE = 1e-6
"""Two copies of one figure may differ by so much (relative above 1, absolute below)."""
BALANCE_TITLE = "losses accepted so far"
ALLOWANCE = 0.75
"""The least value that keeps refusals of equal models below 5 % of weeks at every standard error
from a twentieth of a margin to three margins (`python -m bench.gate_simulation`)."""
ONE_SIDED_95 = 1.6449
"""Standard errors from the point to a one-sided 95 % bound."""


@dataclass(frozen=True)
class Metric:
    """One metric by its key in `evaluation.json`."""

    key: str
    label: str
    lower_is_better: bool


RMSE = Metric("rmse", "RMSE", lower_is_better=True)
"""Root mean square error in stars, every holdout row answered."""
NDCG = Metric("ndcg@10", "nDCG@10", lower_is_better=False)
"""Over all titles that the person did not rate in train; relevant are titles rated 4 or more."""
LOG_RMSE = Metric("log_rmse", "log-RMSE", lower_is_better=True)
"""Root mean square error in log10 dollars; the model knows the title's rating where it has one."""
LOG_RMSE_BEFORE = Metric("log_rmse_before_release", "log-RMSE before release", lower_is_better=True)
"""The same error where the model does not know the rating, as before a title's release."""


@dataclass(frozen=True)
class Loss:
    """How much worse the challenger is than another model on one metric; negative is better."""

    metric: str
    other: float
    challenger: float
    point: float
    upper: float
    """One-sided 95 % bound: the loss is below it with 95 % confidence."""
    lower: float
    """One-sided 95 % bound: the loss is above it with 95 % confidence."""

    def share(self, loss: float) -> float:
        """`loss` as a share of the other model's figure."""
        if self.other > 0:
            return loss / self.other
        return math.copysign(math.inf, loss) if loss else 0.0

    def figures(self, metric: Metric, label: str) -> str:
        """Both models' figures, to start a condition's sentence."""
        return f"{metric.label} {self.challenger:.4f}, {label} {self.other:.4f}"


def read_loss(evaluation: Evaluation, other: str, metric: Metric) -> Loss | None:
    """The paired comparison with the model `other` on `metric`, as a loss.

    None where a number is missing, or where the comparison contradicts itself. None too where its
    figure for the challenger is not the evaluation's own: it was made on other rows.
    """
    found = _loss_of(evaluation.comparison(other, metric.key), metric)
    measured = evaluation.metric(metric.key)
    if found is None or measured is None or not _same(found.challenger, measured):
        return None
    return found


def recorded_loss(evaluation: Evaluation, metric: Metric) -> Loss | None:
    """The comparison with the champion's record, on the matched people or titles alone."""
    record = evaluation.record
    return _loss_of(record.metrics.get(metric.key), metric) if record else None


def _loss_of(comparison: Comparison | None, metric: Metric) -> Loss | None:
    c = comparison
    if c is None or c.challenger is None or c.other is None or c.difference is None:
        return None
    if c.upper95 is None or c.lower95 is None or c.other < 0:
        return None
    in_order = c.lower95 - TOLERANCE <= c.difference <= c.upper95 + TOLERANCE
    if not in_order or not _same(c.difference, c.challenger - c.other):
        return None
    if metric.lower_is_better:
        return Loss(metric.key, c.other, c.challenger, c.difference, c.upper95, c.lower95)
    return Loss(metric.key, c.other, c.challenger, -c.difference, -c.lower95, -c.upper95)


def _same(a: float, b: float) -> bool:
    return abs(a - b) <= TOLERANCE * max(1.0, abs(a), abs(b))


@dataclass(frozen=True)
class Holdout:
    """How many people or titles a comparison has, and how many it needs.

    With fewer than `least`, bootstrap intervals are unreliable and show no difference.
    """

    units: str
    found: float | None
    least: float

    @property
    def is_enough(self) -> bool:
        """Whether there are enough units for a bootstrap interval."""
        return self.found is not None and self.found >= self.least

    @property
    def sentence(self) -> str:
        """The sentence of a condition that fails because there are too few units."""
        found = "an unknown number of" if self.found is None else f"only {self.found:,.0f}"
        return f"the holdout has {found} {self.units}; telling takes {self.least:,.0f}"


def worse_by(share: float) -> str:
    """A loss's share in words."""
    return f"{share:.2%} worse" if share > 0 else f"{-share:.2%} better"


def unreadable(metric: Metric, label: str) -> str:
    """The sentence of a condition that fails because its comparison cannot be read."""
    return f"the comparison with {label} on {metric.label} is missing or contradicts itself"


def finite(value: float) -> float | None:
    """The value; None where it is infinite or not a number, which JSON cannot hold."""
    return value if math.isfinite(value) else None


def within_balance(metric: Metric, margin: float, loss: Loss, accepted: Any) -> Condition:
    """The balance of accepted losses, this comparison included, is at most one margin."""
    balance = balance_after(loss, accepted, margin)
    if balance is None:
        sentence = f"the ledger's accepted losses of {metric.label} cannot be read"
    else:
        sentence = f"losses of {metric.label} accepted so far would add up to {balance:.2%}"
    return Condition(
        CHAMPION,
        f"{metric.label} {BALANCE_TITLE}",
        balance is not None and balance <= margin,
        f"{sentence}; one margin ({margin:.1%}) is allowed until gains make up for them",
        balance if balance is not None and math.isfinite(balance) else None,
        "at most",
        margin,
        "share",
    )


def is_balance(condition: Condition) -> bool:
    """Whether `within_balance` made this condition."""
    return condition.number == CHAMPION and condition.name.endswith(BALANCE_TITLE)


def balance_after(loss: Loss, accepted: Any, margin: float) -> float | None:
    """The balance after this comparison, as a share of the champion's figure.

    It is at least zero, so gains do not pay for later losses. None where the ledger's figure
    cannot be read.
    """
    before = balance_before(accepted, loss.metric)
    if before is None:
        return None
    balance = before + loss.share(loss.point) - allowance(loss, margin)
    return math.inf if math.isnan(balance) else max(balance, 0.0)


def balance_before(accepted: Any, metric: str) -> float | None:
    """The ledger's balance for a metric; 0 where the ledger has none, None where unreadable."""
    if not isinstance(accepted, Mapping):
        return None
    share = number(accepted, metric) if metric in accepted else 0.0
    return share if share is not None and share >= 0 else None


def allowance(loss: Loss, margin: float) -> float:
    """The share that a comparison may lose before its loss adds to the balance.

    The standard error comes from the bound `loss.upper`. An evaluation gains nothing by a bound
    that is too wide: the margin is compared with the same bound.
    """
    error = max(loss.share(loss.upper) - loss.share(loss.point), 0.0) / ONE_SIDED_95
    if not error:
        return 0.0
    return ALLOWANCE * error * error / margin if margin > 0 else math.inf
