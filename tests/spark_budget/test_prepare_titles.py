"""Titles in, titles out: what is merged, what is put aside and why, what as-of allows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from marquee.dataset_contracts import TITLES
from spark_apps import prepare_titles
from tests.spark_budget.budget_lake import RUN, add_ratings, freeze, item, make_lake
from tests.spark_budget.prepared_titles import LINKS, MOVIES, Prepared, prepare

NO_EURO = "no exchange rate: EUR in 1960"


BAD: list[tuple[int, dict[str, Any], str]] = [
    (11, {"year": None, "release_date": None}, "no year"),
    (12, {"year": 2099}, "year in the future"),
    (13, {"year": 1700}, "year before the first film"),
    (14, {"genres": [f"Genre {i}" for i in range(40)]}, "40 genres"),
    (15, {"title": "  "}, "no title"),
    (21, {"budget": {"amount": 0, "currency": "USD"}}, "budget is 0"),
    (22, {"budget": {"amount": -5, "currency": "USD"}}, "budget is negative"),
    (23, {"budget": {"amount": 1e13, "currency": "KRW"}}, "budget is not a number of money"),
    (24, {"budget": {"amount": 1000, "currency": "XYZ"}}, "currency unknown: XYZ"),
    (25, {"budget": {"amount": 1000, "currency": None}}, "currency unknown: ?"),
    (26, {"budget": {"amount": 1e6, "currency": "EUR"}, "year": 1960}, NO_EURO),
    (27, {"budget": {"amount": 12_215_500_000, "currency": "USD"}}, "budget is implausible"),
    (28, {"budget": {"amount": 3, "currency": "USD"}}, "budget is implausible"),
    (
        29,
        {"budget": {"amount": 5e6, "currency": "GBP", "confidence": 0.62}},
        "currency in doubt: GBP at 0.62",
    ),
    (30, {"budget": None, "notes": ["budget: 7 may be INR or USD"]}, "7 may be INR or USD"),
]


def test_what_is_put_aside_and_why(tmp_path: Path, spark: SparkSession) -> None:
    lines = [item(number, **change) for number, change, _ in BAD]
    wrong_type = json.dumps({**json.loads(item(31)), "year": "nineteen"})
    lines += [item(1), wrong_type, '{"title_id": "tt00000', item(32, title_id="nm0000032")]
    found = prepare(tmp_path, spark, ("2026-10-31T00:00:00Z", lines))
    for number, _, reason in BAD:
        assert found.reasons[f"tt{number:07d}"] == reason
    assert found.reasons["nm0000032"] == "no title id"
    unread = [line for line in found.refused if line["reason"] == "not a title item"]
    assert sorted(line["row"] for line in unread) == sorted([wrong_type, '{"title_id": "tt00000'])
    assert len(found.refused) == len(BAD) + 3
    whole = {f"tt{number:07d}" for number, _, _ in BAD if number < 20}
    assert not whole & set(found.rows)
    unpriced = {f"tt{number:07d}" for number, _, _ in BAD if number > 20}
    assert all(found.rows[title_id]["budget_usd"] is None for title_id in unpriced)
    assert found.facts["items_refused"] == 8 and found.facts["budgets_refused"] == 10


def test_the_contract_and_both_sources(tmp_path: Path, spark: SparkSession) -> None:
    crawled = [
        item(
            1,
            title="Der Hafen",
            genres=["Drama"],
            budget={"amount": 1e8, "currency": "JPY"},
            year=1990,
        ),
        item(
            5, directors=[{"name_id": None, "name": " Bo Zell "}, {"name_id": "nm2", "name": None}]
        ),
    ]
    found = prepare(tmp_path, spark, ("2026-10-31T00:00:00Z", crawled))
    TITLES.check_types(dict(found.frame.dtypes))
    assert found.frame.columns == TITLES.names
    assert len(found.rows) == found.facts["titles"] == 5
    hafen = found.rows["tt0000001"]
    assert (hafen["movie_id"], hafen["title"], hafen["year"]) == (1, "Der Hafen", 1990)
    assert hafen["budget_usd"] == pytest.approx(1e8 / 144.999)
    never = found.rows["tt0000002"]
    assert (never["movie_id"], never["title"], never["year"]) == (2, "Second Harbour", 2002)
    assert (never["genres"], never["directors"], never["rating"]) == (["Comedy"], [], None)
    quoted = found.rows["tt1000000"]
    assert (quoted["title"], quoted["year"], quoted["genres"]) == ('Say "No"', 1999, [])
    assert (found.rows[8]["title"], found.rows[8]["year"]) == ("Untitled", None)
    unlisted = found.rows["tt0000005"]
    assert unlisted["movie_id"] is None
    assert unlisted["directors"] == ["bo zell", "nm2"]
    assert unlisted["director_names"] == ["Bo Zell", "nm2"]


def test_movielens_genres_become_imdbs(tmp_path: Path, spark: SparkSession) -> None:
    found = prepare(tmp_path, spark)
    harbour = found.rows["tt0000001"]
    assert (harbour["title"], harbour["genres"]) == ("The Harbour", ["Family", "Drama"])
    assert found.facts["with_budget"] == 0
    assert found.split == {"train": [], "holdout": []}


def test_a_crawl_that_brought_nothing_home(tmp_path: Path, spark: SparkSession) -> None:
    lake = make_lake(tmp_path / "lake")
    ratings = add_ratings(lake, MOVIES, LINKS)
    folder = tmp_path / "nothing"
    folder.mkdir()
    (folder / "report.json").write_text("{}")
    lake.publish(folder, "raw/titles/as_of=1/run=r1")
    entry = {"path": "raw/titles/as_of=1/run=r1", "digest": "", "as_of": "2026-01-01T00:00:00Z"}
    freeze(lake, ratings, [entry])
    assert prepare_titles.main(["--lake", lake.root, "--run", RUN]) == 0
    assert len(Prepared(lake, spark).rows) == 4


def test_untitled_and_oddly_dated_movies_stay_and_what_is_to_come_is_counted(
    tmp_path: Path, spark: SparkSession, capsys: pytest.CaptureFixture[str]
) -> None:
    lake = make_lake(tmp_path / "lake")
    movies = (
        "movieId,title,genres\n1,,Comedy | Sci-Fi\n2,(1995),\n3,Far (9999),Drama|\u00a0War\n"
        "4,None (1999), (no genres listed)\n5,Old (1066),War\n6,Soon (2050),Children |Drama\n"
    )
    freeze(lake, add_ratings(lake, movies, "movieId,imdbId,tmdbId\n1,0000001,\n"), [])
    assert prepare_titles.main(["--lake", lake.root, "--run", RUN]) == 0
    found = Prepared(lake, spark)
    assert {row["movie_id"]: (row["title"], row["year"]) for row in found.rows.values()} == {
        1: ("tt0000001", None),
        2: ("2", 1995),
        3: ("Far", None),
        4: ("None", 1999),
        5: ("Old", None),
    }
    genres = [row["genres"] for row in sorted(found.rows.values(), key=lambda r: r["movie_id"])]
    assert genres == [["Comedy", "Sci-Fi"], [], ["Drama", "War"], [], ["War"]]
    assert (found.facts["not_out"], found.facts["not_out_but_listed"]) == (1, 1)
    assert "left out: 1 titles that come out after as-of" in capsys.readouterr().out


def test_an_older_release_gives_each_key_one_row(tmp_path: Path, spark: SparkSession) -> None:
    """Columns in any order; a movie listed twice, one IMDb id under two movies."""
    lake = make_lake(tmp_path / "lake")
    movies = "genres,movieId,title\nDrama,1,One (2001)\nDrama,2,Two (2002)\nComedy,1,Won (2001)\n"
    links = "tmdbId,imdbId,movieId\n5,0000001,1\n6,0000001,2\n7,0000002,2\n8,0000003,1\n"
    freeze(lake, add_ratings(lake, movies, links), [])
    assert prepare_titles.main(["--lake", lake.root, "--run", RUN]) == 0
    rows = Prepared(lake, spark).frame.collect()
    assert sorted((row["movie_id"], row["title_id"], row["title"]) for row in rows) == [
        (1, "tt0000001", "One"),
        (2, None, "Two"),
    ]


def test_the_latest_snapshot_wins(tmp_path: Path, spark: SparkSession) -> None:
    undated: dict[str, Any] = {"year": None, "release_date": None}
    found = prepare(
        tmp_path,
        spark,
        ("2026-10-01T00:00:00Z", [item(1, rating=5.0), item(2, rating=6.0)]),
        ("2026-10-08T00:00:00Z", [item(1, rating=5.5, **undated), item(1_000_000, **undated)]),
    )
    assert found.rows["tt0000001"]["rating"] == 5.5
    assert found.rows["tt0000002"]["rating"] == 6.0
    # An item without a year takes that of an earlier one, or MovieLens'.
    assert found.rows["tt0000001"]["year"] == 2001 and found.facts["items_refused"] == 0
    assert (found.rows["tt1000000"]["year"], found.rows["tt1000000"]["budget_usd"]) == (1999, 12e6)


def test_later_snapshots_lend_only_what_a_release_settles(
    tmp_path: Path, spark: SparkSession
) -> None:
    found = prepare(
        tmp_path,
        spark,
        ("2005-01-01T00:00:00Z", [item(1, rating=5.0, vote_count=10)]),
        (
            "2026-10-08T00:00:00Z",
            [
                item(1, rating=9.0),
                item(2, rating=9.0),
                item(3, year=2007, release_date="2007-01-01"),
            ],
        ),
        as_of="2006-06-01T00:00:00Z",
    )
    known, lent = found.rows["tt0000001"], found.rows["tt0000002"]
    assert (known["rating"], known["vote_count"]) == (5.0, 10)
    assert (lent["rating"], lent["vote_count"]) == (None, None)
    assert lent["directors"] == ["nm0000001"] and lent["budget_usd"] == 12e6
    assert "tt0000003" not in found.rows


def test_released_before_as_of(tmp_path: Path, spark: SparkSession) -> None:
    """A date that is less exact stands for its start."""
    dates = {
        "tt0000041": "2006-05-31",
        "tt0000042": "2006-06-01",
        "tt0000043": "2006-06",
        "tt0000044": "2006",
        "tt0000051": "2006-06-02",
        "tt0000052": "2006-07",
    }
    lines = [item(int(key[2:]), year=2006, release_date=date) for key, date in dates.items()]
    # Of earlier code's snapshots: what is no ISO date is none, and the year stands.
    lines += [item(45, year=2005, release_date="Jan 5, 2005")]
    lines += [item(53, year=2007, release_date="1 July 2007")]
    lines += [item(54, year=2007, release_date="2006-02-30")]
    found = prepare(tmp_path, spark, ("2026-01-01T00:00:00Z", lines), as_of="2006-06-01T00:00:00Z")
    crawled = {key for key in found.rows if str(key).startswith("tt00000") and key > "tt0000040"}
    assert crawled == {*list(dates)[:4], "tt0000045"}


def test_the_newest_fifth_is_held_out(tmp_path: Path, spark: SparkSession) -> None:
    lines = [item(100 + i, year=1990 + i // 2, release_date=None) for i in range(20)]
    lines += [item(200, type="tvSeries"), item(201, budget=None), item(202, genres=[])]
    found = prepare(tmp_path, spark, ("2026-10-31T00:00:00Z", lines))
    assert sorted(found.split["train"]) == [f"tt0000{100 + i}" for i in range(16)]
    assert sorted(found.split["holdout"]) == [f"tt0000{116 + i}" for i in range(4)]


def test_no_title_at_all_is_refused(
    tmp_path: Path, spark: SparkSession, capsys: pytest.CaptureFixture[str]
) -> None:
    lake = make_lake(tmp_path / "lake")
    ratings = add_ratings(lake, "movieId,title,genres\n", "movieId,imdbId,tmdbId\n")
    freeze(lake, ratings, [])
    assert prepare_titles.main(["--lake", lake.root, "--run", RUN]) == 2
    assert "error: no title was released before as-of" in capsys.readouterr().err


PERSON = {"name_id": None, "name": "Zoë  Åkers"}


WIDE: dict[str, Any] = {
    "directors": [PERSON],
    "writers": [{"name_id": "nm0000007", "name": "W"}, {"name_id": None, "name": "Jo  Ó Sé"}],
    "cast": [{"name_id": "nm0000008", "name": "C"}],
    "companies": ["Made-up Films"],
    "languages": ["en", "fr"],
    "keywords": ["harbour"],
    "runtime": 101,
    "certificate": "PG-13",
    "plot": "Something happens.",
}


def test_wide_columns_spellings_and_budgets_that_are_lent(
    tmp_path: Path, spark: SparkSession
) -> None:
    """Fields come one by one from the latest snapshot that states them; what the release did not
    settle comes from before as-of only; a budget may come without a title."""
    lender = {"title": None, "type": None, "year": None, "release_date": None, "genres": []}
    lender |= {"directors": [], "rating": None, "vote_count": None, "countries": []}
    older = [
        item(1, **WIDE),
        item(3, directors=[{"name_id": "nm0000009", "name": "zoe akers"}], budget=None),
        item(4, directors=[{"name_id": None, "name": "Bo Zell"}]),
        item(5, directors=[{"name_id": None, "name": "BO  ZELL"}]),
        item(2, **lender, budget={"amount": 9e6, "currency": "EUR"}),
        item(6, **lender),
        item(7, **lender | {"budget": None}),
    ]
    newer = [item(1, runtime=99, budget=None, directors=[PERSON]), item(8, **WIDE)]
    found = prepare(
        tmp_path,
        spark,
        ("2026-09-01T00:00:00Z", older),
        ("2026-12-01T00:00:00Z", newer),
    )
    first, lent = found.rows["tt0000001"], found.rows["tt0000008"]
    assert first["runtime"] == 101 and first["budget_usd"] == 12e6
    assert first["keywords"] == ["harbour"] and first["plot"] == "Something happens."
    assert first["writers"] == ["nm0000007", "jo o se"] and first["cast"] == ["nm0000008"]
    assert (first["languages"], first["certificate"]) == (["en", "fr"], "PG-13")
    assert lent["companies"] == ["Made-up Films"] and lent["runtime"] == 101
    assert (lent["keywords"], lent["plot"], lent["rating"]) == ([], None, None)
    # One person by id, by a name that one id answers to, or by a name in two spellings.
    assert first["directors"] == lent["directors"] == found.rows["tt0000003"]["directors"]
    assert first["directors"] == ["nm0000009"] and first["director_names"] == ["Zoë Åkers"]
    assert found.rows["tt0000004"]["directors"] == found.rows["tt0000005"]["directors"]
    # MovieLens names title 2, nobody title 6.
    listed = found.rows["tt0000002"]
    assert (listed["title"], listed["year"]) == ("Second Harbour", 2002)
    assert listed["budget_usd"] == pytest.approx(9e6 * 0.9456, rel=5e-3)
    assert "tt0000006" not in found.rows and found.reasons["tt0000007"] == "no title"
    assert (found.facts["budget_lenders"], found.facts["budgets_without_a_title"]) == (2, 1)
    assert found.facts["currencies"] >= 90 and found.facts["rate_sources"] == ["ecb", "fed", "pwt"]


def test_one_row_and_an_empty_file(tmp_path: Path, spark: SparkSession) -> None:
    """One usable title trains on itself alone; an empty snapshot beside it changes nothing."""
    one = item(1, genres=["Drama"])
    found = prepare(tmp_path, spark, ("2026-10-01T00:00:00Z", [one]), ("2026-10-02T00:00:00Z", []))
    assert found.split == {"train": ["tt0000001"], "holdout": []}
    assert found.facts["usable"] == 1 and found.facts["items_refused"] == 0
    assert found.refused == []
    report = found.report
    assert (report["rows"], report["with_budget"], report["chi_square"]) == (4, 1, {})
    assert report["compared_with"] is None and report["drift"] is None
