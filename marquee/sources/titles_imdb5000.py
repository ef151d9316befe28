"""IMDB 5000 (scraped in 2016), its known faults mended and its unknowns left off.

It gives budgets in the *original currency without saying which*, holds full duplicates and
titles that come twice with other values, and ends titles in a non-breaking space. A budget is
kept only where its currency is beyond doubt (`marquee.money.unlabelled`), with the confidence;
elsewhere a note says what it may be.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from marquee.money import PriceIndex, RateTable, read_unlabelled
from marquee.normalise.countries import country_code, language_code
from marquee.normalise.genres import read_genres
from marquee.normalise.money import read_amount
from marquee.normalise.text import clean, unique
from marquee.sources.ratings_cells import title_id_of
from marquee.sources.tables import open_table
from marquee.sources.title_record import (
    ABSENT,
    Cells,
    Record,
    SetAside,
    check_aside,
    note,
    number,
    set_aside,
    title_record,
    whole,
)

SOURCE = "imdb5000"
NEEDED = ("movie_imdb_link", "movie_title", "director_name", "genres", "budget", "country")
SCRAPED_IN = 2016
"""The file's own moment: currencies are told apart by the rates known then."""


def read_imdb5000(path: Path, aside: SetAside | None = None) -> Iterator[Record]:
    """One record a title, by title id; of rows that repeat one, the one with the most votes.

    Rows without a title's address are counted in `aside`; SourceError where most are such.
    """
    rows = rows_by_title(path, aside)
    return (_record(title_id, rows[title_id]) for title_id in sorted(rows))


def rows_by_title(path: Path, aside: SetAside | None = None) -> dict[str, dict[str, str]]:
    """The row of each title id."""
    rows: dict[str, dict[str, str]] = {}
    torn = set_aside(aside, path)
    for line, row in open_table(path, NEEDED).records(torn):
        title_id = title_id_of(row["movie_imdb_link"])
        if title_id is None:
            torn.add(line, f"has the address '{row['movie_imdb_link'][:60]}'")
        elif _votes(row) >= _votes(rows.get(title_id, {})):
            rows[title_id] = row
    check_aside(path, torn, len(rows))
    return rows


def stated_budget(row: Mapping[str, str]) -> dict[str, Any] | str | None:
    """The budget with its currency and the confidence in it, or why its currency is in doubt."""
    text, country = clean(row.get("budget", "")), country_code(row.get("country", ""))
    if text.lower() in ABSENT:
        return None
    amount = read_amount(text)
    if amount is None:
        return "is no amount of money"
    countries, year = [country] if country else [], whole(row.get("title_year", ""))
    found = read_unlabelled(amount, countries, year, *_tables())
    if not found.is_certain:
        return found.reason
    confidence = round(found.confidence, 4)
    return {"amount": amount, "currency": found.currency, "confidence": confidence}


@cache
def _tables() -> tuple[RateTable, PriceIndex]:
    return RateTable.load(SCRAPED_IN + 1), PriceIndex.load(SCRAPED_IN + 1)


def _record(title_id: str, row: Mapping[str, str]) -> Record:
    cells, budget = Cells(row), stated_budget(row)
    gross = cells.number("gross")
    if isinstance(budget, str):
        cells.notes.append(note("budget", budget, row["budget"]))
    return title_record(
        SOURCE,
        title_id,
        cells.text("movie_title"),
        type="movie",
        year=cells.whole("title_year", "year"),
        runtime=cells.whole("duration", "runtime"),
        directors=_people(row, "director_name"),
        cast=_people(row, "actor_1_name", "actor_2_name", "actor_3_name"),
        genres=read_genres(cells.parts("genres")),
        rating=cells.number("imdb_score", "rating"),
        vote_count=cells.whole("num_voted_users", "vote_count"),
        budget=None if isinstance(budget, str) else budget,
        gross={"amount": gross, "currency": "USD"} if gross else None,
        gross_area="USA" if gross else None,
        countries=cells.codes("country", country_code, "countries"),
        languages=cells.codes("language", language_code, "languages"),
        certificate=cells.text("content_rating"),
        keywords=cells.parts("plot_keywords"),
        notes=cells.notes,
    )


def _people(row: Mapping[str, str], *columns: str) -> list[dict[str, Any]]:
    names = unique([clean(row.get(column, "")) for column in columns])
    return [{"name_id": None, "name": name} for name in names]


def _votes(row: Mapping[str, str]) -> float:
    return number(row.get("num_voted_users", "")) or 0.0
