"""Conditions 1, 2 and 6: what an evaluation must say by itself, without any comparison."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marquee.artefacts.condition import Condition
from marquee.artefacts.evaluation import Ends, Evaluation, Question, Shipped
from marquee.artefacts.reading import figures, name, number
from release.loss import SAME
from release.metric import LOG_RMSE, NDCG, RMSE, Metric

SOUND, GOOD_ENOUGH, SERVABLE = 1, 2, 6
QUESTIONS = ("with rating", "before release")
"""What every budget model is asked."""
SHARES = (NDCG.key,)
"""Metrics between 0 and 1 that no other condition bounds."""


def figures_finite(evaluation: Evaluation, model: str, needed: tuple[str, ...]) -> Condition:
    """The evaluation is about `model`, and every metric in it is a finite number."""
    metrics: Mapping[str, Any] = evaluation.metrics or {}
    missing = [key for key in needed if number(metrics, key) is None]
    present = figures(metrics)
    beyond = [key for key in SHARES if not 0 <= (number(metrics, key) or 0.0) <= 1]
    broken = dict.fromkeys(
        missing + beyond + [key for key, value in present if number(value) is None]
    )
    about = evaluation.model
    if evaluation.unread:
        sentence = f"the evaluation cannot be read: {evaluation.unread}"
    elif about != model:
        sentence = f"the evaluation is not about the {model} but about: {name(about or 'nothing')}"
    elif broken and evaluation.why:
        sentence = f"the model cannot be scored: {name(evaluation.why, 300)}"
    elif broken:
        sentence = f"missing, not a finite number or not possible: {', '.join([*broken][:5])}"
    else:
        sentence = f"all {len(present)} metrics are finite numbers"
    return Condition(SOUND, "finite figures", about == model and not broken, sentence)


def holdout_filled(evaluation: Evaluation, units: str) -> Condition:
    """There are holdout rows, of at least one person or title (`units`)."""
    rows, of = evaluation.units("rows"), evaluation.units(units)
    if rows is None or of is None:
        sentence = f"how many rows and {units} the holdout has is missing"
    else:
        sentence = f"the holdout has {rows:,.0f} rows of {of:,.0f} {units}"
    passed = rows is not None and of is not None and rows >= 1 and of >= 1
    return Condition(SOUND, "holdout not empty", passed, sentence, rows, "at least", 1.0, "count")


def every_pair_answered(evaluation: Evaluation) -> Condition:
    """Rows left unanswered (Spark's `coldStartStrategy="drop"`) flatter the error."""
    answered = evaluation.metric("answered")
    said = "an unknown share" if answered is None else f"{answered:.2%}"
    sentence = f"{said} of the holdout rows got an answer; all must"
    passed = answered == 1.0
    return Condition(
        SOUND, "every row answered", passed, sentence, answered, "at least", 1.0, "share"
    )


def coverage_reached(evaluation: Evaluation, floor: float) -> Condition:
    """Enough holdout rows were answered personally, before any fallback."""
    coverage = evaluation.metric("coverage")
    passed = coverage is not None and floor <= coverage <= 1.0
    said = "an unknown share" if coverage is None else f"{coverage:.1%}"
    sentence = f"{said} of the holdout rows got a personal answer; at least {floor:.0%} must"
    return Condition(
        SOUND, "personal coverage", passed, sentence, coverage, "at least", floor, "share"
    )


def below_ceiling(evaluation: Evaluation, metric: Metric, ceiling: float) -> Condition:
    """The error is at most the policy's ceiling."""
    error = evaluation.metric(metric.key)
    passed = error is not None and 0 <= error <= ceiling
    said = "unknown" if error is None else f"{error:.4f}"
    sentence = f"{metric.label} is {said}; the ceiling is {ceiling:.4g}"
    return Condition(
        GOOD_ENOUGH, f"{metric.label} ceiling", passed, sentence, error, "at most", ceiling
    )


def bias_bounded(evaluation: Evaluation, most: float) -> list[Condition]:
    """No question is answered too low or too high on average, as far as the holdout can tell."""
    return [_bias(key, question, most) for key, question in _questions(evaluation).items()]


def interval_holds(evaluation: Evaluation, floor: float) -> list[Condition]:
    """No question's interval holds fewer actual costs than it says."""
    return [_held(key, question, floor) for key, question in _questions(evaluation).items()]


def _questions(evaluation: Evaluation) -> Mapping[str, Question | None]:
    """The questions asked; one that must be and is not is unknown, so that it is refused."""
    return dict.fromkeys(QUESTIONS) | dict(evaluation.questions or {})


def _bias(key: str, question: Question | None, most: float) -> Condition:
    title = f"bias {_asked(key)}"
    point = question.bias if question else None
    ends = _ends(question.bias_interval if question else None, point)
    if ends is None or point is None:
        return Condition(GOOD_ENOUGH, title, False, _no_interval(key, "mean error"))
    low, high = ends
    nearest = 0.0 if low <= 0 <= high else min(abs(low), abs(high))
    sentence = (
        f"asked {_asked(key)}, the mean error is {point:+.3f} log10 dollars, {low:+.3f} to "
        f"{high:+.3f} with 95 % confidence; it must not lie wholly beyond {most:g}"
    )
    return Condition(GOOD_ENOUGH, title, nearest <= most, sentence, nearest, "at most", most)


def _held(key: str, question: Question | None, floor: float) -> Condition:
    title = f"interval {_asked(key)}"
    held = question.coverage if question else None
    ends = _ends(question.coverage_interval if question else None, held)
    if ends is None or held is None:
        return Condition(GOOD_ENOUGH, title, False, _no_interval(key, "coverage"))
    low, high = ends
    sentence = (
        f"asked {_asked(key)}, {held:.1%} of the costs lie inside the interval, {low:.1%} to "
        f"{high:.1%} with 95 % confidence; that must not lie wholly below {floor:.0%}"
    )
    return Condition(GOOD_ENOUGH, title, high >= floor, sentence, high, "at least", floor, "share")


def _ends(found: Ends | None, point: float | None) -> tuple[float, float] | None:
    """Both ends; None for an interval that does not hold its own figure."""
    low, high = found or (None, None)
    if low is None or high is None or point is None or low > high:
        return None
    return (low, high) if low - SAME <= point <= high + SAME else None


def _no_interval(key: str, what: str) -> str:
    return (
        f"asked {_asked(key)}, the 95 % interval of the {what} is missing or cannot be read; "
        "evaluate again"
    )


def _asked(key: str) -> str:
    """A question's name, as a sentence holds it."""
    return name(key).replace("_", " ")


def servable(evaluation: Evaluation, figures_sound: bool) -> list[Condition]:
    """The shipped bundle loads, repeats the training job's answers, and has not lost the fit.

    The last is left out where the evaluated figures are not sound: it compares with them, and
    condition 1 refuses them already.
    """
    shipped = evaluation.shipped or Shipped()
    return [_loads(shipped), _golden(shipped)] + [_seen_error(evaluation, shipped)] * figures_sound


def _loads(shipped: Shipped) -> Condition:
    loads = shipped.loads is True
    sentence = "a serving process loads it"
    if not loads:
        sentence = f"a serving process does not load it: {_why(shipped) or 'no reason was given'}"
    return Condition(SERVABLE, "loads", loads, sentence)


def _golden(shipped: Shipped) -> Condition:
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


def _seen_error(evaluation: Evaluation, shipped: Shipped) -> Condition:
    seen, evaluated = shipped.error_on_holdout, shipped.error_evaluated
    measured = [evaluation.metric(metric.key) for metric in (RMSE, LOG_RMSE)]
    is_measured = evaluated is not None and any(
        error is not None and abs(error - evaluated) <= SAME * max(1.0, error) for error in measured
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
    return name(shipped.why, 300) if shipped.why else ""
