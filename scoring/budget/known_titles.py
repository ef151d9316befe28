"""Titles with a known budget for the evaluation: from a split, or from a user's own file.

A user's CSV (with `title_id`, or IMDB 5000's) or Parquet becomes a table in the `titles` contract.
It is then read as the weekly run's split is. Called by `scoring.any_bundle` and the holdout
evaluation.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from marquee.errors import ContractError, SourceError
from marquee.prices import PriceIndex, RateTable, is_plausible_budget
from scoring.budget.features import KnownTitle
from sources.tables import open_table
from sources.titles_csv import read_titles_csv
from sources.titles_imdb5000 import NEEDED, read_imdb5000

WORDS = pa.list_(pa.string())
SCHEMA = pa.schema(
    [
        ("title_id", pa.string()), ("title", pa.string()), ("year", pa.int32()),
        ("directors", WORDS), ("director_names", WORDS), ("genres", WORDS),
        ("rating", pa.float64()), ("vote_count", pa.int64()), ("budget_usd", pa.float64()),
    ]
)  # fmt: skip
COLUMNS = [name for name in SCHEMA.names if name != "vote_count"]
RECENT_YEARS, PRIOR_TITLES = 10, 5.0
"""Of the usual budget: years before a title, and the weight of the prior mean in titles."""


def read_titles(folder: Path, price_year: int) -> list[KnownTitle]:
    """The titles of a folder of Parquet, oldest first, budgets in log10 dollars of `price_year`.

    `above_time` is computed from these titles only. Raises ContractError where a column or a budget
    is missing.
    """
    try:
        rows = pq.read_table(folder, columns=COLUMNS).to_pylist()
    except (OSError, ValueError, KeyError) as error:
        raise ContractError(f"{folder} holds no titles: {error}", "prepare them again") from None
    if any(row["budget_usd"] is None or row["year"] is None for row in rows):
        raise ContractError(f"{folder} holds titles without budget or year", "split them again")
    if wrong := [row for row in rows if not 0 < row["budget_usd"] < math.inf]:
        raise ContractError(
            f"the budget of {wrong[0]['title_id']} in {folder}, {wrong[0]['budget_usd']}, is no "
            "amount of money",
            "split the titles again",
        )
    prices = PriceIndex.load(price_year + 1)
    titles = [_known_title(row, prices, price_year) for row in rows]
    return with_deviations(sorted(titles, key=lambda t: (t.year, t.title_id)))


def read_dollars(folder: Path) -> dict[str, float]:
    """Budgets in dollars of the release year, by title id."""
    rows = pq.read_table(folder, columns=["title_id", "budget_usd"]).to_pylist()
    return {str(row["title_id"]): float(row["budget_usd"]) for row in rows}


def read_votes(path: Path) -> dict[str, int]:
    """IMDb's vote count by title id; empty where the files at `path` have none.

    A missing column raises nothing: votes only choose the titles that a report shows.
    """
    try:
        table = pq.read_table(path, columns=["title_id", "vote_count"]).to_pylist()
    except (OSError, ValueError, KeyError):
        return {}
    return {str(row["title_id"]): int(row["vote_count"] or 0) for row in table}


def titles_table(path: Path, rate_year: int) -> pa.Table:
    """The titles of a user's file in the contract's columns.

    `budget_usd` is null without a plausible budget. Exchange rates are those known at the end of
    `rate_year`. Raises SourceError where `path` cannot be read as titles.
    """
    if path.is_dir() or path.suffix == ".parquet":
        try:
            return pq.read_table(path)
        except (OSError, pa.ArrowException) as error:
            raise SourceError(f"{path} holds no titles: {error}", "give CSV or Parquet") from None
    rates = RateTable.load(rate_year + 1)
    return pa.Table.from_pylist([_row(r, rates) for r in _records(path)], schema=SCHEMA)


def usable_titles(table: pa.Table, price_year: int) -> list[KnownTitle]:
    """The titles with a budget, a year and a genre, oldest first; see `read_titles`."""
    try:
        known = pc.and_(table["budget_usd"].is_valid(), table["year"].is_valid())
        table = table.filter(pc.and_(known, pc.greater(pc.list_value_length(table["genres"]), 0)))
    except (KeyError, pa.ArrowException) as error:
        raise SourceError(
            f"these titles lack a column: {error}", "give those of the titles contract"
        ) from None
    with tempfile.TemporaryDirectory(prefix="marquee-titles-") as scratch:
        pq.write_table(table, Path(scratch) / "part-0.parquet")
        return read_titles(Path(scratch), price_year)


def with_deviations(titles: Sequence[KnownTitle]) -> list[KnownTitle]:
    """Each title with `above_time`: its log budget minus the usual one (None in the first year).

    usual = (sum of the last RECENT_YEARS + PRIOR_TITLES * mean of all earlier years)
            / (titles of the last RECENT_YEARS + PRIOR_TITLES)

    `titles` are in order of years.
    """
    yearly: dict[int, list[float]] = {}
    for title in titles:
        yearly.setdefault(title.year, []).append(title.log_budget)
    usual = {year: _usual(yearly, year) for year in yearly}
    return [replace(title, above_time=_above(title, usual[title.year])) for title in titles]


def _above(title: KnownTitle, usual: float | None) -> float | None:
    return None if usual is None else title.log_budget - usual


def _usual(yearly: Mapping[int, Sequence[float]], year: int) -> float | None:
    earlier = [value for made, values in yearly.items() if made < year for value in values]
    if not earlier:
        return None
    recent = [v for made, vs in yearly.items() if year - RECENT_YEARS <= made < year for v in vs]
    mean = math.fsum(earlier) / len(earlier)
    return (math.fsum(recent) + PRIOR_TITLES * mean) / (len(recent) + PRIOR_TITLES)


def _known_title(row: dict[str, object], prices: PriceIndex, price_year: int) -> KnownTitle:
    year, dollars = int(str(row["year"])), float(str(row["budget_usd"]))
    return KnownTitle(
        title_id=str(row["title_id"]),
        title=str(row["title"]),
        year=year,
        directors=_words(row["directors"]),
        director_names=_words(row["director_names"]),
        genres=_words(row["genres"]),
        rating=None if row["rating"] is None else float(str(row["rating"])),
        log_budget=math.log10(dollars * prices.factor(year, price_year)),
        above_time=None,
    )


def _words(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else ()


def _records(path: Path) -> Iterator[dict[str, Any]]:
    """Records of IMDB 5000's CSV, recognised by its header, or of a user's CSV with `title_id`."""
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
    return found.amount if found and is_plausible_budget(found.amount) else None
