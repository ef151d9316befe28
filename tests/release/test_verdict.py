"""Verdicts: a value that says the same in JSON, in a log and on a page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from release_examples import RECOMMENDER, data_comparison, recommender_evaluation, subject

from marquee.artefacts.evaluation import read_evaluation
from marquee.artefacts.verdict import Head, Verdict, read_verdict
from marquee.errors import ContractError
from release.champion_conditions import GateChampion
from release.gate import GateCase, decide

FORMAT_1 = Path(__file__).parent / "format1"


def verdict(evaluation: Any = None, champion: Head | None = None, **changes: Any) -> Verdict:
    case = GateCase(
        subject=subject(**changes),
        evaluation=read_evaluation(evaluation or recommender_evaluation()),
        policy=RECOMMENDER,
        champion=GateChampion(champion, True, True, {"rmse": 0.001}),
        data=data_comparison(),
    )
    return decide(case)


def test_a_verdict_survives_its_file() -> None:
    decided = verdict(champion=Head(2, "d"))
    assert decided.approved
    assert read_verdict(json.dumps(decided.to_json()).encode()) == decided


def test_the_files_keys_are_the_contract() -> None:
    assert set(verdict().to_json()) == {
        "format", "run", "model", "as_of", "run_type", "promote", "recipe", "code", "fingerprint",
        "bundle_digest", "approved", "needs_approval", "headline", "head", "losses", "conditions",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "needs", "consequence"),
    [
        ({}, False, "goes on to promotion"),
        ({"promote": "ask"}, True, "goes on to a person's approval"),
        ({"promote": "no"}, False, "told not to"),
        ({"run_type": "backfill", "promote": "ask"}, False, "only replays"),
        ({"run_type": "scheduled"}, False, "goes on to promotion"),
    ],
)
def test_what_follows_from_an_approval(
    changes: dict[str, Any], needs: bool, consequence: str
) -> None:
    decided = verdict(**changes)
    assert decided.needs_approval is needs
    assert consequence in decided.consequence


def test_a_refusal_asks_nobody() -> None:
    decided = verdict(evaluation={"model": "recommender"}, promote="ask")
    assert not decided.needs_approval
    assert "keeps serving" in decided.consequence


def test_a_verdict_that_left_a_group_out_is_not_approved() -> None:
    decided = verdict()
    some = tuple(c for c in decided.conditions if c.number != 6)
    assert not Verdict(subject=decided.subject, conditions=some, head=None).approved
    assert not Verdict(subject=decided.subject, conditions=(), head=None).approved


def test_the_log_names_every_condition() -> None:
    decided = verdict(evaluation=recommender_evaluation() | {"shipped": None})
    lines = decided.sentences()
    assert len(lines) == 2 + len(decided.conditions)
    assert sum(line.startswith("FAILS") for line in lines) == len(decided.failed) == 3


def test_the_page_survives_what_others_wrote() -> None:
    evaluation = recommender_evaluation()
    evaluation["shipped"] |= {"loads": False, "why": "a|b\nc"}
    page = verdict(evaluation=evaluation).markdown()
    rows = [line for line in page.splitlines() if line.startswith("| ")]
    assert all(re_pipes(row) == 4 for row in rows)


def re_pipes(row: str) -> int:
    """Pipes that separate cells."""
    return row.replace("\\|", "").count("|")


@pytest.mark.parametrize(
    "changes", [{"run_type": "weekly"}, {"promote": None}, {"code": 7}, {"recipe": {"a": {1}}}]
)
def test_a_subject_that_is_none_is_an_error(changes: dict[str, Any]) -> None:
    with pytest.raises(ContractError, match="not described soundly"):
        subject(**changes)


@pytest.mark.parametrize(("name", "approved"), [("approved", True), ("refused", False)])
def test_the_first_releases_verdicts_stay_what_they_were(name: str, approved: bool) -> None:
    """They judged five groups; the sixth came later and says nothing about them."""
    data = (FORMAT_1 / f"verdict-{name}.json").read_bytes()
    old = read_verdict(data)
    assert old.approved is approved
    assert old.format == 1 and 5 not in {c.number for c in old.conditions}
    assert len(old.conditions) == 14 and old.head is not None and old.head.number in (1, 2)
    assert read_verdict(json.dumps(old.to_json()).encode()) == old
    assert old.to_json() == json.loads(data)


def test_what_a_later_release_adds_is_ignored_and_what_it_changes_refused() -> None:
    value = verdict().to_json()
    value["told_by"] = value["conditions"][0]["unit"] = "the next release"
    assert read_verdict(json.dumps(value).encode()) == verdict()
    with pytest.raises(ContractError, match="a later release wrote the verdict") as refused:
        read_verdict(json.dumps(value | {"format": 3}).encode())
    assert "update" in refused.value.remedy
    value["conditions"][0]["number"] = 7
    with pytest.raises(ContractError, match=r"no group \[7\]"):
        read_verdict(json.dumps(value).encode())
