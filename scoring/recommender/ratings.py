"""Ratings as columns, and each person's ratings as one sparse matrix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from marquee.errors import ContractError
from scoring.arrays import Floats, Ints, Mask, Rows, ShortInts, Singles

Number = TypeVar("Number", np.int64, np.float64)
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

    def take(self, chosen: Rows | Mask | slice) -> Ratings:
        """The chosen rows, in their order."""
        return Ratings(
            self.user_ids[chosen], self.movie_ids[chosen], self.values[chosen], self.times[chosen]
        )

    def join(self, other: Ratings) -> Ratings:
        """These rows and then those; of two that `cut` made, what was cut, without a copy."""
        return Ratings(
            _joined(self.user_ids, other.user_ids),
            _joined(self.movie_ids, other.movie_ids),
            _joined(self.values, other.values),
            _joined(self.times, other.times),
        )

    def cut(self, at: int) -> tuple[Ratings, Ratings]:
        """The first `at` rows and the others, as views of these."""
        return self.take(slice(None, at)), self.take(slice(at, None))

    def sort(self) -> None:
        """Order the rows by person and title in place: ten million are not held twice."""
        order = np.lexsort((self.movie_ids, self.user_ids))
        for column in (self.user_ids, self.movie_ids, self.values, self.times):
            column[:] = column[order]


def _joined(first: NDArray[Number], second: NDArray[Number]) -> NDArray[Number]:
    whole = first.base
    if isinstance(whole, np.ndarray) and whole is second.base:
        pieces = whole[: len(first)], whole[len(first) :]
        if len(whole) == len(first) + len(second) and all(
            map(_is_same_piece, pieces, (first, second))
        ):
            return whole
    return np.concatenate([first, second])


def _is_same_piece(one: NDArray[Any], other: NDArray[Any]) -> bool:
    """Whether two views are the same elements in the same order; of none there is one kind."""
    if not len(one):
        return True
    places = (a.__array_interface__["data"][0] for a in (one, other))
    return len(set(places)) == 1 and one.strides == other.strides


def read_ratings(*folders: Path) -> Ratings:
    """Read folders of Parquet in the `ratings` contract, one after the other, a row group at a
    time; raises ContractError where one is not in it."""
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


def count_rows(folder: Path) -> int:
    """How many rows a folder of Parquet holds, from its footers alone."""
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
    """Copy a row group into place; the row after its last."""
    end: int = at + table.num_rows
    for column, name in zip(columns, COLUMNS):
        if table[name].null_count:
            raise ContractError(f"a rating's {name} is null", "prepare the ratings again")
        column[at:end] = table[name].to_numpy()
    return end


@dataclass(frozen=True)
class RatingsMatrix:
    """People by titles, in compressed rows: a person's titles ascend.

    `indptr` [U+1], `indices` [ratings] (item rows), `values` [ratings]; `places` [ratings], where
    the order matters, counts back from each person's latest rating, which has place 0.
    """

    indptr: Ints
    indices: ShortInts
    values: Singles
    places: ShortInts | None = None

    def items(self, user_row: int) -> ShortInts:
        """Item rows that this person rated."""
        return self.indices[self.indptr[user_row] : self.indptr[user_row + 1]]

    def stars(self, user_row: int) -> Singles:
        """Their ratings, in the order of `items`."""
        return self.values[self.indptr[user_row] : self.indptr[user_row + 1]]

    def oldest_first(self, user_row: int) -> Rows:
        """Places in `items` and `stars` in the order of rating; as they lie where it is unknown."""
        start, end = self.indptr[user_row], self.indptr[user_row + 1]
        if self.places is None:
            return np.arange(end - start)
        return np.argsort(-self.places[start:end], kind="stable")

    def fault(self, people: int, titles: int) -> str:
        """What does not fit a catalogue of this size; empty where all does."""
        ends, rows = self.indptr, self.indices
        whole = ends.shape == (people + 1,) and ends[0] == 0
        if not (whole and ends[-1] == len(rows) == len(self.values) and (np.diff(ends) >= 0).all()):
            return "ratings_indptr does not fit"
        if len(rows) and (rows.min() < 0 or rows.max() >= titles):
            return "ratings_indices points outside the titles"
        if self.places is not None and not _are_places(self.places, np.diff(ends)):
            return "ratings_places does not count back from each person's latest rating"
        return "" if np.isfinite(self.values).all() else "ratings_values: a value is not finite"

    @classmethod
    def build(
        cls, users: Rows, items: Rows, values: Floats, people: int, times: Ints | None = None
    ) -> RatingsMatrix:
        """From rows of any order; a pair must appear at most once. With `times`, in the order of
        (time, title)."""
        order = np.lexsort((items, users))
        counts = np.bincount(users, minlength=people)
        indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        places = None if times is None else _places(users, items, times, counts)[order]
        return cls(indptr, items[order].astype(np.int32), values[order].astype(np.float32), places)


def _places(users: Rows, items: Rows, times: Ints, counts: Rows) -> ShortInts:
    """How many of the same person's ratings are later, for each row."""
    order = np.lexsort((items, times, users))
    ends = np.repeat(np.cumsum(counts), counts)
    places: ShortInts = np.empty(len(users), dtype=np.int32)
    places[order] = ends - 1 - np.arange(len(users))
    return places


def _are_places(places: ShortInts, counts: Ints) -> bool:
    """Whether each person's places are 0 .. n - 1 in some order."""
    if len(places) != counts.sum():
        return False
    owner = np.repeat(np.arange(len(counts)), counts)
    wanted = np.arange(len(places)) - np.repeat(np.cumsum(counts) - counts, counts)
    return bool(np.array_equal(places[np.lexsort((places, owner))], wanted))
