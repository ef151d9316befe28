"""A user's own CSV of titles. `title_id` is needed, any other column may be there:

`title`, `year`, `type`, `release_date`, `runtime`, `rating`, `vote_count`, `certificate`, `plot`;
`directors`, `writers`, `cast`, `genres`, `countries`, `languages`, `companies` and `keywords`
(several joined by `|`); `budget` (`$12.5 million`, `EUR 3,000,000`), perhaps with its currency in
`currency` (a code, a sign or a name). A bare number without one is read where the countries and
the year leave no doubt (`marquee.money.unlabelled`), else left off with a note. People may be name
ids (`nm0000116`).

A cell that cannot be read costs its field, with a note. A row that is torn or names no title id is
set aside and counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from marquee.normalise.countries import country_code, language_code
from marquee.normalise.genres import read_genres
from sources.ratings_cells import title_id_of
from sources.tables import open_table
from sources.title_record import (
    LISTS,
    Cells,
    Record,
    SetAside,
    check_aside,
    set_aside,
    title_record,
)

SOURCE = "csv"
NOW = 9999
"""A user's own file is of today: every rate there is may tell currencies apart."""
COLUMNS = (
    *("title", "year", "type", "release_date", "runtime", "rating", "vote_count", "certificate"),
    *("plot", "budget", "currency", *LISTS[:-1]),
)


def read_titles_csv(path: Path, aside: SetAside | None = None) -> Iterator[Record]:
    """One record a row; rows without a title id are counted in `aside`.

    SourceError where the file has no column `title_id`, or too few of its rows can be read.
    """
    return (record for record, _ in read_rows(path, aside))


def read_rows(path: Path, aside: SetAside | None = None) -> Iterator[tuple[Record, dict[str, str]]]:
    """Each record and the row it comes from."""
    torn, read = set_aside(aside, path), 0
    for line, row in open_table(path, ("title_id",), known=COLUMNS).records(torn):
        title_id = title_id_of(row["title_id"])
        if title_id is None:
            torn.add(line, f"has the title id '{row['title_id'][:40]}' (write it like tt0114709)")
            continue
        read += 1
        yield _record(title_id, Cells(row)), row
    check_aside(path, torn, read)


def _record(title_id: str, cells: Cells) -> Record:
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
        genres=read_genres(cells.parts("genres")),
        countries=countries,
        languages=cells.codes("languages", language_code),
        companies=cells.parts("companies"),
        keywords=cells.parts("keywords"),
        certificate=cells.text("certificate"),
        plot=cells.text("plot"),
        budget=cells.budget(countries, year, NOW),
        notes=cells.notes,
    )


def _people(cells: Cells, name: str) -> list[dict[str, Any]]:
    words = [(word, re.fullmatch(r"nm\d{7,10}", word)) for word in cells.parts(name)]
    return [{"name_id": w if is_id else None, "name": None if is_id else w} for w, is_id in words]
