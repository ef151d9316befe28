"""The forms of ratings releases: their files, their rows in one form, and the titles they list.

Three forms are known by the name of their file of ratings (in any capitals, gzipped or not):

    ratings.csv  movies.csv  [links.csv]    MovieLens latest, 20M, 25M, 32M: CSV (or .tsv)
    ratings.dat  movies.dat  [users.dat]    MovieLens 1M and 10M: `::` between cells
    u.data       u.item      [u.user]       MovieLens 100K: tabs, pipes, genres as flags

`recognise` finds the form of a folder, and every row comes in the columns of the newest form.
`read_listed_titles` makes the release's list of titles with their IMDb ids. `ratings_reading` calls
both. `ratings.tsv` and `titles.tsv` are the one form of the lake (`ratings_release`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path

from marquee.errors import SourceError
from sources.ratings_cells import (
    LIKE_AN_IMDB_ID,
    NEGATIVE_MOVIE,
    IdSpellings,
    named_by_imdb,
    plain,
    title_id_of,
)
from sources.tables import Aside, Table, find_table, open_table

Row = tuple[str, ...]
Batch = tuple[Sequence[int], list[tuple[str, ...]]]
"""The first line of each row, and the columns: one value a row."""
RATINGS = ("userId", "movieId", "rating", "timestamp")
TITLES = ("movieId", "title", "genres")
LINKS = ("movieId", "imdbId")
RATINGS_FILE, TITLES_FILE = "ratings.tsv", "titles.tsv"
"""The files of the lake's own form."""
LISTED = (*TITLES, "titleId")
"""The columns of `titles.tsv`."""
ITEM = ("movieId", "title", "released", "video", "address")
FLAGS = (
    *("", "Action", "Adventure", "Animation", "Children", "Comedy", "Crime", "Documentary"),
    *("Drama", "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi"),
    *("Thriller", "War", "Western"),
)
"""The flags of u.item, in the order of its README; the first stands for "unknown"."""
NO_GENRE = "(no genres listed)"
OLD_GENRES = {"Children's": "Children"}
"""Genres of MovieLens' older releases to the words of its later ones."""
IMDB_GENRES = {"Children": "Family", "IMAX": "", NO_GENRE: ""}
"""MovieLens' genres to IMDb's, where they differ; "" where IMDb has no such genre."""
YEAR = re.compile(r"\s*\((\d{4})\)")


@dataclass(frozen=True)
class FileForm:
    """A file's name, its separator and its columns.

    With `,` the first line names at least these columns, in any order. With any other separator
    there is no such line and no quotes, and the columns come in this order.
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

    def rows(self, folder: Path, aside: Aside | None = None) -> Iterator[tuple[int, Row]]:
        """The first line of each row, and its cells in these columns."""
        table = self.table(folder)
        pick = itemgetter(*table.places(self.columns))
        return ((line, pick(row)) for line, row in table.rows(aside))

    def batches(self, folder: Path, aside: Aside | None = None) -> Iterator[Batch]:
        """The same, many rows at a time and by column."""
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
        """The names of its files for a sentence, optional ones in brackets."""
        optional = [f"[{one.file}]" for one in (self.links, self.people) if one]
        return ", ".join([self.ratings.file, self.titles.file, *optional])


FORMS = (
    ReleaseForm(
        "MovieLens CSV",
        ratings=FileForm("ratings.csv", ",", RATINGS),
        titles=FileForm("movies.csv", ",", TITLES),
        links=FileForm("links.csv", ",", LINKS),
    ),
    ReleaseForm(
        "MovieLens 1M and 10M",
        ratings=FileForm("ratings.dat", "::", RATINGS),
        titles=FileForm("movies.dat", "::", TITLES),
        people=FileForm("users.dat", "::", ("userId", "gender", "age", "occupation", "zip")),
    ),
    ReleaseForm(
        "MovieLens 100K",
        ratings=FileForm("u.data", "\t", RATINGS),
        titles=FileForm("u.item", "|", (*ITEM, *FLAGS)),
        people=FileForm("u.user", "|", ("userId", "age", "gender", "occupation", "zip")),
    ),
)


@dataclass(frozen=True)
class RatingsFolder:
    """A folder with a release of a known form.

    Rows come with their first line. A torn row is counted in `aside`; without `aside` the first
    torn row is a SourceError.
    """

    folder: Path
    form: ReleaseForm

    def ratings(self, aside: Aside | None = None) -> Iterator[Batch]:
        """userId, movieId, rating, timestamp, as text."""
        return self.form.ratings.batches(self.folder, aside)

    def titles(self, aside: Aside | None = None) -> Iterator[tuple[int, Row]]:
        """movieId, title with its year in brackets, genres with `|` between them."""
        rows = self.form.titles.rows(self.folder, aside)
        if self.form.titles.separator == ",":
            return rows
        return ((line, _old_title(row)) for line, row in rows)

    def links(self, aside: Aside | None = None) -> Iterator[tuple[int, Row]]:
        """movieId and the release's own form of the IMDb id; none without a file of links."""
        file = self.form.links
        has_links = file and find_table(self.folder, file.file)
        return file.rows(self.folder, aside) if file and has_links else iter(())

    def people(self) -> Iterator[tuple[str, Mapping[str, str]]]:
        """userId and what the release states of that person; nothing in most forms."""
        file = self.form.people
        if file and find_table(self.folder, file.file):
            for _, row in file.rows(self.folder):
                yield row[0], dict(zip(file.columns[1:], row[1:]))

    @property
    def files(self) -> Mapping[str, Path]:
        """The files that the lake's form is made of, by their name in the form."""
        form = self.form
        names = [one.file for one in (form.ratings, form.titles, form.links) if one]
        found = {name: find_table(self.folder, name) for name in names}
        return {name: path for name, path in found.items() if path}


def recognise(folder: Path) -> RatingsFolder:
    """The release in `folder`; SourceError names the missing file, or the known forms."""
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
    if len(row) > len(TITLES):
        return _title_of_item(row)
    movie, title, genres = row
    return movie, title, "|".join(OLD_GENRES.get(g, g) for g in map(str.strip, genres.split("|")))


def _title_of_item(row: Row) -> Row:
    """u.item's flags as genres; the year moves to the title's end."""
    movie, title, released, flags = row[0], row[1].strip(), row[2], row[len(ITEM) :]
    year = YEAR.search(title)
    if year:
        title = f"{YEAR.sub('', title, count=1)} ({year[1]})"
    elif re.search(r"\d{4}$", released):
        title = f"{title} ({released[-4:]})"
    return movie, title, "|".join(g for g, flag in zip(FLAGS, flags) if g and flag == "1")


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
    """What is missing here of the files, in sentences."""

    def resolve_shared_links(self, rated: Mapping[str, int]) -> None:
        """Let the most rated movie keep an IMDb id that several name; of equals, the first."""
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
        """The columns of `LISTED`."""
        for movie, (title, genres) in self.titles.items():
            yield movie, title, genres, self.links.get(movie, "")


def read_listed_titles(release: RatingsFolder, is_text: bool = False) -> ListedTitles:
    """The titles of a release and their links, each movie once: its first row counts.

    A row that cannot be used is omitted and named in `notes`: a title without a name still has
    ratings.
    """
    found, ids = ListedTitles(is_text), IdSpellings(NEGATIVE_MOVIE, is_text)
    torn, nameless, again, untitled = Aside(), Aside(), Aside(), Aside()
    for line, (movie, title, genres) in release.titles(torn):
        [key] = ids.canonical([movie])
        if key in ids.faults:
            nameless.add(line, f"'{movie[:40]}': {ids.faults[key]}")
        elif key in found.titles:
            again.add(line, f"lists {key} again")
        else:
            found.titles[key] = plain(title), plain(genres)
            if not plain(title):
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
    """Add the links of listed titles; a title whose name is an IMDb id needs no file of links."""
    torn, unread, other, unlisted = Aside(), Aside(), Aside(), Aside()
    ids = IdSpellings(NEGATIVE_MOVIE, is_text, found.titles)
    for line, (movie, text) in release.links(torn):
        key, title_id = ids[movie], title_id_of(text)
        if not plain(text):
            continue
        if key not in found.titles:
            unlisted.add(line, f"links {movie[:40]}")
        elif title_id is None:
            unread.add(line, f"'{text[:40]}'")
        elif found.links.setdefault(key, title_id) != title_id:
            other.add(line, f"links {key} to {title_id}, not {found.links[key]}")
    for place, movie in enumerate(found.titles, 1):
        if title_id := named_by_imdb(movie):
            found.links.setdefault(movie, title_id)
        elif LIKE_AN_IMDB_ID.fullmatch(movie) and movie not in found.links:
            unread.add(place, f"'{movie[:40]}'", "title")
    why = {"torn": torn, "no IMDb id": unread, "another id for the same movie": other}
    why["of a movie that is not listed"] = unlisted
    found.notes += [
        f"links left out, {what}: {aside}" for what, aside in why.items() if aside.count
    ]
