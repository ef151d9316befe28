"""The forms ratings releases come in, each read as the rows of MovieLens' newest one.

Three forms are known, by the name of their file of ratings (each file may be gzipped, with `.gz`
after its name):

    ratings.csv  movies.csv  [links.csv]    MovieLens latest, 20M, 25M, 32M: CSV in UTF-8
    ratings.dat  movies.dat  [users.dat]    MovieLens 1M and 10M: cells parted by `::`
    u.data       u.item      [u.user]       MovieLens 100K: tabs, pipes, genres as flags

The older two are in Latin-1 or UTF-8; a line that is not UTF-8 is read as Latin-1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from marquee.errors import SourceError
from marquee.sources.ratings_files import Cells, Sheet, find_file, read_cells

RATINGS = ("userId", "movieId", "rating", "timestamp")
TITLES = ("movieId", "title", "genres")
LINKS = ("movieId", "imdbId")
ITEM = ("movieId", "title", "released", "video", "address")
# The flags of u.item, in the order its README gives; the first says "unknown".
FLAGS = (
    *("", "Action", "Adventure", "Animation", "Children", "Comedy", "Crime", "Documentary"),
    *("Drama", "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi"),
    *("Thriller", "War", "Western"),
)
OLD_GENRES = {"Children's": "Children"}  # MovieLens' later releases say it so
YEAR = re.compile(r"\s*\((\d{4})\)")
IMDB_ID = re.compile(r"tt(\d{7,})")


@dataclass(frozen=True)
class Form:
    """The files of one form of release."""

    name: str
    ratings: Sheet
    titles: Sheet
    links: Sheet | None = None
    people: Sheet | None = None

    @property
    def files(self) -> str:
        """Its files, as a sentence names them; optional ones in brackets."""
        optional = [s for s in (self.links, self.people) if s]
        return ", ".join([self.ratings.file, self.titles.file, *(f"[{s.file}]" for s in optional)])


FORMS = (
    Form(
        "MovieLens CSV",
        ratings=Sheet("ratings.csv", ",", RATINGS),
        titles=Sheet("movies.csv", ",", TITLES),
        links=Sheet("links.csv", ",", LINKS),
    ),
    Form(
        "MovieLens 1M and 10M",
        ratings=Sheet("ratings.dat", "::", RATINGS),
        titles=Sheet("movies.dat", "::", TITLES),
        people=Sheet("users.dat", "::", ("userId", "gender", "age", "occupation", "zip")),
    ),
    Form(
        "MovieLens 100K",
        ratings=Sheet("u.data", "\t", RATINGS),
        titles=Sheet("u.item", "|", (*ITEM, *FLAGS)),
        people=Sheet("u.user", "|", ("userId", "age", "gender", "occupation", "zip")),
    ),
)


@dataclass(frozen=True)
class RatingsFolder:
    """A folder that holds a release, and the form it has."""

    folder: Path
    form: Form

    def ratings(self) -> Iterator[Cells]:
        """userId, movieId, rating, timestamp, as text."""
        return read_cells(self.folder, self.form.ratings)

    def titles(self) -> Iterator[Cells]:
        """movieId, title with its year in brackets, genres parted by `|`."""
        rows = read_cells(self.folder, self.form.titles)
        if self.form.titles.is_csv:
            return rows
        return (_title_of_item(row) if len(row) > len(TITLES) else _old_title(row) for row in rows)

    def links(self) -> Iterator[Cells]:
        """movieId and IMDb's number; titles named by IMDb's own ids need no file for that."""
        sheet = self.form.links
        if sheet and find_file(self.folder, sheet):
            yield from read_cells(self.folder, sheet)
            return
        for movie, *_ in self.titles():
            if match := IMDB_ID.fullmatch(movie):
                yield (movie, match[1])

    def people(self) -> Iterator[tuple[str, Mapping[str, str]]]:
        """What is known of each person beside their ratings, by userId; nothing in most forms."""
        sheet = self.form.people
        if sheet and find_file(self.folder, sheet):
            for row in read_cells(self.folder, sheet):
                yield row[0], dict(zip(sheet.columns[1:], row[1:]))

    @property
    def plain_files(self) -> Mapping[str, Path] | None:
        """The files to copy where they are already what the lake keeps; None where they are not."""
        if not self.form.ratings.is_csv:
            return None
        sheets = [s for s in (self.form.ratings, self.form.titles, self.form.links) if s]
        found = {s.file: find_file(self.folder, s) for s in sheets}
        paths = {name: path for name, path in found.items() if path}
        return None if any(path.suffix == ".gz" for path in paths.values()) else paths


def recognise(folder: Path) -> RatingsFolder:
    """The release in `folder`; SourceError naming the forms there are, or the file it lacks."""
    for form in FORMS:
        if find_file(folder, form.ratings):
            if not find_file(folder, form.titles):
                raise SourceError(
                    f"{folder / form.titles.file} is missing", f"a release holds {form.files}"
                )
            return RatingsFolder(folder, form)
    raise SourceError(
        f"{folder} holds no ratings: {FORMS[0].ratings.file} is missing",
        "a release holds " + "; or ".join(form.files for form in FORMS),
    )


def _old_title(row: Cells) -> Cells:
    movie, title, genres = row
    return movie, title, "|".join(OLD_GENRES.get(g, g) for g in genres.split("|"))


def _title_of_item(row: Cells) -> Cells:
    """u.item's flags as genres; the year moves to the title's end."""
    movie, title, released, flags = row[0], row[1].strip(), row[2], row[len(ITEM) :]
    year = YEAR.search(title)
    if year:
        title = f"{YEAR.sub('', title, count=1)} ({year[1]})"
    elif re.search(r"\d{4}$", released):
        title = f"{title} ({released[-4:]})"
    return movie, title, "|".join(g for g, flag in zip(FLAGS, flags) if g and flag == "1")
