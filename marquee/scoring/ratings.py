"""Ratings as columns, and each person's ratings as one sparse matrix."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from marquee.errors import ContractError
from marquee.scoring.arrays import Floats, Ints, Mask, Rows, ShortInts, Singles

COLUMNS = ("user_id", "movie_id", "rating", "time")


@dataclass(frozen=True)
class Ratings:
    """Four columns of one length: ids, stars, UTC seconds."""

    user_ids: Ints
    movie_ids: Ints
    values: Floats
    times: Ints

    def __len__(self) -> int:
        return len(self.values)

    def take(self, chosen: Rows | Mask) -> Ratings:
        """The chosen rows, in their order."""
        return Ratings(
            self.user_ids[chosen], self.movie_ids[chosen], self.values[chosen], self.times[chosen]
        )

    def join(self, other: Ratings) -> Ratings:
        """These rows and then those."""
        return Ratings(
            np.concatenate([self.user_ids, other.user_ids]),
            np.concatenate([self.movie_ids, other.movie_ids]),
            np.concatenate([self.values, other.values]),
            np.concatenate([self.times, other.times]),
        )


def read_ratings(folder: Path) -> Ratings:
    """Read a folder of Parquet in the `ratings` contract; raises ContractError where it is not."""
    try:
        table = pq.read_table(folder, columns=list(COLUMNS))
    except (OSError, pa.ArrowException) as error:
        raise ContractError(
            f"{folder} holds no ratings: {error}", "it should be Parquet with " + ", ".join(COLUMNS)
        ) from None
    if table.column_names != list(COLUMNS) or any(c.null_count for c in table.columns):
        raise ContractError(f"{folder}: columns are missing or hold nulls", "prepare it again")
    ids = (table[name].to_numpy().astype(np.int64) for name in ("user_id", "movie_id", "time"))
    users, movies, times = ids
    return Ratings(users, movies, table["rating"].to_numpy().astype(np.float64), times)


@dataclass(frozen=True)
class RatingsMatrix:
    """People by titles, in compressed rows: a person's titles ascend.

    `indptr` [U+1], `indices` [ratings] (item rows), `values` [ratings].
    """

    indptr: Ints
    indices: ShortInts
    values: Singles

    def items(self, user_row: int) -> ShortInts:
        """Item rows that this person rated."""
        return self.indices[self.indptr[user_row] : self.indptr[user_row + 1]]

    def stars(self, user_row: int) -> Singles:
        """Their ratings, in the order of `items`."""
        return self.values[self.indptr[user_row] : self.indptr[user_row + 1]]

    @classmethod
    def build(cls, users: Rows, items: Rows, values: Floats, people: int) -> RatingsMatrix:
        """From rows of any order; a pair must appear at most once."""
        order = np.lexsort((items, users))
        counts = np.bincount(users, minlength=people)
        indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        return cls(indptr, items[order].astype(np.int32), values[order].astype(np.float32))
