"""Titles from a user's own CSV file. The column `title_id` is required; these are optional:

`title`, `year`, `type`, `release_date`, `runtime`, `rating`, `vote_count`, `certificate`, `plot`;
`directors`, `writers`, `cast`, `genres`, `countries`, `languages`, `companies` and `keywords`
(several with `|` between them); `budget` (`$12.5 million`, `EUR 3,000,000`), perhaps with its
currency in `currency` (a code, a sign or a name). People may be name ids (`nm0000116`).

A budget without a currency is used where countries and year make its currency certain
(`marquee.prices.unlabelled`). An unreadable cell becomes null with a note. A torn row, or one
without a title id, is set aside and counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from marquee.normalise.canonical_names import country_code, language_code, read_genres
from sources.ratings_cells import title_id_of
from sources.tables import open_table
from sources.title_cells import RowReader, RowsAsideByFile, refuse_unreadable_file, rows_aside_of
from sources.title_record import LIST_FIELDS, Record, title_record

SOURCE = "csv"
RATES_UNTIL = 9999
"""Exchange rates of all years may decide a currency: a user's own file is new."""
COLUMNS = (
    *("title", "year", "type", "release_date", "runtime", "rating", "vote_count", "certificate"),
    *("plot", "budget", "currency", *LIST_FIELDS[:-1]),
)


def read_titles_csv(path: Path, aside: RowsAsideByFile | None = None) -> Iterator[Record]:
    """One record for each row; rows without a title id are counted in `aside`.

    Raises SourceError where the column `title_id` is missing, or too few rows can be read.
    """
    return (record for record, _ in read_rows(path, aside))


def read_rows(
    path: Path, aside: RowsAsideByFile | None = None
) -> Iterator[tuple[Record, dict[str, str]]]:
    """Each record with its row."""
    torn, read = rows_aside_of(aside, path), 0
    for line, row in open_table(path, ("title_id",), known=COLUMNS).records(torn):
        title_id = title_id_of(row["title_id"])
        if title_id is None:
            torn.add(line, f"has the title id '{row['title_id'][:40]}' (write it like tt0114709)")
            continue
        read += 1
        yield _record(title_id, RowReader(row)), row
    refuse_unreadable_file(path, torn, read)


def _record(title_id: str, cells: RowReader) -> Record:
    countries = cells.codes("countries", country_code)
    year = cells.whole("year")
    return title_record(
        SOURCE,
        title_id,
        cells.title("title"),
        type=cells.text("type"),
        year=year,
        release_date=cells.text("release_date"),
        runtime=cells.minutes("runtime"),
        rating=cells.number("rating"),
        vote_count=cells.whole("vote_count"),
        directors=_people(cells, "directors"),
        writers=_people(cells, "writers"),
        cast=_people(cells, "cast"),
        genres=read_genres(cells.texts("genres")),
        countries=countries,
        languages=cells.codes("languages", language_code),
        companies=cells.texts("companies"),
        keywords=cells.texts("keywords"),
        certificate=cells.text("certificate"),
        plot=cells.text("plot"),
        budget=cells.budget(countries, year, RATES_UNTIL),
        notes=cells.notes,
    )


def _people(cells: RowReader, name: str) -> list[dict[str, Any]]:
    words = [(word, re.fullmatch(r"nm\d{7,10}", word)) for word in cells.texts(name)]
    return [{"name_id": w if is_id else None, "name": None if is_id else w} for w, is_id in words]
