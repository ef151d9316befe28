"""Group 3 of the gate: comparisons with baselines, paired on the same holdout.

Their bounds come from resampling whole people or titles, because the ratings of one person depend
on each other.
"""

from __future__ import annotations

from marquee.artefacts.evaluation import Evaluation
from marquee.artefacts.verdict import BASELINES, Condition
from release.losses import Holdout, Loss, Metric, finite, read_loss, unreadable, worse_by


def beats_baseline(
    evaluation: Evaluation, metric: Metric, baseline: str, label: str, holdout: Holdout
) -> Condition:
    """The challenger is better than a baseline by the one-sided 95 % bound.

    A model that cannot be shown to beat a simple baseline is not worth serving.
    """
    title = f"{metric.label} against {label}"
    loss = read_loss(evaluation, baseline, metric)
    if loss is None:
        return Condition(BASELINES, title, False, unreadable(metric, label))
    passed = holdout.is_enough and loss.upper < 0
    sentence = f"{loss.figures(metric, label)}: {_gain(loss, holdout)}"
    return Condition(BASELINES, title, passed, sentence, loss.upper, "loss below", 0.0)


def near_baseline(
    evaluation: Evaluation, metric: Metric, baseline: str, label: str, margin: float
) -> Condition:
    """The challenger's figure is at most `margin` worse than a baseline's.

    The measured difference decides. On a hundred titles its 95 % bound is so wide that it would
    refuse better models.
    """
    title = f"{metric.label} against {label}"
    loss = read_loss(evaluation, baseline, metric)
    if loss is None:
        return Condition(BASELINES, title, False, unreadable(metric, label))
    share = loss.share(loss.point)
    sentence = (
        f"{loss.figures(metric, label)}: {worse_by(share)}; up to {margin:.1%} worse is accepted"
    )
    return Condition(
        BASELINES, title, share <= margin, sentence, finite(share), "loss at most", margin, "share"
    )


def _gain(loss: Loss, holdout: Holdout) -> str:
    if not holdout.is_enough:
        return holdout.sentence
    if loss.upper < 0:
        return f"better by {-loss.point:.4f}, by at least {-loss.upper:.4f} with 95 % confidence"
    if loss.point < 0:
        return f"better by {-loss.point:.4f}, but the holdout is too small to show it"
    return f"not better (by {loss.point:.4f} worse)"
