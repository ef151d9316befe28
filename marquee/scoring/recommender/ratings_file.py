"""Ratings of a file somebody gives: MovieLens' CSV, or Parquet in either spelling."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

from marquee.errors import SourceError
from marquee.scoring.arrays import Floats, Ints
from marquee.scoring.recommender.ratings import Ratings

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
    table = _read(path)
    names = next((s for s in SPELLINGS if set(s[:3]) <= set(table.column_names)), None)
    if names is None:
        raise SourceError(f"{path} holds {', '.join(table.column_names)}", REMEDY)
    users, movies, values = (_column(path, table, name) for name in names[:3])
    has_times = names[3] in table.column_names
    times = _column(path, table, names[3]) if has_times else np.zeros(len(users))
    if not np.isfinite(values).all():
        row = int(np.flatnonzero(~np.isfinite(values))[0])
        raise SourceError(f"{path} row {row + 1}: its rating is no number", "correct that row")
    whole = Ratings(_ids(users), _ids(movies), values.astype(np.float64), _ids(times))
    return _latest(whole)


def _read(path: Path) -> pa.Table:
    try:
        if path.is_dir() or path.suffix == ".parquet":
            return pq.read_table(path)
        return pc.read_csv(path, convert_options=pc.ConvertOptions(column_types=TYPES))
    except (OSError, pa.ArrowException) as error:
        said = str(error).splitlines()[0]
        raise SourceError(f"{path} holds no ratings: {said}", REMEDY) from None


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
