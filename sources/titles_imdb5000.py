"""IMDB 5000 (scraped in 2016), its known faults mended and its unknowns left off.

It gives budgets in the *original currency without saying which*, holds full duplicates and
titles that come twice with other values, and ends titles in a non-breaking space. A budget is
kept only where its currency is beyond doubt (`marquee.money.unlabelled`), with the confidence;
elsewhere a note says what it may be.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from marquee.normalise.countries import country_code, language_code
from marquee.normalise.genres import read_genres
from marquee.normalise.text import unique
from sources.ratings_cells import title_id_of
from sources.tables import open_table
from sources.title_record import (
    Cells,
    Record,
    SetAside,
    check_aside,
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


def _record(title_id: str, row: Mapping[str, str]) -> Record:
    cells = Cells(row)
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
        genres=read_genres(cells.parts("genres")),
        rating=cells.number("imdb_score", "rating"),
        vote_count=cells.whole("num_voted_users", "vote_count"),
        budget=cells.budget(countries, year, SCRAPED_IN + 1),
        gross=gross,
        gross_area="USA" if gross else None,
        countries=countries,
        languages=cells.codes("language", language_code, "languages"),
        certificate=cells.text("content_rating"),
        keywords=cells.parts("plot_keywords"),
        notes=cells.notes,
    )


def _people(cells: Cells, *columns: str) -> list[dict[str, Any]]:
    names = unique([cells.text(column) or "" for column in columns])
    return [{"name_id": None, "name": name} for name in names]


def _votes(row: Mapping[str, str]) -> int:
    return whole(row.get("num_voted_users", "")) or 0
