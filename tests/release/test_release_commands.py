"""The commands about what serves, on a lake in a folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from gate_step import judge
from release_examples import (
    DATA,
    RATINGS_FIGURES,
    champion_of,
    clock_at,
    publish_run,
    recommender_evaluation,
    week,
)
from typer.testing import CliRunner

from cli import app
from marquee.errors import (
    HeadMovedError,
    MarqueeError,
    NotFoundError,
    PromotionRefusedError,
    SourceError,
)
from marquee.lake import Lake
from release.ledger import Ledger
from release.promotion import promote

MODEL = "recommender"


def run(lake: Lake, *words: str, said: str = "") -> Result:
    return CliRunner().invoke(app, [*words, "--lake", lake.root], input=said)


def json_of(lake: Lake, *words: str) -> Any:
    result = run(lake, *words, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture
def lived(lake: Lake, tmp_path: Path) -> Lake:
    """Two promoted weeks, and one that was refused."""
    for number, rmse in enumerate((0.88, 0.88, 1.2)):
        name = f"week-{number}"
        publish_run(
            lake, tmp_path / "scratch", name, as_of=week(number), champion=champion_of(lake),
            evaluation=recommender_evaluation(rmse=rmse, champion=(0.88, 0.18)),
        )  # fmt: skip
        if judge(lake, MODEL, name).approved:
            promote(lake, MODEL, name, approved=False, clock=clock_at(week(number)))
    return lake


@pytest.mark.parametrize("command", ["history", "ledger", "champion", "rollback", "accept-world"])
def test_every_command_explains_itself(command: str) -> None:
    result = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "120"})
    assert result.exit_code == 0
    for flag in ("--lake", "--webhdfs", "--json", "recommender|budget"):
        assert flag in result.output


def test_the_ledger_is_shown_and_checked(lived: Lake) -> None:
    value = json_of(lived, "ledger", MODEL)
    assert [entry["run"] for entry in value["entries"]] == ["week-0", "week-1"]
    assert value["problems"] == []
    result = run(lived, "ledger", MODEL)
    assert "the chain is whole" in result.output
    assert result.exit_code == 0


def test_a_broken_ledger_ends_with_status_1(lived: Lake) -> None:
    lived.delete("serving/recommender/ledger/000001.json")
    result = run(lived, "ledger", MODEL)
    assert result.exit_code == 1
    assert "broken: the first entry is number 2" in " ".join(result.output.split())


def test_an_empty_ledger_says_so(lake: Lake) -> None:
    assert "nothing has been promoted" in run(lake, "ledger", "budget").output


def test_the_champion_now_and_then(lived: Lake) -> None:
    now = json_of(lived, "champion", MODEL)
    then = json_of(lived, "champion", MODEL, "--at", "2026-01-05T00:00:00Z")
    assert (now["run"], then["run"]) == ("week-1", "week-0")
    assert now["folder"] == f"{lived.root}/serving/recommender/bundles/{now['bundle']}"
    assert now["bundle"] in run(lived, "champion", MODEL).output


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["champion", "budget"], NotFoundError),
        (["champion", MODEL, "--at", "2020-01-01T00:00:00Z"], NotFoundError),
        (["champion", MODEL, "--at", "yesterday"], SourceError),
        (["rollback", "budget", "--reason", "why"], PromotionRefusedError),
        (["rollback", MODEL, "--reason", " ", "--yes"], PromotionRefusedError),
        (["rollback", MODEL, "--reason", "why", "--to", "9"], PromotionRefusedError),
        (["rollback", MODEL, "--reason", "why", "--release"], PromotionRefusedError),
        (["rollback", MODEL, "--reason", "a", "--release", "--hold"], PromotionRefusedError),
    ],
)
def test_what_cannot_be_done_is_one_of_our_errors(
    lived: Lake, words: list[str], error: type[MarqueeError]
) -> None:
    before = Ledger(lived, MODEL).entries()
    result = run(lived, *words)
    assert isinstance(result.exception, error), result.output
    assert Ledger(lived, MODEL).entries() == before


def test_rolling_back_asks_first(lived: Lake) -> None:
    result = run(lived, "rollback", MODEL, said="too many cartoons\nn\n")
    assert result.exit_code == 1
    assert len(Ledger(lived, MODEL).entries()) == 2
    result = run(lived, "rollback", MODEL, said="too many cartoons\ny\n")
    assert result.exit_code == 0, result.output
    head = Ledger(lived, MODEL).head()
    assert head is not None
    assert (head.kind, head.run, head.reason) == ("roll_back", "week-0", "too many cartoons")


def test_a_hold_and_its_release(lived: Lake) -> None:
    held = json_of(lived, "rollback", MODEL, "--reason", "look first", "--hold", "--yes")
    assert held["hold"] is True
    assert "holds" in run(lived, "ledger", MODEL).output
    assert "until it is released" in run(lived, "champion", MODEL).output
    released = json_of(lived, "rollback", MODEL, "--release", "--reason", "looked")
    assert (released["hold"], released["bundle"]) == (False, held["bundle"])


def test_what_people_wrote_is_no_markup(lived: Lake) -> None:
    run(lived, "rollback", MODEL, "--reason", "[/b] why", "--yes")
    result = run(lived, "ledger", MODEL)
    assert result.exit_code == 0
    assert "[/b]" in result.output


def test_history_tells_what_became_of_every_run(lived: Lake) -> None:
    rows = json_of(lived, "history", MODEL)
    assert [(r["run"], r["approved"], r["entry"]) for r in rows] == [
        ("week-0", True, 1), ("week-1", True, 2), ("week-2", False, None)
    ]  # fmt: skip
    assert any("ceiling" in sentence for sentence in rows[2]["failed"])
    assert "refused" in run(lived, "history", MODEL).output
    assert json_of(lived, "history", MODEL, "--replay") == []


def test_history_replays_backfilled_runs(lake: Lake, tmp_path: Path) -> None:
    for number, rmse in enumerate((0.88, 1.2, 0.88)):
        publish_run(
            lake, tmp_path / "scratch", f"b{number}", as_of=week(number), run_type="backfill",
            evaluation=recommender_evaluation(rmse=rmse),
        )  # fmt: skip
        judge(lake, MODEL, f"b{number}")
    rows = json_of(lake, "history", MODEL, "--replay")
    assert [row["promoted"] for row in rows] == [True, False, True]
    shown = run(lake, "history", MODEL, "--replay").output
    assert shown.count("would have") == 2
    assert shown.count("would not") == 1
    assert Ledger(lake, MODEL).head() is None


def test_history_without_a_model_is_that_of_both(lived: Lake) -> None:
    assert json_of(lived, "history") == {MODEL: json_of(lived, "history", MODEL), "budget": []}
    shown = run(lived, "history").output
    assert "the recommender model:" in shown
    assert "no run has judged a budget model yet" in shown


@pytest.mark.parametrize("command", ["history", "ledger", "champion"])
def test_names_are_whole_in_a_narrow_terminal(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """What `accept-world --run` and the report's address want can be copied."""
    name = "manual-2026-01-04t03-00-00-123456-00-00-0a1b2c3d"
    publish_run(
        lake, tmp_path / "scratch", name, as_of=week(0), evaluation=recommender_evaluation(rmse=0.8)
    )
    assert judge(lake, MODEL, name).approved
    entry = promote(lake, MODEL, name, approved=False, clock=clock_at(week(0)))
    monkeypatch.setenv("COLUMNS", "80")
    shown = run(lake, command, MODEL).output
    assert name in shown
    assert command == "history" or entry.bundle in shown


def test_history_of_nothing(lake: Lake) -> None:
    assert "no run has judged" in run(lake, "history", MODEL).output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["rollback", MODEL], "nothing was ever promoted"),
        (["rollback", MODEL, "--release"], "no hold stands"),
        (["accept-world", MODEL, "--run", "none"], "no world needs accepting"),
    ],
    ids=["rollback", "release", "accept-world"],
)
def test_nobody_is_asked_about_what_cannot_be_done(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, words: list[str], said: str
) -> None:
    monkeypatch.setattr("typer.prompt", lambda *_: pytest.fail("it asked"))
    result = run(lake, *words)
    assert isinstance(result.exception, PromotionRefusedError), result.output
    assert said in str(result.exception)


def test_who_gives_no_reason_is_asked(lived: Lake) -> None:
    result = run(lived, "rollback", MODEL, said="it was slow\ny\n")
    assert result.exit_code == 0, result.output
    head = Ledger(lived, MODEL).head()
    assert head is not None and head.reason == "it was slow"


def shrunk(lake: Lake, scratch: Path, name: str = "week-3") -> None:
    """A run whose ratings lost a tenth of their rows."""
    data = {**DATA, "ratings": RATINGS_FIGURES | {"rows": 90_000}}
    publish_run(lake, scratch, name, as_of=week(3), champion=champion_of(lake), data=data)
    assert not judge(lake, MODEL, name).approved


def test_a_world_is_accepted_after_asking(lived: Lake, tmp_path: Path) -> None:
    shrunk(lived, tmp_path / "more")
    words = ("accept-world", MODEL, "--run", "week-3", "--reason", "spam went")
    assert run(lived, *words, said="n\n").exit_code == 1
    assert len(Ledger(lived, MODEL).entries()) == 2
    result = run(lived, *words, said="y\n")
    assert result.exit_code == 0, result.output
    assert "The last entry is 2" in result.output
    assert "that of run week-3" in run(lived, "champion", MODEL).output
    assert json_of(lived, "ledger", MODEL)["entries"][-1]["kind"] == "accept_world"


@pytest.mark.parametrize("command", ["rollback", "accept-world", "release"])
def test_an_act_on_a_ledger_that_moved_on_is_refused(
    lived: Lake, tmp_path: Path, command: str
) -> None:
    shrunk(lived, tmp_path / "more")
    words = {
        "rollback": ["rollback", MODEL, "--yes"],
        "accept-world": ["accept-world", MODEL, "--run", "week-3", "--yes"],
        "release": ["rollback", MODEL, "--release"],
    }[command]
    if command == "release":
        run(lived, "rollback", MODEL, "--reason", "a", "--hold", "--yes")
    seen = len(Ledger(lived, MODEL).entries())
    result = run(lived, *words, "--reason", "why", "--head", str(seen - 1))
    assert isinstance(result.exception, HeadMovedError), result.output
    assert "marquee ledger" in result.exception.remedy
    assert len(Ledger(lived, MODEL).entries()) == seen
    assert run(lived, *words, "--reason", "why", "--head", str(seen)).exit_code == 0


def test_a_roll_back_confirmed_after_the_head_moved_is_refused(
    lived: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The person reads the question about entry 2; meanwhile somebody else writes entry 3."""

    def confirm(text: str, abort: bool) -> None:
        assert "Entry 2 is the last" in text
        head = Ledger(lived, MODEL).head()
        assert head is not None
        Ledger(lived, MODEL).append(head.with_changes(reason="meanwhile"), head)

    monkeypatch.setattr("typer.confirm", confirm)
    result = run(lived, "rollback", MODEL, "--reason", "why")
    assert isinstance(result.exception, HeadMovedError)
    assert len(Ledger(lived, MODEL).entries()) == 3


def test_a_hold_stands_through_another_roll_back(lived: Lake) -> None:
    run(lived, "rollback", MODEL, "--reason", "look first", "--hold", "--yes")
    again = json_of(lived, "rollback", MODEL, "--reason", "the other one", "--to", "2", "--yes")
    assert again["hold"] is True
    assert json_of(lived, "rollback", MODEL, "--release", "--reason", "seen")["hold"] is False
