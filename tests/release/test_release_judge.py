"""The gate at the lake: what it reads, what it writes, and that it writes once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from release_world import RECIPE, champion_of, publish_run, recommender_evaluation, week

from marquee.errors import ContractError, NotFoundError, SettingsError
from marquee.lake import Lake
from marquee.release.inputs import ChampionInput
from marquee.release.judge import against_of, judge
from marquee.release.ledger import Ledger
from marquee.release.promotion import promote
from marquee.release.verdict import read_verdict

MODEL = "recommender"
FOLDER = "runs/r1/models/recommender"


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    return tmp_path / "scratch"


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
    assert [round(e.losses["rmse"], 6) for e in Ledger(lake, MODEL).entries()] == [0, 0.004, 0.008]


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
    champion = ChampionInput(**(champion_of(lake) or {}))
    for recipe, code, same in (
        (dict(reversed(RECIPE.items())), "c0de", (True, True)),
        (RECIPE, "other", (True, False)),
        (RECIPE | {"rank": 64}, "c0de", (False, True)),
    ):
        against = against_of(lake, MODEL, champion, recipe, code)
        assert (against.same_recipe, against.same_code) == same
        assert against.recorded.metric("rmse") == 0.88
    assert not against_of(lake, MODEL, None, RECIPE, "c0de").is_identical
