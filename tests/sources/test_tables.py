"""Every table from outside is read by one reader, right or with a sentence that names the line."""

from __future__ import annotations

import codecs
import gzip
from pathlib import Path

import pytest

from marquee.errors import SourceError
from sources.tables import RowsAside, find_table, open_table
from sources.text_files import encoding_of, read_json

TEXT = 'id,name,note\n1,Amélie,"a ""good"" one"\n2,"Heat, The","two\nlines"\n\n3,Léon,\\N\n'
ROWS = [
    (2, {"id": "1", "name": "Amélie", "note": 'a "good" one'}),
    (3, {"id": "2", "name": "Heat, The", "note": "two\nlines"}),
    (6, {"id": "3", "name": "Léon", "note": ""}),
]


def put(tmp_path: Path, content: bytes | str, name: str = "t.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


WAYS = {
    "utf-8": TEXT.encode(),
    "utf-8 with its mark": codecs.BOM_UTF8 + TEXT.encode(),
    "utf-16 with its mark": TEXT.encode("utf-16"),
    "utf-16, big end first": codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"),
    "utf-16 without a mark": TEXT.encode("utf-16-le"),
    "utf-16, big end first, no mark": TEXT.encode("utf-16-be"),
    "utf-32": TEXT.encode("utf-32"),
    "utf-32 without a mark": TEXT.encode("utf-32-le"),
    "utf-32, big end first, no mark": TEXT.encode("utf-32-be"),
    "blanks before cells": TEXT.replace(",n", ", n").replace(',"', ',  "').encode(),
    "latin-1": TEXT.encode("latin-1"),
    "gzip under a plain name": gzip.compress(TEXT.encode()),
    "two gzip members": gzip.compress(TEXT.encode()[:30]) + gzip.compress(TEXT.encode()[30:]),
    "windows lines": TEXT.replace("\n", "\r\n").replace("two\r\n", "two\n").encode(),
    "tabs": TEXT.replace("Heat, The", "Heat| The").replace(",", "\t").replace("|", ",").encode(),
    "semicolons": TEXT.replace("Heat, The", "Heat| The")
    .replace(",", ";")
    .replace("|", ",")
    .encode(),
}


@pytest.mark.parametrize("content", WAYS.values(), ids=WAYS)
def test_a_table_reads_the_same_however_it_is_written(tmp_path: Path, content: bytes) -> None:
    path = put(tmp_path, content)
    assert list(open_table(path, ("id", "name")).records()) == ROWS


def test_windows_quotes_are_no_latin_1(tmp_path: Path) -> None:
    assert encoding_of(put(tmp_path, "id\n“Amélie”\n".encode("cp1252"))) == "cp1252"
    assert encoding_of(put(tmp_path, b"id\nAm\xe9lie\x81\n")) == "latin-1"


def test_columns_are_found_by_name_in_any_order_and_capitals(tmp_path: Path) -> None:
    path = put(tmp_path, "extra, Movie_ID ,TITLE\nx,7,Heat\n")
    table = open_table(path, ("movie_id", "title"), known=("extra", "year"))
    assert list(table.records()) == [(2, {"extra": "x", "movie_id": "7", "title": "Heat"})]
    assert table.positions(("title", "movie_id")) == [2, 1]


def test_a_spreadsheets_empty_columns_are_none(tmp_path: Path) -> None:
    table = open_table(put(tmp_path, ",id,name,,\n0,1,A\n1,2,B,,\n"), ("name", "id"))
    assert table.columns == ("", "id", "name")
    assert [row for _, row in table.rows()] == [["0", "1", "A"], ["1", "2", "B"]]


@pytest.mark.parametrize("encoding", ["utf-16-be", "utf-32-le", "utf-32-be"])
def test_a_wide_encoding_is_recognised_by_its_header(tmp_path: Path, encoding: str) -> None:
    path = put(tmp_path, ("movieId,title,genres\n" + "1,Сталкер,\n" * 99).encode(encoding))
    assert [row[1] for _, row in open_table(path).rows()] == ["Сталкер"] * 99


def test_utf_32_is_recognised_in_any_script_and_numbers_are_no_text(tmp_path: Path) -> None:
    assert open_table(put(tmp_path, "имя\n1\n".encode("utf-32-le"))).columns == ("имя",)
    with pytest.raises(SourceError, match="holds a NUL byte"):
        open_table(put(tmp_path, bytes(64)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('id,name\n1,A\n2,"B\n3,C\n4,D\n', "line 3: a quote is opened and never closed"),
        ('id,name\n1,"A\nB","C\n3,D\n', "line 3: a quote is opened and never closed"),
        ('id,name\n1,"A,x\n2,"B"\n', "line 2: a quoted cell goes on after its closing quote"),
        ('id,name\n1,"A' + "x,\n" * 60_000 + '2,"', "line 2: a cell is longer than"),
        ('id,name\n1, "A" B\n2,"B"\n', "line 2: a quoted cell goes on after its closing quote"),
        ('id,name\n1,A\n 2, "B\n3,C\n', "line 3: a quote is opened and never closed"),
        ("id,name\n1,A\n2,B\0\n", "line 3 holds a NUL byte"),
        ("id,name,id\n1,A,2\n", "names the column id more than once"),
        ("film,name\n1,A\n", "has no column id"),
        ("", "has no column id"),
        (b"id,name\n1,Am\xc3\xa9lie\n2,L\xe9on\n", "line 3 is not UTF-8, though other lines are"),
        (gzip.compress(b"id,name\n1,A\n" * 999, mtime=0)[:-9], "is torn"),
        ("id,name\n1,A\n".encode("utf-16")[:-1], "is torn"),
        (b"PK\x03\x04rest", "is a zip archive"),
        ("id,name\n1,A\n2\n", "line 3 has 1 cell, not 2"),
        ("id,name\n1,A\n2,B,C\n", "line 3 has 3 cells, not 2"),
    ],
)
def test_what_is_no_table_is_refused_with_file_and_line(
    tmp_path: Path, text: str | bytes, message: str
) -> None:
    path = put(tmp_path, text)
    with pytest.raises(SourceError) as caught:
        list(open_table(path, ("id",)).records())
    assert message in caught.value.message
    assert "t.csv" in caught.value.message
    assert caught.value.remedy


def test_torn_rows_may_be_set_aside_and_are_counted(tmp_path: Path) -> None:
    aside = RowsAside()
    table = open_table(put(tmp_path, "id,name\n1\n2,B,,\n3,C,D\n   \n4,E\n"))
    assert [row for _, row in table.rows(aside)] == [["2", "B"], ["4", "E"]]
    assert str(aside) == "2 (line 2 has 1 cell, not 2, line 4 has 3 cells, not 2)"


def test_imdb_tables_know_no_quotes_and_unwanted_rows_are_skipped(tmp_path: Path) -> None:
    path = put(tmp_path, 'tconst\ttitle\ntt1\t"One\ntt2\ntt3\tThree "3"\n', "title.tsv")
    table = open_table(path, ("tconst",), separator="\t", quoting=False)
    assert list(table.records(wanted={"tt1", "tt3"})) == [
        (2, {"tconst": "tt1", "title": '"One'}),
        (4, {"tconst": "tt3", "title": 'Three "3"'}),
    ]


def test_a_table_without_a_header_has_the_given_columns(tmp_path: Path) -> None:
    path = put(tmp_path, "1::A\n2::B\n")
    table = open_table(path, columns=("id", "name"), separator="::", quoting=False)
    assert [cells["name"] for _, cells in table.records()] == ["A", "B"]


def test_a_table_is_found_whatever_its_name_is_spelled_like(tmp_path: Path) -> None:
    assert find_table(tmp_path, "movies.csv") is None
    for name in ("Movies.CSV.gz", "movies.tsv", "MOVIES.csv"):
        put(tmp_path, "x", name)
    assert find_table(tmp_path, "movies.csv") == tmp_path / "MOVIES.csv"
    assert find_table(tmp_path / "nowhere", "movies.csv") is None
    put(tmp_path, "x", "U.DATA.gz")
    assert find_table(tmp_path, "u.data") == tmp_path / "U.DATA.gz"


def test_json_is_unpacked_and_decoded_like_a_table(tmp_path: Path) -> None:
    packed = gzip.compress(codecs.BOM_UTF8 + '[{"name": "Amélie"}]'.encode())
    assert read_json(put(tmp_path, packed, "x.json")) == [{"name": "Amélie"}]
    with pytest.raises(SourceError, match="is no JSON"):
        read_json(put(tmp_path, "{", "y.json"))
    with pytest.raises(SourceError, match="is missing"):
        read_json(tmp_path / "z.json")
