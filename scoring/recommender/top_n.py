"""Everybody's top N: the lists of `Recommender.recommend` for all people, in blocks and as a file.

A ranker of factors scores a block of people by one matrix product; any other ranker scores one
person at a time. A product in single precision rounds otherwise than one person's, so titles with
scores equal to about 1e-6 may change places. `marquee recommend-all` writes the file.
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
from scoring.arrays import Floats, Ints, Mask, Rows, Singles, rows_of
from scoring.recommender.fallback import PERSONAL
from scoring.recommender.model import Recommender
from scoring.recommender.rankers import FactorRanker
from scoring.recommender.reranking import RankedRows

PEOPLE_PER_BLOCK = 256  # with 20,000 titles, 20 MB of scores
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
    by_factors = ranks_by_factors(model) and not diversity
    for start in range(0, len(people), block):
        some = people[start : start + block]
        yield _by_factors(model, some, n) if by_factors else _one_by_one(model, some, n, diversity)


def ranks_by_factors(model: Recommender) -> bool:
    """Whether scores are the product of the bundle's rank factors only."""
    by_factors = isinstance(model.ranker, FactorRanker) and model.ranker.equations.stars is None
    return by_factors and model.bundle.timed is None


def _one_by_one(model: Recommender, people: Ints, n: int, diversity: float) -> TopLists:
    lists = TopLists.empty(people, n)
    for person, user_id in enumerate(people.tolist()):
        ranked = model.ranked_rows(user_id, n, diversity=diversity)
        lists.put(person, model.movie_ids[ranked.rows], ranked)
    return lists


def _by_factors(model: Recommender, people: Ints, n: int) -> TopLists:
    lists, bundle = TopLists.empty(people, n), model.bundle
    users = rows_of(model.user_ids, people)
    known = np.flatnonzero(users >= 0)
    scores: Singles = bundle.rank_user_factors[users[known]] @ bundle.rank_item_factors.T
    cold = model.fallback.cold(scores, n)
    scores[:, ~model.ranker.known] = -np.inf
    for row, user in enumerate(users[known].tolist()):
        scores[row, bundle.ratings.items(user)] = -np.inf
    best = _best(scores, n)
    width = best.shape[1]
    best_scores = np.take_along_axis(scores, best, axis=1)
    ranked: Mask = best_scores > -np.inf
    lists.movie_ids[known, :width] = np.where(ranked, model.movie_ids[best], -1)
    lists.scores[known, :width] = np.where(ranked, best_scores, np.nan)
    lists.strategies[known, :width] = np.where(ranked, PERSONAL, "")
    for row, person in enumerate(known.tolist() if cold is not None else []):
        rows, own = best[row][ranked[row]], scores[row].astype(np.float64)
        excluded = _rated(model, int(users[person]))
        with_cold = model.fallback.with_cold(
            rows, own, cold and cold.of(row), PERSONAL, excluded, n
        )
        lists.put(person, model.movie_ids[with_cold.rows], with_cold)
    for short in np.flatnonzero((lists.movie_ids < 0).any(axis=1)).tolist():
        _fill_with_popular(model, lists, short, int(users[short]))
    return lists


def _best(scores: Singles, n: int) -> Rows:
    """Columns of the `n` highest scores of each row, best first; equal scores in column order."""
    n = min(n, scores.shape[1])
    cut = scores.shape[1] - n
    highest = np.sort(np.argpartition(scores, cut, axis=1)[:, cut:])
    order = np.argsort(-np.take_along_axis(scores, highest, axis=1), axis=1, kind="stable")
    return np.take_along_axis(highest, order, axis=1)


def _rated(model: Recommender, user: int) -> Mask:
    """True [I] for the titles that this person rated; `user` -1 is an unknown person."""
    rated = np.zeros(len(model.movie_ids), dtype=np.bool_)
    if user >= 0:
        rated[model.bundle.ratings.items(user)] = True
    return rated


def _fill_with_popular(model: Recommender, lists: TopLists, person: int, user: int) -> None:
    """Fill the end of a short list with popular titles, as `recommend` does."""
    excluded = _rated(model, user)
    length = int((lists.movie_ids[person] >= 0).sum())
    excluded[rows_of(model.movie_ids, lists.movie_ids[person, :length])] = True
    popular = model.fallback.popular(
        model.bundle.history(user), excluded, lists.movie_ids.shape[1] - length
    )
    lists.put(person, model.movie_ids[popular.rows], popular, start=length)
