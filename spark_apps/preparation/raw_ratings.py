"""Raw ratings and feedback as DataFrames of one form, before any rule is applied.

The form: `user_id`, `movie_id`, `rating`, `time` as strings; `is_deleted` (a line of feedback
without a rating takes the rating back); `is_ours` (from our own API, whose people have negative
ids); `position` (which of two lines of feedback comes later; null in a release).

Feedback counts from the moments that `sources.feedback_lines` defines (a test holds the two equal):
a server's lines are in the order of their sequence numbers, and a later line bounds the time of an
earlier one. Lines without a number come first, by segment and by their place in it. No line counts
from later than the moment at which a run first froze its segment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyspark.errors import AnalysisException
from pyspark.sql import Column, DataFrame, SparkSession, Window, WindowSpec
from pyspark.sql import functions as F

from marquee.errors import SourceError
from marquee.lake import Lake
from sources.feedback_lines import SET_FROM
from sources.ratings_forms import LINKS, LISTED, RATINGS_FILE, TITLES, TITLES_FILE

HEADER = {"userId": "user_id", "movieId": "movie_id", "rating": "rating", "timestamp": "time"}
FEEDBACK_LINES = (
    "person string, movie_id string, rating string, time string, seq bigint, effective_time bigint"
)
POSITION = "struct<server: string, place: bigint>"
SEGMENT = r"([^/]+)-(\d{6})(?:-[0-9a-f]{12}/[^/]+|(?:\.open)?\.jsonl)$"
SEGMENT_SUFFIX = len("000001-0123456789ab")
"""Characters of a segment's number and digest, at the end of its folder's name.

Spark encodes the server's name before them."""


def read_ratings(spark: SparkSession, lake: Lake, folder: str) -> DataFrame:
    """The ratings of a loaded release."""
    path = f"{folder}/{RATINGS_FILE}"
    if lake.exists(path):
        raw = _read_ours(spark, lake.uri(path), tuple(HEADER))
    else:
        raw = _read_older(spark, lake.uri(f"{folder}/ratings.csv"), tuple(HEADER))
    columns = [F.trim(F.col(name)).alias(ours) for name, ours in HEADER.items()]
    none = F.lit(None).cast(POSITION).alias("position")
    return raw.select(
        *columns, F.lit(False).alias("is_deleted"), F.lit(False).alias("is_ours"), none
    )


def read_listed(spark: SparkSession, lake: Lake, folder: str, is_text: bool) -> DataFrame:
    """The titles that a loaded release lists: movieId, title, genres, titleId, all strings.

    There is one row a movie and one movie an IMDb id. `is_text`: the release names titles by text.
    """
    path = f"{folder}/{TITLES_FILE}"
    if lake.exists(path):
        return _read_ours(spark, lake.uri(path), LISTED)
    key = F.trim("movieId") if is_text else F.col("movieId").try_cast("bigint").cast("string")
    movies = _read_older(spark, lake.uri(f"{folder}/movies.csv"), TITLES)
    links = _read_older(spark, lake.uri(f"{folder}/links.csv"), LINKS)
    titles = movies.withColumn("movieId", key).where("movieId != ''")
    linked = links.select(key.alias("movieId"), _older_title_id().alias("titleId"))
    # The least of several: any would do, and every run must choose the same.
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


def read_feedback(
    spark: SparkSession, uris: Sequence[str], complete_by: Mapping[str, int] | None = None
) -> DataFrame:
    """Sealed segments of feedback; people of our API get negative ids.

    `time` is the moment from which a line counts, not the stamp of the server's clock.
    `complete_by`: UTC seconds by which a segment was complete, by the name of its folder. A line
    that takes back all ratings of a person becomes one line for each title of any of their lines,
    on every server.
    """
    lines = spark.read.schema(FEEDBACK_LINES).json(list(uris))
    takes_back_all = (
        F.col("movie_id").isNull() & F.col("rating").isNull() & F.col("person").isNotNull()
    )
    titles_of_person = F.collect_set("movie_id").over(Window.partitionBy("person"))
    titles = F.when(takes_back_all, titles_of_person).otherwise(F.array("movie_id"))
    ordered = _with_ascending_times(lines, complete_by).withColumn("titles", titles)
    return ordered.withColumn("movie_id", F.explode("titles")).select(
        person_id(F.col("person")).cast("string").alias("user_id"),
        "movie_id",
        "rating",
        "time",
        F.col("rating").isNull().alias("is_deleted"),
        F.lit(True).alias("is_ours"),
        "position",
    )


def person_id(name: Column) -> Column:
    """`marquee.identifiers.person_id` as a column: -1 minus 62 bits of the name's sha256."""
    first_bytes = F.conv(F.substring(F.sha2(name, 256), 1, 16), 16, -10).cast("bigint")
    return F.lit(-1) - F.shiftrightunsigned(first_bytes, 2)


def _read_ours(spark: SparkSession, uri: str, columns: Sequence[str]) -> DataFrame:
    """A file in the lake's form: tabs, no quotes, these columns."""
    schema = ", ".join(f"`{name}` string" for name in columns)
    return spark.read.csv(uri, schema=schema, sep="\t", quote="", header=True)


def _read_older(spark: SparkSession, uri: str, columns: Sequence[str]) -> DataFrame:
    """A CSV file that the reader of 612d7b6 loaded; SourceError names the columns it lacks."""
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
    """The title id of MovieLens' number, which lacks `tt` and leading zeros."""
    digits = F.regexp_extract("imdbId", r"^0*(\d{1,10})$", 1)
    whole = F.when(F.length(digits) < 7, F.lpad(digits, 7, "0")).otherwise(digits)
    return F.when(digits != "", F.concat(F.lit("tt"), whole))


def _with_ascending_times(
    lines: DataFrame, complete_by: Mapping[str, int] | None = None
) -> DataFrame:
    """Add `position` (the server, and the line's place there) and replace `time` by the ascending
    effective time, as a string.

    One task sorts one server's lines: the window over a server's history needs them together.
    """
    stamped = lines.withColumns(
        {
            "server": _of_path(1),
            "segment": F.coalesce(_of_path(2).try_cast("int"), F.lit(0)),
            "block": F.col("_metadata.file_block_start"),
            "row": F.monotonically_increasing_id(),  # ascends within a block of a file
            "stamp": _not_after(
                F.coalesce("effective_time", F.col("time").try_cast("bigint")), complete_by or {}
            ),
        }
    )
    backward, forward = _history(descending=True), _history(descending=False)
    known = F.when(F.col("stamp") >= SET_FROM, F.col("stamp"))
    bounded = stamped.withColumn("bound", F.coalesce(F.min(known).over(backward), F.col("stamp")))
    placed = bounded.withColumns(
        {
            "place": F.row_number().over(forward).cast("bigint"),
            "ascending": F.max("bound").over(forward),
        }
    )
    # A line whose time is no number must still break the rule about it.
    time = F.when(F.col("stamp").isNotNull(), F.col("ascending")).cast("string")
    return placed.withColumns({"time": time, "position": F.struct("server", "place")})


def _not_after(stamp: Column, complete_by: Mapping[str, int]) -> Column:
    """The stamp, or the moment by which its segment was complete, where that is earlier.

    A stamp that is no number stays null. A moment of a clock that was not set bounds nothing.
    """
    moments = {name[-SEGMENT_SUFFIX:]: at for name, at in complete_by.items() if at >= SET_FROM}
    if not moments:
        return stamp
    known = [F.lit(value) for pair in moments.items() for value in pair]
    folder = F.right(
        F.element_at(F.split(F.col("_metadata.file_path"), "/"), -2), F.lit(SEGMENT_SUFFIX)
    )
    until = F.create_map(*known)[folder]
    return F.when(stamp > until, until).otherwise(stamp)


def _of_path(group: int) -> Column:
    """A group of `SEGMENT` in the path of the file that a line comes from."""
    return F.regexp_extract(F.col("_metadata.file_path"), SEGMENT, group)


def _history(*, descending: bool) -> WindowSpec:
    """All lines of a server before each line, or (descending) after it, and the line itself."""
    keys = (F.coalesce("seq", F.lit(0)), F.col("segment"), F.col("block"), F.col("row"))
    order = [key.desc() if descending else key.asc() for key in keys]
    return (
        Window.partitionBy("server")
        .orderBy(*order)
        .rowsBetween(Window.unboundedPreceding, Window.currentRow)
    )
