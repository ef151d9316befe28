"""Everybody's top N: the lists of `Recommender.recommend` for all people, in blocks and as a file.

`list_blocks.py` makes a block's lists. A ranker that scores one person at a time, people of whom
the ranker knows no title, and the ends of short lists are answered as `recommend` does, one by one.
`marquee recommend-all` writes the file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from marquee.errors import SourceError
from scoring.arrays import Floats, Ints, Rows, rows_of
from scoring.recommender.fallback import CONTENT, PERSONAL
from scoring.recommender.list_blocks import (
    MOST_PEOPLE,
    BlockRanker,
    blocks_in_time,
    histories_of,
    people_at_once,
    ranked_block,
)
from scoring.recommender.model import Recommender
from scoring.recommender.reranking import RankedRows

PEOPLE_PER_BLOCK = MOST_PEOPLE
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


@dataclass(frozen=True)
class TopLists:
    """`movie_ids`, `scores` and `strategies` [people, n], best first; movie id -1 past the end."""

    user_ids: Ints
    movie_ids: Ints
    scores: Floats
    strategies: NDArray[np.str_]

    @classmethod
    def empty(cls, people: Ints, n: int) -> TopLists:
        """Lists without a title."""
        shape = len(people), n
        strategies = np.full(shape, "", "<U8")
        return cls(people, np.full(shape, -1, np.int64), np.full(shape, np.nan), strategies)

    def put(self, person: int, movies: Ints, ranked: RankedRows, start: int = 0) -> None:
        """Set a person's titles from the position `start` on; `movies` are their ids."""
        end = start + len(movies)
        self.movie_ids[person, start:end] = movies
        self.scores[person, start:end] = ranked.scores
        self.strategies[person, start:end] = ranked.strategies


# The file


def write_top_n(
    model: Recommender, n: int, out: Path, done: Callable[[int], None], diversity: float = 0.0
) -> int:
    """Write one row for each recommendation to `out` (Parquet or CSV); returns the number of rows.

    `done` is called after each block, with its number of people. An old file stays until the new
    one is complete. Raises SourceError for another file ending, or where writing fails.
    """
    if out.suffix not in WRITERS:
        raise SourceError(f"{out} is neither .parquet nor .csv", "name it one of the two")
    partial = out.with_name(f".{out.name}.partial")
    rows = 0
    try:
        with WRITERS[out.suffix](partial, SCHEMA) as writer:
            for lists in top_lists(model, n, diversity=diversity):
                table = _table(model, lists)
                writer.write_table(table)
                rows += table.num_rows
                done(len(lists.user_ids))
        partial.rename(out)
    except OSError as error:
        raise SourceError(f"{out} cannot be written: {error}", "give another place") from None
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
    return rows


def _table(model: Recommender, lists: TopLists) -> pa.Table:
    people, ranks = np.nonzero(lists.movie_ids >= 0)
    movies = lists.movie_ids[people, ranks]
    known = [model.titles.get(movie) for movie in movies.tolist()]
    columns = [
        lists.user_ids[people],
        (ranks + 1).astype(np.int32),
        movies,
        [title and title.title for title in known],
        [title and title.year for title in known],
        lists.scores[people, ranks],
        lists.strategies[people, ranks],
    ]
    return pa.table(columns, schema=SCHEMA)


# The lists


def top_lists(
    model: Recommender,
    n: int,
    user_ids: Ints | None = None,
    block: int = PEOPLE_PER_BLOCK,
    diversity: float = 0.0,
) -> Iterator[TopLists]:
    """The best `n` titles that each of `user_ids` (by default everybody) has not rated.

    With `diversity` (`Recommender.recommend`) each person's list is chosen on its own.
    """
    people = model.user_ids if user_ids is None else user_ids
    size = min(block, people_at_once(model))
    for start in range(0, len(people), size):
        yield lists_of(model, people[start : start + size], n, None, diversity)


def top_unseen(model: Recommender, user_ids: Ints, n: int, at: Ints | None = None) -> Ints:
    """Movie ids [people, n] of each `recommend`, -1 past the end; for the evaluation.

    `at` [people] are moments of asking.
    """
    top = np.full((len(user_ids), n), -1, dtype=np.int64)
    for places in blocks_in_time(model, at, len(user_ids), people_at_once(model)):
        moments = None if at is None else at[places]
        top[places] = lists_of(model, user_ids[places], n, moments).movie_ids
    return top


def lists_of(
    model: Recommender, people: Ints, n: int, at: Ints | None, diversity: float = 0.0
) -> TopLists:
    """The lists of some people, whose moments of asking ascend."""
    lists, users = TopLists.empty(people, n), rows_of(model.user_ids, people)
    in_block = isinstance(model.ranker, BlockRanker) and not diversity
    places = np.flatnonzero(users >= 0) if in_block else users[:0]
    for _ in range(2):  # first everybody, to see of whom the ranker knows a title
        moments = None if at is None else at[places]
        histories = histories_of(model, users[places], moments)
        known = histories.any_of(model.ranker.known[histories.rows])
        if known.all():
            break
        places = places[known]
    if len(places):
        found = ranked_block(model, histories, n)
        is_listed = found.scores > -np.inf
        lists.movie_ids[places] = np.where(is_listed, model.movie_ids[found.rows], -1)
        lists.scores[places] = np.where(is_listed, found.scores, np.nan)
        strategies = np.where(found.cold, CONTENT, PERSONAL)
        lists.strategies[places] = np.where(is_listed, strategies, "")
    rest = np.setdiff1d(np.arange(len(people)), places)
    _one_by_one(model, lists, rest, at, diversity)
    for short in np.setdiff1d(np.flatnonzero((lists.movie_ids < 0).any(axis=1)), rest).tolist():
        moment = None if at is None else int(at[short])
        _fill_with_popular(model, lists, short, int(users[short]), moment)
    return lists


def _one_by_one(
    model: Recommender, lists: TopLists, places: Rows, at: Ints | None, diversity: float
) -> None:
    n = lists.movie_ids.shape[1]
    for place in places.tolist():
        moment = None if at is None else int(at[place])
        ranked = model.ranked_rows(int(lists.user_ids[place]), n, moment, diversity)
        lists.put(place, model.movie_ids[ranked.rows], ranked)


def _fill_with_popular(
    model: Recommender, lists: TopLists, person: int, user: int, at: int | None
) -> None:
    """Fill the end of a short list with popular titles, as `recommend` does."""
    excluded = np.zeros(len(model.movie_ids), dtype=np.bool_)
    excluded[model.bundle.ratings.items(user)] = True
    length = int((lists.movie_ids[person] >= 0).sum())
    excluded[rows_of(model.movie_ids, lists.movie_ids[person, :length])] = True
    history, missing = model.bundle.history(user, at), lists.movie_ids.shape[1] - length
    popular = model.fallback.popular(history, excluded, missing)
    lists.put(person, model.movie_ids[popular.rows], popular, start=length)
