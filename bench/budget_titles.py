"""Titles with dollar budgets for `bench/budget.py`: IMDB 5000, a user's CSV, or prepared titles.

Prepared titles are Parquet in the `titles` contract, such as `runs/R/prepared/titles`. Every row
that cannot be used is counted under its reason; a file without any is refused in one line. Of IMDB
5000 only American titles are used: theirs is the only currency that is certain.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from marquee.errors import SourceError
from marquee.normalise.amounts import read_amount
from marquee.prices import PriceIndex, RateTable, is_plausible_budget
from sources.tables import open_table
from sources.title_cells import RowReader, read_number, read_whole_number
from sources.title_record import Record
from sources.titles_csv import read_rows
from sources.titles_imdb5000 import NEEDED, read_imdb5000, rows_by_title

NUMBERS = {
    "num_critic_for_reviews": "critic_reviews",
    "num_user_for_reviews": "user_reviews",
    "director_facebook_likes": "director_likes",
    "actor_1_facebook_likes": "first_actor_likes",
    "actor_2_facebook_likes": "second_actor_likes",
    "actor_3_facebook_likes": "third_actor_likes",
    "cast_total_facebook_likes": "cast_likes",
    "movie_facebook_likes": "likes",
    "aspect_ratio": "aspect_ratio",
    "facenumber_in_poster": "faces",
}
OWN = ("title_id", "year", "directors", "genres", "budget")
PEOPLE = ("writers", "companies", "cast", "keywords")
SCHEMA = """
    title_id string, title string, year int, release_date string, directors array<string>,
    director_names array<string>, genres array<string>, rating double, budget_usd double,
    writers array<string>, `cast` array<string>, companies array<string>, keywords array<string>,
    languages array<string>, countries array<string>, runtime int, certificate string,
    vote_count long, numbers map<string,double>
"""
COLUMNS = (
    "title_id", "title", "year", "release_date", "directors", "director_names", "genres",
    "rating", "budget_usd", "writers", "cast", "companies", "keywords", "languages",
    "countries", "runtime", "certificate", "vote_count", "numbers",
)  # fmt: skip
"""The columns of SCHEMA, in its order."""
LISTS = ("directors", "director_names", "genres", *PEOPLE, "languages", "countries")
Row = tuple[Any, ...]


@dataclass(frozen=True)
class BudgetTitles:
    """Rows of SCHEMA, and how many others were dropped for which reason."""

    rows: list[Row]
    aside: Counter[str]


def read_budget_titles(path: Path, prices: PriceIndex) -> BudgetTitles:
    """Titles in dollars of their year; SourceError where the file cannot be read or holds none."""
    if path.is_dir() or path.suffix == ".parquet":
        return _prepared(path)
    rates, aside = RateTable.load(prices.last + 1), Counter[str]()
    found: dict[str, Row] = {}
    for record, row in _records(path):
        dollars = _dollars(record, row, rates)
        reason = dollars if isinstance(dollars, str) else _fault(record, found)
        if reason:
            aside[reason] += 1
        else:
            found[record["title_id"]] = _row(record, row, float(dollars), prices)
    return _usable(path, list(found.values()), aside)


def _usable(path: Path, rows: list[Row], aside: Counter[str]) -> BudgetTitles:
    if not rows:
        reasons = ", ".join(f"{n} {why}" for why, n in aside.most_common()) or "it is empty"
        raise SourceError(f"{path} holds no film with a budget: {reasons}", "give another file")
    return BudgetTitles(rows, aside)


def _prepared(path: Path) -> BudgetTitles:
    """Titles in the contract; columns that are missing are not known of any title."""
    try:
        titles = pq.read_table(path).to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise SourceError(f"{path} holds no titles: {error}", "give CSV or Parquet") from None
    usable = [t for t in titles if t.get("budget_usd") and t.get("year") and t.get("genres")]
    aside = Counter({"without a budget, a year or a genre": len(titles) - len(usable)})
    rows = [tuple(_cell(title, name) for name in COLUMNS) for title in usable]
    return _usable(path, rows, aside)


def _cell(title: Mapping[str, Any], name: str) -> Any:
    empty = [] if name in LISTS else {} if name == "numbers" else None
    return title.get(name) or empty


def _records(path: Path) -> Iterator[tuple[Record, Mapping[str, str]]]:
    if NEEDED[0] in open_table(path, known=NEEDED).columns:
        by_id = rows_by_title(path)
        yield from ((r, by_id[r["title_id"]]) for r in read_imdb5000(path))
    else:
        open_table(path, OWN)
        yield from read_rows(path)


def _dollars(record: Record, row: Mapping[str, str], rates: RateTable) -> float | str:
    """Dollars of the release year, or the reason why there are none."""
    is_imdb5000 = "movie_imdb_link" in row
    if is_imdb5000 and record["countries"] != ["US"]:
        return "not American"
    text, budget = row.get("budget", ""), record["budget"]
    stated = read_number(text) if (amount := read_amount(text)) is None else amount
    currency = (RowReader(row).text("currency") or "").upper()
    if not is_imdb5000 and stated is not None:
        budget = {"amount": stated, "currency": currency}
    if budget is None:
        return "without a budget that can be read"
    if not record["year"]:
        return "without a year"
    converted = rates.dollars(budget["amount"], budget["currency"], record["year"])
    if converted is None:
        return "in a currency or a year without exchange rate"
    is_plausible = is_plausible_budget(converted.amount)
    return converted.amount if is_plausible else "with an implausible budget"


def _fault(record: Record, found: Mapping[str, Row]) -> str:
    if not 1874 <= record["year"] <= datetime.now(UTC).year:
        return "of a year that cannot be"
    if not record["genres"]:
        return "without a genre"
    return "there twice" if record["title_id"] in found else ""


def _row(record: Record, row: Mapping[str, str], dollars: float, prices: PriceIndex) -> Row:
    directors = [person["name"] for person in record["directors"]]
    people = {name: _people(record, row, name) for name in PEOPLE}
    numbers = {NUMBERS[name]: _number(row.get(name, "")) for name in NUMBERS}
    if (gross := record["gross"]) and gross["currency"] == "USD":
        numbers["gross"] = gross["amount"] * prices.factor(record["year"], prices.last)
    known = {name: float(value) for name, value in numbers.items() if value is not None}
    rating = record["rating"]
    return (
        record["title_id"], record["title"] or "", record["year"],
        record["release_date"], directors, directors, list(record["genres"]),
        rating if rating is not None and math.isfinite(rating) else None, dollars,
        people["writers"], people["cast"], people["companies"], people["keywords"],
        list(record["languages"]), list(record["countries"]), record["runtime"],
        record["certificate"], record["vote_count"], known,
    )  # fmt: skip


def _people(record: Record, row: Mapping[str, str], name: str) -> list[str]:
    """As the source read them, else as the documented column has them."""
    known = [p["name"] if isinstance(p, dict) else p for p in record.get(name) or ()]
    return known or RowReader(row).texts(name)


def _number(text: str) -> float | None:
    return read_number(text) if (count := read_whole_number(text)) is None else count
