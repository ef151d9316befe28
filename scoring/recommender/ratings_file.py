"""Ratings of a file somebody gives: MovieLens' CSV, or Parquet in either spelling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from marquee.errors import SourceError
from marquee.names import text_id
from scoring.arrays import Floats, Ints
from scoring.recommender.ratings import Ratings
from sources.ratings_cells import Ids, Keeper, Stars, Times
from sources.tables import open_table

SPELLINGS = (
    ("userId", "movieId", "rating", "timestamp"),
    ("user_id", "movie_id", "rating", "time"),
)
TYPES = {
    name: kind
    for spelling in SPELLINGS
    for name, kind in zip(spelling, (pa.int64(), pa.int64(), pa.float64(), pa.int64()))
}
REMEDY = "its header must name userId, movieId, rating (timestamp may be absent)"


def read_ratings_file(path: Path) -> tuple[Ratings, int]:
    """The ratings of `path` (CSV, Parquet, or a folder of Parquet), and how many were repeats.

    Of rows of one person and title the latest stays. SourceError names what is wrong.
    """
    if not path.is_dir() and path.suffix != ".parquet":
        return _latest(_read_csv(path))
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        said = str(error).splitlines()[0]
        raise SourceError(f"{path} holds no ratings: {said}", REMEDY) from None
    names = next((s for s in SPELLINGS if set(s[:3]) <= set(table.column_names)), None)
    if names is None:
        raise SourceError(f"{path} holds {', '.join(table.column_names)}", REMEDY)
    users, movies, values = (_column(path, table, name) for name in names[:3])
    has_times = names[3] in table.column_names
    times = _column(path, table, names[3]) if has_times else np.zeros(len(users))
    if not np.isfinite(values).all():
        row = int(np.flatnonzero(~np.isfinite(values))[0])
        raise SourceError(f"{path} row {row + 1}: its rating is no number", "correct that row")
    return _latest(Ratings(_ids(users), _ids(movies), values.astype(np.float64), _ids(times)))


def _read_csv(path: Path) -> Ratings:
    """Ids are text, and then `marquee.names.text_id`, where most rows name no whole number."""
    table = open_table(path, SPELLINGS[0][:3], known=SPELLINGS[0])
    names = [*SPELLINGS[0][:3], *(n for n in ("timestamp", "time") if n in table.columns)][:4]
    users, movies = Ids("", is_text=False), Ids("", is_text=False)
    for _, (user, movie, *_) in table.batches(names):
        users.keep(user)
        movies.keep(movie)
    ids = (Ids("", kind.is_mostly_words) for kind in (users, movies))
    every: list[Keeper] = [*ids, Stars(), Times()]
    keepers = every[: len(names)]
    numbers = [cache(text_id) if i.is_mostly_words else int for i in (users, movies)]
    parts: list[list[Any]] = [[], [], [], []]
    for lines, columns in table.batches(names):
        kept = [keeper.keep(column) for keeper, column in zip(keepers, columns)]
        for keeper, column in zip(keepers, kept):
            _refuse_faults(path, lines, column, keeper.faults)
        kept += [["0"] * len(lines)] * (4 - len(kept))
        types: list[Any] = [*numbers, float, int]
        for part, column, number in zip(parts, kept, types):
            part.append(np.array([number(cell) for cell in column]))
    empty = [np.zeros(0, int), np.zeros(0, int), np.zeros(0), np.zeros(0, int)]
    return Ratings(*(np.concatenate([nothing, *part]) for nothing, part in zip(empty, parts)))


def _refuse_faults(
    path: Path, lines: Sequence[int], column: Sequence[str], faults: Mapping[str, str]
) -> None:
    for line, cell in zip(lines, column) if faults else ():
        if faults.get(cell):
            raise SourceError(f"{path} line {line}: {faults[cell]} ('{cell[:40]}')", REMEDY)


def _column(path: Path, table: pa.Table, name: str) -> Floats | Ints:
    column = table[name]
    if column.null_count:
        raise SourceError(f"{path}: {name} is empty in {column.null_count} rows", "fill them")
    try:
        found: Floats | Ints = column.cast(TYPES[name]).to_numpy()
    except pa.ArrowException as error:
        raise SourceError(f"{path}: {name} is not a number: {error}", REMEDY) from None
    return found


def _ids(values: Floats | Ints) -> Ints:
    return values.astype(np.int64)


def _latest(ratings: Ratings) -> tuple[Ratings, int]:
    """Of equal (person, title) pairs the one with the latest time; and how many went."""
    order = np.lexsort((ratings.times, ratings.movie_ids, ratings.user_ids))
    users, movies = ratings.user_ids[order], ratings.movie_ids[order]
    is_last = np.ones(len(order), dtype=np.bool_)
    is_last[:-1] = (np.diff(users) != 0) | (np.diff(movies) != 0)
    kept = np.sort(order[is_last])
    return ratings.take(kept), len(ratings) - len(kept)
