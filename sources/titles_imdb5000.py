"""Titles from IMDB 5000, a dataset scraped in 2016; the reader mends its known faults.

The file repeats rows, states different values for one title, ends titles in a non-breaking space,
and states budgets in the original currency *without naming it*. A budget is used, with a
confidence, only where its currency is certain (`marquee.prices.unlabelled`). Else a note names the
possible currencies.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from marquee.normalise.canonical_names import country_code, language_code, read_genres
from marquee.normalise.text import unique
from sources.ratings_cells import title_id_of
from sources.tables import open_table
from sources.title_cells import (
    RowReader,
    RowsAsideByFile,
    read_whole_number,
    refuse_unreadable_file,
    rows_aside_of,
)
from sources.title_record import Record, title_record

SOURCE = "imdb5000"
NEEDED = ("movie_imdb_link", "movie_title", "director_name", "genres", "budget", "country")
SCRAPED_IN = 2016
"""The year of the file; exchange rates up to this year decide a currency."""


def read_imdb5000(path: Path, aside: RowsAsideByFile | None = None) -> Iterator[Record]:
    """One record for each title, ordered by id, from its row with most votes.

    Rows without a title's address are counted in `aside`. Raises SourceError where these are too
    many.
    """
    rows = rows_by_title(path, aside)
    return (_record(title_id, rows[title_id]) for title_id in sorted(rows))


def rows_by_title(path: Path, aside: RowsAsideByFile | None = None) -> dict[str, dict[str, str]]:
    """Title id to its row with most votes."""
    rows: dict[str, dict[str, str]] = {}
    torn = rows_aside_of(aside, path)
    for line, row in open_table(path, NEEDED).records(torn):
        title_id = title_id_of(row["movie_imdb_link"])
        if title_id is None:
            torn.add(line, f"has the address '{row['movie_imdb_link'][:60]}'")
        elif _votes(row) >= _votes(rows.get(title_id, {})):
            rows[title_id] = row
    refuse_unreadable_file(path, torn, len(rows))
    return rows


def _record(title_id: str, row: Mapping[str, str]) -> Record:
    cells = RowReader(row)
    countries = cells.codes("country", country_code, "countries")
    year = cells.whole("title_year", "year")
    gross = cells.money("gross", ("US",), "USD")
    return title_record(
        SOURCE,
        title_id,
        cells.title("movie_title"),
        type="movie",
        year=year,
        runtime=cells.minutes("duration", "runtime"),
        directors=_people(cells, "director_name"),
        cast=_people(cells, "actor_1_name", "actor_2_name", "actor_3_name"),
        genres=read_genres(cells.texts("genres")),
        rating=cells.number("imdb_score", "rating"),
        vote_count=cells.whole("num_voted_users", "vote_count"),
        budget=cells.budget(countries, year, SCRAPED_IN + 1),
        gross=gross,
        gross_area="USA" if gross else None,
        countries=countries,
        languages=cells.codes("language", language_code, "languages"),
        certificate=cells.text("content_rating"),
        keywords=cells.texts("plot_keywords"),
        notes=cells.notes,
    )


def _people(cells: RowReader, *columns: str) -> list[dict[str, Any]]:
    names = unique([cells.text(column) or "" for column in columns])
    return [{"name_id": None, "name": name} for name in names]


def _votes(row: Mapping[str, str]) -> int:
    return read_whole_number(row.get("num_voted_users", "")) or 0
