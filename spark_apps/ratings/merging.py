"""One rating a pair: rows before as-of, the latest of each person and title."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from marquee.contracts import RATINGS


def before(rows: DataFrame, as_of: int) -> DataFrame:
    """Rows from before `as_of`, in UTC seconds."""
    return rows.where(F.col("time") < as_of)


def latest_of_each_pair(rows: DataFrame) -> DataFrame:
    """The latest row of each (person, title); pairs whose latest row takes it back are gone.

    Of a server's words on our own API the last in its order wins (their times ascend), of two
    servers' in one second the one of the later name. Of a release's rows of the same second the
    higher rating wins: blind to the order in which files are read. One shuffle by person serves
    this and the split that follows.
    """
    order = F.struct("time", "word", "is_deleted", "rating")
    last = F.max(order).alias("last")
    one = rows.repartition("user_id").groupBy("user_id", "movie_id").agg(last)
    kept = one.where(~F.col("last.is_deleted"))
    return kept.select("user_id", "movie_id", "last.rating", "last.time").select(*RATINGS.names)
