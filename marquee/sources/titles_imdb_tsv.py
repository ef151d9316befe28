r"""IMDb's non-commercial datasets: `title.basics`, `title.ratings`, `title.crew`, `name.basics`.

Tab-separated, gzipped, `\N` for null; about ten million rows each. They are streamed, and only
what belongs to the wanted titles is kept. They hold no budgets.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from marquee.errors import SourceError
from marquee.normalise.genres import read_genres
from marquee.normalise.text import clean
from marquee.sources.title_record import Record, number, title_record, whole
from marquee.sources.tsv import wanted_rows

SOURCE = "imdb_tsv"
NULL = r"\N"
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


def read_imdb_tsv(folder: Path, wanted: Collection[str]) -> Iterator[Record]:
    """Records of the wanted title ids, in the order of `title.basics`."""
    ratings = {
        row["tconst"]: (number(row["averageRating"]), whole(row["numVotes"]))
        for row in _rows(folder, "title.ratings", ("tconst", "averageRating", "numVotes"), wanted)
    }
    crew = {
        row["tconst"]: (_listed(row["directors"]), _listed(row["writers"]))
        for row in _rows(folder, "title.crew", ("tconst", "directors", "writers"), wanted)
    }
    names = _names(folder, {key for pair in crew.values() for ids in pair for key in ids})
    for row in _rows(folder, "title.basics", BASICS, wanted):
        directors, writers = crew.get(row["tconst"], ([], []))
        rating, votes = ratings.get(row["tconst"], (None, None))
        yield title_record(
            SOURCE,
            row["tconst"],
            clean(row["primaryTitle"]),
            type=row["titleType"],
            original_title=clean(row["originalTitle"]),
            year=whole(row["startYear"]),
            end_year=whole(row["endYear"]),
            runtime=whole(row["runtimeMinutes"]),
            genres=read_genres(_listed(row["genres"])),
            directors=[{"name_id": key, "name": names[key]} for key in directors if key in names],
            writers=[{"name_id": key, "name": names[key]} for key in writers if key in names],
            rating=rating,
            vote_count=votes,
        )


def _names(folder: Path, needed: Collection[str]) -> dict[str, str]:
    rows = _rows(folder, "name.basics", ("nconst", "primaryName"), needed)
    return {row["nconst"]: clean(row["primaryName"]) for row in rows}


def _rows(
    folder: Path, name: str, columns: tuple[str, ...], wanted: Collection[str]
) -> Iterator[dict[str, str]]:
    found = [path for end in (".tsv.gz", ".tsv") if (path := folder / f"{name}{end}").is_file()]
    if not found:
        raise SourceError(
            f"{folder} holds no {name}.tsv.gz",
            "fetch IMDb's non-commercial datasets into it (they ask for personal use only)",
        )
    return wanted_rows(found[0], columns, wanted)


def _listed(text: str) -> list[str]:
    return [] if text in ("", NULL) else text.split(",")
