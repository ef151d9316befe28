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
from marquee.lake import Lake
from sources.ratings import LISTED, RATINGS_FILE, TITLES_FILE
from sources.ratings_forms import LINKS, TITLES
from spark_apps.ratings.feedback_order import WORD, in_order

HEADER = {"userId": "user_id", "movieId": "movie_id", "rating": "rating", "timestamp": "time"}
FEEDBACK_LINES = (
    "person string, movie_id string, rating string, time string, seq bigint, effective_time bigint"
)


def read_release(spark: SparkSession, lake: Lake, folder: str) -> DataFrame:
    """A loaded release's ratings."""
    path = f"{folder}/{RATINGS_FILE}"
    if lake.exists(path):
        raw = _read_ours(spark, lake.uri(path), tuple(HEADER))
    else:
        raw = _read_older(spark, lake.uri(f"{folder}/ratings.csv"), tuple(HEADER))
    columns = [F.trim(F.col(name)).alias(ours) for name, ours in HEADER.items()]
    none = F.lit(None).cast(WORD).alias("word")
    return raw.select(
        *columns, F.lit(False).alias("is_deleted"), F.lit(False).alias("is_ours"), none
    )


def read_listed(spark: SparkSession, lake: Lake, folder: str, is_text: bool) -> DataFrame:
    """The titles a loaded release lists: movieId, title, genres, titleId, all strings.

    One row a movie, one movie an IMDb id. `is_text`: the release names titles by text.
    """
    path = f"{folder}/{TITLES_FILE}"
    if lake.exists(path):
        return _read_ours(spark, lake.uri(path), LISTED)
    key = F.trim("movieId") if is_text else F.col("movieId").try_cast("bigint").cast("string")
    movies = _read_older(spark, lake.uri(f"{folder}/movies.csv"), TITLES)
    links = _read_older(spark, lake.uri(f"{folder}/links.csv"), LINKS)
    titles = movies.withColumn("movieId", key).where("movieId != ''")
    linked = links.select(key.alias("movieId"), _older_title_id().alias("titleId"))
    # The least of several is as good as any, and the same in every run.
    a_title = linked.groupBy("movieId").agg(F.min("titleId").alias("titleId"))
    a_movie = a_title.dropna().groupBy("titleId").agg(F.min("movieId").alias("movieId"))
    a_name = titles.groupBy("movieId").agg(F.min(F.struct("title", "genres")).alias("name"))
    return a_name.join(a_movie, on="movieId", how="left").select(
        "movieId", "name.title", "name.genres", "titleId"
    )


def read_names(spark: SparkSession, lake: Lake, folder: str) -> DataFrame:
    """The texts that name titles in a loaded release, as the column `text`."""
    path = f"{folder}/{TITLES_FILE}"
    if lake.exists(path):
        listed = _read_ours(spark, lake.uri(path), LISTED)
    else:
        listed = _read_older(spark, lake.uri(f"{folder}/movies.csv"), TITLES)
    return listed.select(F.trim("movieId").alias("text"))


def _read_ours(spark: SparkSession, uri: str, columns: Sequence[str]) -> DataFrame:
    """A file of a loaded release: tabs, no quotes, these columns."""
    schema = ", ".join(f"`{name}` string" for name in columns)
    return spark.read.csv(uri, schema=schema, sep="\t", quote="", header=True)


def _read_older(spark: SparkSession, uri: str, columns: Sequence[str]) -> DataFrame:
    """A CSV file of a release that an older reader loaded, by its header; SourceError names the
    columns it lacks."""
    try:
        raw = spark.read.csv(uri, header=True, mode="PERMISSIVE", quote='"', escape='"')
    except AnalysisException as error:
        raise SourceError(f"{uri} cannot be read: {error}", "load the ratings again") from None
    missing = [name for name in columns if name not in raw.columns]
    if missing:
        found = ", ".join(raw.columns) or "nothing"
        raise SourceError(
            f"{uri} lacks the column {', '.join(missing)} (its header holds: {found})",
            "load the ratings again",
        )
    return raw.select(*columns)


def _older_title_id() -> Column:
    """IMDb's number, as MovieLens writes it: without `tt` and leading zeros."""
    digits = F.regexp_extract("imdbId", r"^0*(\d{1,10})$", 1)
    whole = F.when(F.length(digits) < 7, F.lpad(digits, 7, "0")).otherwise(digits)
    return F.when(digits != "", F.concat(F.lit("tt"), whole))


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
