"""Groups 1, 2 and 3 of the gate: the conditions on a model's own figures.

The figures are sound, the error is below the ceiling, and the model beats the baselines.
Differences to baselines are paired on the same holdout. Their bounds come from resampling whole
people or titles, because the ratings of one person depend on each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marquee.artefacts.document import flat_figures, number, printable
from marquee.artefacts.evaluation import (
    Evaluation,
    IntervalBounds,
    QuestionFigures,
    TurnedStars,
)
from marquee.artefacts.verdict import BASELINES, GOOD_ENOUGH, SOUND, Condition
from release.losses import (
    NDCG,
    TOLERANCE,
    Holdout,
    Loss,
    Metric,
    finite,
    read_loss,
    unreadable,
    worse_by,
)

REQUIRED_QUESTIONS = ("with rating", "before release")
"""The questions that every budget model's evaluation must answer."""
LEAST_CHANGED = 0.5
"""A ranker that reads who rated, and not how, has 0; with stars nearly everybody's list changes."""
SHARE_METRICS = (NDCG.key,)
"""Metrics between 0 and 1 that no other condition bounds."""


def figures_finite(evaluation: Evaluation, model: str, needed: tuple[str, ...]) -> Condition:
    """The evaluation is about `model`, and every metric in it is a finite number."""
    metrics: Mapping[str, Any] = evaluation.metrics or {}
    missing = [key for key in needed if number(metrics, key) is None]
    present = flat_figures(metrics)
    beyond = [key for key in SHARE_METRICS if not 0 <= (number(metrics, key) or 0.0) <= 1]
    broken = dict.fromkeys(
        missing + beyond + [key for key, value in present if number(value) is None]
    )
    about = evaluation.model
    if evaluation.format_problem:
        sentence = f"the evaluation cannot be read: {evaluation.format_problem}"
    elif about != model:
        about = printable(about or "nothing")
        sentence = f"the evaluation is not about the {model} but about: {about}"
    elif broken and evaluation.why:
        sentence = f"the model cannot be scored: {printable(evaluation.why, 300)}"
    elif broken:
        sentence = f"missing, not a finite number or not possible: {', '.join([*broken][:5])}"
    else:
        sentence = f"all {len(present)} metrics are finite numbers"
    passed = evaluation.model == model and not broken
    return Condition(SOUND, "finite figures", passed, sentence)


def holdout_filled(evaluation: Evaluation, units: str) -> Condition:
    """There are holdout rows, of at least one person or title (`units`)."""
    rows, of = evaluation.units("rows"), evaluation.units(units)
    if rows is None or of is None:
        sentence = f"how many rows and {units} the holdout has is missing"
    else:
        sentence = f"the holdout has {rows:,.0f} rows of {of:,.0f} {units}"
    passed = rows is not None and of is not None and rows >= 1 and of >= 1
    return Condition(SOUND, "holdout not empty", passed, sentence, rows, "at least", 1.0, "count")


def every_row_answered(evaluation: Evaluation) -> Condition:
    """Every holdout row has an answer.

    Spark's `coldStartStrategy="drop"` omits the hard rows, and so lowers the error.
    """
    answered = evaluation.metric("answered")
    share = "an unknown share" if answered is None else f"{answered:.2%}"
    sentence = f"{share} of the holdout rows got an answer; all must"
    passed = answered == 1.0
    return Condition(
        SOUND, "every row answered", passed, sentence, answered, "at least", 1.0, "share"
    )


def coverage_reached(evaluation: Evaluation, floor: float) -> Condition:
    """Enough holdout rows were answered personally, before any fallback."""
    coverage = evaluation.metric("coverage")
    passed = coverage is not None and floor <= coverage <= 1.0
    share = "an unknown share" if coverage is None else f"{coverage:.1%}"
    sentence = f"{share} of the holdout rows got a personal answer; at least {floor:.0%} must"
    return Condition(
        SOUND, "personal coverage", passed, sentence, coverage, "at least", floor, "share"
    )


def below_ceiling(evaluation: Evaluation, metric: Metric, ceiling: float) -> Condition:
    """The error is at most the policy's ceiling."""
    error = evaluation.metric(metric.key)
    passed = error is not None and 0 <= error <= ceiling
    figure = "unknown" if error is None else f"{error:.4f}"
    sentence = f"{metric.label} is {figure}; the ceiling is {ceiling:.4g}"
    return Condition(
        GOOD_ENOUGH, f"{metric.label} ceiling", passed, sentence, error, "at most", ceiling
    )


def stars_count(evaluation: Evaluation) -> Condition:
    """Turned upside down, the stars change people's lists, and no disliked title is a reason."""
    turned = evaluation.turned_stars or TurnedStars()
    people, changed, reasons = turned.people, turned.changed, turned.disliked_reasons
    if people is None or changed is None or reasons is None:
        sentence = "whether the ranking reads the stars is unknown"
    else:
        sentence = (
            f"with all stars turned upside down, {changed:.0%} of {people:,.0f} people get other "
            f"titles, at least {LEAST_CHANGED:.0%} must; {_disliked(reasons)}"
        )
    is_asked = people is not None and people >= 1
    changes = changed is not None and LEAST_CHANGED <= changed <= 1.0
    passed = is_asked and changes and reasons == 0
    return Condition(
        GOOD_ENOUGH, "stars count", passed, sentence, changed, "at least", LEAST_CHANGED, "share"
    )


def _disliked(reasons: float) -> str:
    if not reasons:
        return "no reason is a title that somebody disliked"
    return f"{reasons:,.0f} recommendations have a disliked title as a reason"


def bias_bounded(evaluation: Evaluation, most: float) -> list[Condition]:
    """The 95 % interval of each question's mean error reaches within `most` log10 dollars of 0."""
    return [_bias(key, question, most) for key, question in _questions(evaluation).items()]


def interval_holds(evaluation: Evaluation, floor: float) -> list[Condition]:
    """Each question's 80 % prediction intervals hold at least the share `floor` of actual budgets.

    A question fails where the 95 % interval of the measured share lies wholly below `floor`.
    """
    return [_coverage(key, question, floor) for key, question in _questions(evaluation).items()]


def _questions(evaluation: Evaluation) -> Mapping[str, QuestionFigures | None]:
    """Every question by its name; a required question that is missing has the value None."""
    return dict.fromkeys(REQUIRED_QUESTIONS) | dict(evaluation.questions or {})


def _bias(key: str, question: QuestionFigures | None, most: float) -> Condition:
    title = f"bias {_words(key)}"
    point = question.bias if question else None
    ends = _ends(question.bias_interval if question else None, point)
    if ends is None or point is None:
        return Condition(GOOD_ENOUGH, title, False, _no_interval(key, "mean error"))
    low, high = ends
    nearest = 0.0 if low <= 0 <= high else min(abs(low), abs(high))
    sentence = (
        f"asked {_words(key)}, the mean error is {point:+.3f} log10 dollars, {low:+.3f} to "
        f"{high:+.3f} with 95 % confidence; it must not lie wholly beyond {most:g}"
    )
    return Condition(GOOD_ENOUGH, title, nearest <= most, sentence, nearest, "at most", most)


def _coverage(key: str, question: QuestionFigures | None, floor: float) -> Condition:
    title = f"interval {_words(key)}"
    coverage = question.coverage if question else None
    ends = _ends(question.coverage_interval if question else None, coverage)
    if ends is None or coverage is None:
        return Condition(GOOD_ENOUGH, title, False, _no_interval(key, "coverage"))
    low, high = ends
    sentence = (
        f"asked {_words(key)}, {coverage:.1%} of the costs lie inside the interval, {low:.1%} to "
        f"{high:.1%} with 95 % confidence; that must not lie wholly below {floor:.0%}"
    )
    return Condition(GOOD_ENOUGH, title, high >= floor, sentence, high, "at least", floor, "share")


def _ends(found: IntervalBounds | None, point: float | None) -> tuple[float, float] | None:
    """Both ends of an interval; None where `point` lies outside it."""
    low, high = found or (None, None)
    if low is None or high is None or point is None or low > high:
        return None
    return (low, high) if low - TOLERANCE <= point <= high + TOLERANCE else None


def _no_interval(key: str, what: str) -> str:
    return (
        f"asked {_words(key)}, the 95 % interval of the {what} is missing or cannot be read; "
        "evaluate again"
    )


def _words(key: str) -> str:
    return printable(key).replace("_", " ")


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
