"""The ledger: one writer wins a number, the chain holds, and damage is found."""

from __future__ import annotations

import json
import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from ledger_race import check_race, draft, race
from release_examples import FIRST_SUNDAY, week

from marquee.artefacts.ledger_entry import Entry, read_entry
from marquee.artefacts.verdict import Head
from marquee.errors import HeadMovedError, LedgerError, NotFoundError
from marquee.identifiers import digest_bytes
from marquee.lake import Lake, open_lake
from release.ledger import Ledger, lost_entry

FORMAT_1 = Path(__file__).parent / "format1"


def filled(lake: Lake, count: int) -> Ledger:
    ledger = Ledger(lake, "recommender")
    for number in range(count):
        ledger.append(draft(f"r{number}", at=week(number)), ledger.head())
    return ledger


def damage(ledger: Ledger, number: int, /, **changes: Any) -> None:
    """Rewrite an entry in place, as only a person with access to the disk can."""
    path = f"{ledger.path}/{number:06d}.json"
    value = ledger.lake.read_json(path) | changes
    text = json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    ledger.lake.delete(path)
    ledger.lake.create(path, text.encode())


def test_an_empty_ledger_has_no_head(lake: Lake) -> None:
    ledger = Ledger(lake, "recommender")
    assert (ledger.entries(), ledger.head(), ledger.at(FIRST_SUNDAY)) == ([], None, None)
    assert ledger.verify() == []


def test_entries_are_numbered_chained_and_read_back(lake: Lake) -> None:
    ledger = filled(lake, 3)
    entries = ledger.entries()
    assert [e.number for e in entries] == [1, 2, 3]
    assert [e.previous for e in entries] == [None, entries[0].digest, entries[1].digest]
    assert ledger.head() == entries[2]
    assert lake.names("serving/recommender/ledger") == ["000001.json", "000002.json", "000003.json"]
    assert ledger.linked_entries() == entries
    assert ledger.verify() == []


def test_the_files_keys_are_the_contract(lake: Lake) -> None:
    filled(lake, 1)
    assert set(lake.read_json("serving/recommender/ledger/000001.json")) == {
        "format", "number", "previous", "kind", "bundle", "bundle_digest", "run", "as_of",
        "recipe", "code", "at", "verdict", "losses", "hold", "reason", "world", "approved_by",
    }  # fmt: skip


def test_what_served_when_is_a_look_up(lake: Lake) -> None:
    ledger = filled(lake, 3)
    assert ledger.at(FIRST_SUNDAY - timedelta(seconds=1)) is None
    for number in range(3):
        head = ledger.at(week(number) + timedelta(days=1))
        assert head is not None
        assert head.run == f"r{number}"


def test_entries_are_ordered_by_number_and_stamped_by_the_clock(lake: Lake) -> None:
    ledger = filled(lake, 2)
    before = FIRST_SUNDAY - timedelta(days=3)
    late = ledger.append(draft("r9", at=before), ledger.head())
    assert (late.number, late.at, ledger.head()) == (3, before, late)


def test_a_stale_head_loses(lake: Lake) -> None:
    ledger = filled(lake, 1)
    stale = ledger.head()
    ledger.append(draft("r1"), stale)
    for expected in (stale, None, Head(2, "0" * 64), Head(7, "0" * 64)):
        with pytest.raises(HeadMovedError, match="trigger a new run"):
            ledger.append(draft("r2"), expected)
    assert len(ledger.entries()) == 2


def test_models_have_ledgers_of_their_own(lake: Lake) -> None:
    filled(lake, 2)
    assert Ledger(lake, "budget").head() is None


def _race_in_process(root: str, name: str, rounds: int, winners: Any) -> None:
    winners.put(race(open_lake(root), name, rounds))


def test_threads_that_append_at_once_each_win_their_own_number(lake: Lake) -> None:
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda name: race(lake, str(name), 5), range(8)))
    check_race(lake, won, 40)


def test_processes_that_append_at_once_each_win_their_own_number(lake: Lake) -> None:
    context = multiprocessing.get_context("spawn")
    winners = context.Queue()
    writers = [
        context.Process(target=_race_in_process, args=(lake.root, str(n), 8, winners))
        for n in range(3)
    ]
    for writer in writers:
        writer.start()
    won = [winners.get(timeout=60) for _ in writers]
    for writer in writers:
        writer.join(60)
    check_race(lake, won, 24)


def test_the_same_entry_again_is_a_lost_reply_not_a_second_entry(lake: Lake) -> None:
    ledger = filled(lake, 1)
    entry = ledger.entry(1)
    lake.create(f"{ledger.path}/000001.json", entry.to_bytes())
    assert ledger.entries() == [entry]


@pytest.mark.parametrize(
    ("number", "changes", "problem"),
    [
        (2, {"bundle": "another"}, "entry 3 does not follow from entry 2"),
        (2, {"previous": "0" * 64}, "entry 2 does not follow from entry 1"),
        (1, {"previous": "0" * 64}, "the first entry"),
        (3, {"number": 4}, "000003.json calls itself number 4"),
        (2, {"kind": "promoted"}, "000002.json is not a ledger entry"),
        (2, {"losses": {"rmse": -1}}, "000002.json is not a ledger entry"),
        (2, {"at": "yesterday"}, "000002.json is not a ledger entry"),
        (2, {"hold": 1}, "000002.json is not a ledger entry"),
        (2, {"extra": 1}, "entry 3 does not follow from entry 2"),
        (3, {"format": 3}, "000003.json was written by a later release"),
    ],
)
def test_damage_is_found_and_said(
    lake: Lake, number: int, changes: dict[str, Any], problem: str
) -> None:
    ledger = filled(lake, 3)
    damage(ledger, number, **changes)
    assert any(problem in said for said in ledger.verify()), ledger.verify()
    with pytest.raises(LedgerError):
        ledger.linked_entries()


def test_a_gap_is_found(lake: Lake) -> None:
    ledger = filled(lake, 4)
    lake.delete(f"{ledger.path}/000002.json")
    assert ledger.verify() == ["entries 2 to 2 are missing"]
    with pytest.raises(LedgerError, match="missing"):
        ledger.linked_entries()


def test_a_damaged_last_entry_is_an_error_for_its_reader(lake: Lake) -> None:
    ledger = filled(lake, 2)
    damage(ledger, 2, hold="no")
    with pytest.raises(LedgerError, match="restore it"):
        ledger.head()


def test_an_entry_that_is_not_there(lake: Lake) -> None:
    with pytest.raises(NotFoundError):
        filled(lake, 1).entry(2)


def test_other_files_in_the_folder_are_no_entries(lake: Lake, tmp_path: Path) -> None:
    ledger = filled(lake, 1)
    for name in ("000002.json.tmp", "0000001.json", "notes.txt"):
        lake.create(f"{ledger.path}/{name}", b"{}")
    assert ledger.numbers() == [1]


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"null", b"\xff", b'{"format": 1}'])
def test_what_is_no_entry_is_refused(data: bytes) -> None:
    with pytest.raises(LedgerError, match="not a ledger entry"):
        read_entry(data, "here")


@pytest.mark.parametrize("bundle", ["../../other", "/etc", "a/b", "..", "", "a\\b"])
def test_a_bundles_name_cannot_leave_its_folder(bundle: str) -> None:
    """Serving keeps bundles under their names, and removes old ones by them."""
    value = Entry(**vars(draft()), number=1, previous=None).to_json() | {"bundle": bundle}
    with pytest.raises(LedgerError, match="not a ledger entry: bundle"):
        read_entry(json.dumps(value).encode(), "here")


def test_an_entry_survives_its_file() -> None:
    entry = Entry(**vars(draft(reason="äöü")), number=7, previous="a" * 64)
    assert read_entry(entry.to_bytes(), "here") == entry


def test_the_chain_is_over_the_bytes_however_they_are_spelled(lake: Lake) -> None:
    """A later release may spell an entry otherwise, or tell more than this one knows."""
    ledger = filled(lake, 1)
    value = ledger.entry(1).to_json() | {"number": 2, "previous": ledger.entry(1).digest}
    odd = json.dumps(value | {"told_by": "the next release"}).encode()
    lake.create(f"{ledger.path}/000002.json", odd)
    entry = ledger.append(draft("r3"), ledger.head())
    assert entry.previous == digest_bytes(odd) == ledger.entry(2).digest
    assert ledger.entry(2).to_bytes() == odd
    assert ledger.verify() == []


def test_the_first_releases_ledger_reads_and_goes_on(lake: Lake) -> None:
    for file in sorted(FORMAT_1.glob("ledger-*.json")):
        lake.create(f"serving/recommender/ledger/{file.name[7:]}", file.read_bytes())
    ledger = Ledger(lake, "recommender")
    kinds = [(e.kind, e.hold, e.world, e.format) for e in ledger.linked_entries()]
    assert kinds == [
        ("promote", False, "", 1), ("promote", False, "", 1),
        ("roll_back", True, "", 1), ("release_hold", False, "", 1),
    ]  # fmt: skip
    head = ledger.head()
    assert head is not None
    assert (head.bundle, head.reason, head.losses) == (
        "20260104T030000Z-5e76477a478b", "looked", {"rmse": 0.0, "ndcg@10": 0.0}
    )  # fmt: skip
    assert ledger.append(draft("next"), head).previous == head.digest
    assert ledger.verify() == []


@pytest.mark.parametrize(
    ("named", "problem"),
    [
        (Head(3, "0" * 64), "ends with entry 2, and entry 3 is known to have been"),
        (Head(2, "0" * 64), "holds another entry 2 than the one that was read before"),
    ],
)
def test_a_ledger_that_lost_what_was_named_is_refused(
    lake: Lake, named: Head, problem: str
) -> None:
    ledger = filled(lake, 2)
    second = Head(2, ledger.entry(2).digest)
    assert ledger.entries_including(second) == ledger.entries_including(None)
    with pytest.raises(LedgerError, match=problem) as refused:
        ledger.entries_including(named)
    assert "from a copy of the lake" in refused.value.remedy


@pytest.mark.parametrize(
    ("named", "remaining", "problem"),
    [
        (2, (1, 3, 4), "lacks entry 2, which is known to have been"),
        (1, (2, 3), "lacks entry 1, which is known to have been"),
        (4, (1, 3, 4), ""),
        (4, (1, 3), "ends with entry 3, and entry 4 is known to have been"),
    ],
)
def test_what_was_lost_is_told_by_its_number(
    lake: Lake, named: int, remaining: tuple[int, ...], problem: str
) -> None:
    entries = {entry.number: entry for entry in filled(lake, 4).entries()}
    assert lost_entry([entries[number] for number in remaining], entries[named]) == problem


@pytest.mark.parametrize("number", [1, 3, 4])
def test_a_folder_in_an_entrys_place_is_said(lake: Lake, tmp_path: Path, number: int) -> None:
    ledger = filled(lake, 3)
    name = f"{ledger.path}/{number:06d}.json"
    lake.delete(name)
    (tmp_path / "empty").mkdir()
    lake.publish(tmp_path / "empty", name)
    assert any(f"{number:06d}.json is a folder" in said for said in ledger.verify())
    with pytest.raises(LedgerError, match="is a folder, and a ledger's entry is a file"):
        ledger.linked_entries()
