"""Conditions 1, 2 and 6: what an evaluation must say by itself, without any comparison."""

from __future__ import annotations

from typing import Any

from marquee.release.condition import Condition
from marquee.release.metric import Metric
from marquee.release.reading import dig, figures, name, number

SOUND, GOOD_ENOUGH, SERVABLE = 1, 2, 6


def figures_finite(evaluation: Any, model: str, needed: tuple[str, ...]) -> Condition:
    """The evaluation is about `model`, and every metric in it is a finite number."""
    metrics = dig(evaluation, "metrics")
    missing = [key for key in needed if number(metrics, key) is None]
    present = figures(metrics)
    broken = dict.fromkeys(missing + [key for key, value in present if number(value) is None])
    about = dig(evaluation, "model")
    if about != model:
        sentence = f"the evaluation is not about the {model} but about: {name(about or 'nothing')}"
    elif broken:
        sentence = f"missing or not a finite number: {', '.join([*broken][:5])}"
    else:
        sentence = f"all {len(present)} metrics are finite numbers"
    return Condition(SOUND, "finite figures", about == model and not broken, sentence)


def holdout_filled(evaluation: Any, units: str) -> Condition:
    """There are holdout rows, of at least one person or title (`units`)."""
    rows, of = number(evaluation, "holdout", "rows"), number(evaluation, "holdout", units)
    if rows is None or of is None:
        sentence = f"how many rows and {units} the holdout has is missing"
    else:
        sentence = f"the holdout has {rows:,.0f} rows of {of:,.0f} {units}"
    passed = rows is not None and of is not None and rows >= 1 and of >= 1
    return Condition(SOUND, "holdout not empty", passed, sentence, rows, "at least", 1.0, "count")


def every_pair_answered(evaluation: Any) -> Condition:
    """Rows left unanswered (Spark's `coldStartStrategy="drop"`) flatter the error."""
    answered = number(evaluation, "metrics", "answered")
    said = "an unknown share" if answered is None else f"{answered:.2%}"
    sentence = f"{said} of the holdout rows got an answer; all must"
    passed = answered == 1.0
    return Condition(
        SOUND, "every row answered", passed, sentence, answered, "at least", 1.0, "share"
    )


def coverage_reached(evaluation: Any, floor: float) -> Condition:
    """Enough holdout rows were answered personally, before any fallback."""
    coverage = number(evaluation, "metrics", "coverage")
    passed = coverage is not None and floor <= coverage <= 1.0
    said = "an unknown share" if coverage is None else f"{coverage:.1%}"
    sentence = f"{said} of the holdout rows got a personal answer; at least {floor:.0%} must"
    return Condition(
        SOUND, "personal coverage", passed, sentence, coverage, "at least", floor, "share"
    )


def below_ceiling(evaluation: Any, metric: Metric, ceiling: float) -> Condition:
    """The error is at most the policy's ceiling."""
    error = number(evaluation, "metrics", metric.key)
    passed = error is not None and 0 <= error <= ceiling
    said = "unknown" if error is None else f"{error:.4f}"
    sentence = f"{metric.label} is {said}; the ceiling is {ceiling:.4g}"
    return Condition(
        GOOD_ENOUGH, f"{metric.label} ceiling", passed, sentence, error, "at most", ceiling
    )


def servable(evaluation: Any) -> list[Condition]:
    """The shipped bundle loads, repeats the training job's answers, and has not lost the fit."""
    shipped = dig(evaluation, "shipped")
    return [_loads(shipped), _golden(shipped), _seen_error(shipped)]


def _loads(shipped: Any) -> Condition:
    loads = dig(shipped, "loads") is True
    why = name(dig(shipped, "why") or "no reason was given", 300)
    sentence = (
        "a serving process loads it" if loads else f"a serving process does not load it: {why}"
    )
    return Condition(SERVABLE, "loads", loads, sentence)


def _golden(shipped: Any) -> Condition:
    count, failures = number(shipped, "golden", "count"), number(shipped, "golden", "failures")
    worst = number(shipped, "golden", "worst")
    if count is None or failures is None or worst is None:
        sentence = "what it answers to the golden queries is unknown"
    elif count < 1:
        sentence = "the training job recorded no golden queries"
    else:
        sentence = (
            f"{count - failures:.0f} of {count:.0f} golden queries get the training job's answer; "
            f"the largest difference is {worst:.1e}"
        )
        sentence += f" ({name(dig(shipped, 'why'), 300)})" if failures else ""
    passed = worst is not None and failures == 0 and count is not None and count >= 1
    return Condition(
        SERVABLE, "answers as trained", passed, sentence, failures, "at most", 0.0, "count"
    )


def _seen_error(shipped: Any) -> Condition:
    seen, evaluated = number(shipped, "error_on_holdout"), number(shipped, "error_evaluated")
    passed = seen is not None and evaluated is not None and 0 <= seen <= evaluated
    if seen is None or evaluated is None:
        sentence = "its error on the holdout it has now seen is unknown"
    else:
        sentence = (
            f"its error on the holdout it has now seen is {seen:.4f}; "
            f"before seeing it, it was {evaluated:.4f}"
        )
    return Condition(
        SERVABLE, "learned from all rows", passed, sentence, seen, "at most", evaluated
    )
