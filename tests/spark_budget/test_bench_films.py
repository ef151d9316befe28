"""What the budget benchmark reads of a CSV, and what it puts aside."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench.budget_titles import COLUMNS, read_budget_titles
from marquee.errors import SourceError
from marquee.prices import PriceIndex

HEADER = "title_id,title,year,directors,genres,rating,budget,currency,cast,runtime"
GOOD = "tt0000001,A film,2001,Ada Lane|Bo Zell,Drama|Action,7.1,12000000,USD,Cy One|Di Two,101"
PRICES = PriceIndex.load(2026)


def write(folder: Path, *lines: str) -> Path:
    path = folder / "titles.csv"
    path.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    return path


def test_a_film_with_all_it_tells(tmp_path: Path) -> None:
    found = read_budget_titles(write(tmp_path, HEADER, GOOD), PRICES)
    (row,) = found.rows
    assert row[:3] == ("tt0000001", "A film", 2001)
    assert row[4] == ["Ada Lane", "Bo Zell"] and row[6] == ["Drama", "Action"]
    assert row[8] == 12_000_000.0 and row[10] == ["Cy One", "Di Two"] and row[15] == 101
    assert not found.aside


def test_money_and_words_for_nothing_are_read_as_the_sources_read_them(tmp_path: Path) -> None:
    row = (
        GOOD.replace("12000000", '"850,000"').replace("Cy One|Di Two", "N/A").replace("USD", "usd")
    )
    (title,) = read_budget_titles(write(tmp_path, HEADER, row), PRICES).rows
    assert title[8] == 850_000.0 and title[10] == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ((",2001,", ",,"), "without a year"),
        ((",2001,", ",2999,"), "without a year"),
        (("12000000", "0"), "implausible"),
        (("12000000", "-5"), "implausible"),
        (("12000000", "10000000000000"), "implausible"),
        (("USD", "XXQ"), "exchange rate"),
        (("Drama|Action", ""), "without a genre"),
    ],
)
def test_rows_put_aside_with_their_reason(
    tmp_path: Path, change: tuple[str, str], reason: str
) -> None:
    bad = GOOD.replace("tt0000001", "tt0000002").replace(*change)
    found = read_budget_titles(write(tmp_path, HEADER, GOOD, bad), PRICES)
    assert len(found.rows) == 1
    assert [reason in why for why in found.aside] == [True]


def test_prepared_titles_are_read_as_they_are(tmp_path: Path) -> None:
    title = {"title_id": "tt1", "title": "A", "year": 2001, "directors": ["nm1"],
             "genres": ["Drama"], "budget_usd": 5e6, "cast": ["nm2"], "runtime": 90}  # fmt: skip
    table = pa.Table.from_pylist([title, title | {"title_id": "tt2", "budget_usd": None}])
    (tmp_path / "titles").mkdir()
    pq.write_table(table, tmp_path / "titles/part-0.parquet")
    for path in (tmp_path / "titles", tmp_path / "titles/part-0.parquet"):
        found = read_budget_titles(path, PRICES)
        (row,) = found.rows
        assert len(row) == len(COLUMNS) == 19
        assert row[:3] == ("tt1", "A", 2001) and row[8] == 5e6 and row[10] == ["nm2"]
        assert row[9] == [] and row[15] == 90 and row[18] == {}
        assert sum(found.aside.values()) == 1


def test_a_folder_without_a_budget_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"title_id": ["tt1"]}), tmp_path / "part-0.parquet")
    with pytest.raises(SourceError, match="no film with a budget"):
        read_budget_titles(tmp_path, PRICES)


def test_a_film_twice_and_one_of_twelve_genres(tmp_path: Path) -> None:
    many = GOOD.replace("tt0000001", "tt0000003").replace(
        "Drama", "|".join(f"Genre {i}" for i in range(11))
    )
    found = read_budget_titles(write(tmp_path, HEADER, GOOD, GOOD, many), PRICES)
    assert len(found.rows) == 2 and found.aside == {"there twice": 1}


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ([], "has no column"),
        ([HEADER], "it is empty"),
        (["title_id,title,year", "tt0000001,A,2001"], "has no column directors, genres, budget"),
        ([HEADER, GOOD.replace("12000000", "")], "no film with a budget"),
    ],
)
def test_files_that_are_refused_in_a_line(tmp_path: Path, lines: list[str], says: str) -> None:
    with pytest.raises(SourceError, match=says):
        read_budget_titles(write(tmp_path, *lines), PRICES)
