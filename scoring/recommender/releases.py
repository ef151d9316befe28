"""Any ratings release as arrays: what a benchmark or a notebook reads without a lake.

    release = read_any_release(Path("ml-100k"))
    train, holdout = read_official_split(Path("ml-100k"), "u1")

Ids are as `prepare_ratings` would have them: whole numbers as they are, text by
`marquee.names.text_id`. Of rows that are ratings the repeated ones stay; any scale is right.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from marquee.errors import SourceError
from marquee.names import text_id
from scoring.recommender.bundle import Title
from scoring.recommender.ratings import Ratings
from sources.ratings import RatingsPass, read_release
from sources.ratings_cells import whole_id
from sources.ratings_forms import RATINGS, Cells, Form, RatingsFolder, Sheet, recognise

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
    """Read every form `sources.ratings_forms` knows; SourceError where it is none."""
    found = recognise(folder)
    whole = read_release(found)
    kinds, catalogue = whole.census.text_ids, whole.catalogue
    user, movie = (text_id if n in kinds else int for n in ("users", "titles"))
    ratings = _ratings(RatingsPass(found, kinds, catalogue.titles).sound(), user, movie)
    titles = [
        listed_title(movie(key), title, genres, title_id or None)
        for key, title, genres, title_id in catalogue.rows()
    ]
    people = dict(_people(found, user))
    dropped = whole.census.rows - len(ratings)
    return Release(folder.name, ratings, {t.movie_id: t for t in titles}, people, dropped)


def read_official_split(folder: Path, name: str) -> tuple[Ratings, Ratings]:
    """Train and holdout of one of ML-100K's own splits; SourceError where it is not there."""
    if name not in OFFICIAL:
        raise SourceError(f"there is no split '{name}'", f"give one of: {', '.join(OFFICIAL)}")
    halves = (Sheet(f"{name}.{part}", "\t", RATINGS) for part in ("base", "test"))
    forms = (Form(name, half, half) for half in halves)
    train, holdout = (
        _ratings(RatingsPass(RatingsFolder(folder, form)).sound(), int, int) for form in forms
    )
    return train, holdout


def listed_title(movie_id: int, text: str, genres: str, title_id: str | None = None) -> Title:
    """A line of a release's list: `Heat (1995)` is a name and a year."""
    match = NAME_AND_YEAR.fullmatch(text.strip())
    name, year = (match["name"], int(match["year"])) if match else (text.strip(), None)
    kept = tuple(g for g in genres.split("|") if g and g != NO_GENRE)
    return Title(movie_id, title_id, name, year, kept)


def _ratings(rows: Iterable[Cells], user: Number, movie: Number) -> Ratings:
    typed = ((user(u), movie(m), float(stars), int(time)) for u, m, stars, time in rows)
    table = np.fromiter(typed, dtype=ROW)
    parts = (np.ascontiguousarray(table[name]) for name in ROW.names or ())
    return Ratings(*parts)


def _people(found: RatingsFolder, user: Number) -> Iterator[tuple[int, Mapping[str, str]]]:
    for key, facts in found.people():
        kept = key if user is text_id else whole_id(key)
        if kept is not None:
            yield user(kept), facts
