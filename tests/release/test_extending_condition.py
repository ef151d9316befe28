"""A condition more: one line of the gate's table, and every older verdict stays what it was."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from release_examples import RECOMMENDER, publish_run, recommender_evaluation

from marquee.artefacts import verdict as verdicts
from marquee.artefacts.verdict import GOOD_ENOUGH, GROUPS, Condition, read_verdict
from marquee.lake import Lake
from marquee.policy import MODELS
from release.gate import CONDITIONS, GateCase, GateCondition
from release.judge import judge, read_case
from report.model_page import write_page

MODEL = "recommender"
FORMAT_1 = Path(__file__).parent / "format1"
MOST_STARS_OFF = 0.7


def mean_absolute_error(case: GateCase) -> list[Condition]:
    """The toy condition: a metric that every evaluation has, and no other condition bounds."""
    error = case.evaluation.metric("mae")
    passed = error is not None and error <= MOST_STARS_OFF
    sentence = f"the mean absolute error is {error}; at most {MOST_STARS_OFF} is allowed"
    return [
        Condition(
            GOOD_ENOUGH, "mean absolute error", passed, sentence, error, "at most", MOST_STARS_OFF
        )
    ]


TOY = GateCondition("mean_absolute_error", GOOD_ENOUGH, mean_absolute_error, ("recommender",))
WITH_TOY = (*CONDITIONS, TOY)


def evaluation(error: float) -> dict[str, object]:
    found = recommender_evaluation()
    found["metrics"]["mae"] = error
    return found


@pytest.mark.parametrize(("error", "approved"), [(0.69, True), (0.71, False)])
def test_a_registered_condition_decides_at_the_lake(
    lake: Lake, scratch: Path, error: float, approved: bool
) -> None:
    publish_run(lake, scratch, "r1", evaluation=evaluation(error))
    verdict = judge(lake, MODEL, "r1", WITH_TOY)
    assert verdict.approved is approved
    assert [c.name for c in verdict.failed] == ([] if approved else ["mean absolute error"])
    write_page(lake, verdict)
    page = lake.read_bytes("runs/r1/models/recommender/report.html").decode()
    assert "2 good enough: mean absolute error" in page
    assert read_verdict(lake.read_bytes("runs/r1/models/recommender/verdict.json")) == verdict


def test_it_stands_in_its_group_and_is_skipped_without_sound_figures(
    lake: Lake, scratch: Path
) -> None:
    publish_run(lake, scratch, "r1", evaluation=evaluation(float("nan")))
    broken = judge(lake, MODEL, "r1", WITH_TOY)
    assert {c.number for c in broken.failed} == {1} and not broken.approved
    publish_run(lake, scratch, "r2", evaluation=evaluation(0.6))
    numbers = [c.number for c in judge(lake, MODEL, "r2", WITH_TOY).conditions]
    assert numbers == sorted(numbers)


def test_a_verdict_from_before_the_condition_stays_approved(lake: Lake, scratch: Path) -> None:
    publish_run(lake, scratch, "r1", evaluation=evaluation(0.9))
    before = judge(lake, MODEL, "r1")
    assert before.approved
    assert judge(lake, MODEL, "r1", WITH_TOY) == before, "a verdict is written once"
    assert read_verdict((FORMAT_1 / "verdict-approved.json").read_bytes()).approved


def test_a_group_of_a_later_format_says_nothing_of_older_verdicts(
    lake: Lake, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only a new group asks for a new format; a verdict of it needs that group."""
    publish_run(lake, scratch, "r1")
    now = judge(lake, MODEL, "r1")
    monkeypatch.setattr(verdicts, "GROUPS", {**GROUPS, 7: "explained"})
    monkeypatch.setattr(verdicts, "FORMAT_OF_GROUP", {**verdicts.FORMAT_OF_GROUP, 7: 3})
    assert now.approved and not replace(now, format=3).approved
    assert read_verdict((FORMAT_1 / "verdict-approved.json").read_bytes()).approved


@pytest.mark.parametrize("model", MODELS)
def test_every_group_has_a_condition_and_every_condition_its_groups_number(
    lake: Lake, scratch: Path, model: str
) -> None:
    mine = [condition for condition in CONDITIONS if model in condition.models]
    assert {condition.group for condition in mine} == GROUPS.keys()
    assert len({condition.key for condition in CONDITIONS}) == len(CONDITIONS)
    if model != MODEL:
        return
    publish_run(lake, scratch, "r1")
    case = read_case(lake, MODEL, "r1")
    assert case.policy == RECOMMENDER
    for condition in mine:
        found = condition.judge(case)
        assert found and {c.number for c in found} == {condition.group}, condition.key
