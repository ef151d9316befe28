"""A user's own CSV of titles. `title_id` is needed, any other column may be there:

`title`, `year`, `type`, `release_date`, `runtime`, `rating`, `vote_count`, `certificate`, `plot`;
`directors`, `writers`, `cast`, `genres`, `countries`, `languages`, `companies` and `keywords`
(several joined by `|`); `budget` (`$12.5 million`, `EUR 3,000,000`), or a bare number with its
ISO 4217 code in `currency`. A bare number without one is read where the countries and the year
leave no doubt (`marquee.money.unlabelled`), else set aside with a note. People may be name ids
(`nm0000116`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from marquee.errors import SourceError
from marquee.money import PriceIndex, RateTable, read_unlabelled
from marquee.normalise.countries import country_code, language_code
from marquee.normalise.genres import read_genres
from marquee.normalise.money import Unreadable, read_money
from marquee.normalise.text import clean, unique
from marquee.sources.title_record import Record, number, rows_of, title_record, whole

SOURCE = "csv"
NOW = 9999
"""A user's own file is of today: every rate there is may tell currencies apart."""


def read_titles_csv(path: Path) -> Iterator[Record]:
    """One record a row; SourceError names the row whose title id is none."""
    for line, row in enumerate(rows_of(path, ("title_id",)), 2):
        title_id = row["title_id"].strip()
        if not re.fullmatch(r"tt\d{7,10}", title_id):
            raise SourceError(
                f"{path} row {line}: '{title_id}' is not a title id", "write it like tt0114709"
            )
        yield _record(title_id, row)


def _record(title_id: str, row: dict[str, str]) -> Record:
    countries = unique([country_code(name) or "" for name in _parts(row, "countries")])
    budget = _budget(row, countries)
    return title_record(
        SOURCE,
        title_id,
        clean(row.get("title", "")) or None,
        type=clean(row.get("type", "")) or None,
        year=whole(row.get("year", "")),
        release_date=clean(row.get("release_date", "")) or None,
        runtime=whole(row.get("runtime", "")),
        rating=number(row.get("rating", "")),
        vote_count=whole(row.get("vote_count", "")),
        directors=_people(row, "directors"),
        writers=_people(row, "writers"),
        cast=_people(row, "cast"),
        genres=read_genres(_parts(row, "genres")),
        countries=countries,
        languages=unique([language_code(name) or "" for name in _parts(row, "languages")]),
        companies=_parts(row, "companies"),
        keywords=_parts(row, "keywords"),
        certificate=clean(row.get("certificate", "")) or None,
        plot=clean(row.get("plot", "")) or None,
        budget=None if isinstance(budget, str) else budget,
        notes=[f"budget: {budget}"] if isinstance(budget, str) else [],
    )


def _budget(row: dict[str, str], countries: list[str]) -> dict[str, Any] | str | None:
    """The budget, or why it cannot be read; None where the cell is empty."""
    text, code = clean(row.get("budget", "")), clean(row.get("currency", "")).upper()
    amount = number(text)
    if not text:
        return None
    if amount is not None and amount <= 0:
        return f"{text} is no amount of money"
    if amount is not None and not code:
        return _unlabelled(amount, countries, whole(row.get("year", "")))
    money = read_money(f"{code} {text}", countries)
    if isinstance(money, Unreadable):
        return f"{money.reason} ({text})"
    return {"amount": money.amount, "currency": money.currency}


def _unlabelled(amount: float, countries: list[str], year: int | None) -> dict[str, Any] | str:
    found = read_unlabelled(amount, countries, year, *_tables())
    if not found.is_certain:
        return found.reason
    return {"amount": amount, "currency": found.currency, "confidence": round(found.confidence, 4)}


@cache
def _tables() -> tuple[RateTable, PriceIndex]:
    return RateTable.load(NOW), PriceIndex.load(NOW)


def _people(row: dict[str, str], name: str) -> list[dict[str, Any]]:
    words = [(word, re.fullmatch(r"nm\d{7,10}", word)) for word in _parts(row, name)]
    return [{"name_id": w if is_id else None, "name": None if is_id else w} for w, is_id in words]


def _parts(row: dict[str, str], name: str) -> list[str]:
    return unique([clean(part) for part in row.get(name, "").split("|")])
