"""The forms of ratings releases: their files, their rows in one form, and the titles they list.

The name of the ratings file (in any capitals, gzipped or not) tells the three forms apart:

    ratings.csv  movies.csv  [links.csv]    MovieLens latest, 20M, 25M, 32M: CSV (or .tsv)
    ratings.dat  movies.dat  [users.dat]    MovieLens 1M and 10M: `::` between cells
    u.data       u.item      [u.user]       MovieLens 100K: tabs, pipes, genres as flags

`recognise` finds the form of a folder. Rows of every form come in the columns of the newest form.
`read_listed_titles` reads the titles and their IMDb ids. `ratings_reading` uses both.
`ratings_release` writes the lake's own form, `ratings.tsv` and `titles.tsv`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path

from marquee.errors import SourceError
from sources.ratings_cells import (
    IMDB_NAME,
    NEGATIVE_MOVIE,
    IdSpellings,
    imdb_id_of_name,
    title_id_of,
    trimmed,
)
from sources.tables import RowsAside, Table, find_table, open_table

Row = tuple[str, ...]
ColumnBatch = tuple[Sequence[int], list[tuple[str, ...]]]
"""The line on which each row starts, and the columns."""
RATING_COLUMNS = ("userId", "movieId", "rating", "timestamp")
TITLE_COLUMNS = ("movieId", "title", "genres")
LINK_COLUMNS = ("movieId", "imdbId")
RATINGS_FILE, TITLES_FILE = "ratings.tsv", "titles.tsv"
"""The files of the lake's own form."""
LISTED_COLUMNS = (*TITLE_COLUMNS, "titleId")
"""The columns of `titles.tsv`."""
ITEM_COLUMNS = ("movieId", "title", "released", "video", "address")
GENRE_FLAGS = (
    *("", "Action", "Adventure", "Animation", "Children", "Comedy", "Crime", "Documentary"),
    *("Drama", "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi"),
    *("Thriller", "War", "Western"),
)
"""The genre flags of u.item, in the order of its README; the first flag means "unknown"."""
NO_GENRE = "(no genres listed)"
RENAMED_GENRES = {"Children's": "Children"}
"""Genres of MovieLens' older releases to the words of its later ones."""
IMDB_GENRES = {"Children": "Family", "IMAX": "", NO_GENRE: ""}
"""MovieLens' genre to IMDb's, where they differ; "" for a genre that IMDb lacks."""
YEAR = re.compile(r"\s*\((\d{4})\)")


@dataclass(frozen=True)
class FileForm:
    """A file's name, its separator and its columns.

    A file with `,` has a header with at least these columns, in any order. A file with another
    separator has no header and no quotes, and its columns stand in this order.
    """

    file: str
    separator: str
    columns: Row

    def table(self, folder: Path) -> Table:
        """The file in `folder`; SourceError where it is missing or of another kind."""
        path = find_table(folder, self.file)
        if path is None:
            raise SourceError(f"{folder / self.file} is missing", "give a whole release")
        if self.separator == ",":
            return open_table(path, self.columns)
        return open_table(path, columns=self.columns, separator=self.separator, quoting=False)

    def rows(self, folder: Path, aside: RowsAside | None = None) -> Iterator[tuple[int, Row]]:
        """The line on which each row starts, and its cells in these columns."""
        table = self.table(folder)
        pick = itemgetter(*table.positions(self.columns))
        return ((line, pick(row)) for line, row in table.rows(aside))

    def batches(self, folder: Path, aside: RowsAside | None = None) -> Iterator[ColumnBatch]:
        """The rows in batches, by column."""
        return self.table(folder).batches(self.columns, aside)


@dataclass(frozen=True)
class ReleaseForm:
    """The files of one form of release."""

    name: str
    ratings: FileForm
    titles: FileForm
    links: FileForm | None = None
    people: FileForm | None = None

    @property
    def files(self) -> str:
        """The file names for a message, optional ones in brackets."""
        optional = [f"[{one.file}]" for one in (self.links, self.people) if one]
        return ", ".join([self.ratings.file, self.titles.file, *optional])


FORMS = (
    ReleaseForm(
        "MovieLens CSV",
        ratings=FileForm("ratings.csv", ",", RATING_COLUMNS),
        titles=FileForm("movies.csv", ",", TITLE_COLUMNS),
        links=FileForm("links.csv", ",", LINK_COLUMNS),
    ),
    ReleaseForm(
        "MovieLens 1M and 10M",
        ratings=FileForm("ratings.dat", "::", RATING_COLUMNS),
        titles=FileForm("movies.dat", "::", TITLE_COLUMNS),
        people=FileForm("users.dat", "::", ("userId", "gender", "age", "occupation", "zip")),
    ),
    ReleaseForm(
        "MovieLens 100K",
        ratings=FileForm("u.data", "\t", RATING_COLUMNS),
        titles=FileForm("u.item", "|", (*ITEM_COLUMNS, *GENRE_FLAGS)),
        people=FileForm("u.user", "|", ("userId", "age", "gender", "occupation", "zip")),
    ),
)


@dataclass(frozen=True)
class RatingsFolder:
    """A folder with a release of a known form.

    Each row comes with the line on which it starts. A torn row is counted in `aside`; without
    `aside` it raises SourceError.
    """

    folder: Path
    form: ReleaseForm

    def ratings(self, aside: RowsAside | None = None) -> Iterator[ColumnBatch]:
        """userId, movieId, rating, timestamp, as text."""
        return self.form.ratings.batches(self.folder, aside)

    def titles(self, aside: RowsAside | None = None) -> Iterator[tuple[int, Row]]:
        """movieId, title with its year in brackets, genres with `|` between them."""
        rows = self.form.titles.rows(self.folder, aside)
        if self.form.titles.separator == ",":
            return rows
        return ((line, _old_title(row)) for line, row in rows)

    def links(self, aside: RowsAside | None = None) -> Iterator[tuple[int, Row]]:
        """movieId and IMDb id as the release spells it; no rows without a links file."""
        file = self.form.links
        has_links = file and find_table(self.folder, file.file)
        return file.rows(self.folder, aside) if file and has_links else iter(())

    def people(self) -> Iterator[tuple[str, Mapping[str, str]]]:
        """userId and the other columns of the people file; nothing without such a file."""
        file = self.form.people
        if file and find_table(self.folder, file.file):
            for _, row in file.rows(self.folder):
                yield row[0], dict(zip(file.columns[1:], row[1:]))

    @property
    def files(self) -> Mapping[str, Path]:
        """The files that are loaded: name in the form to path."""
        form = self.form
        names = [one.file for one in (form.ratings, form.titles, form.links) if one]
        found = {name: find_table(self.folder, name) for name in names}
        return {name: path for name, path in found.items() if path}


def recognise(folder: Path) -> RatingsFolder:
    """The release in `folder`; SourceError where a file is missing or the form is unknown."""
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


def _old_title(row: Row) -> Row:
    if len(row) > len(TITLE_COLUMNS):
        return _item_row(row)
    movie, title, genres = row
    words = map(str.strip, genres.split("|"))
    return movie, title, "|".join(RENAMED_GENRES.get(word, word) for word in words)


def _item_row(row: Row) -> Row:
    """movieId, title and genres of a row of u.item; the year moves to the title's end."""
    movie, title, released, flags = row[0], row[1].strip(), row[2], row[len(ITEM_COLUMNS) :]
    year = YEAR.search(title)
    if year:
        title = f"{YEAR.sub('', title, count=1)} ({year[1]})"
    elif re.search(r"\d{4}$", released):
        title = f"{title} ({released[-4:]})"
    return movie, title, "|".join(g for g, flag in zip(GENRE_FLAGS, flags) if g and flag == "1")


# The titles that a release lists


@dataclass
class ListedTitles:
    """The titles that a release lists, in its order, and their IMDb ids."""

    is_text: bool = False
    is_mostly_words: bool = False
    titles: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Movie id to title and genres."""
    links: dict[str, str] = field(default_factory=dict)
    """Movie id to IMDb id."""
    notes: list[str] = field(default_factory=list)
    """Rows of the files that were left out, in sentences."""

    def resolve_shared_links(self, rated: Mapping[str, int]) -> None:
        """Where several movies claim one IMDb id, keep it for the most rated, else the first."""
        claims: dict[str, list[str]] = {}
        for movie, title_id in self.links.items():
            claims.setdefault(title_id, []).append(movie)
        shared = {t: movies for t, movies in claims.items() if len(movies) > 1}
        for movies in shared.values():
            for movie in set(movies) - {max(movies, key=lambda m: rated.get(m, 0))}:
                del self.links[movie]
        if shared:
            some = [f"{t} by {', '.join(m[:3])}" for t, m in list(shared.items())[:3]]
            self.notes.append(
                f"{len(shared)} IMDb ids are named by more than one movie ({'; '.join(some)}): "
                "the most rated keeps it"
            )

    def rows(self) -> Iterator[Row]:
        """The columns of `LISTED_COLUMNS`."""
        for movie, (title, genres) in self.titles.items():
            yield movie, title, genres, self.links.get(movie, "")


def read_listed_titles(release: RatingsFolder, is_text: bool = False) -> ListedTitles:
    """The titles of a release and their IMDb ids, each movie once, from its first row.

    A row without a usable id is left out and named in `notes`. A movie without a title is kept,
    because it has ratings, and is named in `notes`.
    """
    found, ids = ListedTitles(is_text), IdSpellings(NEGATIVE_MOVIE, is_text)
    torn, nameless, again, untitled = RowsAside(), RowsAside(), RowsAside(), RowsAside()
    for line, (movie, title, genres) in release.titles(torn):
        [key] = ids.canonical([movie])
        if key in ids.faults:
            nameless.add(line, f"'{movie[:40]}': {ids.faults[key]}")
        elif key in found.titles:
            again.add(line, f"lists {key} again")
        else:
            found.titles[key] = trimmed(title), trimmed(genres)
            if not trimmed(title):
                untitled.add(line, f"names {key} only")
    found.is_mostly_words = ids.is_mostly_words
    name = release.form.titles.file
    for aside, what in ((torn, "torn"), (nameless, "without an id"), (again, "listed already")):
        if aside.count:
            found.notes.append(f"rows of {name} left out, {what}: {aside}")
    if untitled.count:
        found.notes.append(f"movies without a title, called by their id: {untitled}")
    _read_links(release, is_text, found)
    return found


def _read_links(release: RatingsFolder, is_text: bool, found: ListedTitles) -> None:
    """Add the IMDb ids of listed titles: from the links file, else from movie ids like IMDb's."""
    torn, unread, other, unlisted = RowsAside(), RowsAside(), RowsAside(), RowsAside()
    ids = IdSpellings(NEGATIVE_MOVIE, is_text, found.titles)
    for line, (movie, text) in release.links(torn):
        key, title_id = ids[movie], title_id_of(text)
        if not trimmed(text):
            continue
        if key not in found.titles:
            unlisted.add(line, f"links {movie[:40]}")
        elif title_id is None:
            unread.add(line, f"'{text[:40]}'")
        elif found.links.setdefault(key, title_id) != title_id:
            other.add(line, f"links {key} to {title_id}, not {found.links[key]}")
    for place, movie in enumerate(found.titles, 1):
        if title_id := imdb_id_of_name(movie):
            found.links.setdefault(movie, title_id)
        elif IMDB_NAME.fullmatch(movie) and movie not in found.links:
            unread.add(place, f"'{movie[:40]}'", "title")
    why = {"torn": torn, "no IMDb id": unread, "another id for the same movie": other}
    why["of a movie that is not listed"] = unlisted
    found.notes += [
        f"links left out, {what}: {aside}" for what, aside in why.items() if aside.count
    ]
