"""Ledger and promotion on a real NameNode: the compare-and-swap is only as good as its rename."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from gate_step import judge
from ledger_race import check_race, race
from release_examples import champion_of, publish_run, week

from local_stack.stack import Stack
from marquee.errors import PromotionRefusedError
from marquee.lake import Lake, open_lake
from release.ledger import Ledger
from release.manual_entries import roll_back
from release.promotion import promote

pytestmark = pytest.mark.hdfs
MODEL = "recommender"


@pytest.fixture
def lake(hdfs: Stack, tmp_path: Path) -> Lake:
    """An empty lake of its own on the NameNode."""
    return open_lake(f"{hdfs.settings.lake.root}-{tmp_path.name}", hdfs.settings.lake.webhdfs)


def test_writers_that_append_at_once_each_win_their_own_number(lake: Lake) -> None:
    with ThreadPoolExecutor(4) as pool:
        won = list(pool.map(lambda name: race(lake, str(name), 3), range(4)))
    check_race(lake, won, 12)


def test_runs_that_race_for_one_head_make_one_champion(lake: Lake, tmp_path: Path) -> None:
    runs = [f"r{n}" for n in range(3)]
    for number, run in enumerate(runs):
        publish_run(lake, tmp_path / "scratch", run, as_of=week(number))
        assert judge(lake, MODEL, run).approved

    def attempt(run: str) -> str:
        try:
            return promote(lake, MODEL, run, approved=False).run
        except PromotionRefusedError:
            return "refused"

    with ThreadPoolExecutor(3) as pool:
        outcomes = list(pool.map(attempt, runs))
    (entry,) = Ledger(lake, MODEL).linked_entries()
    assert sorted(outcomes) == sorted([entry.run, "refused", "refused"])


def test_promoted_rolled_back_and_promoted_again(lake: Lake, tmp_path: Path) -> None:
    for number in range(2):
        run = f"week-{number}"
        champion = champion_of(lake)
        publish_run(lake, tmp_path / "scratch", run, as_of=week(number), champion=champion)
        judge(lake, MODEL, run)
        first = promote(lake, MODEL, run, approved=False)
        assert promote(lake, MODEL, run, approved=False) == first
    back = roll_back(lake, MODEL, None, "bad week", hold=False)
    assert [entry.kind for entry in Ledger(lake, MODEL).linked_entries()] == [
        "promote", "promote", "roll_back"
    ]  # fmt: skip
    assert back.run == "week-0"
    assert len(lake.names("serving/recommender/bundles")) == 2
