"""A user's own CSV of titles. `title_id` is needed, any other column may be there:

`title`, `year`, `type`, `release_date`, `runtime`, `rating`, `vote_count`, `directors` and
`genres` and `countries` (several joined by `|`), `budget` (`$12.5 million`, `EUR 3,000,000`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from marquee.errors import SourceError
from marquee.normalise.countries import country_code
from marquee.normalise.genres import read_genres
from marquee.normalise.money import Money, read_money
from marquee.normalise.text import clean
from marquee.sources.title_record import Record, number, rows_of, title_record, whole

SOURCE = "csv"


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
    countries = [code for name in _parts(row, "countries") if (code := country_code(name))]
    money = read_money(row["budget"], countries) if row.get("budget", "").strip() else None
    budget: Any = None
    if isinstance(money, Money):
        budget = {"amount": money.amount, "currency": money.currency}
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
        directors=[{"name_id": None, "name": name} for name in _parts(row, "directors")],
        genres=read_genres(_parts(row, "genres")),
        countries=countries,
        budget=budget,
        notes=[f"budget: {money.reason} ({money.text})"] if money and not budget else [],  # type: ignore[union-attr]
    )


def _parts(row: dict[str, str], name: str) -> list[str]:
    return [word for part in row.get(name, "").split("|") if (word := clean(part))]
