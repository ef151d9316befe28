"""Any ratings release as arrays: what a benchmark or a notebook reads without a lake.

    release = read_any_release(Path("ml-100k"))
    train, holdout = read_official_split(Path("ml-100k"), "u1")

Ids are as `prepare_ratings` would have them: whole numbers as they are, text by
`marquee.names.text_id`. Rows are not judged beyond that: repeated and strange ones stay.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from marquee.errors import SourceError
from marquee.names import text_id
from marquee.scoring.recommender.bundle import Title
from marquee.scoring.recommender.ratings import Ratings
from marquee.sources.ratings import count_release, is_whole
from marquee.sources.ratings_files import Cells, Sheet, read_cells
from marquee.sources.ratings_forms import RATINGS, recognise

OFFICIAL = ("u1", "u2", "u3", "u4", "u5", "ua", "ub")
NAME_AND_YEAR = re.compile(r"(?P<name>.*\S)\s*\((?P<year>\d{4})\)\s*")
NO_GENRE = "(no genres listed)"  # MovieLens' words
ROW = np.dtype([("user", "i8"), ("movie", "i8"), ("stars", "f8"), ("time", "i8")])
Number = Callable[[str], int]


@dataclass(frozen=True)
class Release:
    """A release's ratings, its titles by id, and what it says of people by id (ages and such, as
    text; empty in most releases). `dropped` rows were no ratings: text or NaN for a number."""

    name: str
    ratings: Ratings
    titles: Mapping[int, Title]
    people: Mapping[int, Mapping[str, str]]
    dropped: int


def read_any_release(folder: Path) -> Release:
    """Read every form `marquee.sources.ratings_forms` knows; SourceError where it is none."""
    found = recognise(folder)
    census = count_release(found)
    user, movie = (text_id if n in census.text_ids else int for n in ("users", "titles"))
    ratings = _ratings(found.ratings(), user, movie)
    title_ids = {m: f"tt{int(i):07d}" for m, i in found.links() if i.isdecimal()}
    titles = [listed_title(row, movie, title_ids) for row in found.titles() if _fits(row[0], movie)]
    people = {user(key): facts for key, facts in found.people() if _fits(key, user)}
    dropped = census.rows - len(ratings)
    return Release(folder.name, ratings, {t.movie_id: t for t in titles}, people, dropped)


def read_official_split(folder: Path, name: str) -> tuple[Ratings, Ratings]:
    """Train and holdout of one of ML-100K's own splits; SourceError where it is not there."""
    if name not in OFFICIAL:
        raise SourceError(f"there is no split '{name}'", f"give one of: {', '.join(OFFICIAL)}")
    sheets = (Sheet(f"{name}.{part}", "\t", RATINGS) for part in ("base", "test"))
    train, holdout = (_ratings(read_cells(folder, sheet), int, int) for sheet in sheets)
    return train, holdout


def listed_title(row: Cells, number: Number, title_ids: Mapping[str, str]) -> Title:
    """A line of a release's list: id, title, genres; `Heat (1995)` is a name and a year."""
    movie, text, genres = row
    match = NAME_AND_YEAR.fullmatch(text.strip())
    name, year = (match["name"], int(match["year"])) if match else (text.strip(), None)
    kept = tuple(g for g in genres.split("|") if g and g != NO_GENRE)
    return Title(number(movie), title_ids.get(movie), name, year, kept)


def _ratings(rows: Iterable[Cells], user: Number, movie: Number) -> Ratings:
    table = np.fromiter(_typed(rows, user, movie), dtype=ROW)
    parts = (np.ascontiguousarray(table[name]) for name in ROW.names or ())
    return Ratings(*parts)


def _typed(
    rows: Iterable[Cells], user: Number, movie: Number
) -> Iterator[tuple[int, int, float, int]]:
    for person, title, stars, time in rows:
        try:
            row = user(person), movie(title), float(stars), int(time)
        except ValueError:
            continue
        if math.isfinite(row[2]):
            yield row


def _fits(text: str, number: Number) -> bool:
    return number is text_id or is_whole(text)
