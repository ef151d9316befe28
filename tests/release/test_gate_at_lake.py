"""The gate at the lake: what it reads, what it writes, and that it writes once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from gate_step import judge
from release_examples import (
    DATA,
    RATINGS_FIGURES,
    RECIPE,
    champion_of,
    publish_run,
    recommender_evaluation,
    week,
)

from marquee.artefacts.verdict import Verdict, read_verdict
from marquee.errors import (
    ContractError,
    LedgerError,
    NotFoundError,
    PromotionRefusedError,
    SettingsError,
)
from marquee.lake import Lake
from release.judge import read_champion
from release.ledger import Ledger
from release.losses import ALLOWANCE, ONE_SIDED_95
from release.manual_entries import accept_world
from release.promotion import promote

MODEL = "recommender"
FOLDER = "runs/r1/models/recommender"


def test_a_verdict_and_a_report_are_left_beside_the_model(lake: Lake, scratch: Path) -> None:
    publish_run(lake, scratch, "r1")
    verdict = judge(lake, MODEL, "r1")
    assert verdict.approved
    assert read_verdict(lake.read_bytes(f"{FOLDER}/verdict.json")) == verdict
    assert verdict.headline in lake.read_bytes(f"{FOLDER}/report.html").decode()
    assert verdict.subject.bundle_digest == lake.manifest(FOLDER).below("shipped/bundle").digest


def test_a_verdict_is_written_once(lake: Lake, scratch: Path) -> None:
    publish_run(lake, scratch, "r1")
    publish_run(lake, scratch, "r2", as_of=week(1))
    first = judge(lake, MODEL, "r1")
    judge(lake, MODEL, "r2")
    promote(lake, MODEL, "r2", approved=False)
    lake.delete(f"{FOLDER}/report.html")
    assert judge(lake, MODEL, "r1") == first
    assert lake.exists(f"{FOLDER}/report.html"), "what a killed attempt left out is made up for"


def test_the_champion_is_the_one_the_inputs_froze(lake: Lake, scratch: Path) -> None:
    publish_run(lake, scratch, "r1")
    judge(lake, MODEL, "r1")
    promote(lake, MODEL, "r1", approved=False)
    frozen = champion_of(lake)
    publish_run(lake, scratch, "r2", as_of=week(1), champion=frozen)
    verdict = judge(lake, MODEL, "r2")
    head = Ledger(lake, MODEL).head()
    assert head is not None and verdict.head is not None
    assert (verdict.head.number, verdict.head.digest) == (1, head.digest)
    assert any("identity" in c.sentence for c in verdict.conditions)


def test_losses_are_carried_through_the_ledger(lake: Lake, scratch: Path) -> None:
    approved = []
    publish_run(lake, scratch, "w0")
    for number in range(4):
        if number:
            publish_run(
                lake, scratch, f"w{number}", as_of=week(number), champion=champion_of(lake),
                recipe=RECIPE | {"rank": number},
                evaluation=recommender_evaluation(rmse=0.88 * 1.004, champion=(0.88, 0.18)),
            )  # fmt: skip
        approved.append(judge(lake, MODEL, f"w{number}").approved)
        if approved[-1]:
            promote(lake, MODEL, f"w{number}", approved=False)
    assert approved == [True, True, True, False]
    booked = [entry.losses["rmse"] for entry in Ledger(lake, MODEL).entries()]
    allowed = ALLOWANCE * (0.002 / 0.88 / ONE_SIDED_95) ** 2 / 0.01
    each = 0.004 - allowed
    assert booked == pytest.approx([0, each, 2 * each], rel=1e-6)


def test_a_missing_evaluation_is_no_verdict_at_all(lake: Lake, scratch: Path) -> None:
    publish_run(lake, scratch, "r1")
    lake.delete(f"{FOLDER}/evaluation.json")
    with pytest.raises(NotFoundError):
        judge(lake, MODEL, "r1")
    assert not lake.exists(f"{FOLDER}/verdict.json")


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"[]", b'{"metrics": {"rmse": NaN}}'])
def test_an_evaluation_that_makes_no_sense_is_refused(
    lake: Lake, scratch: Path, data: bytes
) -> None:
    publish_run(lake, scratch, "r1")
    lake.delete(f"{FOLDER}/evaluation.json")
    lake.create(f"{FOLDER}/evaluation.json", data)
    verdict = judge(lake, MODEL, "r1")
    assert not verdict.approved
    assert b"NaN" not in lake.read_bytes(f"{FOLDER}/verdict.json")


@pytest.mark.parametrize("broken", [{"run_type": "weekly"}, {"promote": True}, {"format": 3}])
def test_inputs_that_are_none_say_so(lake: Lake, scratch: Path, broken: dict[str, Any]) -> None:
    publish_run(lake, scratch, "r1", **broken)
    with pytest.raises(ContractError):
        judge(lake, MODEL, "r1")


def test_a_policy_that_is_none_says_so(lake: Lake, scratch: Path) -> None:
    asked = {"policy": {"rmse": 1}, "fingerprint": "f", "champion": None}
    publish_run(lake, scratch, "r1", models={MODEL: asked})
    with pytest.raises(SettingsError, match="unknown key 'rmse'"):
        judge(lake, MODEL, "r1")


def test_the_same_recipe_is_the_same_however_it_is_spelled(lake: Lake, scratch: Path) -> None:
    publish_run(lake, scratch, "r1")
    judge(lake, MODEL, "r1")
    promote(lake, MODEL, "r1", approved=False)
    champion = Ledger(lake, MODEL).head()
    for recipe, code, same in (
        (dict(reversed(RECIPE.items())), "c0de", (True, True)),
        (RECIPE, "other", (True, False)),
        (RECIPE | {"rank": 64}, "c0de", (False, True)),
    ):
        against = read_champion(lake, MODEL, champion, recipe, code)
        assert (against.same_recipe, against.same_code) == same
        assert against.recorded.metric("rmse") == 0.88
    assert not read_champion(lake, MODEL, None, RECIPE, "c0de").is_identical


def lost(lake: Lake, number: int) -> None:
    lake.delete(f"serving/{MODEL}/ledger/{number:06d}.json")


@pytest.mark.parametrize("kept", [0, 1])
def test_a_ledger_shorter_than_verdicts_have_named_is_refused(
    lake: Lake, scratch: Path, kept: int
) -> None:
    """Whole by itself, and even the run's own inputs agree with it: other verdicts do not."""
    for number in range(3):
        run = f"w{number}"
        publish_run(lake, scratch, run, as_of=week(number), champion=champion_of(lake))
        judge(lake, MODEL, run)
        promote(lake, MODEL, run, approved=False)
    for number in range(3, kept, -1):
        lost(lake, number)
    assert Ledger(lake, MODEL).verify() == []
    publish_run(lake, scratch, "next", as_of=week(3), champion=champion_of(lake))
    with pytest.raises(LedgerError, match=f"ends with entry {kept}, and entry .* known to have"):
        judge(lake, MODEL, "next")
    assert not lake.exists("runs/next/models/recommender/verdict.json")


def test_a_champion_the_ledger_no_longer_holds_is_refused(lake: Lake, scratch: Path) -> None:
    publish_run(lake, scratch, "r1")
    judge(lake, MODEL, "r1")
    entry = promote(lake, MODEL, "r1", approved=False)
    publish_run(lake, scratch, "r2", as_of=week(1), champion=champion_of(lake))
    lost(lake, 1)
    Ledger(lake, MODEL).append(entry.with_changes(reason="another history"), None)
    with pytest.raises(LedgerError, match="another entry 1 than the one that was read"):
        judge(lake, MODEL, "r2")


def served_first(lake: Lake, scratch: Path) -> None:
    publish_run(lake, scratch, "r1")
    judge(lake, MODEL, "r1")
    promote(lake, MODEL, "r1", approved=False)


def test_an_evaluation_of_a_later_release_fails_condition_1(lake: Lake, scratch: Path) -> None:
    newer = recommender_evaluation() | {"format": 3}
    publish_run(lake, scratch, "r1", evaluation=newer)
    sentences = [c.sentence for c in judge(lake, MODEL, "r1").failed if c.number == 1]
    said = "its format is 3, and this release knows 2; update this release"
    assert any(said in sentence for sentence in sentences), sentences


NEWER = {**DATA, "ratings": RATINGS_FIGURES | {"format": 2}}


def failed_data(verdict: Verdict) -> str:
    (condition,) = verdict.failed
    assert condition.number == 5
    return condition.sentence


def test_a_world_of_a_later_release_fails_condition_5(lake: Lake, scratch: Path) -> None:
    served_first(lake, scratch)
    publish_run(lake, scratch, "r2", as_of=week(1), champion=champion_of(lake), data=NEWER)
    sentence = failed_data(judge(lake, MODEL, "r2"))
    assert "what this run recorded of its ratings cannot be read: its format is 2" in sentence
    assert "update this release" in sentence
    with pytest.raises(PromotionRefusedError) as refused:
        accept_world(lake, MODEL, "r2", "why")
    assert "update this release" in refused.value.remedy


def test_a_champions_world_of_a_later_release_fails_condition_5(lake: Lake, scratch: Path) -> None:
    """Its card, which this release reads, is not asked instead."""
    publish_run(lake, scratch, "r1", data=NEWER)
    judge(lake, MODEL, "r1")
    promote(lake, MODEL, "r1", approved=False)
    publish_run(lake, scratch, "r2", as_of=week(1), champion=champion_of(lake))
    sentence = failed_data(judge(lake, MODEL, "r2"))
    assert "the champion's run recorded of its ratings cannot be read: its format" in sentence
