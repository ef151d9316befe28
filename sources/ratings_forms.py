"""The forms ratings releases come in, each read as the rows of MovieLens' newest one.

Three forms are known, by the name of their file of ratings (in any capitals, gzipped or not):

    ratings.csv  movies.csv  [links.csv]    MovieLens latest, 20M, 25M, 32M: CSV (or .tsv)
    ratings.dat  movies.dat  [users.dat]    MovieLens 1M and 10M: cells parted by `::`
    u.data       u.item      [u.user]       MovieLens 100K: tabs, pipes, genres as flags

What may be inside a file, `sources.tables` says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path

from marquee.errors import SourceError
from sources.tables import Aside, Table, find_table, open_table

Cells = tuple[str, ...]
Batch = tuple[Sequence[int], list[tuple[str, ...]]]
"""The line each row began on, and the columns: as many values each."""

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


@dataclass(frozen=True)
class Sheet:
    """A file's name, what parts its cells, and its columns.

    A `,` means a table whose first line names at least these columns, in any order; anything else
    has no such line and no quotes, and these columns in this order.
    """

    file: str
    separator: str
    columns: Cells

    def table(self, folder: Path) -> Table:
        """The file in `folder`; SourceError where it is missing or not such a file."""
        path = find_table(folder, self.file)
        if path is None:
            raise SourceError(f"{folder / self.file} is missing", "give a whole release")
        if self.separator == ",":
            return open_table(path, self.columns)
        return open_table(path, columns=self.columns, separator=self.separator, quoting=False)

    def rows(self, folder: Path, aside: Aside | None = None) -> Iterator[tuple[int, Cells]]:
        """The line each row began on, and its cells of these columns."""
        table = self.table(folder)
        pick = itemgetter(*table.places(self.columns))
        return ((line, pick(row)) for line, row in table.rows(aside))

    def batches(self, folder: Path, aside: Aside | None = None) -> Iterator[Batch]:
        """The same, many rows at a time, by column."""
        return self.table(folder).batches(self.columns, aside)


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
    """A folder that holds a release, and the form it has.

    Rows come with the line they began on. A torn one is counted in `aside`; without one the first
    is a SourceError.
    """

    folder: Path
    form: Form

    def ratings(self, aside: Aside | None = None) -> Iterator[Batch]:
        """userId, movieId, rating, timestamp, as text."""
        return self.form.ratings.batches(self.folder, aside)

    def titles(self, aside: Aside | None = None) -> Iterator[tuple[int, Cells]]:
        """movieId, title with its year in brackets, genres parted by `|`."""
        rows = self.form.titles.rows(self.folder, aside)
        if self.form.titles.separator == ",":
            return rows
        return ((line, _old_title(row)) for line, row in rows)

    def links(self, aside: Aside | None = None) -> Iterator[tuple[int, Cells]]:
        """movieId and what the release says of IMDb's id; none where it has no such file."""
        sheet = self.form.links
        has_links = sheet and find_table(self.folder, sheet.file)
        return sheet.rows(self.folder, aside) if sheet and has_links else iter(())

    def people(self) -> Iterator[tuple[str, Mapping[str, str]]]:
        """What is known of each person beside their ratings, by userId; nothing in most forms."""
        sheet = self.form.people
        if sheet and find_table(self.folder, sheet.file):
            for _, row in sheet.rows(self.folder):
                yield row[0], dict(zip(sheet.columns[1:], row[1:]))

    @property
    def files(self) -> Mapping[str, Path]:
        """The files the lake's form is made of, by the name their sheet has."""
        form = self.form
        names = [s.file for s in (form.ratings, form.titles, form.links) if s]
        found = {name: find_table(self.folder, name) for name in names}
        return {name: path for name, path in found.items() if path}


def recognise(folder: Path) -> RatingsFolder:
    """The release in `folder`; SourceError naming the forms there are, or the file it lacks."""
    for form in FORMS:
        if find_table(folder, form.ratings.file):
            if not find_table(folder, form.titles.file):
                raise SourceError(
                    f"{folder / form.titles.file} is missing", f"a release holds {form.files}"
                )
            return RatingsFolder(folder, form)
    raise SourceError(
        f"{folder} holds no ratings: {FORMS[0].ratings.file} is missing",
        "a release holds " + "; or ".join(form.files for form in FORMS),
    )


def _old_title(row: Cells) -> Cells:
    if len(row) > len(TITLES):
        return _title_of_item(row)
    movie, title, genres = row
    return movie, title, "|".join(OLD_GENRES.get(g, g) for g in map(str.strip, genres.split("|")))


def _title_of_item(row: Cells) -> Cells:
    """u.item's flags as genres; the year moves to the title's end."""
    movie, title, released, flags = row[0], row[1].strip(), row[2], row[len(ITEM) :]
    year = YEAR.search(title)
    if year:
        title = f"{YEAR.sub('', title, count=1)} ({year[1]})"
    elif re.search(r"\d{4}$", released):
        title = f"{title} ({released[-4:]})"
    return movie, title, "|".join(g for g, flag in zip(FLAGS, flags) if g and flag == "1")
