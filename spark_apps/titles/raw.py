"""What lies in `raw/`: crawled title items and the ratings release's own catalogue."""

from __future__ import annotations

from datetime import datetime

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from marquee.artefacts.inputs import Inputs, TitlesInput
from marquee.clock import SKEW
from marquee.names import iso
from marquee.normalise.dates import FIRST_FILM, LAST_YEAR
from sources.title_moments import FETCHED
from spark_apps.ratings.text_ids import text_id

CORRUPT = "corrupt"
PERSON = "struct<name_id: string, name: string>"
ITEM_SCHEMA = f"""
    title_id string, title string, type string, year int, release_date string,
    directors array<{PERSON}>, writers array<{PERSON}>, cast array<{PERSON}>,
    genres array<string>, rating double, vote_count bigint,
    budget struct<amount: double, currency: string, confidence: double>,
    countries array<string>, languages array<string>, companies array<string>,
    keywords array<string>, runtime int, certificate string, plot string,
    notes array<string>, fetched_at string, {CORRUPT} string
"""
"""The part of a title item this job reads; a line that does not fit comes whole in `corrupt`."""

# MovieLens' own words where IMDb says otherwise; an empty word is none of IMDb's genres.
MOVIELENS_GENRES = {"Children": "Family", "IMAX": "", "(no genres listed)": ""}
NAME_AND_YEAR = r"^(.*?)\s*\((\d{4})\)\s*$"
NAME_AND_ARTICLE = r"^(.*), (The|A|An|Les?|La|Il|El|Der|Die|Das)$"


def read_items(spark: SparkSession, inputs: Inputs, root: str) -> DataFrame:
    """Every crawled item of every snapshot, with `fetched`, when its page was fetched, and
    `known`, whether the run may know what goes on changing.

    It may where the page was fetched before as-of, and where the run fetched it itself less than
    one interval after: a weekly run's crawl takes place just after the moment it stands for.
    """
    frames = [_read_snapshot(spark, root, one, inputs) for one in inputs.titles]
    items = frames[0] if frames else _no_items(spark)
    for frame in frames[1:]:
        items = items.unionByName(frame)
    return items


def _read_snapshot(
    spark: SparkSession, root: str, snapshot: TitlesInput, inputs: Inputs
) -> DataFrame:
    """One snapshot's items; a glob, since `refused-*.jsonl.gz` lies beside."""
    items = (
        spark.read.schema(ITEM_SCHEMA)
        .option("columnNameOfCorruptRecord", CORRUPT)
        .option("pathGlobFilter", "titles-*.jsonl.gz")
        .json(f"{root}/{snapshot.path}")
    )
    return items.withColumns(
        {"snapshot": F.lit(snapshot.path), "fetched": _fetched(snapshot)}
    ).withColumn("known", F.col("fetched") < _moment(_known_until(snapshot, inputs)))


def _fetched(snapshot: TitlesInput) -> Column:
    """As `sources.title_moments.fetch_moment` has it."""
    is_whole = F.coalesce(F.col("fetched_at").rlike(rf"^{FETCHED}\z"), F.lit(False))
    said = F.when(is_whole, F.try_to_timestamp("fetched_at"))
    if snapshot.loaded_at is not None:
        said = F.when(said <= _moment(snapshot.loaded_at + SKEW), said)
    return F.coalesce(said, _moment(snapshot.as_of))


def _known_until(snapshot: TitlesInput, inputs: Inputs) -> datetime:
    return inputs.as_of + inputs.interval if snapshot.own else inputs.as_of


def _moment(moment: datetime) -> Column:
    return F.lit(iso(moment)).cast("timestamp")


def _no_items(spark: SparkSession) -> DataFrame:
    return spark.createDataFrame(
        [], f"{ITEM_SCHEMA}, snapshot string, fetched timestamp, known boolean"
    )


def read_movielens(listed: DataFrame, is_text: bool = False) -> DataFrame:
    """A release's list of titles (`spark_apps.ratings.reading.read_listed`) as movie_id, title_id,
    title, year, genres.

    MovieLens writes `Matrix, The (1999)` and genres as `Action|Sci-Fi`. A movie without a title is
    called by its id; a year that no film is of is null. `is_text`: the release names titles by
    text, not by number.
    """
    number = text_id(F.col("movieId")) if is_text else F.col("movieId").try_cast("bigint")
    year = F.try_to_number(F.regexp_extract("title", NAME_AND_YEAR, 2), F.lit("9999"))
    year = year.cast("int")
    name = _movielens_name()
    return listed.select(
        number.alias("movie_id"),
        F.col("titleId").alias("title_id"),
        F.coalesce(F.when(F.trim(name) != "", name), "titleId", "movieId").alias("title"),
        F.when(year.between(FIRST_FILM, LAST_YEAR), year).alias("year"),
        _movielens_genres().alias("genres"),
    )


def _movielens_name() -> Column:
    """`Matrix, The (1999)` as `The Matrix`."""
    bare = F.when(
        F.col("title").rlike(NAME_AND_YEAR), F.regexp_extract("title", NAME_AND_YEAR, 1)
    ).otherwise(F.trim("title"))
    return F.regexp_replace(bare, NAME_AND_ARTICLE, "$2 $1")


def _movielens_genres() -> Column:
    words = F.split(F.trim(F.coalesce("genres", F.lit(""))), r"(?U)\s*\|\s*")
    renames = F.create_map(*(F.lit(x) for pair in MOVIELENS_GENRES.items() for x in pair))
    renamed = F.transform(words, lambda word: F.coalesce(renames[word], word))
    return F.array_distinct(F.filter(renamed, lambda word: word != ""))
