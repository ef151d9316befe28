"""Reads ratings into arrays: the lake's prepared folders, a user's own file, a whole release.

- `read_ratings` reads Parquet in the `ratings` contract; training and evaluation use it.
- `read_ratings_file` reads a user's own file for `marquee evaluate` and `compare`.
- `read_any_release` and `read_official_split` read a release folder for benchmarks and notebooks:

    release = read_any_release(Path("ml-100k"))
    train, holdout = read_official_split(Path("ml-100k"), "u1")

Ids are those of `prepare_ratings`: whole numbers stay, and `marquee.identifiers.text_id` turns text
into a number.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from marquee.errors import ContractError, SourceError
from marquee.identifiers import text_id
from scoring.arrays import Floats, Ints
from scoring.recommender.bundle import Title
from scoring.recommender.ratings_arrays import Ratings
from sources.ratings_cells import IdSpellings, Spellings, StarSpellings, TimeSpellings, whole_id
from sources.ratings_forms import (
    NO_GENRE,
    RATING_COLUMNS,
    FileForm,
    RatingsFolder,
    ReleaseForm,
    Row,
    recognise,
)
from sources.ratings_reading import RatingsPass, read_release
from sources.tables import open_table

# Prepared ratings: Parquet in the `ratings` contract

COLUMNS = ("user_id", "movie_id", "rating", "time")


def read_ratings(*folders: Path) -> Ratings:
    """Read folders one after the other, by row group, so that memory holds the rows once.

    Raises ContractError where a folder breaks the contract.
    """
    files = [file for folder in folders for file in _open(folder)]
    total = sum(file.metadata.num_rows for file in files)
    kinds = (np.int64, np.int64, np.float64, np.int64)
    columns = [np.empty(total, dtype=kind) for kind in kinds]
    at = 0
    for file in files:
        for group in range(file.num_row_groups):
            at = _fill(columns, at, file.read_row_group(group, columns=list(COLUMNS)))
    users, movies, values, times = columns
    return Ratings(users, movies, values, times)


def rating_groups(folders: Iterable[Path], column: str) -> Iterator[NDArray[Any]]:
    """One of COLUMNS of all folders in their order, a row group at a time; errors as above."""
    for folder in folders:
        for file in _open(folder):
            for group in range(file.num_row_groups):
                yield _filled(file.read_row_group(group, columns=[column]), column)


def count_rows(folder: Path) -> int:
    """The number of rows in a folder of Parquet, from the file footers."""
    rows: int = sum(file.metadata.num_rows for file in _open(folder))
    return rows


def _open(folder: Path) -> list[pq.ParquetFile]:
    inside = (p for p in folder.glob("*.parquet") if not p.name.startswith(("_", ".")))
    paths = [folder] if folder.is_file() else sorted(inside)
    wanted = "it should be Parquet with " + ", ".join(COLUMNS)
    if not paths:
        raise ContractError(f"{folder} holds no ratings: no Parquet file is in it", wanted)
    try:
        files = [pq.ParquetFile(path) for path in paths]
    except (OSError, pa.ArrowException) as error:
        raise ContractError(f"{folder} holds no ratings: {error}", wanted) from None
    if any(set(COLUMNS) - set(file.schema_arrow.names) for file in files):
        raise ContractError(f"{folder}: columns are missing", wanted)
    return files


def _fill(columns: Sequence[NDArray[Any]], at: int, table: pa.Table) -> int:
    """Copy a row group into `columns` from row `at` on; returns the row after its last."""
    end: int = at + table.num_rows
    for column, name in zip(columns, COLUMNS):
        column[at:end] = _filled(table, name)
    return end


def _filled(table: pa.Table, name: str) -> NDArray[Any]:
    if table[name].null_count:
        raise ContractError(f"a rating's {name} is null", "prepare the ratings again")
    kind = table.schema.field(name).type
    if not (pa.types.is_integer(kind) or (name == "rating" and pa.types.is_floating(kind))):
        raise ContractError(f"a rating's {name} is {kind}", "prepare the ratings again")
    # `ChunkedArray.to_numpy` imports pandas, which takes a second and 50 MB.
    chunks = [np.from_dlpack(chunk) for chunk in table[name].chunks]
    return np.concatenate(chunks or [np.empty(0, kind.to_pandas_dtype())])


# A user's own file: MovieLens' CSV, or Parquet with the column names of MovieLens or of the lake

SPELLINGS = (
    ("userId", "movieId", "rating", "timestamp"),
    COLUMNS,
)
TYPES = {
    name: kind
    for spelling in SPELLINGS
    for name, kind in zip(spelling, (pa.int64(), pa.int64(), pa.float64(), pa.int64()))
}
REMEDY = "its header must name userId, movieId, rating (timestamp may be absent)"


def read_ratings_file(path: Path) -> tuple[Ratings, int]:
    """The ratings of `path` (CSV, Parquet, or a folder of Parquet), and the number of repeats.

    Of repeats, rows with the same person and title, the latest stays. Raises SourceError with the
    line or row and its fault.
    """
    is_parquet = path.is_dir() or path.suffix == ".parquet"
    return _latest(_read_parquet(path) if is_parquet else _read_csv(path))


def _read_parquet(path: Path) -> Ratings:
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        reason = str(error).splitlines()[0]
        raise SourceError(f"{path} holds no ratings: {reason}", REMEDY) from None
    names = next((s for s in SPELLINGS if set(s[:3]) <= set(table.column_names)), None)
    if names is None:
        raise SourceError(f"{path} holds {', '.join(table.column_names)}", REMEDY)
    users, movies, values = (_column(path, table, name) for name in names[:3])
    has_times = names[3] in table.column_names
    times = _column(path, table, names[3]) if has_times else np.zeros(len(users))
    if not np.isfinite(values).all():
        row = int(np.flatnonzero(~np.isfinite(values))[0])
        raise SourceError(f"{path} row {row + 1}: its rating is no number", "correct that row")
    ids = users.astype(np.int64), movies.astype(np.int64)
    return Ratings(*ids, values.astype(np.float64), times.astype(np.int64))


def _column(path: Path, table: pa.Table, name: str) -> Floats | Ints:
    column = table[name]
    if column.null_count:
        raise SourceError(f"{path}: {name} is empty in {column.null_count} rows", "fill them")
    try:
        numbers: Floats | Ints = column.cast(TYPES[name]).to_numpy()
    except pa.ArrowException as error:
        raise SourceError(f"{path}: {name} is not a number: {error}", REMEDY) from None
    return numbers


def _read_csv(path: Path) -> Ratings:
    """A column of ids is text (`text_id`) where most of its ids are no whole numbers."""
    table = open_table(path, SPELLINGS[0][:3], known=SPELLINGS[0])
    names = [*SPELLINGS[0][:3], *(n for n in ("timestamp", "time") if n in table.columns)][:4]
    users, movies = IdSpellings("", is_text=False), IdSpellings("", is_text=False)
    for _, (user, movie, *_) in table.batches(names):
        users.canonical(user)
        movies.canonical(movie)
    ids = (IdSpellings("", kind.is_mostly_words) for kind in (users, movies))
    all_spellings: list[Spellings] = [*ids, StarSpellings(), TimeSpellings()]
    spellings = all_spellings[: len(names)]
    id_types = [cache(text_id) if column.is_mostly_words else int for column in (users, movies)]
    batches: list[list[Any]] = [[], [], [], []]
    for lines, columns in table.batches(names):
        cells = [spelling.canonical(column) for spelling, column in zip(spellings, columns)]
        for spelling, column in zip(spellings, cells):
            _refuse_faults(path, lines, column, spelling.faults)
        cells += [["0"] * len(lines)] * (4 - len(cells))
        types: list[Any] = [*id_types, float, int]
        for batch, column, convert in zip(batches, cells, types):
            batch.append(np.array([convert(cell) for cell in column]))
    empty = [np.zeros(0, int), np.zeros(0, int), np.zeros(0), np.zeros(0, int)]
    return Ratings(
        *(np.concatenate([empty_column, *batch]) for empty_column, batch in zip(empty, batches))
    )


def _refuse_faults(
    path: Path, lines: Sequence[int], column: Sequence[str], faults: Mapping[str, str]
) -> None:
    for line, cell in zip(lines, column) if faults else ():
        if faults.get(cell):
            raise SourceError(f"{path} line {line}: {faults[cell]} ('{cell[:40]}')", REMEDY)


def _latest(ratings: Ratings) -> tuple[Ratings, int]:
    """The latest row of each (person, title) pair, and the number of the other rows."""
    order = np.lexsort((ratings.times, ratings.movie_ids, ratings.user_ids))
    users, movies = ratings.user_ids[order], ratings.movie_ids[order]
    is_last = np.ones(len(order), dtype=np.bool_)
    is_last[:-1] = (np.diff(users) != 0) | (np.diff(movies) != 0)
    kept = np.sort(order[is_last])
    return ratings.take(kept), len(ratings) - len(kept)


# A whole release folder, without a lake

OFFICIAL_SPLITS = ("u1", "u2", "u3", "u4", "u5", "ua", "ub")
NAME_AND_YEAR = re.compile(r"(?P<name>.*\S)\s*\((?P<year>\d{4})\)\s*")
RELEASE_ROW = np.dtype([("user", "i8"), ("movie", "i8"), ("stars", "f8"), ("time", "i8")])
ReadId = Callable[[str], int]


@dataclass(frozen=True)
class Release:
    """A release's ratings, its titles by id, and its facts about people by id.

    Repeated ratings stay; the scale is the release's. The facts (such as ages) are text; most
    releases have none. `dropped` is the number of rows with text or NaN for a number.
    """

    name: str
    ratings: Ratings
    titles: Mapping[int, Title]
    people: Mapping[int, Mapping[str, str]]
    dropped: int


def read_any_release(folder: Path) -> Release:
    """Read a release in a form of `sources.ratings_forms`; else raises SourceError."""
    found = recognise(folder)
    release = read_release(found)
    text_ids, catalogue = release.census.text_ids, release.listed
    user, movie = (text_id if column in text_ids else int for column in ("users", "titles"))
    ratings = _typed_ratings(
        RatingsPass(found, text_ids, catalogue.titles).valid_rows(), user, movie
    )
    titles = [
        listed_title(movie(key), title, genres, title_id or None)
        for key, title, genres, title_id in catalogue.rows()
    ]
    people = dict(_people(found, user))
    dropped = release.census.rows - len(ratings)
    return Release(folder.name, ratings, {t.movie_id: t for t in titles}, people, dropped)


def read_official_split(folder: Path, name: str) -> tuple[Ratings, Ratings]:
    """Train and holdout of one of ML-100K's own splits; raises SourceError if missing."""
    if name not in OFFICIAL_SPLITS:
        known = ", ".join(OFFICIAL_SPLITS)
        raise SourceError(f"there is no split '{name}'", f"give one of: {known}")
    sheets = (FileForm(f"{name}.{end}", "\t", RATING_COLUMNS) for end in ("base", "test"))
    forms = (ReleaseForm(name, sheet, sheet) for sheet in sheets)
    train, holdout = (
        _typed_ratings(RatingsPass(RatingsFolder(folder, form)).valid_rows(), int, int)
        for form in forms
    )
    return train, holdout


def listed_title(movie_id: int, text: str, genres: str, title_id: str | None = None) -> Title:
    """A title from a line of a release's list: `Heat (1995)` gives the name and the year."""
    match = NAME_AND_YEAR.fullmatch(text.strip())
    name, year = (match["name"], int(match["year"])) if match else (text.strip(), None)
    kept = tuple(g for g in genres.split("|") if g and g != NO_GENRE)
    return Title(movie_id, title_id, name, year, kept)


def _typed_ratings(rows: Iterable[Row], user: ReadId, movie: ReadId) -> Ratings:
    typed = ((user(u), movie(m), float(stars), int(time)) for u, m, stars, time in rows)
    table = np.fromiter(typed, dtype=RELEASE_ROW)
    return Ratings(*(np.ascontiguousarray(table[name]) for name in RELEASE_ROW.names or ()))


def _people(found: RatingsFolder, user: ReadId) -> Iterator[tuple[int, Mapping[str, str]]]:
    for key, facts in found.people():
        kept = key if user is text_id else whole_id(key)
        if kept is not None:
            yield user(kept), facts
