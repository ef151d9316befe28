"""A person's own list of titles."""

from __future__ import annotations

import pytest

from marquee.dataset_contracts import TITLE_ITEM
from marquee.errors import SourceError
from marquee.prices import CERTAIN
from sources.title_cells import RowsAsideByFile
from sources.titles_csv import read_titles_csv


def test_a_users_csv_may_hold_any_columns(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text(
        "title_id,title,genres,directors,countries,budget,year\n"
        'tt0000001,"A, B",Komödie|War,Ada|Bo,Japan,"¥1,000,000",1999\n'
        "tt0000002,,,,,a lot,\n"
    )
    first, second = read_titles_csv(path)
    assert first["genres"] == ["Comedy", "War"] and first["countries"] == ["JP"]
    assert first["budget"] == {"amount": 1_000_000, "currency": "JPY"}
    assert [d["name"] for d in first["directors"]] == ["Ada", "Bo"]
    assert second["title"] is None and second["budget"] is None
    assert second["notes"] == ["budget: names no currency (a lot)"]


def test_a_csvs_cells_in_other_forms_are_read_or_noted_and_never_cost_the_row(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text(
        "Title_ID,title,Year,release_date,rating,vote_count,runtime,countries,budget,currency\n"
        'http://www.imdb.com/title/tt0000001/?r=1,A,2003,5 May 2003,"7,3","1,204",1h 36m,Canada,'
        '"$4,000,000",cad\n'
        "2,B,0,05/06/2003,83,-1,0,Neverland,4000000 kr,SEK\n"
        "tt0000003,C,MMIII,TBA,good,many,long,Pakistan,Rs 4000000,\n"
        "tt0000004,D,2003.0,2003,nan,1.5E+3,96 min,India,0,INR\n",
        encoding="utf-16",
    )
    first, second, third, fourth = read_titles_csv(path)
    assert first["title_id"] == "tt0000001" and first["notes"] == []
    assert (first["release_date"], first["rating"]) == ("2003-05-05", 7.3)
    assert (first["vote_count"], first["runtime"]) == (1204, 96)
    assert first["budget"] == {"amount": 4_000_000, "currency": "CAD"}
    assert second["title_id"] == "tt0000002" and second["title"] == "B"
    assert {n.partition(":")[0] for n in second["notes"]} == {
        "countries",
        "year",
        "release_date",
        "runtime",
        "rating",
        "vote_count",
    }
    assert second["budget"] == {"amount": 4_000_000, "currency": "SEK"}
    assert {n.partition(":")[0] for n in third["notes"]} == {
        "year",
        "release_date",
        "rating",
        "vote_count",
        "runtime",
    }
    assert third["budget"] == {"amount": 4_000_000, "currency": "PKR"}
    assert (fourth["year"], fourth["rating"], fourth["vote_count"]) == (2003, None, 1500)
    assert fourth["notes"] == ["budget: is no amount of money (0)"]
    for record in (first, second, third, fourth):
        assert TITLE_ITEM.differences(record) == []


def test_torn_rows_and_rows_without_an_id_are_counted_until_they_are_too_many(tmp_path):
    path = tmp_path / "mine.csv"
    rows = [f"tt{n:07d},T{n},2000\n" for n in range(1, 200)]
    rows[5], rows[9] = "tt0000006,T6\n", "none,T10,2000\n"
    path.write_text("title_id,title,year\n" + "".join(rows))
    aside: RowsAsideByFile = {}
    assert len(list(read_titles_csv(path, aside))) == 197
    assert str(aside["mine.csv"]) == (
        "2 (line 7 has 2 cells, not 3, line 11 has the title id 'none' (write it like tt0114709))"
    )
    path.write_text("title_id,title,year\n" + "".join(["tt0000001,T\n"] * 30 + rows))
    with pytest.raises(SourceError, match="of 229 rows 32 cannot be read"):
        list(read_titles_csv(path))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("title\nA\n", "has no column title_id.*it names title"),
        (
            "title_id\nnm0000012\n",
            "of 1 rows 1 cannot be read: .*line 2 has the title id 'nm0000012'",
        ),
        ("", "has no column"),
        (
            'title_id,title\ntt0000001,"A\ntt0000002,B\n',
            "line 2: a quote is opened and never closed",
        ),
    ],
)
def test_a_wrong_csv_is_named(tmp_path, content, says):
    path = tmp_path / "mine.csv"
    path.write_text(content)
    with pytest.raises(SourceError, match=says):
        list(read_titles_csv(path))


def test_a_users_csv_may_be_wide_and_state_its_currency_in_a_column(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text(
        "title_id,title,year,countries,budget,currency,writers,cast,languages,companies,keywords,"
        "runtime,certificate,plot\n"
        'tt0000001,A,1997,Japan,"2,400,000,000",jpy,nm0000005|Bo,Ada,Japanese,Studio,war|love,90,'
        "PG,Two meet.\n"
        "tt0000002,B,2006,South Korea,12215500000,,,,,,,,,\n"
        "tt0000003,C,2006,UK,5000000,,,,,,,,,\n"
        "tt0000004,D,2006,USA,-5,USD,,,,,,,,\n"
        "tt0000005,E,2006,USA,10000000000000,USD,,,,,,,,\n"
        "tt0000006,F,2006,USA,7,XYZ,,,,,,,,\n"
    )
    found = list(read_titles_csv(path))
    first = found[0]
    assert first["budget"] == {"amount": 2_400_000_000, "currency": "JPY"}
    assert first["writers"] == [
        {"name_id": "nm0000005", "name": None},
        {"name_id": None, "name": "Bo"},
    ]
    assert (first["languages"], first["companies"], first["keywords"]) == (
        ["ja"],
        ["Studio"],
        ["war", "love"],
    )
    assert (first["runtime"], first["certificate"], first["plot"]) == (90, "PG", "Two meet.")
    assert found[1]["budget"]["currency"] == "KRW" and found[1]["budget"]["confidence"] >= CERTAIN
    assert [r["budget"] for r in found[2:]] == [None] * 4
    notes = [r["notes"][0] for r in found[2:]]
    assert "may be" in notes[0] and "no amount" in notes[1] and "plausible" in notes[2]
    assert "names no currency" in notes[3]
