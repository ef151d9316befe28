"""Which people and titles a fit knows, and their ratings by row instead of by id.

Spark's ALS wants 32-bit ids; ours have 64 bits and may be negative. A row number in the ascending
ids is dense, small, and already what the bundle's arrays are ordered by.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from scoring.arrays import Floats, Ints, Rows, rows_of
from scoring.recommender.bundle import Title
from scoring.recommender.ratings import Ratings, RatingsMatrix

IN_BATCHES = {"localRelationThreshold": "4m", "maxRecordsPerBatch": "80000"}
"""Beyond four megabytes (350,000 rows) the JVM keeps Arrow's bytes, a partition a batch. Below,
each row is an object there, serialised with each task: a million of them fill a heap of 900 MB."""


@dataclass(frozen=True)
class Catalogue:
    """Ascending ids of people and titles, and what is known of the titles."""

    user_ids: Ints
    movie_ids: Ints
    titles: Mapping[int, Title]

    @classmethod
    def of(cls, ratings: Ratings, titles: Mapping[int, Title]) -> Catalogue:
        """Everybody who rated; everything rated or listed, so that cold titles are answered too."""
        listed = np.array(sorted(titles), dtype=np.int64)
        movies = np.union1d(np.unique(ratings.movie_ids), listed)
        return cls(np.unique(ratings.user_ids), movies.astype(np.int64), titles)


@dataclass(frozen=True)
class IndexedRatings:
    """Ratings by row of a catalogue; `times` are UTC seconds."""

    catalogue: Catalogue
    users: Rows
    items: Rows
    values: Floats
    times: Ints

    @classmethod
    def of(cls, ratings: Ratings, catalogue: Catalogue) -> IndexedRatings:
        """Every id must be in the catalogue."""
        users = rows_of(catalogue.user_ids, ratings.user_ids)
        items = rows_of(catalogue.movie_ids, ratings.movie_ids)
        return cls(catalogue, users, items, ratings.values, ratings.times)

    @cached_property
    def matrix(self) -> RatingsMatrix:
        """People by titles, with the order of rating."""
        people = len(self.catalogue.user_ids)
        return RatingsMatrix.build(self.users, self.items, self.values, people, self.times)

    def rated(self, user: int) -> Rows:
        """The titles a person rated, oldest first."""
        return self.matrix.items(user)[self.matrix.oldest_first(user)].astype(np.intp)

    def frame(self, spark: SparkSession) -> DataFrame:
        """As Spark sees them: `user` int, `item` int, `rating` float, `seen` float (always 1)."""
        columns = {
            "user": self.users.astype(np.int32),
            "item": self.items.astype(np.int32),
            "rating": self.values.astype(np.float32),
        }
        for key, value in IN_BATCHES.items():
            spark.conf.set(f"spark.sql.execution.arrow.{key}", value)
        frame = spark.createDataFrame(pa.table(columns))
        return frame.withColumn("seen", F.lit(1.0).cast("float"))
