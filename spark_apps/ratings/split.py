"""The holdout: each person's rows after the first ceil(0.8 n) by (time, movie id).

The same rule as `scoring.recommender.splits.last_share`; a test holds them equal.
"""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

FEWEST = 5  # people with fewer ratings hold out none
HELD_OUT = "is_held_out"


def mark_holdout(ratings: DataFrame) -> DataFrame:
    """Add `is_held_out`. ceil(0.8 n) is (4 n + 4) div 5 in whole numbers, free of rounding."""
    person = Window.partitionBy("user_id")
    everything = Window.unboundedPreceding, Window.unboundedFollowing
    n = F.count(F.lit(1)).over(person.rowsBetween(*everything))
    place = F.row_number().over(person.orderBy("time", "movie_id"))
    numbered = ratings.withColumns({"n": n, "place": place})
    late = F.col("place") > F.floor((F.col("n") * 4 + 4) / 5)
    held_out = late & (F.col("n") >= FEWEST)
    return numbered.withColumn(HELD_OUT, held_out).drop("n", "place")
