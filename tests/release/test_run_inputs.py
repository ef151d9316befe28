"""Frozen inputs are typed: read and written in one place, those of format 1 too."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from marquee.artefacts.inputs import is_snapshot_of, read_inputs
from marquee.errors import ContractError, LakeError, NotFoundError
from marquee.lake import open_lake
from marquee.run_folder import inputs_of
from tests.frozen_inputs import frozen

AS_OF = "2026-01-04T03:00:00Z"
OLD = {
    "format": 1, "world": "synthetic", "run": "manual-1-c0ffee00", "run_type": "scheduled",
    "as_of": AS_OF, "feedback": [{"path": "raw/feedback/local-000001-abc", "digest": "e"}],
    "ratings": {"path": "raw/ratings/r-0", "digest": "d", "rows": 7, "last_time": 9,
                "scale": [1.0, 5.0], "text_ids": []},
    "titles": [
        {"path": f"raw/titles/as_of=20251228T030000Z/run={run}", "digest": "t", "as_of": AS_OF}
        for run in ("manual-1", "manual-1-c0ffee00", "manual-1-c0ffee00-part2")
    ],
    "search": "none", "promote": "ask", "force": False, "seed": 3, "code": "c0de",
    "models": {
        "recommender": {"recipes": [{"name": "als", "rank": 8}], "policy": {"rmse_ceiling": 1.0},
                        "fingerprint": "f", "unchanged_since": "earlier", "champion": None},
        "budget": {"recipes": [], "policy": {}, "fingerprint": "g", "unchanged_since": None,
                   "champion": {"number": 4, "digest": "h", "bundle": "b", "recipe": {"reg": 0.1},
                                "code": "c0de"}},
    },
}  # fmt: skip
"""As 612d7b6 wrote it."""


def as_bytes(value: Any) -> bytes:
    return json.dumps(value).encode()


def test_what_the_version_before_wrote_still_reads() -> None:
    inputs = read_inputs(as_bytes(OLD))
    assert inputs.as_of == datetime(2026, 1, 4, 3, tzinfo=UTC)
    assert inputs.interval == timedelta(weeks=1) and inputs.frozen_at is None
    assert inputs.ratings.scale == (1.0, 5.0) and inputs.feedback[0].digest == "e"
    assert [one.own for one in inputs.titles] == [False, True, True]
    assert inputs.models["recommender"].unchanged_since == "earlier"
    champion = inputs.models["budget"].champion
    assert champion and (champion.number, champion.recipe) == (4, {"reg": 0.1})


@pytest.mark.parametrize("value", [OLD, frozen("r", AS_OF, frozen_at=AS_OF, interval_seconds=60)])
def test_what_is_written_reads_back_the_same(value: dict[str, Any]) -> None:
    inputs = read_inputs(as_bytes(value))
    assert read_inputs(inputs.to_bytes()) == inputs
    assert json.loads(inputs.to_bytes())["format"] == 2


def test_a_key_of_a_later_release_is_ignored() -> None:
    assert read_inputs(as_bytes(frozen("r", AS_OF, later=1))) == read_inputs(
        as_bytes(frozen("r", AS_OF))
    )


@pytest.mark.parametrize("path", ["../elsewhere", "/etc", ""])
def test_no_input_lies_outside_the_lake(path: str) -> None:
    with pytest.raises(LakeError, match="does not name a place inside"):
        read_inputs(as_bytes(frozen("r", AS_OF, ratings={"path": path})))


def test_a_newer_format_says_so() -> None:
    with pytest.raises(ContractError, match="its format is 3, and this release knows 2"):
        read_inputs(as_bytes(frozen("r", AS_OF, format=3)))


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "2"}, {"format": 0}, {"as_of": "soon"}, {"run_type": "weekly"}, {"seed": None},
        {"interval_seconds": 0}, {"titles": 3}, {"code": 5},
        {"ratings": {"path": None}}, {"titles": [{"path": "p"}]},
        {"models": {"budget": {"champion": {"number": "first"}}}},
        {"models": {"recommender": {"policy": {"rmse_ceiling": "NaN!"}}}},
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(changes: dict[str, Any]) -> None:
    with pytest.raises(ContractError, match=r"some\.json cannot be used: "):
        read_inputs(as_bytes(frozen("r", AS_OF, **changes)), "some.json")


@pytest.mark.parametrize("data", [b"", b"[]", b"null", b"3", b"{}", b"\xff", b'{"format": 1}'])
def test_what_is_no_document_is_a_contract_error(data: bytes) -> None:
    with pytest.raises(ContractError, match="cannot be used"):
        read_inputs(data)


def test_both_models_are_there() -> None:
    value = frozen("r", AS_OF)
    del value["models"]["budget"]
    with pytest.raises(ContractError, match="the budget is missing"):
        read_inputs(as_bytes(value))


def test_a_run_without_inputs_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="run r-1 has frozen no inputs"):
        inputs_of(open_lake(f"file://{tmp_path}/lake"), "r-1")


def test_a_snapshot_is_its_own_runs() -> None:
    assert is_snapshot_of("raw/titles/as_of=x/run=r-1", "r-1")
    assert is_snapshot_of("raw/titles/as_of=x/run=r-1-part12", "r-1")
    assert not is_snapshot_of("raw/titles/as_of=x/run=r-1-partner", "r-1")
    assert not is_snapshot_of("raw/titles/as_of=x/run=r-10", "r-1")
