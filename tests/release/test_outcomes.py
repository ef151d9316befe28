"""What came of a verdict is said in the outcome's own words, afresh each time."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from promoted_runs import MODEL, judged, promoted
from release_examples import week
from typer.testing import CliRunner

from cli import app
from marquee.errors import ContractError, LakeUnavailableError, PromotionRefusedError
from marquee.lake import Lake
from marquee.run_folder import model_folder
from marquee.settings import load_settings
from release.ledger import Ledger
from release.manual_entries import release_hold, roll_back
from release.outcomes import Outcome, add_outcome, last_outcome, outcome_of_run, read_outcomes
from report.model_page import insert_outcome
from steps.form import Form
from steps.release_model import (
    ApprovalAnswer,
    approval_of,
    end_approval_request,
    is_approved,
    promote,
    record_answer,
    record_question,
)
from steps.run import Run
from steps.run_report import read_report, report

NOON = datetime(2026, 2, 3, 12, 0, 30, tzinfo=UTC)
MAY_STILL = ("may be promoted", "goes on to", "waits for")


def run_of(lake: Lake, name: str) -> Run:
    settings = load_settings("local")
    return Run(name, week(9), "manual", Form.of(settings, {}), settings, lake)


def answer(lake: Lake, option: str, user: str | None = "ada", **changes: Any) -> ApprovalAnswer:
    by = {"id": "7", "name": user} if user else None
    event = {"chosen_options": [option], "responded_at": NOON, "responded_by_user": by}
    return ApprovalAnswer.of(event | changes)


def sentence(lake: Lake, run: str) -> str:
    """What the report says of the recommender, which history and the served page say too."""
    found = report(run_of(lake, run))["models"][MODEL]["sentence"]
    came = outcome_of_run(lake, MODEL, run)
    rows = json.loads(
        CliRunner().invoke(app, ["history", MODEL, "--lake", lake.root, "--json"]).output
    )
    row = next(r for r in rows if r["run"] == run)
    assert found.endswith(came) and row["outcome"] == came
    page = lake.read_bytes(f"{model_folder(run, MODEL)}/report.html").decode()
    shown = insert_outcome(page, came)
    assert not any(text in shown for text in MAY_STILL) or any(text in came for text in MAY_STILL)
    return str(found)


@pytest.fixture(autouse=True)
def frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other model has no verdict here: its sentence is not what these tests look at."""
    monkeypatch.setattr("steps.run_report.MODELS", (MODEL,))


def test_before_anything_comes_of_it_the_verdict_speaks(lake: Lake, scratch: Path) -> None:
    assert "goes on to promotion" in sentence(lake, judged(lake, scratch, "r1"))


def test_a_promotion_names_its_entry(lake: Lake, scratch: Path) -> None:
    run = run_of(lake, judged(lake, scratch, "r1"))
    entry = promote(run, MODEL)
    assert f"Entry 1 promotes {entry['bundle']}." in sentence(lake, "r1")
    assert promote(run, MODEL) == entry
    assert [o.kind for o in read_outcomes(lake, model_folder("r1", MODEL))] == ["promoted"]


@pytest.mark.parametrize("recorded", [True, False], ids=["recorded", "of an earlier release"])
def test_a_promotion_that_was_refused_says_why(lake: Lake, scratch: Path, recorded: bool) -> None:
    slow = judged(lake, scratch, "slow", as_of=week(5))
    promoted(lake, scratch, 0)
    if recorded:
        with pytest.raises(PromotionRefusedError):
            promote(run_of(lake, slow), MODEL)
    said = sentence(lake, slow)
    assert "It is not promoted: the champion changed after this run was judged" in said
    assert "trigger a new run" in said


def test_a_cleared_promote_tells_its_new_outcome(lake: Lake, scratch: Path) -> None:
    promoted(lake, scratch, 0)
    promoted(lake, scratch, 1)
    roll_back(lake, MODEL, to=1, reason="people complain", hold=True)
    run = judged(lake, scratch, "r2", as_of=week(2))
    with pytest.raises(PromotionRefusedError):
        promote(run_of(lake, run), MODEL)
    held = sentence(lake, run)
    assert "a roll-back holds the recommender: people complain" in held
    release_hold(lake, MODEL, "looked")
    with pytest.raises(PromotionRefusedError):
        promote(run_of(lake, run), MODEL)
    assert "the champion changed after" in sentence(lake, run)
    reports = [n for n in lake.names("runs/r2") if n.startswith("report")]
    assert len(reports) == 2, "the first report stays"
    assert "the champion changed" in read_report(lake, run)["models"][MODEL]["sentence"]


def test_a_promotion_rolled_back_since_says_so(lake: Lake, scratch: Path) -> None:
    promoted(lake, scratch, 0)
    promoted(lake, scratch, 1)
    roll_back(lake, MODEL, to=1, reason="slow", hold=False)
    assert "Entry 3 rolled it back: slow." in sentence(lake, "week-1")
    with pytest.raises(PromotionRefusedError):
        promote(run_of(lake, "week-1"), MODEL)
    assert "was rolled back — to let its bundle serve again" in sentence(lake, "week-1")


def test_who_is_waited_for_until_when_and_where(lake: Lake, scratch: Path) -> None:
    run = run_of(lake, judged(lake, scratch, "r1", promote="ask"))
    soon = datetime.now(UTC) + timedelta(hours=2)
    record_question(run, MODEL, soon, "http://airflow/answer")
    said = sentence(lake, "r1")
    assert f"waits for a person's approval until {soon:%Y-%m-%dT%H:%M:%SZ}" in said
    assert "answer at http://airflow/answer" in said
    record_question(run, MODEL, NOON - timedelta(days=400), "http://airflow/answer")
    assert "no answer is recorded" in sentence(lake, "r1")


def test_a_run_that_ended_waits_for_nobody(lake: Lake, scratch: Path) -> None:
    run = run_of(lake, judged(lake, scratch, "r1", promote="ask"))
    assert end_approval_request(lake, "r1", MODEL) is None, "nobody was asked"
    record_question(run, MODEL, datetime.now(UTC) + timedelta(days=3), "http://airflow/answer")
    assert (
        end_approval_request(lake, "r1", MODEL) and end_approval_request(lake, "r1", MODEL) is None
    )
    said = sentence(lake, "r1")
    assert "its run ended at " in said and "trigger a new run" in said
    assert "answer at" not in said and "waits" not in said
    record_question(run, MODEL, datetime.now(UTC) + timedelta(days=3), "http://airflow/answer")
    assert "answer at http://airflow/answer" in sentence(lake, "r1"), "cleared, it asks afresh"
    record_answer(run, MODEL, answer(lake, "Approve", "grace"))
    assert end_approval_request(lake, "r1", MODEL) is None
    assert "grace approved it" in sentence(lake, "r1")


def test_who_approved_is_named_wherever_it_is_told(lake: Lake, scratch: Path) -> None:
    run = run_of(lake, judged(lake, scratch, "r1", promote="ask"))
    record_answer(run, MODEL, answer(lake, "Approve", "grace"))
    assert "grace approved it at 2026-02-03T12:00:30Z" in sentence(lake, "r1")
    promote(run, MODEL)
    entry = Ledger(lake, MODEL).entries()[-1]
    assert entry.approved_by == "grace" and entry.reason.endswith("and grace approved")
    assert sentence(lake, "r1").endswith("; grace approved it.")
    assert read_report(lake, "r1")["models"][MODEL]["approved_by"] == "grace"


@pytest.mark.parametrize(
    ("user", "because"),
    [("ada", "ada rejected it at 2026-02-03T12:00:30Z"), (None, "nobody answered by 2026-02-03")],
)
def test_a_no_and_a_silence_are_told_apart(
    lake: Lake, scratch: Path, user: str | None, because: str
) -> None:
    run = run_of(lake, judged(lake, scratch, "r1", promote="ask"))
    with pytest.raises(PromotionRefusedError, match=because):
        promote(run, MODEL, answer(lake, "Reject", user))
    assert f"It is not promoted: {because}" in sentence(lake, "r1")
    assert Ledger(lake, MODEL).entries() == []


def test_after_a_no_a_new_question_may_be_answered(lake: Lake, scratch: Path) -> None:
    run = run_of(lake, judged(lake, scratch, "r1", promote="ask"))
    record_answer(run, MODEL, answer(lake, "Reject"))
    record_question(run, MODEL, None, "")
    assert "waits for a person" in sentence(lake, "r1")
    later = answer(lake, "Approve", responded_at=NOON + timedelta(hours=1))
    assert promote(run, MODEL, later)["number"] == 1


def test_a_yes_that_the_lake_missed_is_written_by_promote(lake: Lake, scratch: Path) -> None:
    run = run_of(lake, judged(lake, scratch, "r1", promote="ask"))
    assert promote(run, MODEL, answer(lake, "Approve"))["number"] == 1
    assert approval_of(run, MODEL).by == "ada"
    record_answer(run, MODEL, answer(lake, "Approve", "another"))
    assert approval_of(run, MODEL).by == "ada", "the first yes stays"


def test_without_an_answer_nobody_has_approved(lake: Lake, scratch: Path) -> None:
    run = run_of(lake, judged(lake, scratch, "r1", promote="ask"))
    with pytest.raises(PromotionRefusedError, match="asks for a person's approval and has none"):
        promote(run, MODEL)
    assert not is_approved(run, MODEL)


def test_an_approval_of_an_earlier_release_still_counts(lake: Lake, scratch: Path) -> None:
    run = run_of(lake, judged(lake, scratch, "r1", promote="ask"))
    lake.create_json(
        run.path(f"models/{MODEL}/approval.json"), {"by": "x", "at": "2026-02-03T12:00:30Z"}
    )
    assert promote(run, MODEL)["number"] == 1


def test_outcomes_written_at_once_all_stay(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = "runs/r/models/budget"
    real, other = lake.names, Outcome(kind="refused", at=NOON, reason="first")

    def slow(path: str) -> list[str]:
        found = real(path)
        monkeypatch.setattr(lake, "names", real)
        add_outcome(lake, folder, other)
        return found

    monkeypatch.setattr(lake, "names", slow)
    add_outcome(lake, folder, Outcome(kind="refused", at=NOON, reason="second"))
    assert [o.reason for o in read_outcomes(lake, folder)] == ["first", "second"]


def test_a_torn_outcome_is_a_sentence(lake: Lake) -> None:
    lake.create("runs/r/models/budget/outcomes/0001.json", b'{"kind": "perhaps"}')
    with pytest.raises(ContractError, match=r"0001\.json is not what a run leaves there: kind"):
        last_outcome(lake, "runs/r/models/budget")


def test_an_answer_while_the_lake_is_away_fails_as_such(lake: Lake, scratch: Path) -> None:
    run = run_of(lake, judged(lake, scratch, "r1", promote="ask"))

    def away(path: str) -> bytes:
        raise LakeUnavailableError("HDFS does not answer", "wait")

    lake.read_bytes = away  # type: ignore[method-assign]
    with pytest.raises(LakeUnavailableError):
        record_answer(run, MODEL, answer(lake, "Approve"))
