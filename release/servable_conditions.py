"""Group 6 of the gate: the shipped bundle serves.

A serving process loads it, it repeats the training job's answers, and its fit has learned from all
rows.
"""

from __future__ import annotations

from marquee.artefacts.document import printable
from marquee.artefacts.evaluation import Evaluation, Shipped
from marquee.artefacts.verdict import SERVABLE, Condition
from release.losses import LOG_RMSE, RMSE, TOLERANCE


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
