"""All sources merged into one, as if one crawl had brought it home."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from marquee.errors import SourceError
from marquee.lake import open_lake
from sources.title_loading import load_titles
from sources.title_merging import crawled_titles, merge_titles, write_merged
from sources.title_record import read_lines, write_lines
from sources.title_sources import licence_note, new_licence_notes
from sources.titles_csv import read_titles_csv
from sources.titles_imdb_tsv import read_imdb_tsv
from sources.titles_wikidata import read_wikidata
from tests.sources.small_files import wikidata_file


def test_merged_fields_come_from_the_first_that_states_them(tmp_path, datasets):
    mine = tmp_path / "mine.csv"
    mine.write_text(
        'title_id,title,year,budget\ntt0000001,Mine,1995,"$9,000,000"\ntt0000077,,1990,\n'
    )
    sources = [
        ("csv", read_titles_csv(mine)),
        ("imdb_tsv", read_imdb_tsv(datasets, {"tt0000001", "tt0000002"})),
        ("wikidata", read_wikidata(wikidata_file(tmp_path, "json"))),
    ]
    merged = merge_titles(sources)
    one = merged.records["tt0000001"]
    assert (one["title"], one["year"], one["rating"]) == ("Mine", 1995, 8.1)
    assert one["budget"] == {"amount": 9_000_000, "currency": "USD"}
    assert one["provenance"]["budget"] == "csv" and one["provenance"]["rating"] == "imdb_tsv"
    assert merged.records["tt0000002"]["provenance"]["budget"] == "wikidata"
    found = {(c.title_id, c.field, c.kept, c.other) for c in merged.conflicts}
    assert found == {
        ("tt0000001", "year", "csv", "imdb_tsv"),
        ("tt0000001", "budget", "csv", "wikidata"),
    }


def test_merged_titles_load_like_a_crawl(tmp_path, datasets):
    sources = [("imdb_tsv", read_imdb_tsv(datasets, {"tt0000001", "tt0000002"}))]
    sources += [("wikidata", read_wikidata(wikidata_file(tmp_path, "csv")))]
    write_merged(tmp_path / "out", merge_titles(sources), "imdb_tsv+wikidata")
    lake = open_lake((tmp_path / "lake").as_uri())
    loaded = load_titles(lake, tmp_path / "out", "raw/titles/as_of=x/run=r")
    assert loaded and loaded.manifest.rows == 2
    refused = list(read_lines([tmp_path / "out" / "refused-00001.jsonl.gz"]))
    assert {line["title_id"] for line in refused} == {"tt0000003", "tt0000004", "tt0000005"}
    assert all("title is null" in line["reason"] for line in refused)


def test_every_source_has_its_terms():
    for source in ("crawl", "saved", "imdb_tsv", "wikidata", "imdb5000", "csv"):
        assert len(licence_note(source)) > 20
    with pytest.raises(SourceError, match="no source is called"):
        licence_note("torrent")


def test_terms_are_shown_once_a_lake(tmp_path):
    lake = open_lake((tmp_path / "lake").as_uri())
    assert new_licence_notes(lake, ("wikidata", "csv")) == [
        licence_note("wikidata"),
        licence_note("csv"),
    ]
    assert new_licence_notes(lake, ("csv", "imdb5000")) == [licence_note("imdb5000")]
    other = open_lake((tmp_path / "other").as_uri())
    assert new_licence_notes(other, ("csv",)) == [licence_note("csv")]


def test_a_budget_of_a_title_that_no_source_names_is_lent(tmp_path):
    """Wikidata alone: the budgets are loaded for a title named elsewhere, the rest is refused."""
    sources = [("wikidata", read_wikidata(wikidata_file(tmp_path, "csv")))]
    write_merged(tmp_path / "out", merge_titles(sources), "wikidata")
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert (report["titles"], report["refused"], report["budget_lenders"]) == (2, 3, 2)
    lake = open_lake((tmp_path / "lake").as_uri())
    loaded = load_titles(lake, tmp_path / "out", "raw/titles/as_of=x/run=r")
    assert loaded and loaded.manifest.rows == 2
    assert all(share == 0 for share in loaded.manifest.facts["coverage"].values())


def test_one_budget_of_two_confidences_is_no_conflict():
    sure = {"title_id": "tt0000001", "budget": {"amount": 5, "currency": "USD"}, "notes": ["a"]}
    guess = {"title_id": "tt0000001", "budget": {**sure["budget"], "confidence": 0.99}}
    merged = merge_titles([("csv", [sure]), ("imdb5000", [guess | {"notes": ["b"]}])])
    assert merged.conflicts == []
    assert merged.records["tt0000001"]["notes"] == ["a", "b"]


PAGE = {"title_id": "tt0000001", "title": "A", "fetched_at": "2026-02-01T00:00:00Z", "notes": []}


@pytest.mark.parametrize(
    ("other", "known_at"),
    [
        ({"rating": 8.0}, None),  # a source that states no moment counts from its load
        ({"rating": 8.0, "fetched_at": "2026-03-01T00:00:00Z"}, "2026-03-01T00:00:00Z"),
        ({"rating": 8.0, "fetched_at": "2026-01-01T00:00:00Z"}, "2026-02-01T00:00:00Z"),
        ({"title": "B", "fetched_at": "2026-03-01T00:00:00Z"}, "2026-02-01T00:00:00Z"),
    ],
)
def test_what_two_sources_gave_was_known_when_the_later_one_was(
    other: dict[str, Any], known_at: str | None
) -> None:
    """A source that gave nothing changes nothing."""
    record = {"title_id": "tt0000001", "title": None, "fetched_at": None, "notes": [], **other}
    merged = merge_titles([("crawl", [PAGE]), ("csv", [record])])
    assert merged.records["tt0000001"]["fetched_at"] == known_at


def test_of_all_crawls_the_page_fetched_last_counts(tmp_path: Path) -> None:
    """Whatever folder it lies in: 612d7b6 filed pages under the as-of of their run."""
    lake = open_lake(f"file://{tmp_path}/lake")
    pages = {"20200607T030000Z": "2026-02-08T03:00:00Z", "20260201T030000Z": "2026-02-01T03:01:00Z"}
    for moment, fetched in pages.items():
        (folder := tmp_path / moment).mkdir()
        record = PAGE | {"title": f"as of {moment}", "fetched_at": fetched}
        write_lines(folder / "titles-00001.jsonl.gz", [record])
        lake.publish(folder, f"raw/titles/as_of={moment}/run=r", rows=1)
    (found,) = crawled_titles(lake, tmp_path / "none", "raw/titles/z")
    assert found["title"] == "as of 20200607T030000Z"
