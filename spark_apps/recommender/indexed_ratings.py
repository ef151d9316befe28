"""The ratings of a fit by row number, and the catalogue of their people and titles.

Every family is fitted to `IndexedRatings`. Ids become row numbers in ascending order, because
Spark's ALS needs 32-bit ids and ours have 64 bits. The bundle's arrays have the same order.
`read_indexed` makes them from prepared ratings, file by file: ids of 64 bits are in memory for one
row group at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from scoring.arrays import Floats, Ints, Mask, Rows, ShortInts, row_ends, rows_of
from scoring.recommender.bundle import Title
from scoring.recommender.ratings_arrays import Ratings, RatingsMatrix, places_of
from scoring.recommender.ratings_files import count_rows, rating_groups
from spark_apps.recommender.rating_blocks import compress, star_indices

ARROW_SETTINGS = {"localRelationThreshold": "4m", "maxRecordsPerBatch": "80000"}
"""Above 4 MB (350,000 rows) the JVM keeps Arrow's bytes, one partition a batch. Below, each row is
a JVM object, and a million such objects fill a heap of 900 MB."""
AT_ONCE = 1_000_000  # rows that are made wide at a time


@dataclass(frozen=True)
class Catalogue:
    """Ascending ids of people and titles, and the listed titles by id."""

    user_ids: Ints
    movie_ids: Ints
    titles: Mapping[int, Title]

    @property
    def shape(self) -> tuple[int, int]:
        """(number of people, number of titles)"""
        return len(self.user_ids), len(self.movie_ids)

    @classmethod
    def of(cls, ratings: Ratings, titles: Mapping[int, Title]) -> Catalogue:
        """All people who rated, and all titles rated or listed, so that cold titles have a row."""
        listed = np.array(sorted(titles), dtype=np.int64)
        movies = np.union1d(np.unique(ratings.movie_ids), listed)
        return cls(np.unique(ratings.user_ids), movies.astype(np.int64), titles)


@dataclass(frozen=True)
class IndexedRatings:
    """Ratings by row of a catalogue, by person and title: 13 bytes each.

    `indptr` [U + 1] and `indices` [ratings] (titles) are compressed rows; see `scoring.arrays`.
    `stars` [ratings] are indices of the ascending `levels`, the distinct stars. `times` [ratings]
    are UTC seconds. The columns `users`, `items` and `values` are made at each access.
    """

    catalogue: Catalogue
    indptr: Ints
    indices: ShortInts
    stars: NDArray[Any]
    levels: Floats
    times: Ints

    @classmethod
    def of(cls, ratings: Ratings, catalogue: Catalogue) -> IndexedRatings:
        """Index ratings in any order; every id must be in the catalogue."""
        users = rows_of(catalogue.user_ids, ratings.user_ids)
        items = rows_of(catalogue.movie_ids, ratings.movie_ids)
        indptr, indices, order = compress(users, items, catalogue.shape)
        levels, stars = star_indices(ratings.values)
        return cls(catalogue, indptr, indices, stars[order], levels, ratings.times[order])

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def users(self) -> Rows:
        """The row of each rating's person [ratings]."""
        return np.repeat(np.arange(len(self.indptr) - 1), np.diff(self.indptr))

    @property
    def items(self) -> Rows:
        """The row of each rating's title [ratings]."""
        return self.indices.astype(np.intp)

    @property
    def values(self) -> Floats:
        """The stars [ratings]."""
        values: Floats = self.levels[self.stars]
        return values

    @cached_property
    def title_counts(self) -> Ints:
        """How often each title was rated [I]."""
        return counted(self.indices, self.catalogue.shape[1])

    @cached_property
    def moments(self) -> tuple[float, float]:
        """The mean and the variance of all stars."""
        shares = counted(self.stars, len(self.levels)) / len(self)
        mean = float(shares @ self.levels)
        return mean, float(shares @ (self.levels - mean) ** 2)

    @cached_property
    def matrix(self) -> RatingsMatrix:
        """The ratings [people, titles], with their order in time."""
        values = self.levels.astype(np.float32)[self.stars]
        places = places_of(self.indptr, self.times)
        return RatingsMatrix(self.indptr, self.indices, values, places)

    def rated(self, user: int) -> Rows:
        """The titles a person rated, oldest first."""
        return self.matrix.items(user)[self.matrix.oldest_first(user)].astype(np.intp)

    def where(self, chosen: Mask) -> IndexedRatings:
        """The chosen rows, in a catalogue of their people and titles and every listed title."""
        catalogue, indices = self.catalogue, self.indices[chosen]
        counts = counted(
            np.repeat(np.arange(len(self.indptr) - 1, dtype=np.int32), np.diff(self.indptr))[
                chosen
            ],
            len(self.indptr) - 1,
        )
        listed = np.isin(catalogue.movie_ids, np.fromiter(catalogue.titles, dtype=np.int64))
        kept = (counted(indices, len(listed)) > 0) | listed
        people = counts > 0
        levels, stars = used_levels(self.levels, self.stars[chosen])
        return IndexedRatings(
            Catalogue(catalogue.user_ids[people], catalogue.movie_ids[kept], catalogue.titles),
            row_ends(counts[people]),
            (np.cumsum(kept, dtype=np.int32) - 1)[indices],
            stars,
            levels,
            self.times[chosen],
        )

    def by_id(self) -> Ratings:
        """The same rows by ids of people and titles."""
        catalogue = self.catalogue
        ids = np.repeat(catalogue.user_ids, np.diff(self.indptr)), catalogue.movie_ids[self.indices]
        return Ratings(*ids, self.values, self.times)

    def frame(self, spark: SparkSession) -> Frame:
        """A Spark frame that is made when it is first called for: see `Frame`."""
        return Frame(lambda: self._frame(spark))

    def _frame(self, spark: SparkSession) -> DataFrame:
        columns = {
            "user": self.users.astype(np.int32),
            "item": self.indices,
            "rating": self.values.astype(np.float32),
        }
        for key, value in ARROW_SETTINGS.items():
            spark.conf.set(f"spark.sql.execution.arrow.{key}", value)
        frame = spark.createDataFrame(pa.table(columns))
        return frame.withColumn("seen", F.lit(1.0).cast("float"))


def counted(rows: NDArray[Any], length: int) -> Ints:
    """How often each of 0 .. length - 1 occurs, without a wide copy of `rows`."""
    found = np.zeros(length, dtype=np.int64)
    for start in range(0, len(rows), AT_ONCE):
        found += np.bincount(rows[start : start + AT_ONCE], minlength=length)
    return found


def used_levels(levels: Floats, stars: NDArray[Any]) -> tuple[Floats, NDArray[Any]]:
    """The levels that occur, and the indices of `stars` among them."""
    used = counted(stars, len(levels)) > 0
    return levels[used], (np.cumsum(used) - 1).astype(stars.dtype)[stars]


class Frame:
    """Ratings as a Spark frame, made at the first call; not at all where no family calls.

    Columns: `user` int, `item` int, `rating` float, `seen` float (always 1).
    """

    def __init__(self, make: Callable[[], DataFrame]) -> None:
        self._make, self._lock = make, Lock()
        self._made: DataFrame | None = None

    def __call__(self) -> DataFrame:
        with self._lock:  # predictor and ranker are fitted in two threads
            if self._made is None:
                self._made = self._make()
            return self._made


def read_indexed(
    folders: Sequence[Path], titles: Mapping[int, Title]
) -> tuple[IndexedRatings, ShortInts]:
    """The rows of prepared folders together, and for each row the place of its folder.

    The catalogue has everybody who rated, and all titles rated or listed in `titles`. The order of
    the files changes nothing. Raises ContractError where a folder breaks the contract.
    """
    users, movies = (_distinct(folders, name, np.int64) for name in ("user_id", "movie_id"))
    levels = _distinct(folders, "rating", np.float64)
    listed = np.array(sorted(titles), dtype=np.int64)
    catalogue = Catalogue(users, np.union1d(movies, listed).astype(np.int64), titles)
    owners = _rows(folders, "user_id", users, np.int32)
    items = _rows(folders, "movie_id", catalogue.movie_ids, np.int32)
    indptr, indices, order = compress(owners, items, catalogue.shape)
    del owners, items
    stars = _rows(folders, "rating", levels, np.min_scalar_type(max(len(levels) - 1, 0)))[order]
    times = np.concatenate(list(rating_groups(folders, "time"))).astype(np.int64, copy=False)[order]
    ends = np.cumsum([count_rows(folder) for folder in folders])
    places = np.searchsorted(ends, order, side="right").astype(np.int32)
    return IndexedRatings(catalogue, indptr, indices, stars, levels, times), places


def _distinct(folders: Sequence[Path], name: str, kind: Any) -> NDArray[Any]:
    """The ascending distinct values of a column."""
    return np.unique(np.concatenate([*map(np.unique, rating_groups(folders, name))]).astype(kind))


def _rows(folders: Sequence[Path], name: str, values: NDArray[Any], kind: Any) -> NDArray[Any]:
    """A column as places in the ascending `values`, which hold all of it."""
    pieces = (np.searchsorted(values, one).astype(kind) for one in rating_groups(folders, name))
    return np.concatenate(list(pieces))
