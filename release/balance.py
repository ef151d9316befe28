"""The balance of accepted losses: small losses, each within the margin, must not add up unseen.

A comparison on a holdout is a loss plus noise. If every loss were booked in full and only shown
gains were paid back, noise alone would fill the balance. So losses and gains count alike, and each
comparison is allowed a little: with a standard error s and a margin m, ALLOWANCE s^2 / m. A random
walk that is held at zero and pulled down by a has an exponential distribution with mean s^2 / 2a
(Harrison, Brownian Motion and Stochastic Flow Systems, 1985): with this a, a balance that nothing
but noise feeds stays at the same share of a margin however exact the comparisons are, while a loss
that comes every week is seen after a few (a CUSUM chart: Page, Biometrika 41, 1954).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from marquee.artefacts.condition import Condition
from marquee.artefacts.reading import number
from release.loss import Loss
from release.metric import Metric

CHAMPION = 4
"""The group of conditions this one belongs to."""
TITLE = "losses accepted so far"
ALLOWANCE = 0.75
"""The least that keeps refusals of equal models below 5 % of weeks at every standard error from a
twentieth of a margin to three margins (`python -m bench.gate_simulation`)."""
ONE_SIDED_95 = 1.6449
"""Standard errors from the point to the bound."""


def balance_before(accepted: Any, metric: str) -> float | None:
    """The ledger's balance for a metric: 0 where it names none, None where it cannot be read."""
    if not isinstance(accepted, Mapping):
        return None
    share = number(accepted, metric) if metric in accepted else 0.0
    return share if share is not None and share >= 0 else None


def balance_after(loss: Loss, accepted: Any, margin: float) -> float | None:
    """The balance with this comparison booked, as a share of the champion's figure; never below
    zero, so that gains are not saved up for later losses.

    None where the ledger's figure cannot be read.
    """
    before = balance_before(accepted, loss.metric)
    if before is None:
        return None
    balance = before + loss.share(loss.point) - allowance(loss, margin)
    return math.inf if math.isnan(balance) else max(balance, 0.0)


def allowance(loss: Loss, margin: float) -> float:
    """What a comparison as unsure as this one is allowed, as a share.

    Its standard error is read off the bound that the margin is held against: an evaluation that
    claims to know little pays there for what it gains here.
    """
    error = max(loss.share(loss.upper) - loss.share(loss.point), 0.0) / ONE_SIDED_95
    if not error:
        return 0.0
    return ALLOWANCE * error * error / margin if margin > 0 else math.inf


def within_balance(metric: Metric, margin: float, loss: Loss, accepted: Any) -> Condition:
    """Losses accepted so far less gains, this comparison included, stay within one margin."""
    balance = balance_after(loss, accepted, margin)
    if balance is None:
        sentence = f"the ledger's accepted losses of {metric.label} cannot be read"
    else:
        sentence = f"losses of {metric.label} accepted so far would add up to {balance:.2%}"
    return Condition(
        CHAMPION,
        f"{metric.label} {TITLE}",
        balance is not None and balance <= margin,
        f"{sentence}; one margin ({margin:.1%}) is allowed until gains make up for them",
        balance if balance is not None and math.isfinite(balance) else None,
        "at most",
        margin,
        "share",
    )


def is_balance(condition: Condition) -> bool:
    """Whether a condition is this one, of whatever metric."""
    return condition.number == CHAMPION and condition.name.endswith(TITLE)
