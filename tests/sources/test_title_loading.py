"""A crawl's folder into the lake: whole, once, and not at all where fields fell away."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from marquee.dataset_contracts import TITLE_ITEM
from marquee.errors import ContractError, SourceError
from marquee.lake import Lake, Manifest, open_lake
from sources import title_loading
from sources.title_record import to_contract
from sources.title_snapshots import records_at

PATH = "raw/titles/as_of=20260104T030000Z/run=r-1"
NEXT = "raw/titles/as_of=20260111T030000Z/run=r-2"


def load_titles(lake: Lake, folder: Path, path: str) -> Manifest | None:
    loaded = title_loading.load_titles(lake, folder, path)
    return loaded.manifest if loaded else None


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return open_lake((tmp_path / "lake").as_uri())


def item(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "title_id": f"tt{number:07d}",
        "title": f"Title {number}",
        "type": "movie",
        "year": 2000,
        "release_date": None,
        "directors": [{"name_id": "nm0000001", "name": "A"}],
        "genres": ["Drama"],
        "rating": 7.0,
        "vote_count": 5,
        "budget": {"amount": 5, "currency": "USD"} if number % 2 else None,
        "countries": ["US"],
        "source_url": "http://site/",
        "fetched_at": "2026-01-04T03:00:00Z",
        "layout": "next_data_v2",
    } | changes


def crawled(folder: Path, items: list[dict[str, Any]], refused: int = 0, **counts: int) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / "titles-00001.jsonl.gz", items)
    if refused:
        write(folder / "refused-00001.jsonl.gz", [{"reason": "odd"}] * refused)
    report = {"titles": len(items), "refused": refused, "fetched": len(items) + refused, "left": 3}
    (folder / "report.json").write_text(json.dumps(report | counts))
    return folder


def write(path: Path, records: list[dict[str, Any]]) -> None:
    path.write_bytes(gzip.compress("".join(json.dumps(r) + "\n" for r in records).encode()))


def loaded(lake: Lake, path: str, scratch: Path, name: str = "titles") -> list[dict[str, Any]]:
    lake.fetch(path, scratch)
    packed = (scratch / f"{name}-00001.jsonl.gz").read_bytes()
    return [json.loads(line) for line in gzip.decompress(packed).splitlines()]


def test_a_crawl_is_loaded_whole_and_once(lake, tmp_path):
    items = [item(n) for n in range(1, 41)]
    folder = crawled(tmp_path / "out", items, refused=2)
    manifest = load_titles(lake, folder, PATH)
    assert manifest and manifest.rows == 40
    assert len(manifest.files) == 3
    assert manifest.facts["coverage"]["budget"] == 0.5
    assert loaded(lake, PATH, tmp_path / "copy") == items
    again = load_titles(lake, folder, PATH)
    assert again and again.digest == manifest.digest


def test_a_crawl_that_went_on_after_its_load_adds_only_the_rest(lake, tmp_path):
    """Stopped, loaded, cleared, gone on: what is published stays, the rest comes beside it."""
    items = [item(n) for n in range(1, 61)]
    first = load_titles(lake, crawled(tmp_path / "out", items[:40], refused=2), PATH)
    went_on = crawled(tmp_path / "out", [item(1, rating=7.5), *items[1:]], refused=1)
    rest = title_loading.load_titles(lake, went_on, PATH)
    assert rest and rest.path == f"{PATH}-part2" and rest.is_new
    found = loaded(lake, rest.path, tmp_path / "rest")
    assert found == [item(1, rating=7.5), *items[40:]]
    report = json.loads(lake.read_bytes(f"{rest.path}/report.json"))
    counted = [report[name] for name in ("loaded", "already", "quarantined", "refused")]
    assert counted == [21, 39, 0, 1] and report["fetched"] == sum(counted)
    assert first and lake.manifest(PATH).digest == first.digest
    again = title_loading.load_titles(lake, went_on, PATH)
    assert again and not again.is_new and again.manifest.digest == rest.manifest.digest
    assert lake.names(PATH.rsplit("/", 1)[0]) == ["run=r-1", "run=r-1-part2"]
    items.append(item(99))
    third = title_loading.load_titles(lake, crawled(tmp_path / "out", items, refused=1), PATH)
    assert third and third.path == f"{PATH}-part3" and third.manifest.rows == 1


def test_a_crawl_that_brought_nothing_loads_nothing(lake, tmp_path):
    folder = crawled(tmp_path / "out", [])
    assert load_titles(lake, folder, PATH) is None
    assert lake.names("raw") == []


def test_items_without_an_id_or_a_title_are_set_aside_with_their_reason(lake, tmp_path):
    items = [item(1), item(2, title_id="2"), item(3, title=""), item(1)]
    found = title_loading.load_titles(lake, crawled(tmp_path / "out", items, refused=1), PATH)
    assert found and found.manifest.rows == 1
    assert found.manifest.facts["counts"]["quarantined"] == 3
    aside = loaded(lake, PATH, tmp_path / "copy", "quarantined")
    assert [line["reason"] for line in aside] == [
        "title_id is not like tt0123456",
        "title is empty",
        "title_id is there twice",
    ]
    report = json.loads(lake.read_bytes(f"{PATH}/report.json"))
    assert report["fetched"] == report["loaded"] + report["quarantined"] + report["refused"]
    assert found.refused.total == 4
    assert "  1 × title is empty (tt0000003)" in list(found.refused.lines())


BAD = [
    ({"rating": 0}, "rating", "is not between 1 and 10 (0)"),
    ({"rating": "8.1"}, "rating", "is str, not double (8.1)"),
    ({"rating": float("inf")}, "rating", "is float, not double (inf)"),
    ({"year": 0}, "year", "is not a film's year (0)"),
    ({"vote_count": -3}, "vote_count", "is no count (-3)"),
    ({"vote_count": 2**63}, "vote_count", f"is no count ({2**63})"),
    ({"runtime": 0}, "runtime", "is no film's minutes (0)"),
    ({"runtime": 2**33}, "runtime", f"is no film's minutes ({2**33})"),
    ({"release_date": "2001-02-30"}, "release_date", "is a day of no calendar (2001-02-30)"),
    (
        {"release_date": "05/06/2001"},
        "release_date",
        "may be 2001-06-05 or 2001-05-06 (05/06/2001)",
    ),
    ({"genres": [f"Genre {n}" for n in range(13)]}, "genres", "are too many"),
    ({"genres": "Drama"}, "genres", "is str, not array<string> (Drama)"),
    ({"budget": {"amount": 5, "currency": "QQQ"}}, "budget", "is not an amount in an ISO 4217"),
    ({"budget": {"amount": float("inf"), "currency": "USD"}}, "budget", "is not an amount"),
    ({"certificate": 18}, "certificate", "is int, not string (18)"),
    ({"directors": [{"name_id": None, "name": 7}]}, "directors", "has entries that are none: 1"),
]


@pytest.mark.parametrize(("stated", "field", "why"), BAD)
def test_one_bad_field_costs_the_field_and_not_the_record(stated, field, why):
    found = to_contract(item(1) | {"notes": ["gross: is odd"]} | stated)
    assert TITLE_ITEM.differences(found) == []
    assert found[field] in (None, [])
    assert found["notes"][0] == "gross: is odd" and found["notes"][1].startswith(f"{field}: {why}")
    assert to_contract(found) == found
    untouched = item(1).keys() - {field}
    assert {name: found[name] for name in untouched} == {name: item(1)[name] for name in untouched}


def test_entries_of_lists_go_one_by_one_and_other_forms_are_read():
    lists = {"genres": ["Drama", "", "War"], "countries": ["US", None], "writers": None}
    found = to_contract(item(1, year=1999.0, release_date="3 May 1999", **lists))
    assert (found["genres"], found["countries"], found["writers"]) == (["Drama", "War"], ["US"], [])
    assert (found["year"], found["release_date"]) == (1999, "1999-05-03")
    assert len(found["notes"]) == 2
    assert to_contract(item(2)) == item(2)


def test_fields_left_off_are_counted_by_reason_with_examples(lake, tmp_path):
    items = [item(n, rating=n) for n in range(9, 15)] + [item(20, year=1066)]
    found = title_loading.load_titles(lake, crawled(tmp_path / "out", items), PATH)
    assert found and found.manifest.rows == 7
    assert found.manifest.facts["left_off"] == {
        "rating: is not between 1 and 10": 4,
        "year: is not a film's year": 1,
    }
    assert list(found.left_off.lines()) == [
        "  4 × rating: is not between 1 and 10 (tt0000011, tt0000012, tt0000013, …)",
        "  1 × year: is not a film's year (tt0000020)",
    ]


def test_a_site_whose_ratings_all_turn_bad_is_an_alarm_with_reasons(lake, tmp_path):
    load_titles(lake, crawled(tmp_path / "a", [item(n) for n in range(40)]), PATH)
    bad = crawled(tmp_path / "b", [item(n, rating=81) for n in range(40)])
    with pytest.raises(ContractError, match=r"(?s)rating +0\.0%.*40 × rating: is not between"):
        load_titles(lake, bad, NEXT)


def test_counts_that_do_not_add_up_are_refused(lake, tmp_path):
    folder = crawled(tmp_path / "out", [item(1), item(2)], fetched=9)
    with pytest.raises(SourceError, match="9 fetched, but 2 to load"):
        load_titles(lake, folder, PATH)
    assert not lake.exists(PATH)


@pytest.mark.parametrize("field", ["directors", "genres", "rating", "year"])
def test_a_fall_in_coverage_loads_nothing_and_shows_the_table(lake, tmp_path, field):
    good = [item(n) for n in range(1, 61)]
    load_titles(lake, crawled(tmp_path / "good", good), PATH)
    empty = [] if field in ("directors", "genres") else None
    bad = [item(n, **({field: empty} if n % 2 else {})) for n in range(1, 61)]
    with pytest.raises(ContractError, match=rf"{field} +50.0%  at least 70.0%"):
        load_titles(lake, crawled(tmp_path / "bad", bad), NEXT)
    assert not lake.exists(NEXT)


def test_a_few_titles_prove_no_fall(lake, tmp_path):
    load_titles(lake, crawled(tmp_path / "good", [item(n) for n in range(1, 61)]), PATH)
    few = [item(n, rating=None) for n in range(1, 6)]
    assert load_titles(lake, crawled(tmp_path / "few", few), NEXT)


def test_a_first_crawl_without_directors_is_refused(lake, tmp_path):
    with pytest.raises(ContractError, match="directors"):
        load_titles(
            lake, crawled(tmp_path / "o", [item(n, directors=[]) for n in range(1, 61)]), PATH
        )


@pytest.mark.parametrize("damage", ["cut", "words", "no-report", "report"])
def test_a_damaged_folder_is_one_clear_error(lake, tmp_path, damage):
    folder = crawled(tmp_path / "out", [item(n) for n in range(1, 41)])
    path = folder / "titles-00001.jsonl.gz"
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-20])
    elif damage == "words":
        path.write_bytes(gzip.compress(b"not json\n"))
    elif damage == "no-report":
        (folder / "report.json").unlink()
    else:
        (folder / "report.json").write_text("{}")
    with pytest.raises(SourceError):
        load_titles(lake, folder, PATH)
    assert not lake.exists(PATH)


def test_a_large_snapshot_is_several_files(lake, tmp_path, monkeypatch):
    monkeypatch.setattr("sources.title_record.RECORDS_A_FILE", 4)
    for count, files in ((3, 1), (4, 1), (8, 2), (9, 3)):
        path = f"raw/titles/as_of={count}/run=r"
        items = [item(100 * count + n) for n in range(count)]
        loaded = load_titles(lake, crawled(tmp_path / str(count), items), path)
        assert loaded is not None and loaded.rows == count
        names = [f.name for f in loaded.files if f.name.startswith("titles-")]
        assert names == [f"titles-{n + 1:05d}.jsonl.gz" for n in range(files)]
        assert sorted(r["title_id"] for r in records_at(lake, path)) == sorted(
            one["title_id"] for one in items
        )
