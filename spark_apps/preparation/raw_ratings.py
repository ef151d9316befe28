"""Raw ratings and feedback as DataFrames with the same columns, before validation.

- `user_id`, `movie_id`, `rating`, `time`: strings.
- `is_deleted`: a line of feedback without a rating; it deletes the person's rating of the title.
- `is_from_api`: a line of feedback; people of our API have negative ids.
- `feedback_position`: (server, number of the line there); null in a release.

The effective time of a line follows the rules of `sources.feedback_lines` (a test compares the
two). A server's lines are ordered by sequence number. Lines without a number come first, ordered by
segment and line. The effective time is at most that of every later line, and at most the moment
when a run first froze the segment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyspark.errors import AnalysisException
from pyspark.sql import Column, DataFrame, SparkSession, Window, WindowSpec
from pyspark.sql import functions as F

from marquee.errors import SourceError
from marquee.lake import Lake
from sources.feedback_lines import FIRST_TRUSTED_TIME, TOPIC_PREFIX
from sources.ratings_forms import (
    LINK_COLUMNS,
    LISTED_COLUMNS,
    RATINGS_FILE,
    TITLE_COLUMNS,
    TITLES_FILE,
)

HEADER = {"userId": "user_id", "movieId": "movie_id", "rating": "rating", "timestamp": "time"}
FEEDBACK_LINES = (
    "person string, movie_id string, rating string, time string, seq bigint, "
    "effective_time bigint, server string"
)
FEEDBACK_POSITION = "struct<server: string, place: bigint>"
SEGMENT = r"([^/]+)-(\d{6})(?:-[0-9a-f]{12}/[^/]+|(?:\.open)?\.jsonl)$"
SEGMENT_SUFFIX = len("000001-0123456789ab")
"""Length of the number and digest at the end of a segment's folder name.

Only this end identifies a segment, because Spark encodes the server's name before it."""


def read_ratings(spark: SparkSession, lake: Lake, folder: str) -> DataFrame:
    """The ratings of a loaded release, or of a CSV that older code loaded."""
    path = f"{folder}/{RATINGS_FILE}"
    if lake.exists(path):
        raw = _read_lake_table(spark, lake.uri(path), tuple(HEADER))
    else:
        raw = _read_older_csv(spark, lake.uri(f"{folder}/ratings.csv"), tuple(HEADER))
    columns = [F.trim(F.col(name)).alias(ours) for name, ours in HEADER.items()]
    none = F.lit(None).cast(FEEDBACK_POSITION).alias("feedback_position")
    return raw.select(
        *columns, F.lit(False).alias("is_deleted"), F.lit(False).alias("is_from_api"), none
    )


def read_listed(spark: SparkSession, lake: Lake, folder: str, is_text: bool) -> DataFrame:
    """The titles that a loaded release lists: movieId, title, genres, titleId, all strings.

    `movieId` is unique, and so is `titleId` where it is not null. `is_text`: movie ids are text.
    """
    path = f"{folder}/{TITLES_FILE}"
    if lake.exists(path):
        return _read_lake_table(spark, lake.uri(path), LISTED_COLUMNS)
    key = F.trim("movieId") if is_text else F.col("movieId").try_cast("bigint").cast("string")
    movies = _read_older_csv(spark, lake.uri(f"{folder}/movies.csv"), TITLE_COLUMNS)
    links = _read_older_csv(spark, lake.uri(f"{folder}/links.csv"), LINK_COLUMNS)
    titles = movies.withColumn("movieId", key).where("movieId != ''")
    linked = links.select(key.alias("movieId"), _imdb_title_id().alias("titleId"))
    # Of several values the least, so that every run chooses the same.
    a_title = linked.groupBy("movieId").agg(F.min("titleId").alias("titleId"))
    a_movie = a_title.dropna().groupBy("titleId").agg(F.min("movieId").alias("movieId"))
    a_name = titles.groupBy("movieId").agg(F.min(F.struct("title", "genres")).alias("name"))
    return a_name.join(a_movie, on="movieId", how="left").select(
        "movieId", "name.title", "name.genres", "titleId"
    )


def read_names(spark: SparkSession, lake: Lake, folder: str) -> DataFrame:
    """The text ids of titles that a loaded release lists, as the column `text`."""
    path = f"{folder}/{TITLES_FILE}"
    if lake.exists(path):
        listed = _read_lake_table(spark, lake.uri(path), LISTED_COLUMNS)
    else:
        listed = _read_older_csv(spark, lake.uri(f"{folder}/movies.csv"), TITLE_COLUMNS)
    return listed.select(F.trim("movieId").alias("text"))


def read_feedback(
    spark: SparkSession, uris: Sequence[str], complete_by: Mapping[str, int] | None = None
) -> DataFrame:
    """Sealed segments of feedback; people of our API get negative ids.

    `time` is the effective time, which may precede the server's time stamp. `complete_by`: UTC
    seconds by which a segment was complete, by the name of its folder. A line that deletes all
    ratings of a person becomes one line for each title in that person's lines on any server.
    """
    lines = spark.read.schema(FEEDBACK_LINES).json(list(uris))
    deletes_all = (
        F.col("movie_id").isNull() & F.col("rating").isNull() & F.col("person").isNotNull()
    )
    titles_of_person = F.collect_set("movie_id").over(Window.partitionBy("person"))
    titles = F.when(deletes_all, titles_of_person).otherwise(F.array("movie_id"))
    over_topic = any(uri.split("/")[-2].startswith(TOPIC_PREFIX) for uri in uris)
    timed = _with_ascending_times(lines, complete_by, over_topic)
    ordered = timed.withColumn("titles", titles)
    return ordered.withColumn("movie_id", F.explode("titles")).select(
        person_id(F.col("person")).cast("string").alias("user_id"),
        "movie_id",
        "rating",
        "time",
        F.col("rating").isNull().alias("is_deleted"),
        F.lit(True).alias("is_from_api"),
        "feedback_position",
    )


def person_id(name: Column) -> Column:
    """`marquee.identifiers.person_id` as a column: -1 minus 62 bits of the name's sha256."""
    first_bytes = F.conv(F.substring(F.sha2(name, 256), 1, 16), 16, -10).cast("bigint")
    return F.lit(-1) - F.shiftrightunsigned(first_bytes, 2)


def _read_lake_table(spark: SparkSession, uri: str, columns: Sequence[str]) -> DataFrame:
    """A table as `load_ratings` writes it: tabs, no quotes, these columns."""
    schema = ", ".join(f"`{name}` string" for name in columns)
    return spark.read.csv(uri, schema=schema, sep="\t", quote="", header=True)


def _read_older_csv(spark: SparkSession, uri: str, columns: Sequence[str]) -> DataFrame:
    """A CSV file that code of commit 612d7b6 loaded; SourceError names missing columns."""
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


def _imdb_title_id() -> Column:
    """MovieLens' IMDb number as a title id: `114709` as `tt0114709`."""
    digits = F.regexp_extract("imdbId", r"^0*(\d{1,10})$", 1)
    whole = F.when(F.length(digits) < 7, F.lpad(digits, 7, "0")).otherwise(digits)
    return F.when(digits != "", F.concat(F.lit("tt"), whole))


def _with_ascending_times(
    lines: DataFrame, complete_by: Mapping[str, int] | None = None, over_topic: bool = False
) -> DataFrame:
    """Add `feedback_position`, and replace `time` by the effective time, as a string.

    The effective time never decreases along a server's lines. `over_topic`: some lines came over a
    topic; those that came twice are left out.
    """
    stamped = lines.withColumns(
        {
            "is_copy": F.col("server").isNotNull(),
            "server": F.coalesce("server", _segment_server()),
            "segment": F.coalesce(_path_group(2).try_cast("int"), F.lit(0)),
            "block": F.col("_metadata.file_block_start"),
            "row": F.monotonically_increasing_id(),  # ascends within a block of a file
            "stamp": _not_after(
                F.coalesce("effective_time", F.col("time").try_cast("bigint")), complete_by or {}
            ),
        }
    )
    stamped = _each_once(stamped) if over_topic else stamped
    backward, forward = _lines_until(descending=True), _lines_until(descending=False)
    known = F.when(F.col("stamp") >= FIRST_TRUSTED_TIME, F.col("stamp"))
    bounded = stamped.withColumn("bound", F.coalesce(F.min(known).over(backward), F.col("stamp")))
    placed = bounded.withColumns(
        {
            "place": F.row_number().over(forward).cast("bigint"),
            "ascending": F.max("bound").over(forward),
        }
    )
    # A time that is no number stays null, so that validation refuses the line.
    time = F.when(F.col("stamp").isNotNull(), F.col("ascending")).cast("string")
    return placed.withColumns({"time": time, "feedback_position": F.struct("server", "place")})


def _each_once(lines: DataFrame) -> DataFrame:
    """One line of each (server, number): a topic brings what a segment brings, or brings it twice.

    The segment's counts, else the first in the order of the topic's segments.
    """
    order = ("is_copy", "segment", "block", "row")
    copies = Window.partitionBy("server", "seq").orderBy(*order)
    numbered = lines.withColumn("copy", F.row_number().over(copies))
    return numbered.where("seq is null or copy = 1").drop("copy")


def _segment_server() -> Column:
    """The server in the path of the line's file, which Spark encodes."""
    encoded = F.replace(_path_group(1), F.lit("+"), F.lit("%2B"))
    return F.coalesce(F.try_url_decode(encoded), _path_group(1))


def _not_after(stamp: Column, complete_by: Mapping[str, int]) -> Column:
    """The earlier of the stamp and the moment by which its segment was complete.

    A null stamp stays null. A moment before SET_FROM comes from an unset clock and is ignored.
    """
    moments = {
        name[-SEGMENT_SUFFIX:]: at for name, at in complete_by.items() if at >= FIRST_TRUSTED_TIME
    }
    if not moments:
        return stamp
    known = [F.lit(value) for pair in moments.items() for value in pair]
    folder = F.right(
        F.element_at(F.split(F.col("_metadata.file_path"), "/"), -2), F.lit(SEGMENT_SUFFIX)
    )
    until = F.create_map(*known)[folder]
    return F.when(stamp > until, until).otherwise(stamp)


def _path_group(group: int) -> Column:
    """The group of the pattern SEGMENT in the path of the line's file."""
    return F.regexp_extract(F.col("_metadata.file_path"), SEGMENT, group)


def _lines_until(*, descending: bool) -> WindowSpec:
    """The window of each line and its server's earlier lines, or (descending) later lines."""
    keys = (F.coalesce("seq", F.lit(0)), F.col("segment"), F.col("block"), F.col("row"))
    order = [key.desc() if descending else key.asc() for key in keys]
    return (
        Window.partitionBy("server")
        .orderBy(*order)
        .rowsBetween(Window.unboundedPreceding, Window.currentRow)
    )
