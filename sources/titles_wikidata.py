"""Budgets from a Wikidata export: IMDb id (P345), amount and unit of "capital cost" (P2130).

The file comes from the query service as CSV, TSV or JSON (a list of rows, SPARQL results, or one
object a line), gzipped or not. Three columns are required, under any name in `ROLES` and in any
capitals: the IMDb id or the address of its page; the amount; the unit. A unit is an ISO 4217 code,
the Wikidata item of a currency, or a currency's name.

An unreadable statement is dropped with a note. A row that names no title is set aside and counted.
Numbers in JSON, numbers with an XML Schema type, and numbers with a plus sign have no groups of
digits: `150.125` is 150 and an eighth.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from marquee.errors import SourceError
from marquee.normalise.amounts import Unreadable, read_money
from marquee.normalise.currencies import WIKIDATA_CURRENCIES, read_mark
from marquee.normalise.text import clean, is_null, read_json
from sources.ratings_cells import title_id_of
from sources.tables import RowsAside, open_table
from sources.text_files import read_text
from sources.title_cells import RowsAsideByFile, refuse_unreadable_file, rows_aside_of
from sources.title_record import Record, note, title_record

SOURCE = "wikidata"
Row = Mapping[str, str]
NUMERIC = re.compile(r"\b(decimal|double|float|integer)$")
"""How the addresses of XML Schema's number types end."""
ROLES: Mapping[str, Sequence[str]] = {
    "imdb": ("imdb", "imdbid", "p345", "imdbtitleid", "titleid", "tconst", "imdburl", "imdblink"),
    "amount": (
        *("amount", "cost", "capitalcost", "budget", "p2130", "productionbudget"),
        *("budgetamount", "costamount", "value"),
    ),
    "unit": (
        *("unit", "currency", "currencycode", "unitcode", "isocode", "iso4217", "p498", "code"),
        *("iso", "unititem", "currencyitem", "amountunit", "budgetunit", "costunit"),
        *("budgetcurrency", "costcurrency", "p2130unit", "p2237"),
    ),
}
"""Column to its possible names, in lower case without punctuation; earlier names win.

Names with `label` at the end (`unitLabel`) come last. Every unit column of the file is tried in
turn.
"""


def read_wikidata(path: Path, aside: RowsAsideByFile | None = None) -> Iterator[Record]:
    """One record for each title: its budget, or a note where its statements differ.

    Rows that name no title are counted in `aside`. Raises SourceError where the file is no export,
    lacks a column, or names no title at all.
    """
    stated: dict[str, set[tuple[float, str]]] = defaultdict(set)
    unread: dict[str, list[str]] = defaultdict(list)
    torn, read = rows_aside_of(aside, path), 0
    for where, row in _rows(path, torn):
        title_id = title_id_of(row["imdb"])
        if title_id is None:
            torn.add(where[1], f"names no title: '{row['imdb'][:60]}'", where[0])
            continue
        read += 1
        if not row["amount"]:
            continue
        found = _budget(row)
        if isinstance(found, Unreadable):
            unread[title_id].append(note("budget", found.reason, found.text))
        else:
            stated[title_id].add(found)
    refuse_unreadable_file(path, torn, read)
    for title_id in sorted({*stated, *unread}):
        yield _record(title_id, sorted(stated.get(title_id, ())), unread.get(title_id, []))


def _record(title_id: str, amounts: list[tuple[float, str]], notes: list[str]) -> Record:
    budget = None
    if len(amounts) == 1:
        budget = dict(zip(("amount", "currency"), amounts[0], strict=True))
    elif amounts:
        several = ", ".join(f"{amount:.0f} {currency}" for amount, currency in amounts)
        notes = [note("budget", "several statements", several), *notes]
    return title_record(SOURCE, title_id, None, budget=budget, notes=notes)


def _budget(row: Row) -> tuple[float, str] | Unreadable:
    """The amount and currency of one statement, or why the statement is unreadable."""
    units = [text for name, text in row.items() if name.startswith("unit") and text]
    codes = [code for code in map(_currency, units) if code]
    shown = f"{row['amount']} {' '.join(units)}".strip()
    if units and not codes:
        return Unreadable(shown, "the unit is no currency we know")
    money = read_money(row["amount"], (), codes[0] if codes else "")
    if isinstance(money, Unreadable):
        return Unreadable(shown, money.reason)
    return money.amount, money.currency


def _currency(unit: str) -> str | None:
    """The code of `http://www.wikidata.org/entity/Q4917`, `Q4917`, `USD`, `US dollar` or `$`."""
    if item := re.fullmatch(r"(?:\S*[/:])?(Q\d+)", unit):
        return WIKIDATA_CURRENCIES.get(item.group(1))
    mark = read_mark(unit)
    return mark.usual if mark else None


def _rows(path: Path, torn: RowsAside) -> Iterator[tuple[tuple[str, int], Row]]:
    """Each row's place (`("line", 7)`), and its cells by role: `imdb`, `amount`, `unit 1` …"""
    text = read_text(path).lstrip("\ufeff \r\n\t")
    if text[:1] in ("[", "{"):
        yield from _json_rows(path, text, torn)
        return
    # TSV of the query service: column names start with `?`, quoted literals end in a type.
    is_sparql = text.startswith("?")
    table = open_table(path, separator="\t", quoting=False) if is_sparql else open_table(path)
    chosen = _chosen(path, table.columns)
    for line, cells in table.records(torn):
        yield ("line", line), {role: _plain(cells[name]) for role, name in chosen.items()}


def _json_rows(path: Path, text: str, torn: RowsAside) -> Iterator[tuple[tuple[str, int], Row]]:
    value = _loads(path, text)
    results = value.get("results") if isinstance(value, dict) else None
    found = results.get("bindings") if isinstance(results, dict) else value
    head = value.get("head") if isinstance(value, dict) else None
    names = list(head.get("vars") or ()) if isinstance(head, dict) else []
    if not isinstance(found, list):
        raise SourceError(f"{path} holds no list of rows", "export CSV or JSON of a query")
    entries = [entry for entry in found if isinstance(entry, dict)]
    names += [str(name) for entry in entries for name in entry]
    chosen = _chosen(path, list(dict.fromkeys(map(str, names))))
    for number, entry in enumerate(found, 1):
        if isinstance(entry, dict):
            yield ("row", number), {role: _cell(entry.get(name)) for role, name in chosen.items()}
        else:
            torn.add(number, "is no object of columns", "row")


def _loads(path: Path, text: str) -> Any:
    """The JSON value; a list where the text holds one object a line."""
    try:
        return read_json(text)
    except (ValueError, RecursionError) as error:
        lines = [line for line in text.splitlines() if line.strip()]
        try:
            if len(lines) > 1 and text.startswith("{"):
                return [read_json(line) for line in lines]
        except (ValueError, RecursionError):
            pass
        raise SourceError(f"{path} is no JSON: {error}", "export it again") from None


def _chosen(path: Path, columns: Sequence[str]) -> dict[str, str]:
    """Role to its column; SourceError where a role has no column."""
    plain = {re.sub(r"[^a-z0-9]", "", name.casefold()): name for name in reversed(columns)}
    chosen: dict[str, str] = {}
    missing = []
    for role, names in ROLES.items():
        places = [plain[n] for n in (*names, *(f"{n}label" for n in names)) if n in plain]
        if not places:
            missing.append(role)
        elif role == "unit":
            chosen |= {f"unit {number}": name for number, name in enumerate(places, 1)}
        else:
            chosen[role] = places[0]
    if missing:
        raise SourceError(
            f"{path} has no column {', '.join(missing)}",
            "; ".join(f"{role} may be called {', '.join(ROLES[role][:6])}" for role in missing)
            + f". The file names {', '.join(columns)[:300] or 'no column'}",
        )
    return chosen


def _cell(value: Any) -> str:
    """The text of a JSON cell: a plain value, or the service's `{"type": …, "value": …}`."""
    kind = str(value.get("datatype")) if isinstance(value, dict) else ""
    value = value.get("value") if isinstance(value, dict) else value
    text = "" if value is None or is_null(str(value)) else clean(str(value))
    is_number = isinstance(value, float) or NUMERIC.search(kind) is not None
    return _ungrouped(text, is_number)


def _plain(text: str) -> str:
    """The text of a CSV or TSV cell, without the query service's `<…>` and types."""
    kind = ""
    if literal := re.fullmatch(r'"(.*)"(?:\^\^<([^<>]*)>|@[\w-]+)?', text):
        text, kind = literal.group(1), literal.group(2) or ""
    text = clean(text.removeprefix("<").removesuffix(">"))
    return "" if is_null(text) else _ungrouped(text, NUMERIC.search(kind) is not None)


def _ungrouped(text: str, is_number: bool) -> str:
    """The text; `150.125`, where it is a number without groups, becomes `150.1250`.

    `read_money` would take three decimals for a group of digits.
    """
    is_number = is_number or text.startswith("+")
    return f"{text}0" if is_number and re.fullmatch(r"[+-]?\d+\.\d{3}", text, re.ASCII) else text
