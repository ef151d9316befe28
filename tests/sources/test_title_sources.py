"""Titles from elsewhere: IMDb's datasets, Wikidata, a CSV, IMDB 5000, and all of them merged."""

from __future__ import annotations

import csv
import gzip
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from marquee.contracts import TITLE_ITEM
from marquee.errors import SourceError
from marquee.lake import open_lake
from marquee.money import CERTAIN
from marquee.sources.licences import licence_note, unseen_notes
from marquee.sources.title_lines import read_lines, write_lines
from marquee.sources.title_record import SetAside, minutes
from marquee.sources.titles import load_titles
from marquee.sources.titles_csv import COLUMNS, read_titles_csv
from marquee.sources.titles_gather import crawled_titles
from marquee.sources.titles_imdb5000 import NEEDED, read_imdb5000
from marquee.sources.titles_imdb_tsv import read_imdb_tsv
from marquee.sources.titles_merge import merge_titles, write_merged
from marquee.sources.titles_wikidata import read_wikidata

REPOSITORY = Path(__file__).resolve().parents[2]
BASICS = "tconst\ttitleType\tprimaryTitle\toriginalTitle\tisAdult\tstartYear\tendYear\t"
BASICS += "runtimeMinutes\tgenres\n"


def tsv(folder: Path, name: str, text: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.tsv.gz").write_bytes(gzip.compress(text.encode()))


@pytest.fixture
def datasets(tmp_path: Path) -> Path:
    folder = tmp_path / "imdb"
    rows = [
        f'tt{n:07d}\tmovie\tA "{n}\tUn «{n}»\t0\t{1990 + n % 30}\t\\N\t{90 + n}\tDrama,Sci-Fi\n'
        for n in range(1, 40)
    ]
    tsv(folder, "title.basics", BASICS + "".join(rows) + "tt9999999\tshort\tX\tX\t0" + "\t\\N" * 4)
    tsv(folder, "title.ratings", "tconst\taverageRating\tnumVotes\ntt0000001\t8.1\t1200\n")
    crew = "tconst\tdirectors\twriters\ntt0000001\tnm0000001,nm0000002\t\\N\ntt0000002\t\\N\t\\N\n"
    tsv(folder, "title.crew", crew)
    names = "nconst\tprimaryName\nnm0000001\tAda\nnm0000002\tBo\nnm0000003\tCy\n"
    tsv(folder, "name.basics", names)
    return folder


def test_imdbs_datasets_give_what_is_wanted(datasets):
    found = {r["title_id"]: r for r in read_imdb_tsv(datasets, {"tt0000001", "tt0000002"})}
    first = found["tt0000001"]
    assert first["title"] == 'A "1' and first["original_title"] == "Un «1»"
    assert first["directors"] == [
        {"name_id": "nm0000001", "name": "Ada"},
        {"name_id": "nm0000002", "name": "Bo"},
    ]
    assert (first["rating"], first["vote_count"], first["year"]) == (8.1, 1200, 1991)
    assert first["genres"] == ["Drama", "Sci-Fi"] and first["writers"] == []
    assert found["tt0000002"]["rating"] is None
    assert len(found) == 2
    assert all(TITLE_ITEM.differences(record) == [] for record in found.values())


def test_datasets_are_streamed_not_held(tmp_path, datasets):
    rows = (f"tt{n:07d}\tmovie\t{'A' * 40}\tB\t0\t1990\t\\N\t90\tDrama\n" for n in range(100_000))
    tsv(datasets, "title.basics", BASICS + "".join(rows))
    tracemalloc.start()
    found = sum(1 for _ in read_imdb_tsv(datasets, {"tt0000007"}))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found == 1
    assert most < 5_000_000  # the rows alone would be far more


def test_a_dataset_that_is_missing_cut_or_other_is_named(datasets):
    path = datasets / "title.crew.tsv.gz"
    whole = path.read_bytes()
    for content, says in (
        (whole[:-10], "is torn"),
        (gzip.compress(b"tconst\tx\n"), "has no column directors, writers"),
        (gzip.compress(b"x\ttconst\tdirectors\twriters\n"), "starts with the column x"),
    ):
        path.write_bytes(content)
        with pytest.raises(SourceError, match=says):
            list(read_imdb_tsv(datasets, {"tt0000001"}))
    path.unlink()
    with pytest.raises(SourceError, match=r"holds no title\.crew"):
        list(read_imdb_tsv(datasets, {"tt0000001"}))


BUDGETS = [
    ("tt0000001", "5000000", "http://www.wikidata.org/entity/Q4917"),
    ("tt0000002", "3000000.5", "EUR"),
    ("tt0000003", "7", "Q1"),
    ("tt0000004", "7", "Q4917"),
    ("tt0000004", "9", "Q4917"),
    ("nonsense", "7", "Q4917"),
    ("tt0000005", "-7", "Q4917"),
]


def wikidata_file(folder: Path, form: str) -> Path:
    path = folder / f"budgets.{form.split('-')[0]}"
    if form == "csv":
        lines = [",".join(row) for row in BUDGETS]
        path.write_text("imdb,amount,unit\n" + "\n".join(lines))
        return path
    entries = [dict(zip(("imdb", "amount", "unit"), row, strict=True)) for row in BUDGETS]
    if form == "json-sparql":
        cells = [{k: {"type": "literal", "value": v} for k, v in e.items()} for e in entries]
        path.write_text(json.dumps({"results": {"bindings": cells}}))
    else:
        path.write_text(json.dumps(entries))
    return path


@pytest.mark.parametrize("form", ["csv", "json", "json-sparql"])
def test_wikidata_budgets_come_with_their_currency_or_a_note(tmp_path, form):
    found = {r["title_id"]: r for r in read_wikidata(wikidata_file(tmp_path, form))}
    assert found["tt0000001"]["budget"] == {"amount": 5_000_000, "currency": "USD"}
    assert found["tt0000002"]["budget"] == {"amount": 3_000_000.5, "currency": "EUR"}
    assert found["tt0000003"]["budget"] is None and "Q1" in found["tt0000003"]["notes"][0]
    assert "several statements (7 USD, 9 USD)" in found["tt0000004"]["notes"][0]
    assert set(found) == {f"tt000000{n}" for n in range(1, 6)}
    assert found["tt0000005"]["budget"] is None and "-7" in found["tt0000005"]["notes"][0]


def test_a_statement_that_cannot_be_read_is_noted_beside_others(tmp_path):
    path = tmp_path / "budgets.csv"
    lines = ["tt0000001,6000000,EUR", "tt0000001,70000000,Groschen", "tt0000002,6000000,EUR"]
    lines += ["tt0000002,8000000,EUR", "tt0000002,9,Groschen"]
    path.write_text("imdb,amount,unit\n" + "\n".join(lines))
    one, several = read_wikidata(path)
    groschen = "budget: the unit is no currency we know"
    assert one["budget"] == {"amount": 6_000_000, "currency": "EUR"}
    assert one["notes"] == [f"{groschen} (70000000 Groschen)"]
    assert several["budget"] is None and several["notes"] == [
        "budget: several statements (6000000 EUR, 8000000 EUR)",
        f"{groschen} (9 Groschen)",
    ]


XSD = "http://www.w3.org/2001/XMLSchema#"


@pytest.mark.parametrize(
    ("name", "content", "amount"),
    [
        ("a.json", '[{"imdb": "tt0000001", "amount": 220.375, "unit": "EUR"}]', 220.375),
        ("b.json", '[{"imdb": "tt0000001", "amount": "220.375", "unit": "EUR"}]', 220_375),
        ("c.csv", "imdb,amount,unit\ntt0000001,+220.375,EUR\n", 220.375),
        ("d.csv", "imdb,amount,unit\ntt0000001,220.375,EUR\n", 220_375),
        (
            "e.tsv",
            f'?imdb\t?amount\t?unit\n"tt0000001"\t"500.000"^^<{XSD}decimal>\t"EUR"\n',
            500,
        ),
        (
            "f.json",
            '{"results": {"bindings": [{"imdb": {"value": "tt0000001"}, "unit": {"value": "EUR"},'
            f' "amount": {{"datatype": "{XSD}decimal", "value": "500.000"}}}}]}}}}',
            500,
        ),
    ],
)
def test_a_machines_decimal_groups_no_digits(tmp_path, name, content, amount):
    (tmp_path / name).write_text(content)
    (found,) = read_wikidata(tmp_path / name)
    assert found["budget"] == {"amount": amount, "currency": "EUR"}


def test_half_a_surrogate_pair_and_an_endless_number_cost_the_budget(tmp_path):
    """And the records are written."""
    path = tmp_path / "budgets.json"
    rows = [
        ("tt0000001", '"5\\udc00"', "euro"),
        ("tt0000002", "5", r"\ud83d"),
        ("tt0000003", "7" * 9999, "EUR"),
    ]
    cells = (f'{{"imdb": "{one}", "amount": {two}, "unit": "{three}"}}' for one, two, three in rows)
    path.write_text(f"[{','.join(cells)}]")
    merged = merge_titles([("wikidata", read_wikidata(path))])
    assert all(not r["budget"] and len(r["notes"]) == 1 for r in merged.records.values())
    assert len(write_merged(tmp_path / "out", merged, "wikidata")) == 3
    broken = [{"title_id": "tt0000001", "reason": "\ud800", "record": {"\udc00": "\ud83d\ude00"}}]
    write_lines(tmp_path / "lines.gz", broken)
    (read,) = read_lines([tmp_path / "lines.gz"])
    assert (read["reason"], read["record"]) == ("\ufffd", {"\ufffd": "\U0001f600"})


RENAMED = [
    ("imdbId,cost,Unit", 'tt0000007,"2,500,000",Q4916'),
    ("item;itemLabel;P345;P2130;unitLabel", "http://x/Q1;A;tt0000007;+2500000;euro"),
    ("film,IMDb ID,Budget,Currency", "Q1,https://www.imdb.com/title/tt0000007/,2.5E+06,EUR"),
    ("unit,imdb,amount", "http://www.wikidata.org/entity/Q4916,tt0000007,€2 500 000"),
    ("?imdb\t?capital_cost\t?unit", '"tt0000007"\t"2500000"^^<decimal>\t<http://w/entity/Q4916>'),
]


@pytest.mark.parametrize(("header", "row"), RENAMED)
@pytest.mark.parametrize("pack", [gzip.compress, lambda data: b"\xef\xbb\xbf" + data])
def test_a_wikidata_tables_columns_go_by_their_usual_names(tmp_path, header, row, pack):
    path = tmp_path / "BUDGETS.CSV"
    path.write_bytes(pack(f"{header}\n{row}\n".encode()))
    (found,) = read_wikidata(path)
    assert found["title_id"] == "tt0000007"
    assert found["budget"] == {"amount": 2_500_000, "currency": "EUR"}


ROWS = [
    {"imdb_id": "tt0000007", "budget": 2500000, "currencyLabel": "euro"},
    {"imdb_id": "tt0000008", "budget": "2500000"},
    {"imdb_id": "tt0000009", "budget": "unknown value", "currencyLabel": "euro"},
    {"imdb_id": "nm0000001", "budget": 1, "currencyLabel": "euro"},
]


@pytest.mark.parametrize("form", ["rows", "lines", "bindings"])
def test_wikidata_json_goes_by_its_names_and_says_what_it_cannot_read(tmp_path, form):
    path = tmp_path / "budgets.json.gz"
    cells = [{name: {"type": "literal", "value": str(v)} for name, v in r.items()} for r in ROWS]
    text = {
        "rows": json.dumps(ROWS),
        "lines": "\n".join(map(json.dumps, ROWS)),
        "bindings": json.dumps({"head": {"vars": [*ROWS[0]]}, "results": {"bindings": cells}}),
    }[form]
    path.write_bytes(gzip.compress(text.encode("utf-8-sig")))
    aside: SetAside = {}
    found = {record["title_id"]: record for record in read_wikidata(path, aside)}
    assert found["tt0000007"]["budget"] == {"amount": 2_500_000, "currency": "EUR"}
    assert found["tt0000008"]["notes"] == ["budget: names no currency (2500000)"]
    assert found["tt0000009"]["notes"] == ["budget: holds no number (unknown value euro)"]
    assert str(aside["budgets.json.gz"]) == "1 (row 4 names no title: 'nm0000001')"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (
            '[{"imdb": "tt0000007", "price": 5}]',
            "no column amount, unit.*The file names imdb, price",
        ),
        ("imdb,amount\ntt0000007,5\n", "no column unit.*The file names imdb, amount"),
        (
            '{"head": {"vars": ["film"]}, "results": {"bindings": []}}',
            "no column imdb, amount, unit",
        ),
        ("[]", "The file names no column"),
        ('[{"imdb": "nm0000007", "amount": 5, "unit": "USD"}]', "of 1 rows 1 cannot be read"),
    ],
)
def test_a_wikidata_export_that_names_no_budgets_is_refused_with_its_columns(
    tmp_path, content, says
):
    path = tmp_path / "budgets"
    path.write_text(content)
    with pytest.raises(SourceError, match=says):
        list(read_wikidata(path))


@pytest.mark.parametrize("content", ["{", '{"a": 1}', "7"])
def test_a_wikidata_file_that_is_none_is_one_clear_error(tmp_path, content):
    path = tmp_path / "budgets.json"
    path.write_text(content)
    with pytest.raises(SourceError):
        list(read_wikidata(path))


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
    aside: SetAside = {}
    assert len(list(read_titles_csv(path, aside))) == 197
    assert str(aside["mine.csv"]) == (
        "2 (line 7 has 2 cells, not 3, line 11 has the title id 'none' (write it like tt0114709))"
    )
    path.write_text("title_id,title,year\n" + "".join(["tt0000001,T\n"] * 30 + rows))
    with pytest.raises(SourceError, match="of 229 rows 32 cannot be read"):
        list(read_titles_csv(path))


def test_null_and_torn_rows_of_imdbs_datasets(tmp_path):
    r"""`\N` is null in every column; a torn row is set aside with its line."""
    folder = tmp_path / "imdb"
    tsv(
        folder,
        "title.basics",
        BASICS
        + "tt0000001\t"
        + "\t".join([r"\N"] * 8)
        + "\n"
        + "tt0000002\tmovie\tB\tB\t0\t1999\t90\tDrama\n"
        + "tt0000003\tmovie\tC\t\\N\t0\t0\t\\N\t0\tDrama,,War\n",
    )
    tsv(folder, "title.ratings", "tconst\taverageRating\tnumVotes\ntt0000003\t0.0\t\\N\n")
    crew = "tconst\tdirectors\twriters\ntt0000003\tnm0000001,nm0000002\tnm0000009\n"
    tsv(folder, "title.crew", crew)
    tsv(folder, "name.basics", "nconst\tprimaryName\nnm0000001\t\\N\nnm0000002\tBo\n")
    aside: SetAside = {}
    wanted = {f"tt000000{n}" for n in range(1, 4)}
    nameless, third = read_imdb_tsv(folder, wanted, aside)
    assert r"\N" not in [*nameless.values(), *third.values()]
    assert nameless["title"] is None and nameless["notes"] == []
    assert third["directors"] == [{"name_id": "nm0000002", "name": "Bo"}] and not third["writers"]
    assert third["genres"] == ["Drama", "War"] and third["original_title"] is None
    assert {n.partition(" ")[0] for n in third["notes"]} == {
        "directors:",
        "writers:",
        "year:",
        "runtime:",
        "rating:",
    }
    assert str(aside["title.basics.tsv.gz"]) == "1 (line 3 has 8 cells, not 9)"


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


def row(**changes: str) -> dict[str, str]:
    return dict.fromkeys(NEEDED, "") | changes


def imdb5000(folder: Path, **cells: str) -> dict[str, Any]:
    """The record of one row with these cells."""
    cells = row(movie_imdb_link="http://www.imdb.com/title/tt0000001/", movie_title="A") | cells
    with (folder / "movies.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([cells.keys(), cells.values()])
    (found,) = read_imdb5000(folder / "movies.csv")
    return found


def fields_of(record: dict[str, Any]) -> list[str]:
    """The fields that notes are about."""
    return sorted(note.partition(":")[0] for note in record["notes"])


@pytest.mark.parametrize(
    "text",
    [
        *("96", "96.0", "96 min.", "96 mins", "96m", "96'", "96′", "5760 s", "5760 seconds"),
        *("1h 36m", "1h36m", "1H36", "1hr36min", "1 hrs, 36 mins", "1 hour and 36 minutes", "1.6h"),
        *("1 Std. 36 Min.", "1 Stunde und 36 Minuten", "1 heure 36 minutes", "1 ora e 36 minuti"),
        *("1 hora y 36 minutos", "1:36:00", "01:36:00.000", "0 days 01:36:00", "1:36 h"),
        *("PT96M", "PT1H36M", "PT1H36M0S", "pt1h36m59.5s", "PT5760S", "PT0H96M", "PT1,6H"),
        "P0DT1H36M",
        "P0Y0M0DT1H36M0S",
    ],
)
def test_a_runtime_is_read_in_every_form_of_a_duration(text):
    assert minutes(text) == 96


@pytest.mark.parametrize(
    "text",
    [
        *("1:36", "1,036 min", "-96 min", "90-96 min", "h", "min", "PT", "P1Y", "1h 36x", "1h and"),
        *("36m 1h", "1h 1h", "9" * 5000 + " min", "1" + ",000" * 2000),
    ],
)
def test_a_runtime_in_doubt_is_none(text):
    assert minutes(text) is None


def test_durations_are_read_by_every_source(tmp_path, datasets):
    """And what is none leaves a note everywhere."""
    mine = tmp_path / "mine.csv"
    mine.write_text("title_id,title,runtime\ntt0000001,A,PT1H36M\ntt0000002,B,1:36\n")
    path = datasets / "title.basics.tsv.gz"
    text = gzip.decompress(path.read_bytes()).decode()
    path.write_bytes(gzip.compress(text.replace("\t91\t", "\t1h31m\t").encode()))
    first, second = read_titles_csv(mine)
    (third,) = read_imdb_tsv(datasets, {"tt0000001"})
    fourth = imdb5000(tmp_path, duration="1 hr 36 min", title_year="2001")
    fifth = imdb5000(tmp_path, duration="long", title_year="2001")
    assert [r["runtime"] for r in (first, third, fourth)] == [96, 91, 96]
    assert second["runtime"] is None and fifth["runtime"] is None
    assert fields_of(second) == fields_of(fifth) == ["runtime"]


NULLS = ("N/A", "nan", "None", "NULL", "<NA>", "#N/A", "n.a.", "-", "—", "--", "?", r"\N", " ")


@pytest.mark.parametrize("null", NULLS)
def test_a_word_for_nothing_is_null_in_every_column_of_every_table(tmp_path, null):
    """And leaves no note: nothing was stated. A title may be such a word, and IMDb has but one."""
    titles = [] if null in (r"\N", " ") else [null]
    own = ("title_id", "layout", "type", "title")
    columns = ["title_id", *COLUMNS]
    with (tmp_path / "mine.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerows([columns, ["tt0000001", *[null] * len(COLUMNS)]])
        some = {"title_id": "tt0000002", "cast": f"{null}|Ada|{null}", "budget": "€5,000,000"}
        some |= {"currency": null, "genres": f"War|{null}"}
        writer.writerow([some.get(name, null) for name in columns])
    first, second = read_titles_csv(tmp_path / "mine.csv")
    assert not any(v for name, v in first.items() if name not in own) and not first["type"]
    assert [r["title"] for r in (first, second) if r["title"]] == titles * 2
    assert [person["name"] for person in second["cast"]] == ["Ada"] and second["genres"] == ["War"]
    assert second["budget"] == {"amount": 5_000_000, "currency": "EUR"} and not second["notes"]

    cells = dict.fromkeys([*NEEDED[1:], *IMDB5000], null)
    found = imdb5000(tmp_path, **cells)
    assert not any(value for name, value in found.items() if name not in own)
    assert [found["title"] or ""] == (titles or [""])

    folder = tmp_path / "imdb"
    tsv(folder, "title.basics", BASICS + "\t".join(["tt0000001", *[null] * 8]) + "\n")
    tsv(folder, "title.ratings", f"tconst\taverageRating\tnumVotes\ntt0000001\t{null}\t{null}\n")
    tsv(folder, "title.crew", f"tconst\tdirectors\twriters\ntt0000001\t{null}\tnm1,{null}\n")
    tsv(folder, "name.basics", "nconst\tprimaryName\nnm1\tBo\n")
    (found,) = read_imdb_tsv(folder, {"tt0000001"})
    assert found["writers"] == [{"name_id": "nm1", "name": "Bo"}]
    assert [found[n] or "" for n in ("title", "original_title", "type")] == (titles or [""]) * 3
    unread = {"end_year", "rating", "runtime", "vote_count", "year", "directors", "writers"}
    assert set(fields_of(found)) == (unread if titles else set())

    path = tmp_path / "budgets.csv"
    path.write_text(
        f"imdb,amount,unit,currency\ntt0000001,{null},Q4916,EUR\ntt0000002,7,{null},EUR\n"
        f"tt0000003,7,{null},{null}\n"
    )
    lent, unknown = read_wikidata(path)
    assert lent["budget"] == {"amount": 7, "currency": "EUR"} and not lent["notes"]
    assert unknown["notes"] == ["budget: names no currency (7)"]


@pytest.mark.parametrize("name", ["Undefined", "N/A", "--", "??"])
def test_a_film_may_be_called_nothing(tmp_path, name):
    (tmp_path / "mine.csv").write_text(f"title_id,title\ntt0000001,{name}\ntt0000002,\\N\n")
    first, second = read_titles_csv(tmp_path / "mine.csv")
    assert (first["title"], second["title"]) == (name, None)
    assert imdb5000(tmp_path, movie_title=f"{name}\xa0")["title"] == name


def test_words_that_only_look_like_nothing_are_kept(tmp_path):
    mine = tmp_path / "mine.csv"
    mine.write_text("title_id,title,directors,plot\ntt0000001,Nonesuch,Nan Goldin,None left\n")
    (found,) = read_titles_csv(mine)
    assert (found["title"], found["plot"]) == ("Nonesuch", "None left")
    assert found["directors"][0]["name"] == "Nan Goldin"


def test_of_rows_that_repeat_a_title_the_one_with_the_most_votes_counts(tmp_path):
    path = tmp_path / "movies.csv"
    rows = [row(movie_imdb_link="tt0000001", movie_title=t, num_voted_users=n) for t, n in VOTED]
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, [*NEEDED, "num_voted_users"])
        writer.writeheader()
        writer.writerows(rows)
    (found,) = read_imdb5000(path)
    assert (found["title"], found["vote_count"]) == ("A", 1204)


VOTED = [("A", "1,204"), ("B", "803"), ("C", "2")]
IMDB5000 = (
    *(
        "actor_1_name",
        "actor_2_name",
        "actor_3_name",
        "duration",
        "gross",
        "imdb_score",
        "language",
    ),
    *("num_voted_users", "title_year", "content_rating", "plot_keywords"),
)


@pytest.mark.parametrize(
    ("country", "year", "budget", "expected"),
    [
        ("USA", "2000", "5000000", (5_000_000, "USD")),
        ("USA", "2000", "12000000000", None),
        ("South Korea", "2006", "12000000000", (12_000_000_000, "KRW")),
        ("South Korea", "2006", "5000000", (5_000_000, "USD")),
        ("UK", "2010", "5000000", None),
        ("UK", "", "5000000", None),
        ("USA", "", "5000000", (5_000_000, "USD")),
        ("France", "1999", "390000000", (390_000_000, "FRF")),
        ("France", "2005", "390000000", None),
        ("USA", "2000", "5,000,000", (5_000_000, "USD")),
        ("USA", "2000", "5E+06", (5_000_000, "USD")),
        ("USA", "2000", "much", None),
        ("USA", "2000", "", None),
        ("USA", "2000", "-5", None),
        ("USA", "2000", "0", None),
        ("Official site", "2000", "5000000", None),
    ],
)
def test_a_budget_of_imdb5000_is_kept_only_where_its_currency_is_beyond_doubt(
    tmp_path, country, year, budget, expected
):
    found = imdb5000(tmp_path, country=country, title_year=year, budget=budget)
    if stated := found["budget"]:
        assert (stated["amount"], stated["currency"]) == expected
        assert stated["confidence"] >= CERTAIN
    else:
        assert expected is None
        assert budget == "" or any(note.startswith("budget: ") for note in found["notes"])


def test_money_of_imdb5000_is_read_as_in_any_other_table_or_noted(tmp_path):
    """A comma groups; a sign says the currency; what cannot be read leaves a note."""
    usa = {"country": "USA", "title_year": "2003"}
    grouped = imdb5000(tmp_path, **usa, budget="750,000", gross="31,400")
    assert (grouped["budget"]["amount"], grouped["gross"]["amount"]) == (750_000, 31_400)
    signed = imdb5000(tmp_path, **usa, budget="$4,300,000", gross="$8.5 million")
    assert signed["budget"] == {"amount": 4_300_000, "currency": "USD"}
    assert signed["gross"] == {"amount": 8_500_000, "currency": "USD"}
    assert grouped["notes"] == signed["notes"] == []
    other = imdb5000(tmp_path, budget="cheap", gross="€900", country="Atlantis|France")
    assert other["budget"] is None and other["gross"] is None and other["gross_area"] is None
    assert fields_of(other) == ["budget", "countries", "gross"]


def test_imdb5000s_repeats_and_spaces_are_mended(tmp_path):
    path = tmp_path / "movies.csv"
    link = "http://www.imdb.com/title/tt0000001/?ref_=fn_tt_tt_1"
    rows = [
        row(movie_imdb_link=link, movie_title="A\u00a0", num_voted_users="5", director_name="D"),
        row(movie_imdb_link=link, movie_title="A\u00a0", num_voted_users="9", director_name="E"),
        row(movie_imdb_link=link, movie_title="A\u00a0", num_voted_users="9", director_name="E"),
        row(movie_imdb_link="nowhere", movie_title="B"),
    ]
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, [*NEEDED, "num_voted_users"])
        writer.writeheader()
        writer.writerows(rows)
    (found,) = read_imdb5000(path)
    assert (found["title"], found["vote_count"]) == ("A", 9)
    assert found["directors"] == [{"name_id": None, "name": "E"}]


def test_imdb5000_itself():
    path = REPOSITORY.parent / "shared" / "data" / "imdb5000" / "movie_metadata.csv"
    if not path.is_file():
        pytest.skip(f"{path} is not there: the file is not in the repository")
    found = {record["title_id"]: record for record in read_imdb5000(path)}
    assert len(found) == 4919
    assert found["tt0468492"]["budget"] == {
        "amount": 12_215_500_000,
        "currency": "KRW",
        "confidence": 1.0,
    }
    assert not any(record["title"].endswith("\u00a0") for record in found.values())
    assert all(TITLE_ITEM.differences(record) == [] for record in found.values())
    assert 3_000 < sum(record["budget"] is not None for record in found.values()) < 4_551


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
    assert unseen_notes(lake, ("wikidata", "csv")) == [
        licence_note("wikidata"),
        licence_note("csv"),
    ]
    assert unseen_notes(lake, ("csv", "imdb5000")) == [licence_note("imdb5000")]
    other = open_lake((tmp_path / "other").as_uri())
    assert unseen_notes(other, ("csv",)) == [licence_note("csv")]


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


def test_a_users_csv_may_be_wide_and_state_its_currency_apart(tmp_path):
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


def test_one_budget_told_with_more_or_less_confidence_is_no_conflict():
    sure = {"title_id": "tt0000001", "budget": {"amount": 5, "currency": "USD"}, "notes": ["a"]}
    guess = {"title_id": "tt0000001", "budget": {**sure["budget"], "confidence": 0.99}}
    merged = merge_titles([("csv", [sure]), ("imdb5000", [guess | {"notes": ["b"]}])])
    assert merged.conflicts == []
    assert merged.records["tt0000001"]["notes"] == ["a", "b"]


PAGE = {"title_id": "tt0000001", "title": "A", "fetched_at": "2026-02-01T00:00:00Z", "notes": []}


@pytest.mark.parametrize(
    ("other", "known_at"),
    [
        ({"rating": 8.0}, None),  # a source that says no moment counts from its load
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


def test_the_crawls_say_is_the_page_fetched_last(tmp_path: Path) -> None:
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
