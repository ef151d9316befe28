"""A lake holds one world: the first load claims it, whoever comes after checks it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli import app
from marquee.errors import ConflictError, ContractError, MarqueeError
from marquee.lake import Lake, World, check_world, claim_world, open_lake, read_world
from steps.crawl_titles import crawl_titles
from steps.freeze_inputs import freeze_inputs
from steps.load_sources import load_feedback, load_ratings, load_titles
from steps.run import Run

Make = Callable[..., Run]
STEPS: dict[str, Callable[[Run], Any]] = {
    "load_titles": load_titles,
    "load_feedback": load_feedback,
    "load_ratings": lambda run: load_ratings(run, run.settings.ratings.source, "r"),
    "crawl_titles": crawl_titles,
    "freeze_inputs": freeze_inputs,
}
LOADS = ("load_titles", "load_feedback", "load_ratings")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return open_lake(f"file://{tmp_path}/lake")


def of_world(run: Run, world: str) -> Run:
    return Run(**{**vars(run), "settings": run.settings.model_copy(update={"world": world})})


@pytest.mark.parametrize("step", LOADS)
def test_the_first_load_claims_the_lake(make_run: Make, step: str) -> None:
    run = make_run("r-1")
    STEPS[step](run)
    assert read_world(run.lake) == World("synthetic")
    assert run.lake.read_json("world.json") == {"format": 1, "world": "synthetic", "drill": False}


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("kind", ["manual", "backfill"])
def test_another_worlds_lake_is_neither_read_nor_written(
    make_run: Make, step: str, kind: str
) -> None:
    run = make_run("r-1", kind=kind)
    run.lake.create_json("world.json", {"format": 1, "world": "another"})
    before = sorted(Path(run.lake.uri("").removeprefix("file://")).rglob("*"))
    with pytest.raises(ConflictError, match="holds the world 'another', not 'synthetic'"):
        STEPS[step](run)
    assert sorted(Path(run.lake.uri("").removeprefix("file://")).rglob("*")) == before


@pytest.mark.parametrize("step", ["load_titles", "load_feedback"])
def test_a_backfill_claims_nothing(make_run: Make, step: str) -> None:
    run = make_run("past", kind="backfill")
    STEPS[step](run)
    assert read_world(run.lake) is None


def test_what_612d7b6_wrote_is_the_same_world(lake: Lake) -> None:
    lake.create_json("world.json", {"format": 1, "world": "synthetic"})
    claim_world(lake, World("synthetic"))
    assert check_world(lake, "synthetic") == World("synthetic", drill=False, fault=None)


def test_a_drill_makes_a_lake_of_its_own(lake: Lake) -> None:
    claim_world(lake, World("synthetic"))
    with pytest.raises(ConflictError, match="is not a drill's lake"):
        claim_world(lake, World("synthetic", drill=True))


def test_a_drills_lake_takes_the_fault_of_its_world(make_run: Make, release: Path) -> None:
    run = make_run("r-1")
    place = run.settings.lake.model_copy(update={"drill": True})
    run = Run(**{**vars(run), "settings": run.settings.model_copy(update={"lake": place})})
    for fault in (None, "nan_factors", None):
        (release / "world.json").write_text(json.dumps({"format": 1, "fault": fault}))
        load_feedback(run)
        assert read_world(run.lake) == World("synthetic", drill=True, fault=fault)


def test_no_other_lake_takes_a_fault(make_run: Make, release: Path) -> None:
    (release / "world.json").write_text('{"fault": "nan_factors"}')
    load_feedback(run := make_run("r-1"))
    assert read_world(run.lake) == World("synthetic")


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"{}", b"\xff", b'{"format": 2, "world": "w"}', b'{"format": 1, "world": 3}'],
)
def test_a_manifest_that_names_no_world_says_so(lake: Lake, data: bytes) -> None:
    lake.create("world.json", data)
    with pytest.raises(ContractError, match="does not say which world"):
        check_world(lake, "synthetic")


COMMANDS = (
    ["ledger", "recommender"],
    ["history", "budget"],
    ["champion", "recommender"],
    ["rollback", "recommender", "--reason", "x", "--yes"],
    ["evaluate", "champion:recommender", "--on", "."],
    ["compare", "champion:recommender", "champion:recommender", "--on", "."],
    ["recommend-all", "champion:recommender", "--out", "x.csv"],
)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: words[0])
def test_a_command_refuses_another_world_where_one_is_named(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, release: Path, command: list[str]
) -> None:
    claim_world(lake, World("another"))
    monkeypatch.setenv("MARQUEE_LAKE__ROOT", lake.root)
    named = CliRunner().invoke(app, command)
    assert isinstance(named.exception, ConflictError), named.output
    both = CliRunner().invoke(app, [*command, "--lake", lake.root, "--data", str(release)])
    assert isinstance(both.exception, ConflictError)
    assert "'another', not 'release'" in str(both.exception)


def test_a_lake_named_alone_is_taken_and_says_its_world(lake: Lake) -> None:
    claim_world(lake, World("another"))
    found = CliRunner().invoke(app, ["ledger", "recommender", "--lake", lake.root, "--json"])
    assert found.exit_code == 0
    assert json.loads(found.stdout) == {"entries": [], "problems": []}
    assert "holds the world 'another'" in found.stderr


@pytest.mark.parametrize("name", ["../x", "R 1", "", "a/b", "manual__2026", ".hidden", "-r", "ä"])
def test_a_run_is_named_by_a_slug(tmp_path: Path, name: str) -> None:
    found = CliRunner().invoke(app, ["step", "report", f"--run={name}"])
    assert isinstance(found.exception, MarqueeError)
    assert "is not the name of a run" in str(found.exception)


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("../other/bundle", "is no folder here"),
        *((path, "does not name a place inside") for path in ("runs/../../x", "runs//x", "a\\b")),
    ],
)
def test_a_bundles_path_stays_in_the_lake(lake: Lake, tmp_path: Path, path: str, why: str) -> None:
    out = str(tmp_path / "x.csv")
    asked = ["recommend-all", path, "--out", out, "--lake", lake.root]
    found = CliRunner().invoke(app, asked)
    assert isinstance(found.exception, MarqueeError)
    assert why in str(found.exception)
