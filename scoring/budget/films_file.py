"""Films with budgets out of a file somebody gives: their own CSV, IMDB 5000, or Parquet.

Whatever comes becomes a table in the `titles` contract and is read as the weekly run's is.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from marquee.errors import SourceError
from marquee.money import RateTable
from scoring.budget.features import Film
from scoring.budget.films import read_films
from sources.tables import open_table
from sources.titles_csv import read_titles_csv
from sources.titles_imdb5000 import NEEDED, read_imdb5000

LEAST, MOST = 100.0, 1e9  # dollars; outside of these the currency or the number was misread
WORDS = pa.list_(pa.string())
SCHEMA = pa.schema(
    [
        ("title_id", pa.string()), ("title", pa.string()), ("year", pa.int32()),
        ("directors", WORDS), ("director_names", WORDS), ("genres", WORDS),
        ("rating", pa.float64()), ("vote_count", pa.int64()), ("budget_usd", pa.float64()),
    ]
)  # fmt: skip


def titles_table(path: Path, rate_year: int) -> pa.Table:
    """The titles of `path` in the contract's columns; `budget_usd` null where there is no honest
    figure. Rates are those known at the end of `rate_year`. SourceError where it is no such file.
    """
    if path.is_dir() or path.suffix == ".parquet":
        try:
            return pq.read_table(path)
        except (OSError, pa.ArrowException) as error:
            raise SourceError(f"{path} holds no titles: {error}", "give CSV or Parquet") from None
    rates = RateTable.load(rate_year + 1)
    return pa.Table.from_pylist([_row(r, rates) for r in _records(path)], schema=SCHEMA)


def usable_films(table: pa.Table, price_year: int) -> list[Film]:
    """Those with a budget, a year and a genre, oldest first, as a split's are read."""
    try:
        known = pc.and_(table["budget_usd"].is_valid(), table["year"].is_valid())
        table = table.filter(pc.and_(known, pc.greater(pc.list_value_length(table["genres"]), 0)))
    except (KeyError, pa.ArrowException) as error:
        raise SourceError(
            f"these titles lack a column: {error}", "give those of the titles contract"
        ) from None
    with tempfile.TemporaryDirectory(prefix="marquee-films-") as scratch:
        pq.write_table(table, Path(scratch) / "part-0.parquet")
        return read_films(Path(scratch), price_year)


def _records(path: Path) -> Iterator[dict[str, Any]]:
    """By its header: IMDB 5000's, else a user's own with `title_id`."""
    is_imdb5000 = NEEDED[0] in open_table(path, known=NEEDED).columns
    return read_imdb5000(path) if is_imdb5000 else read_titles_csv(path)


def _row(record: dict[str, Any], rates: RateTable) -> dict[str, Any]:
    row = {field.name: record.get(field.name) for field in SCHEMA}
    names = [person["name"] for person in record["directors"]]
    ids = [person["name_id"] or person["name"] for person in record["directors"]]
    return row | {"directors": ids, "director_names": names, "budget_usd": _dollars(record, rates)}


def _dollars(record: dict[str, Any], rates: RateTable) -> float | None:
    budget, year = record.get("budget"), record.get("year")
    if not budget or year is None:
        return None
    found = rates.dollars(float(budget["amount"]), str(budget["currency"]), int(year))
    return found.amount if found and LEAST <= found.amount <= MOST else None
