"""A crawl's folder into the lake: whole, once, and not at all where fields fell away."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from marquee.errors import ContractError, SourceError
from marquee.lake import Lake, Manifest, open_lake
from marquee.sources import titles

PATH = "raw/titles/as_of=20260104T030000Z/run=r-1"
NEXT = "raw/titles/as_of=20260111T030000Z/run=r-2"


def load_titles(lake: Lake, folder: Path, path: str) -> Manifest | None:
    loaded = titles.load_titles(lake, folder, path)
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
    rest = titles.load_titles(lake, went_on, PATH)
    assert rest and rest.path == f"{PATH}-part2" and rest.is_new
    found = loaded(lake, rest.path, tmp_path / "rest")
    assert found == [item(1, rating=7.5), *items[40:]]
    report = json.loads(lake.read_bytes(f"{rest.path}/report.json"))
    counted = [report[name] for name in ("loaded", "already", "quarantined", "refused")]
    assert counted == [21, 39, 0, 1] and report["fetched"] == sum(counted)
    assert first and lake.manifest(PATH).digest == first.digest
    again = titles.load_titles(lake, went_on, PATH)
    assert again and not again.is_new and again.manifest.digest == rest.manifest.digest
    assert lake.names(PATH.rsplit("/", 1)[0]) == ["run=r-1", "run=r-1-part2"]
    items.append(item(99))
    third = titles.load_titles(lake, crawled(tmp_path / "out", items, refused=1), PATH)
    assert third and third.path == f"{PATH}-part3" and third.manifest.rows == 1


def test_a_crawl_that_brought_nothing_loads_nothing(lake, tmp_path):
    folder = crawled(tmp_path / "out", [])
    assert load_titles(lake, folder, PATH) is None
    assert lake.names("raw") == []


def test_items_that_break_the_contract_are_set_aside_with_their_reason(lake, tmp_path):
    items = [item(1), item(2, rating=77), item(3, title=""), item(1)]
    manifest = load_titles(lake, crawled(tmp_path / "out", items, refused=1), PATH)
    assert manifest and manifest.rows == 1
    assert manifest.facts["counts"]["quarantined"] == 3
    aside = loaded(lake, PATH, tmp_path / "copy", "quarantined")
    assert [line["reason"] for line in aside] == [
        "rating is not between 1 and 10",
        "title is empty",
        "title_id is there twice",
    ]
    report = json.loads(lake.read_bytes(f"{PATH}/report.json"))
    assert report["fetched"] == report["loaded"] + report["quarantined"] + report["refused"]


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
