"""One challenger put to the gate, and what of its evaluation is changed first."""

from __future__ import annotations

import copy
from typing import Any

from release_world import (
    BUDGET,
    RECOMMENDER,
    subject,
    worlds,
)

from marquee.artefacts.subject import Head
from marquee.artefacts.verdict import Verdict
from release.against import Against
from release.gate import decide
from release.same_world import Worlds

CHAMPION = Head(3, "d" * 64)


EQUAL = (0.88, 0.18)


SAME = worlds()


def judge(
    evaluation: Any,
    champion: Head | None = None,
    same: bool = False,
    accepted: Any = None,
    model: str = "recommender",
    **against: Any,
) -> Verdict:
    """`same`: the champion's recipe and code; `against`: what else is known of the champion."""
    values = {
        "same_recipe": same,
        "same_code": True,
        "accepted": {} if accepted is None else accepted,
    }
    return decide(
        evaluation,
        RECOMMENDER if model == "recommender" else BUDGET,
        subject=subject(model=model),
        against=Against(champion, **values | against),
        worlds=SAME if champion else Worlds(SAME.challenger, None),
    )


def failing(verdict: Verdict) -> set[int]:
    return {condition.number for condition in verdict.failed}


def changed(evaluation: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """The evaluation with one value replaced; `path` is separated by `/`."""
    changed = copy.deepcopy(evaluation)
    *folders, last = path.split("/")
    below = changed
    for folder in folders:
        below = below[folder]
    below[last] = value
    return changed
