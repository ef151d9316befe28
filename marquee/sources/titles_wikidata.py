"""Budgets of a Wikidata export: IMDb id (P345), amount and unit of "capital cost" (P2130).

CSV or JSON as the query service writes them (a list, or its SPARQL results form), with the
columns `imdb`, `amount` and `unit`; a unit is an ISO 4217 code or the item of a currency.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from marquee.errors import SourceError
from marquee.normalise.currencies import CODES
from marquee.sources.title_record import Record, number, rows_of, title_record

SOURCE = "wikidata"
Amount = tuple[float, str]
COLUMNS = ("imdb", "amount", "unit")
UNITS = {
    "Q4917": "USD",
    "Q4916": "EUR",
    "Q25224": "GBP",
    "Q8146": "JPY",
    "Q80524": "INR",
    "Q202040": "KRW",
    "Q39099": "CNY",
    "Q1104069": "CAD",
    "Q259502": "AUD",
    "Q41044": "RUB",
    "Q25344": "CHF",
    "Q122922": "SEK",
    "Q25417": "DKK",
    "Q132643": "NOK",
    "Q16068": "DEM",
    "Q184172": "FRF",
    "Q131016": "CZK",
    "Q123213": "PLN",
    "Q47190": "HUF",
}
"""Wikidata items of currencies; a unit that is not here is left off, with a note."""


def read_wikidata(path: Path) -> Iterator[Record]:
    """One record a title, budget only; statements that differ are left off, with a note."""
    stated: dict[str, set[Amount]] = defaultdict(set)
    unknown: dict[str, str] = {}
    for row in _rows(path):
        title_id, amount = row["imdb"].strip(), number(row["amount"])
        if not re.fullmatch(r"tt\d{7,10}", title_id) or amount is None or amount <= 0:
            continue
        currency = _currency(row["unit"])
        if currency:
            stated[title_id].add((amount, currency))
        else:
            unknown[title_id] = row["unit"]
    for title_id in sorted({*stated, *unknown}):
        yield _record(title_id, sorted(stated.get(title_id, ())), unknown.get(title_id))


def _record(title_id: str, amounts: list[Amount], unit: str | None) -> Record:
    if len(amounts) == 1:
        amount, currency = amounts[0]
        plain = int(amount) if amount == int(amount) else amount
        return title_record(SOURCE, title_id, None, budget={"amount": plain, "currency": currency})
    several = ", ".join(f"{amount:.0f} {currency}" for amount, currency in amounts)
    why = f"several statements: {several}" if amounts else f"unit '{unit}' is no currency we know"
    return title_record(SOURCE, title_id, None, notes=[f"budget: {why}"])


def _currency(unit: str) -> str | None:
    word = unit.strip().rsplit("/", 1)[-1]
    return word.upper() if word.upper() in CODES else UNITS.get(word)


def _rows(path: Path) -> Iterator[dict[str, str]]:
    if path.name.removesuffix(".gz").endswith(".csv"):
        yield from rows_of(path, COLUMNS)
        return
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise SourceError(f"{path} is no Wikidata export: {error}", "export it again") from None
    found = value["results"]["bindings"] if _is_sparql(value) else value
    if not isinstance(found, list):
        raise SourceError(f"{path} holds no list of budgets", "export CSV or JSON of a query")
    for entry in found:
        yield {name: _cell(entry, name) for name in COLUMNS}


def _is_sparql(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("results"), dict)
        and ("bindings" in value["results"])
    )


def _cell(entry: Any, name: str) -> str:
    value = entry.get(name) if isinstance(entry, dict) else None
    value = value.get("value") if isinstance(value, dict) else value
    return "" if value is None else str(value)
