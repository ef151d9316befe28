"""Where a run loads its titles is decided once, and read with care."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from marquee.errors import ContractError, LakeError
from marquee.lake import Lake, open_lake
from sources.title_snapshots import run_snapshot_path

MOMENT = datetime(2026, 2, 1, 3, tzinfo=UTC)
DECIDED = {"format": 1, "path": "raw/titles/as_of=20260104T030000Z/run=w7"}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return open_lake(f"file://{tmp_path}/lake")


def decision(lake: Lake, data: bytes) -> None:
    lake.create("runs/w7/titles.json", data)


def test_the_first_to_ask_decides(lake: Lake) -> None:
    first = run_snapshot_path(lake, "w7", MOMENT)
    assert first == "raw/titles/as_of=20260201T030000Z/run=w7"
    assert run_snapshot_path(lake, "w7", MOMENT.replace(month=3)) == first
    assert lake.read_json("runs/w7/titles.json") == {"format": 1, "path": first}


def test_what_was_decided_is_read(lake: Lake) -> None:
    decision(lake, json.dumps(DECIDED).encode())
    assert run_snapshot_path(lake, "w7", MOMENT) == DECIDED["path"]


def test_a_later_releases_decision_asks_for_an_update(lake: Lake) -> None:
    decision(lake, json.dumps(DECIDED | {"format": 4}).encode())
    with pytest.raises(ContractError, match="its format is 4, and this release knows 1") as caught:
        run_snapshot_path(lake, "w7", MOMENT)
    assert "update" in caught.value.remedy


@pytest.mark.parametrize(
    "value", [DECIDED | {"format": 0}, DECIDED | {"path": 7}, {"format": 1}, [], None, "path"]
)
def test_a_decision_that_cannot_be_read_is_an_error(lake: Lake, value: Any) -> None:
    decision(lake, json.dumps(value).encode())
    with pytest.raises(ContractError, match=r"titles\.json cannot be used"):
        run_snapshot_path(lake, "w7", MOMENT)


def test_a_place_outside_the_lake_is_refused(lake: Lake) -> None:
    decision(lake, json.dumps(DECIDED | {"path": "../elsewhere"}).encode())
    with pytest.raises(LakeError, match="does not name a place inside"):
        run_snapshot_path(lake, "w7", MOMENT)
