"""From the title items of the raw snapshots to one row a title.

`prepare_titles` reads every item, gives unusable items a reason, and merges the others by title.
Ratings, vote counts, keywords and plots change after a title's release, so only pages fetched
before as-of state them. A page fetched later states the other fields (ADR 16).
"""

from __future__ import annotations

from datetime import datetime

from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from marquee.artefacts.inputs import Inputs, TitlesInput
from marquee.clock import SKEW, iso
from marquee.dataset_contracts import MOST_GENRES
from marquee.normalise.dates import FIRST_FILM
from marquee.normalise.text import folding_table
from sources.title_snapshots import FETCHED_AT_PATTERN

CORRUPT = "corrupt"
KEY = "item_key"
ALONE = "is_alone"
"""Whether an item is the only one of its KEY."""
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
"""The fields of a title item that the job reads; `corrupt` holds a line that is no title item."""
ISO_DATE = r"^(18[7-9]\d|19\d\d|20\d\d|2100)(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?\z"
"""A release date as the loader writes it; snapshots of older code hold other forms."""
CHANGING_FIELDS = ("keywords", "plot")
"""Fields that change after the release, beside the rating and its vote count."""
FINAL_FIELDS = (
    "title",
    "type",
    "year",
    "release_date",
    "directors",
    "writers",
    "cast",
    "genres",
    "budget",
    "countries",
    "languages",
    "companies",
    "runtime",
    "certificate",
)
"""Fields that are final at the release."""
LISTS = ("genres", "countries", "languages", "companies", "keywords")
NAMES = {"directors": "director_names", "writers": "writer_names", "cast": "cast_names"}
"""The column of the names as credited, by the column of the same people's keys."""
EMPTY_ARRAY = "cast(array() as array<string>)"
BUDGET = ("amount", "currency", "confidence")
INVISIBLE = r"[\u0300-\u036f\u200b-\u200f\u2060\ufeff\u00ad]"
"""Combining accents, and characters without a glyph."""
SPACE = r"\s\u00a0\u2000-\u200a\u202f\u3000"
UNEVEN = rf"[{SPACE}]{{2,}}|[{SPACE}&&[^ ]]"
"""Spaces to write as one; a single plain one is left, because most names have no other."""


def read_items(spark: SparkSession, inputs: Inputs, root: str) -> DataFrame:
    """Every item of every snapshot, with `fetched` (when its page was fetched) and `known`.

    `known`: the page was fetched before as-of, or by this run's own crawl less than one interval
    after as-of. A weekly run starts at its as-of, so its own crawl is later.
    """
    frames = [_read_snapshot(spark, root, one, inputs) for one in inputs.titles]
    items = frames[0] if frames else _no_items(spark)
    for frame in frames[1:]:
        items = items.unionByName(frame)
    return items


def with_reason(items: DataFrame, movielens: DataFrame) -> DataFrame:
    """Add `reason`: why an item cannot be used, or null; KEY, the title id of a usable item; ALONE.

    The frame is partitioned by KEY, which spares `merged_per_title` a shuffle. A release date that
    does not match ISO_DATE becomes null. An item without a year is usable where another item of its
    title, or MovieLens, states the year.
    """
    is_day = (F.length("release_date") < 10) | F.try_to_timestamp("release_date").isNotNull()
    release = F.when(F.col("release_date").rlike(ISO_DATE) & is_day, F.col("release_date"))
    items = items.withColumn("release_date", release)
    year = F.coalesce("year", F.try_to_number(F.substring("release_date", 1, 4), F.lit("9999")))
    dated = items.withColumn("year", year.cast("int"))
    years = movielens.groupBy("title_id").agg(F.max("year").alias("listed_year"))
    whole = Window.partitionBy(KEY).rowsBetween(
        Window.unboundedPreceding, Window.unboundedFollowing
    )
    keyed = dated.withColumn(KEY, _key_of_item())
    joined = keyed.join(years.withColumnRenamed("title_id", KEY), on=KEY, how="left").withColumns(
        {
            "any_year": F.coalesce(F.max("year").over(whole), "listed_year"),
            ALONE: F.count("*").over(whole) == 1,
        }
    )
    return joined.withColumn("reason", _first_reason()).drop("listed_year", "any_year")


def only_states_budget() -> Column:
    """Whether an item states a budget, but neither title nor type."""
    return F.col("title").isNull() & F.col("type").isNull() & F.col("budget").isNotNull()


def merged_per_title(items: DataFrame) -> DataFrame:
    """One row a title: each field from the latest known item that states it, else the latest item.

    CHANGING_FIELDS and ratings come from known items alone. Most titles have one item, which
    needs no sorted aggregate. Both parts keep the partitions of `with_reason`.
    """
    known = F.col("known")
    alone = items.where(ALONE).select(
        F.col(KEY).alias("title_id"),
        *FINAL_FIELDS,
        *(F.when(known, F.col(name)).alias(name) for name in CHANGING_FIELDS),
        F.when(_is_rated(), _votes()).alias("votes"),
        "notes",
    )
    return _merged_columns(alone.unionByName(_latest_of_several(items.where(f"NOT {ALONE}"))))


def _latest_of_several(items: DataFrame) -> DataFrame:
    """The fields of each title with several items."""
    order, known = F.struct("known", "fetched", "snapshot"), F.col("known")
    return items.groupBy(F.col(KEY).alias("title_id")).agg(
        *(_latest(name, order) for name in FINAL_FIELDS),
        *(_latest(name, order, known) for name in CHANGING_FIELDS),
        F.max_by(_votes(), F.when(_is_rated(), order)).alias("votes"),
        F.max_by("notes", order).alias("notes"),
    )


def _votes() -> Column:
    return F.struct("rating", "vote_count")


def _is_rated() -> Column:
    """Whether a known item states a rating."""
    return F.col("known") & F.col("rating").isNotNull()


def _merged_columns(merged: DataFrame) -> DataFrame:
    return merged.select(
        *("title_id", "title", "type", "year", "release_date", "runtime", "certificate", "plot"),
        *(F.coalesce(name, F.expr(EMPTY_ARRAY)).alias(name) for name in LISTS),
        "votes.rating",
        "votes.vote_count",
        *(F.col(f"budget.{name}").alias(f"budget_{name}") for name in BUDGET),
        *(credit_keys(role).alias(role) for role in ("directors", "writers", "cast")),
        *(credit_keys(role, named=True).alias(name) for role, name in NAMES.items()),
        "notes",
    )


def credit_keys(role: str, named: bool = False) -> Column:
    """The people of a role in order: their ids, else their folded names.

    `named`: the names of the same people as credited.
    """
    people = F.filter(role, lambda p: F.coalesce(p["name_id"], p["name"]).isNotNull())
    plain = F.transform(people, lambda p: _key(p, named))
    return F.coalesce(plain, F.expr(EMPTY_ARRAY))


def folded(name: Column) -> Column:
    """`marquee.normalise.text.fold` as a column; letters outside its table become lower case."""
    is_ascii = F.length(name) == F.octet_length(name)  # nothing to translate, and ten times faster
    plain = F.translate(_spaced(F.regexp_replace(name, INVISIBLE, "")), *folding_table())
    return F.lower(F.when(is_ascii, _spaced(name)).otherwise(plain))


def _read_snapshot(
    spark: SparkSession, root: str, snapshot: TitlesInput, inputs: Inputs
) -> DataFrame:
    """The items of one snapshot; its folder also holds `refused-*.jsonl.gz`."""
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
    """`sources.title_snapshots.fetch_moment` as a column."""
    is_whole = F.coalesce(F.col("fetched_at").rlike(rf"^{FETCHED_AT_PATTERN}\z"), F.lit(False))
    stated = F.when(is_whole, F.try_to_timestamp("fetched_at"))
    if snapshot.loaded_at is not None:
        stated = F.when(stated <= _moment(snapshot.loaded_at + SKEW), stated)
    return F.coalesce(stated, _moment(snapshot.as_of))


def _known_until(snapshot: TitlesInput, inputs: Inputs) -> datetime:
    return inputs.as_of + inputs.interval if snapshot.own else inputs.as_of


def _moment(moment: datetime) -> Column:
    return F.lit(iso(moment)).cast("timestamp")


def _no_items(spark: SparkSession) -> DataFrame:
    return spark.createDataFrame(
        [], f"{ITEM_SCHEMA}, snapshot string, fetched timestamp, known boolean"
    )


def _key_of_item() -> Column:
    """The title id. A line without one gets a hash, so that such lines do not meet in one task."""
    other = F.xxhash64(CORRUPT, "title", "fetched_at").cast("string")
    return F.coalesce("title_id", F.concat(F.lit("?"), other))


def _first_reason() -> Column:
    """The reason of the first rule that an item breaks, or null."""
    fetched_in = F.year("fetched")
    return (
        F.when(F.col(CORRUPT).isNotNull(), F.lit("not a title item"))
        .when(~F.coalesce(F.col("title_id").rlike(r"^tt\d{7,10}$"), F.lit(False)), "no title id")
        .when(only_states_budget(), F.lit(None).cast("string"))
        .when(F.trim(F.coalesce("title", F.lit(""))) == "", F.lit("no title"))
        .when(F.col("any_year").isNull(), F.lit("no year"))
        .when(F.col("year") < FIRST_FILM, F.lit("year before the first film"))
        .when(F.col("year") > fetched_in, F.lit("year in the future"))
        .when(
            F.size(F.coalesce("genres", F.array())) > MOST_GENRES,
            F.concat(F.size("genres").cast("string"), F.lit(" genres")),
        )
    )


def _latest(name: str, order: Column, also: Column | None = None) -> Column:
    """The latest value that is neither null nor an empty list, of items where `also` holds."""
    lists = (*LISTS, "directors", "writers", "cast")
    stated = F.size(name) > 0 if name in lists else F.col(name).isNotNull()
    return F.max_by(name, F.when(stated if also is None else stated & also, order)).alias(name)


def _key(person: Column, named: bool) -> Column:
    if named:
        return F.coalesce(_spaced(person["name"]), person["name_id"])
    return F.coalesce(person["name_id"], folded(person["name"]))


def _spaced(name: Column) -> Column:
    return F.trim(F.regexp_replace(name, UNEVEN, " "))
