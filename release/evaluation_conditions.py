"""Groups 1, 2 and 6 of the gate: the conditions on one model's own figures.

The figures are sound, the error is below the ceiling, stars count, and the bundle serves. Group 3,
the comparisons with baselines, is in `losses.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marquee.artefacts.document import flat_figures, number, printable
from marquee.artefacts.evaluation import (
    Evaluation,
    IntervalBounds,
    QuestionFigures,
    Shipped,
    TurnedStars,
)
from marquee.artefacts.verdict import GOOD_ENOUGH, SERVABLE, SOUND, Condition
from release.losses import (
    LOG_RMSE,
    NDCG,
    RMSE,
    TOLERANCE,
    Metric,
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


def bundle_loads(evaluation: Evaluation) -> Condition:
    """A serving process loads the shipped bundle."""
    shipped = evaluation.shipped or Shipped()
    loads = shipped.loads is True
    sentence = "a serving process loads it"
    if not loads:
        sentence = f"a serving process does not load it: {_why(shipped) or 'no reason was given'}"
    return Condition(SERVABLE, "loads", loads, sentence)


def golden_queries_repeated(evaluation: Evaluation) -> Condition:
    """The shipped bundle gives the answers that the training job recorded."""
    shipped = evaluation.shipped or Shipped()
    golden = shipped.golden
    count, failures, worst = (
        (golden.count, golden.failures, golden.worst) if golden else (None, None, None)
    )
    if count is None or failures is None or worst is None:
        sentence = "what it answers to the golden queries is unknown"
    elif count < 1:
        sentence = "the training job recorded no golden queries"
    else:
        sentence = (
            f"{count - failures:.0f} of {count:.0f} golden queries get the training job's answer; "
            f"the largest difference is {worst:.1e}"
        )
        sentence += f" ({_why(shipped)})" if failures else ""
    passed = worst is not None and failures == 0 and count is not None and count >= 1
    return Condition(
        SERVABLE, "answers as trained", passed, sentence, failures, "at most", 0.0, "count"
    )


def learned_from_all_rows(evaluation: Evaluation) -> Condition:
    """On the holdout, the shipped fit has at most the error of the evaluated fit.

    The shipped fit was trained on the holdout too; a larger error means that the fit went wrong.
    """
    shipped = evaluation.shipped or Shipped()
    seen, evaluated = shipped.error_on_holdout, shipped.error_evaluated
    measured = [evaluation.metric(metric.key) for metric in (RMSE, LOG_RMSE)]
    is_measured = evaluated is not None and any(
        error is not None and abs(error - evaluated) <= TOLERANCE * max(1.0, error)
        for error in measured
    )
    passed = seen is not None and evaluated is not None and is_measured and 0 <= seen <= evaluated
    if seen is None or evaluated is None:
        sentence = "its error on the holdout it has now seen is unknown"
    elif not is_measured:
        sentence = f"its error before it saw the holdout, {evaluated:.4f}, is not the one evaluated"
    else:
        sentence = (
            f"its error on the holdout it has now seen is {seen:.4f}; "
            f"before seeing it, it was {evaluated:.4f}"
        )
    return Condition(
        SERVABLE, "learned from all rows", passed, sentence, seen, "at most", evaluated
    )


def _why(shipped: Shipped) -> str:
    return printable(shipped.why, 300) if shipped.why else ""
