"""Conditions 3 and 4: the challenger beside trivial models and beside the champion.

All differences are paired on the same holdout and resampled over people or titles, so their
bounds are honest about ratings of one person not being independent. With fewer people (titles)
than the policy's least, resampling itself cannot be trusted, and nothing counts as shown.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from marquee.artefacts.condition import Condition
from marquee.artefacts.evaluation import Evaluation
from release import balance
from release.loss import Loss, read_loss
from release.metric import Metric

TRIVIAL, CHAMPION = 3, balance.CHAMPION
RETRAINED = "the retrained champion"
RECORDED = "the champion as recorded"


@dataclass(frozen=True)
class Holdout:
    """How many people or titles a comparison rests on, and how many it needs."""

    units: str
    found: float | None
    least: float

    @property
    def is_enough(self) -> bool:
        """Whether a difference can be told from noise at all."""
        return self.found is not None and self.found >= self.least

    @property
    def sentence(self) -> str:
        """Why it is not enough."""
        found = "an unknown number of" if self.found is None else f"only {self.found:,.0f}"
        return f"the holdout has {found} {self.units}; telling takes {self.least:,.0f}"


def read_holdout(evaluation: Evaluation, units: str, least: float) -> Holdout:
    """How large the holdout is, counted in `units`."""
    return Holdout(units, evaluation.units(units), least)


def beats(
    evaluation: Evaluation, metric: Metric, baseline: str, label: str, holdout: Holdout
) -> Condition:
    """The challenger is better than a baseline, and the one-sided 95 % bound says so too.

    A trivial model is easy to beat: where the data cannot show it, the model is not needed.
    """
    title = f"{metric.label} against {label}"
    loss = read_loss(evaluation, baseline, metric)
    if loss is None:
        return Condition(TRIVIAL, title, False, unreadable(metric, label))
    passed = holdout.is_enough and loss.upper < 0
    sentence = f"{_pair(metric, label, loss)}: {_shown(loss, holdout)}"
    return Condition(TRIVIAL, title, passed, sentence, loss.upper, "loss below", 0.0)


def near(
    evaluation: Evaluation, metric: Metric, baseline: str, label: str, margin: float
) -> Condition:
    """The challenger's point estimate is at most `margin` above a baseline's.

    The point decides, not the bound: a baseline asks for no protection against bad luck, and on
    a hundred titles the bound would refuse models that are better.
    """
    title = f"{metric.label} against {label}"
    loss = read_loss(evaluation, baseline, metric)
    if loss is None:
        return Condition(TRIVIAL, title, False, unreadable(metric, label))
    share = loss.share(loss.point)
    sentence = (
        f"{_pair(metric, label, loss)}: {_worse(share)}; up to {margin:.1%} worse is accepted"
    )
    return Condition(
        TRIVIAL, title, share <= margin, sentence, finite(share), "loss at most", margin, "share"
    )


def not_worse(
    loss: Loss | None,
    metric: Metric,
    margin: float,
    accepted: Any,
    holdout: Holdout,
    label: str = RETRAINED,
) -> list[Condition]:
    """The loss against the champion is bounded, alone and with those accepted before."""
    title = f"{metric.label} against {label}"
    if loss is None:
        return [Condition(CHAMPION, title, False, unreadable(metric, label))]
    return [
        _within_margin(title, metric, margin, loss, holdout, label),
        balance.within_balance(metric, margin, loss, accepted),
    ]


def _within_margin(
    title: str, metric: Metric, margin: float, loss: Loss, holdout: Holdout, label: str
) -> Condition:
    upper, point = loss.share(loss.upper), loss.share(loss.point)
    passed = holdout.is_enough and upper <= margin
    sentence = f"{_pair(metric, label, loss)}: {_worse(point)}"
    if not holdout.is_enough:
        sentence += f"; {holdout.sentence}, so the champion stays"
    elif passed:
        known = f"more than {upper:.2%} is ruled out" if upper > 0 else "a loss is ruled out"
        sentence += f"; {known} with 95 % confidence, and the margin is {margin:.1%}"
    elif point <= margin:
        sentence += (
            f"; it could be {upper:.2%} worse, beyond the margin of {margin:.1%}: "
            "the holdout is too small to tell, so the champion stays"
        )
    else:
        sentence += f", more than the margin of {margin:.1%}"
    return _at_most(title, passed, sentence, upper, margin)


def not_shown_worse(
    title: str, metric: Metric, margin: float, loss: Loss, preface: str = ""
) -> Condition:
    """A loss beyond the margin refuses where it is shown to be a loss at all.

    For models fitted on other rows: what lies between them is not the recipe's or code's alone.
    """
    point, lower = loss.share(loss.point), loss.share(loss.lower)
    sentence = f"{preface}{_pair(metric, RECORDED, loss)}: {_worse(point)}"
    if point <= margin:
        sentence += f"; up to {margin:.1%} worse is accepted"
        return _at_most(title, True, sentence, point, margin)
    if lower <= 0:
        sentence += f", beyond the margin of {margin:.1%}, but a loss is not shown"
        return _at_most(title, True, sentence, lower, 0.0)
    sentence += f", more than the margin of {margin:.1%}, and a loss is shown with 95 % confidence"
    return _at_most(title, False, sentence, point, margin)


def _at_most(title: str, passed: bool, sentence: str, share: float, most: float) -> Condition:
    return Condition(
        CHAMPION, title, passed, sentence, finite(share), "loss at most", most, "share"
    )


def _pair(metric: Metric, label: str, loss: Loss) -> str:
    return f"{metric.label} {loss.challenger:.4f}, {label} {loss.other:.4f}"


def _shown(loss: Loss, holdout: Holdout) -> str:
    if not holdout.is_enough:
        return holdout.sentence
    if loss.upper < 0:
        return f"better by {-loss.point:.4f}, by at least {-loss.upper:.4f} with 95 % confidence"
    if loss.point < 0:
        return f"better by {-loss.point:.4f}, but the holdout is too small to show it"
    return f"not better (by {loss.point:.4f} worse)"


def _worse(share: float) -> str:
    return f"{share:.2%} worse" if share > 0 else f"{-share:.2%} better"


def unreadable(metric: Metric, label: str) -> str:
    """Why a comparison refuses that says nothing."""
    return f"the comparison with {label} on {metric.label} is missing or contradicts itself"


def finite(share: float) -> float | None:
    """A figure a verdict can hold; None for one it cannot."""
    return share if math.isfinite(share) else None
