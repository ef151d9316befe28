"""load_titles: the crawl alone as ever, or the run's sources merged, with their say kept apart."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from marquee.clock import compact, parse_moment
from marquee.errors import SettingsError, SourceError
from marquee.settings import load_settings
from sources.title_record import title_record, write_lines
from sources.title_snapshots import load_moment, records_at, snapshots
from sources.titles_imdb5000 import NEEDED
from steps.crawl_titles import crawl_titles
from steps.load_sources import load_titles
from steps.run import Run

MakeRun = Callable[..., Run]


def ago(**span: float) -> str:
    """A moment before now, as the fixture takes one."""
    return (datetime.now(UTC) - timedelta(**span)).replace(tzinfo=None).isoformat()


def page(number: int, **stated: Any) -> dict[str, Any]:
    return title_record("next_data_v2", f"tt{number:07d}", f"Page {number}", type="movie", **stated)


def crawl_home(run: Run, records: list[dict[str, Any]], refused: int = 0) -> None:
    """Leave what a crawl of this run would leave."""
    folder = run.crawl_folder
    folder.mkdir(parents=True)
    write_lines(folder / "titles-00001.jsonl.gz", records)
    write_lines(folder / "refused-00001.jsonl.gz", [{"reason": "odd"}] * refused)
    counts = {"fetched": len(records) + refused, "titles": len(records), "refused": refused}
    report = counts | {"site": "http://site", "as_of": run.as_of.isoformat()}
    (folder / "report.json").write_text(json.dumps(report))


def with_sources(run: Run, **places: str) -> Run:
    titles = run.settings.titles.model_copy(update=places)
    return Run(**{**vars(run), "settings": run.settings.model_copy(update={"titles": titles})})


def by_id(run: Run, loaded: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {record["title_id"]: record for record in records_at(run.lake, loaded["path"])}


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "mine.csv"
    path.write_text('title_id,title,year,budget\ntt0000001,Mine,1995,"$9,000,000"\n')
    return path


@pytest.fixture
def budgets(tmp_path: Path) -> Path:
    path = tmp_path / "budgets.csv"
    path.write_text("imdb,amount,unit\ntt0000001,7,USD\ntt0000002,5000000,EUR\ntt0000077,9,USD\n")
    return path


def test_the_crawl_alone_is_loaded_as_it_came(make_run: MakeRun) -> None:
    run = make_run("r-1", ago(days=2))
    crawl_home(run, [page(1, year=1990), page(2)], refused=1)
    loaded = load_titles(run)
    begun = parse_moment(loaded["path"].split("/")[2].removeprefix("as_of="))
    moment = load_moment(loaded["path"], run.lake.manifest(loaded["path"]))
    assert loaded == {"path": f"raw/titles/as_of={compact(begun)}/run=r-1", "rows": 2}
    assert begun <= moment
    assert abs(moment - run.as_of - timedelta(days=2)) < timedelta(minutes=5)
    folder = run.crawl_folder
    packed = gzip.decompress((folder / "titles-00001.jsonl.gz").read_bytes())
    run.lake.copy_out(f"{loaded['path']}/titles-00001.jsonl.gz", folder / "copy.gz")
    assert gzip.decompress((folder / "copy.gz").read_bytes()) == packed
    assert "notices" not in run.lake.names("")
    assert load_titles(run) == loaded


def test_chosen_sources_are_merged_in_their_order(
    make_run: MakeRun, mine: Path, budgets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = make_run("r-1", ago(days=2), sources=["csv", "crawl", "wikidata"])
    run = with_sources(asked, csv=str(mine), wikidata=str(budgets))
    crawl_home(run, [page(1, year=1990, rating=8.0), page(2)], refused=1)
    found = by_id(run, loaded := load_titles(run))
    one, two = found["tt0000001"], found["tt0000002"]
    assert (one["title"], one["year"], one["rating"]) == ("Mine", 1995, 8.0)
    assert one["provenance"]["year"] == "csv" and one["provenance"]["rating"] == "crawl"
    assert two["budget"] == {"amount": 5_000_000, "currency": "EUR"}
    assert two["provenance"]["budget"] == "wikidata"
    manifest = run.lake.manifest(loaded["path"])
    assert manifest.facts["conflicts"] == {"budget": 1, "year": 1}
    assert manifest.facts["fields_given"]["wikidata"] == 2  # of which one has no title
    assert manifest.facts["counts"]["fetched"] == 4  # two titles, that one, and a refused page
    printed = capsys.readouterr().out
    assert "tt0000001 year: csv says 1995, crawl 1990; csv's stands" in printed
    assert "licence: Wikidata: CC0" in printed
    assert load_titles(run) == loaded
    assert "licence" not in capsys.readouterr().out


def test_what_was_left_off_and_refused_is_told_with_examples(
    make_run: MakeRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine, budgets = tmp_path / "mine.csv", tmp_path / "budgets.json"
    rows = [f"tt000000{n},T{n},{1990 + n},{90 + n},USD 5000\n" for n in range(1, 6)]
    rows += ["tt0000006,,1999,8,USD 5000\n", "none,T7,1999,8,\n", "tt0000008,T8\n"]
    mine.write_text("title_id,title,year,rating,budget\n" + "".join(rows))
    budgets.write_text(json.dumps([{"imdb": "tt0000009", "cost": "much", "currency": "USD"}]))
    asked = make_run("r-1", ago(days=2), sources=["csv", "wikidata"])
    run = with_sources(asked, csv=str(mine), wikidata=str(budgets))
    loaded = load_titles(run)
    assert loaded["rows"] == 5
    assert by_id(run, loaded)["tt0000001"]["budget"] == {"amount": 5000, "currency": "USD"}
    printed = capsys.readouterr().out
    assert "mine.csv: rows set aside: 2 (" in printed
    assert "line 8 has the title id 'none'" in printed and "line 9 has 2 cells, not 5" in printed
    assert "5 fields left off, each with a note in its record:" in printed
    assert "  5 × rating: is not between 1 and 10 (tt0000001, tt0000002, tt0000003, …)\n" in printed
    assert "2 records or pages refused:" in printed and "title is null (tt0000006" in printed
    report = json.loads(run.lake.read_bytes(f"{loaded['path']}/report.json"))
    assert report["rows_aside"]["mine.csv"]["count"] == 2
    assert report["fetched"] == report["loaded"] + report["refused"] == 7


def test_sources_of_which_every_record_is_refused_say_why(
    make_run: MakeRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (mine := tmp_path / "mine.csv").write_text("title_id,year\ntt0000001,1999\n")
    run = with_sources(make_run("r-1", ago(days=2), sources=["csv"]), csv=str(mine))
    assert load_titles(run) == {"path": None, "rows": 0}
    printed = capsys.readouterr().out
    assert "1 × title is null (tt0000001)" in printed and "nothing to load" in printed


def test_a_page_read_last_week_still_wins_over_a_later_source(
    make_run: MakeRun, mine: Path
) -> None:
    first = make_run("r-1", ago(days=3))
    crawl_home(first, [page(1, year=1990)])
    load_titles(first)
    sources = ["crawl", "csv"]
    second = with_sources(make_run("r-2", ago(days=2), sources=sources), csv=str(mine))
    crawl_home(second, [page(2)])
    for run in (
        second,
        with_sources(make_run("r-3", ago(minutes=-2), sources=sources), csv=str(mine)),
    ):
        one = by_id(run, load_titles(run))["tt0000001"]
        assert (one["title"], one["year"]) == ("Page 1", 1990)
        assert one["provenance"]["budget"] == "csv"
    # The third run crawled nothing and its sources say what they said: nothing is loaded twice.
    assert len(snapshots(second.lake)) == 2


def test_what_last_weeks_page_lent_to_an_earlier_source_stays(
    make_run: MakeRun, mine: Path
) -> None:
    sources = ["csv", "crawl"]
    first = with_sources(make_run("r-1", ago(days=3), sources=sources), csv=str(mine))
    crawl_home(first, [page(1, year=1990, rating=8.0)])
    load_titles(first)
    second = with_sources(make_run("r-2", ago(days=2), sources=sources), csv=str(mine))
    crawl_home(second, [page(2)])
    found = by_id(second, load_titles(second))
    one = found["tt0000001"]
    assert (one["title"], one["year"], one["rating"]) == ("Mine", 1995, 8.0)
    assert one["provenance"]["rating"] == "crawl" and set(found) == {"tt0000001", "tt0000002"}


def test_sources_without_the_crawl_fetch_nothing(
    make_run: MakeRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "movies.csv"
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, NEEDED)
        writer.writeheader()
        link = "http://www.imdb.com/title/tt0000001/"
        writer.writerow(dict.fromkeys(NEEDED, "") | {"movie_imdb_link": link, "movie_title": "A"})
    run = with_sources(make_run("r-1", ago(days=2), sources=["imdb5000"]), imdb5000=str(path))
    assert crawl_titles(run) == {"folder": None}
    assert "nothing is fetched" in capsys.readouterr().out
    assert by_id(run, load_titles(run))["tt0000001"]["provenance"]["title"] == "imdb5000"


def test_a_source_without_a_place_or_of_no_name_is_one_clear_error(make_run: MakeRun) -> None:
    with pytest.raises(SourceError, match=r"titles\.wikidata says no place"):
        load_titles(make_run("r-1", ago(days=2), sources=["wikidata"]))
    with pytest.raises(SettingsError, match="torrent"):
        make_run("r-1", ago(days=2), sources=["torrent"])


def test_settings_name_only_sources_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings("local").titles.sources == ("crawl",)
    monkeypatch.setenv("MARQUEE_TITLES__SOURCES", '["csv", "crawl"]')
    assert load_settings("local").titles.sources == ("csv", "crawl")
    monkeypatch.setenv("MARQUEE_TITLES__SOURCES", '["torrent"]')
    with pytest.raises(SettingsError, match=r"titles\.sources"):
        load_settings("local")
