"""`evaluation.json`'s `shipped`: whether the bundle that would serve can, whichever model it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from marquee.errors import MarqueeError
from scoring.golden import GoldenReport


def judge_shipped(
    measure: Callable[[], tuple[GoldenReport, float]], error: float
) -> dict[str, Any]:
    """`measure` loads the bundle and gives its golden report and its error on the now-seen
    holdout; a broken bundle is an answer, not an error. `error` is the evaluated fit's."""
    answer: dict[str, Any] = {
        "loads": False,
        "why": "",
        "golden": {"count": 0, "failures": 0, "worst": None},
        "error_on_holdout": None,
        "error_evaluated": error,
    }
    try:
        golden, found = measure()
    except MarqueeError as why:
        return answer | {"why": str(why)}
    return answer | {"loads": True, "golden": golden.as_json(), "error_on_holdout": found}
