"""Raw ratings and feedback as strings, in one form, with nothing judged yet.

The form: `user_id`, `movie_id`, `rating`, `time` as strings, and `is_deleted` (a feedback line
without a rating takes the rating back), `is_ours` (from our own API, whose people are negative),
`word` (which of two words of our API comes later; null in a release).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyspark.errors import AnalysisException
from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from marquee.errors import SourceError
from spark_apps.ratings.feedback_order import WORD, in_order

HEADER = {"userId": "user_id", "movieId": "movie_id", "rating": "rating", "timestamp": "time"}
FEEDBACK_LINES = (
    "person string, movie_id string, rating string, time string, seq bigint, effective_time bigint"
)


def read_release(spark: SparkSession, uri: str) -> DataFrame:
    """A release's `ratings.csv`; raises SourceError naming the columns its header lacks."""
    try:
        raw = spark.read.csv(uri, header=True, mode="PERMISSIVE")
    except AnalysisException as error:
        raise SourceError(f"{uri} cannot be read: {error}", "load the ratings again") from None
    missing = [name for name in HEADER if name not in raw.columns]
    if missing:
        found = ", ".join(raw.columns) or "nothing"
        raise SourceError(
            f"{uri} lacks the column {', '.join(missing)} (its header holds: {found})",
            "its first line should be " + ",".join(HEADER),
        )
    columns = [F.trim(F.col(name)).alias(ours) for name, ours in HEADER.items()]
    none = F.lit(None).cast(WORD).alias("word")
    return raw.select(
        *columns, F.lit(False).alias("is_deleted"), F.lit(False).alias("is_ours"), none
    )


def read_listed(spark: SparkSession, uri: str) -> DataFrame:
    """The texts that name titles in a release's `movies.csv`, as the column `text`."""
    listed = spark.read.csv(uri, header=True, mode="PERMISSIVE", quote='"', escape='"')
    return listed.select(F.trim(F.col("movieId")).alias("text"))


def read_feedback(
    spark: SparkSession, uris: Sequence[str], said_by: Mapping[str, int] | None = None
) -> DataFrame:
    """Sealed segments of feedback; people of our API get negative ids.

    `time` is the moment a line counts from, not what the server's clock said. `said_by`: as
    `feedback_order.in_order` takes it. A line that takes back all a person has said becomes one
    for each title they ever spoke of, on whichever server.
    """
    lines = spark.read.schema(FEEDBACK_LINES).json(list(uris))
    takes_all = F.col("movie_id").isNull() & F.col("rating").isNull() & F.col("person").isNotNull()
    spoken_of = F.collect_set("movie_id").over(Window.partitionBy("person"))
    meant = F.when(takes_all, spoken_of).otherwise(F.array("movie_id"))
    ordered = in_order(lines, said_by).withColumn("meant", meant)
    return ordered.withColumn("movie_id", F.explode("meant")).select(
        person_id(F.col("person")).cast("string").alias("user_id"),
        "movie_id",
        "rating",
        "time",
        F.col("rating").isNull().alias("is_deleted"),
        F.lit(True).alias("is_ours"),
        "word",
    )


def person_id(name: Column) -> Column:
    """`marquee.names.person_id` as a column: -1 less the first 62 bits of the name's sha256."""
    first_bytes = F.conv(F.substring(F.sha2(name, 256), 1, 16), 16, -10).cast("bigint")
    return F.lit(-1) - F.shiftrightunsigned(first_bytes, 2)
