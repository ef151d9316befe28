r"""Titles from IMDb's non-commercial datasets: `title.basics`, `title.ratings`, `title.crew`,
`name.basics`.

The files are gzipped and tab-separated, without quotes; only `\N` is null. Each has about ten
million rows. The reader streams them and splits only the lines of wanted titles. The files state no
budgets. A torn row of a wanted title is set aside and counted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from marquee.errors import SourceError
from marquee.normalise.canonical_names import read_genres
from marquee.normalise.text import is_empty
from sources.tables import find_table, open_table
from sources.title_cells import (
    FEW_UNREADABLE,
    RowReader,
    RowsAsideByFile,
    refuse_unreadable_file,
    rows_aside_of,
)
from sources.title_record import Record, note, title_record

SOURCE = "imdb_tsv"
BASICS = (
    "tconst",
    "titleType",
    "primaryTitle",
    "originalTitle",
    "startYear",
    "endYear",
    "runtimeMinutes",
    "genres",
)
RATINGS = ("tconst", "averageRating", "numVotes")
CREW = ("tconst", "directors", "writers")


def read_imdb_tsv(
    folder: Path, wanted: Collection[str], aside: RowsAsideByFile | None = None
) -> Iterator[Record]:
    """The records of the wanted title ids, in the order of `title.basics`.

    Torn rows are counted in `aside`, by file. Raises SourceError where a file is missing, lacks a
    column, or has too many torn rows.
    """
    ratings = {
        row.row["tconst"]: row for row in _rows(folder, "title.ratings", RATINGS, wanted, aside)
    }
    crew = {
        row.row["tconst"]: (row.texts("directors", ","), row.texts("writers", ","))
        for row in _rows(folder, "title.crew", CREW, wanted, aside)
    }
    people = {key for pair in crew.values() for ids in pair for key in ids}
    named = _rows(folder, "name.basics", ("nconst", "primaryName"), people, aside)
    names = {row.row["nconst"]: row.text("primaryName") for row in named}
    for row in _rows(folder, "title.basics", BASICS, wanted, aside):
        title_id = row.row["tconst"]
        rated = ratings.get(title_id, RowReader({}))
        directors, writers = crew.get(title_id, ([], []))
        yield title_record(
            SOURCE,
            title_id,
            row.text("primaryTitle"),
            type=row.text("titleType"),
            original_title=row.text("originalTitle"),
            year=row.whole("startYear", "year"),
            end_year=row.whole("endYear", "end_year"),
            runtime=row.minutes("runtimeMinutes", "runtime"),
            genres=read_genres(row.texts("genres", ",")),
            directors=_people("directors", directors, names, row),
            writers=_people("writers", writers, names, row),
            rating=rated.number("averageRating", "rating"),
            vote_count=rated.whole("numVotes", "vote_count"),
            notes=[*row.notes, *rated.notes],
        )


def _people(
    role: str, ids: Sequence[str], names: dict[str, str | None], row: RowReader
) -> list[dict[str, str | None]]:
    """The people of `ids` that have a name; each id without one gets a note."""
    nameless = [key for key in ids if not names.get(key)]
    row.notes += [note(role, "has no name in name.basics", key) for key in nameless]
    return [{"name_id": key, "name": names[key]} for key in ids if key not in nameless]


def _rows(
    folder: Path,
    name: str,
    columns: tuple[str, ...],
    wanted: Collection[str],
    aside: RowsAsideByFile | None,
) -> Iterator[RowReader]:
    path = find_table(folder, f"{name}.tsv")
    if path is None:
        raise SourceError(
            f"{folder} holds no {name}.tsv.gz",
            "fetch IMDb's non-commercial datasets into it (they ask for personal use only)",
        )
    table = open_table(path, columns, separator="\t", quoting=False)
    if table.columns[0] != columns[0]:
        raise SourceError(
            f"{path} starts with the column {table.columns[0]}, not {columns[0]}",
            "fetch the file again",
        )
    torn, read = rows_aside_of(aside, path), 0
    for _, row in table.records(torn, wanted):
        read += 1
        yield RowReader(row, is_empty)
    if torn.count > FEW_UNREADABLE:  # few rows may be wanted, and all of them torn
        refuse_unreadable_file(path, torn, read)
