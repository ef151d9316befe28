"""One challenger put to the gate, and what of its evaluation is changed first."""

from __future__ import annotations

import copy
from typing import Any

from release_examples import (
    BUDGET,
    RECOMMENDER,
    data_comparison,
    subject,
)

from marquee.artefacts.evaluation import read_evaluation
from marquee.artefacts.verdict import Head, Verdict
from release.champion_conditions import GateChampion
from release.gate import GateCase, decide
from release.same_world import DataComparison

CHAMPION = Head(3, "d" * 64)


EQUAL = (0.88, 0.18)


SAME = data_comparison()


def judge(
    evaluation: Any,
    champion: Head | None = None,
    same: bool = False,
    accepted: Any = None,
    model: str = "recommender",
    **known: Any,
) -> Verdict:
    """`same`: the champion's recipe and code; `known`: what else is known of the champion."""
    values = {
        "same_recipe": same,
        "same_code": True,
        "accepted": {} if accepted is None else accepted,
    }
    case = GateCase(
        subject=subject(model=model),
        evaluation=read_evaluation(evaluation),
        policy=RECOMMENDER if model == "recommender" else BUDGET,
        champion=GateChampion(champion, **values | known),
        data=SAME if champion else DataComparison(SAME.challenger, None),
    )
    return decide(case)


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
