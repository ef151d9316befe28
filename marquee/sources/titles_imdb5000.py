"""IMDB 5000 (scraped in 2016), its known faults mended and its unknowns left off.

It gives budgets in the *original currency without saying which*, holds full duplicates and
titles that come twice with other values, and ends titles in a non-breaking space. A budget is
kept only where its currency is beyond doubt: dollars for American titles; a country's own money
where the figure cannot be dollars and is plausible in that money.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from marquee.normalise.countries import country_code, language_code
from marquee.normalise.genres import read_genres
from marquee.normalise.text import clean, unique
from marquee.sources.title_record import Record, number, rows_of, title_record, whole

SOURCE = "imdb5000"
NEEDED = ("movie_imdb_link", "movie_title", "director_name", "genres", "budget", "country")
LARGEST_DOLLARS = 300e6
"""The dearest film of the file's years; more than that is not dollars."""
# Units a dollar, rough and of the 1990s and 2000s: only whether a figure is possible at all.
MONEY_OF = {
    "KR": ("KRW", 1100.0),
    "JP": ("JPY", 115.0),
    "HU": ("HUF", 200.0),
    "TH": ("THB", 38.0),
    "IN": ("INR", 45.0),
    "CN": ("CNY", 7.5),
    "FR": ("FRF", 6.0),
    "ES": ("ESP", 145.0),
    "IT": ("ITL", 1700.0),
}
EURO_FROM = 2002
EURO_COUNTRIES = ("FR", "ES", "IT")


def read_imdb5000(path: Path) -> Iterator[Record]:
    """One record a title, by title id; of rows that repeat one, the one with the most votes."""
    rows: dict[str, dict[str, str]] = {}
    for row in rows_of(path, NEEDED):
        found = re.search(r"tt\d{7,10}", row["movie_imdb_link"])
        if found and _votes(row) >= _votes(rows.get(found.group(), {})):
            rows[found.group()] = row
    return (_record(title_id, rows[title_id]) for title_id in sorted(rows))


def stated_budget(row: Mapping[str, str]) -> dict[str, Any] | None:
    """The budget with its currency, where the currency is beyond doubt."""
    amount, code = number(row.get("budget", "")), country_code(row.get("country", ""))
    if not amount or amount <= 0:
        return None
    if code == "US":
        return {"amount": amount, "currency": "USD"} if amount <= LARGEST_DOLLARS else None
    currency, units = MONEY_OF.get(code or "", ("", 1.0))
    is_euro = code in EURO_COUNTRIES and (number(row.get("title_year", "")) or 0) >= EURO_FROM
    is_dollars_perhaps = amount <= LARGEST_DOLLARS
    if not currency or is_euro or is_dollars_perhaps or amount / units > LARGEST_DOLLARS:
        return None
    return {"amount": amount, "currency": currency}


def _record(title_id: str, row: Mapping[str, str]) -> Record:
    gross = number(row.get("gross", ""))
    return title_record(
        SOURCE,
        title_id,
        clean(row["movie_title"]),
        type="movie",
        year=whole(row.get("title_year", "")),
        runtime=whole(row.get("duration", "")),
        directors=_people(row, "director_name"),
        cast=_people(row, "actor_1_name", "actor_2_name", "actor_3_name"),
        genres=read_genres(_parts(row["genres"])),
        rating=number(row.get("imdb_score", "")),
        vote_count=whole(row.get("num_voted_users", "")),
        budget=stated_budget(row),
        gross={"amount": gross, "currency": "USD"} if gross else None,
        gross_area="USA" if gross else None,
        countries=[code for code in [country_code(row["country"])] if code],
        languages=[code for code in [language_code(row.get("language", ""))] if code],
        certificate=clean(row.get("content_rating", "")) or None,
        keywords=_parts(row.get("plot_keywords", "")),
    )


def _people(row: Mapping[str, str], *columns: str) -> list[dict[str, Any]]:
    names = unique([clean(row.get(column, "")) for column in columns])
    return [{"name_id": None, "name": name} for name in names]


def _parts(text: str) -> list[str]:
    return unique([clean(part) for part in text.split("|")])


def _votes(row: Mapping[str, str]) -> float:
    return number(row.get("num_voted_users", "")) or 0.0
