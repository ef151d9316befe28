"""A ledger that lost what a run was compared with is refused by every hand, and said by all."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from gate_step import judge
from release_examples import DATA, RATINGS_FIGURES, champion_of, publish_run, week
from typer.testing import CliRunner

from cli import app
from marquee.errors import LedgerError, NotFoundError
from marquee.lake import Lake
from release.ledger import Ledger, complete_entries
from release.manual_entries import accept_world, release_hold, roll_back
from release.promotion import promote

MODEL = "recommender"
FOLDER = f"serving/{MODEL}/ledger"
SHRUNK = {**DATA, "ratings": RATINGS_FIGURES | {"rows": 90_000}}


@pytest.fixture
def quiet(lake: Lake, tmp_path: Path) -> Lake:
    """Two promotions, then a hold by hand that only a quiet week's inputs have seen.

    `early` waits for a person since before there was any entry, `other` lost its world.
    """
    frozen(lake, tmp_path, "early", 5, promote="ask")
    judge(lake, MODEL, "early")
    for number in range(2):
        frozen(lake, tmp_path, f"w{number}", number)
        judge(lake, MODEL, f"w{number}")
        promote(lake, MODEL, f"w{number}", approved=False)
    frozen(lake, tmp_path, "other", 2, data=SHRUNK)
    judge(lake, MODEL, "other")
    roll_back(lake, MODEL, None, "look first", hold=True)
    frozen(lake, tmp_path, "quiet", 3)
    return lake


def frozen(lake: Lake, scratch: Path, run: str, number: int, **values: Any) -> None:
    publish_run(
        lake, scratch / "made", run, as_of=week(number), champion=champion_of(lake), **values
    )


def cut(lake: Lake, kept: int) -> None:
    """Lose every entry after the first `kept`; what remains is consistent by itself."""
    for number in Ledger(lake, MODEL).numbers()[kept:]:
        lake.delete(f"{FOLDER}/{number:06d}.json")
    assert Ledger(lake, MODEL).verify() == []


HANDS: dict[str, Callable[[Lake], Any]] = {
    "promote": lambda lake: promote(lake, MODEL, "early", approved=True),
    "promote again": lambda lake: promote(lake, MODEL, "w0", approved=False),
    "roll back": lambda lake: roll_back(lake, MODEL, None, "why", hold=False),
    "release": lambda lake: release_hold(lake, MODEL, "why"),
    "accept": lambda lake: accept_world(lake, MODEL, "other", "why"),
}


@pytest.mark.parametrize("hand", HANDS)
@pytest.mark.parametrize("kept", [0, 1, 2])
def test_no_hand_writes_over_what_was_lost(quiet: Lake, hand: str, kept: int) -> None:
    cut(quiet, kept)
    with pytest.raises(LedgerError, match=f"ends with entry {kept}, and entry 3 is known") as said:
        HANDS[hand](quiet)
    assert "from a copy of the lake" in said.value.remedy
    assert Ledger(quiet, MODEL).numbers() == list(range(1, kept + 1))


@pytest.mark.parametrize("kept", [0, 1, 2])
def test_the_command_says_what_was_lost(quiet: Lake, kept: int) -> None:
    cut(quiet, kept)
    result = CliRunner().invoke(app, ["ledger", MODEL, "--json", "--lake", quiet.root])
    assert result.exit_code == 1
    (problem,) = json.loads(result.stdout)["problems"]
    assert f"ends with entry {kept}, and entry 3 is known to have been" in problem
    shown = CliRunner().invoke(app, ["ledger", MODEL, "--lake", quiet.root])
    assert shown.exit_code == 1
    assert "the chain is whole" not in shown.output


def test_the_gate_hears_inputs_that_no_verdict_followed(quiet: Lake, tmp_path: Path) -> None:
    cut(quiet, 2)
    frozen(quiet, tmp_path, "next", 4)
    with pytest.raises(LedgerError, match="entry 3 is known to have been"):
        judge(quiet, MODEL, "next")


def test_another_entry_in_its_place_is_another_history(quiet: Lake) -> None:
    cut(quiet, 2)
    ledger = Ledger(quiet, MODEL)
    last = ledger.head()
    assert last is not None
    ledger.append(last.with_changes(reason="written anew"), last)
    with pytest.raises(LedgerError, match="another entry 3 than the one that was read before"):
        roll_back(quiet, MODEL, None, "why", hold=False)


def test_what_came_home_again_serves_again(quiet: Lake) -> None:
    kept = quiet.read_bytes(f"{FOLDER}/000003.json")
    cut(quiet, 2)
    quiet.create(f"{FOLDER}/000003.json", kept)
    assert release_hold(quiet, MODEL, "looked").number == 4


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b'{"format": 99}', b'{"format": 2}'])
def test_inputs_that_are_none_bear_no_witness(quiet: Lake, data: bytes) -> None:
    quiet.create("runs/broken/inputs.json", data)
    assert len(complete_entries(quiet, MODEL)) == 3


def test_inputs_that_leave_the_lake_bear_no_witness(quiet: Lake) -> None:
    value = quiet.read_json("runs/quiet/inputs.json")
    value["ratings"]["path"] = "../other"
    quiet.create_json("runs/broken/inputs.json", value)
    assert len(complete_entries(quiet, MODEL)) == 3


def test_nothing_is_lost_where_nothing_was_named(lake: Lake, tmp_path: Path) -> None:
    assert complete_entries(lake, MODEL) == []
    frozen(lake, tmp_path, "first", 0)
    judge(lake, MODEL, "first")
    assert promote(lake, MODEL, "first", approved=False).number == 1
    with pytest.raises(NotFoundError):
        Ledger(lake, "budget").entry(1)
    assert complete_entries(lake, "budget") == []
