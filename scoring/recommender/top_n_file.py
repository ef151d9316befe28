"""Everybody's recommendations as one file: Parquet or CSV, whole or not at all."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

from marquee.errors import SourceError
from scoring.recommender.model import Recommender
from scoring.recommender.top_n import Lists, top_lists

SCHEMA = pa.schema(
    [
        ("user_id", pa.int64()),
        ("rank", pa.int32()),
        ("movie_id", pa.int64()),
        ("title", pa.string()),
        ("year", pa.int32()),
        ("score", pa.float64()),
        ("strategy", pa.string()),
    ]
)
WRITERS: dict[str, Callable[..., Any]] = {".parquet": pq.ParquetWriter, ".csv": pc.CSVWriter}


def write_top_n(model: Recommender, n: int, out: Path, done: Callable[[int], None]) -> int:
    """Write a row a recommendation to `out` and return how many; `done` is told of people done.

    Raises SourceError where the name's ending is neither .parquet nor .csv, or it cannot be
    written. What was there before stays until the new file is whole.
    """
    if out.suffix not in WRITERS:
        raise SourceError(f"{out} is neither .parquet nor .csv", "name it one of the two")
    beside = out.with_name(f".{out.name}.partial")
    rows = 0
    try:
        with WRITERS[out.suffix](beside, SCHEMA) as writer:
            for lists in top_lists(model, n):
                table = _table(model, lists)
                writer.write_table(table)
                rows += table.num_rows
                done(len(lists.user_ids))
        beside.rename(out)
    except OSError as error:
        raise SourceError(f"{out} cannot be written: {error}", "give another place") from None
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
    return rows


def _table(model: Recommender, lists: Lists) -> pa.Table:
    places, ranks = np.nonzero(lists.movie_ids >= 0)
    movies = lists.movie_ids[places, ranks]
    known = [model.titles.get(movie) for movie in movies.tolist()]
    columns = [
        lists.user_ids[places],
        (ranks + 1).astype(np.int32),
        movies,
        [title and title.title for title in known],
        [title and title.year for title in known],
        lists.scores[places, ranks],
        lists.strategies[places, ranks],
    ]
    return pa.table(columns, schema=SCHEMA)
