"""Wikidata's exports of budgets, in whatever form they come."""

from __future__ import annotations

import gzip
import json

import pytest

from marquee.errors import SourceError
from sources.title_cells import RowsAsideByFile
from sources.title_merging import merge_titles, write_merged
from sources.title_record import read_lines, write_lines
from sources.titles_wikidata import read_wikidata
from tests.sources.small_files import wikidata_file


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
def test_wikidata_json_goes_by_its_names_and_notes_what_it_cannot_read(tmp_path, form):
    path = tmp_path / "budgets.json.gz"
    cells = [{name: {"type": "literal", "value": str(v)} for name, v in r.items()} for r in ROWS]
    text = {
        "rows": json.dumps(ROWS),
        "lines": "\n".join(map(json.dumps, ROWS)),
        "bindings": json.dumps({"head": {"vars": [*ROWS[0]]}, "results": {"bindings": cells}}),
    }[form]
    path.write_bytes(gzip.compress(text.encode("utf-8-sig")))
    aside: RowsAsideByFile = {}
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
