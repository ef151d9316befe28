"""From the title items of the raw snapshots to one row a title.

`prepare_titles` reads every item, marks those that it cannot use with a reason, and merges the
others by title. Only a page that the run may know at as-of states what changes after a release
(ratings, votes, keywords, plots). A page fetched later adds only what was final at the release
(ADR 16).
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
from sources.title_snapshots import FETCHED

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
"""The fields of a title item that the job reads; `corrupt` holds a whole line that does not fit."""
ISO_DATE = r"^(18[7-9]\d|19\d\d|20\d\d|2100)(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?\z"
"""A release date as the loader writes it; snapshots of earlier code hold a source's own form."""
CHANGING = ("keywords", "plot")
"""Fields that change after the release: only a page known at as-of states them.

So do the rating and its vote count, which stay together.
"""
SETTLED = (
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
"""Fields that are final at the release: a page fetched later may add them."""
LISTS = ("genres", "countries", "languages", "companies", "keywords")
NO_WORDS = "cast(array() as array<string>)"
BUDGET = ("amount", "currency", "confidence")
INVISIBLE = r"[\u0300-\u036f\u200b-\u200f\u2060\ufeff\u00ad]"
"""Accents as characters of their own, and characters without a glyph."""
SPACES = r"[\s\u00a0\u2000-\u200a\u202f\u3000]+"


def read_items(spark: SparkSession, inputs: Inputs, root: str) -> DataFrame:
    """Every item of every snapshot, with `fetched` (when its page was fetched) and `known`.

    `known`: the page was fetched before as-of, or by this run less than one interval after it. A
    weekly run's crawl takes place just after the moment that the run stands for.
    """
    frames = [_read_snapshot(spark, root, one, inputs) for one in inputs.titles]
    items = frames[0] if frames else _no_items(spark)
    for frame in frames[1:]:
        items = items.unionByName(frame)
    return items


def with_reason(items: DataFrame, movielens: DataFrame) -> DataFrame:
    """Add `reason`: why an item cannot be used, or null.

    A release date of another form becomes null. An item without a year can be used where another
    item of its title, or MovieLens, states the year.
    """
    is_day = (F.length("release_date") < 10) | F.try_to_timestamp("release_date").isNotNull()
    release = F.when(F.col("release_date").rlike(ISO_DATE) & is_day, F.col("release_date"))
    items = items.withColumn("release_date", release)
    year = F.coalesce("year", F.try_to_number(F.substring("release_date", 1, 4), F.lit("9999")))
    dated = items.withColumn("year", year.cast("int"))
    years = movielens.groupBy("title_id").agg(F.max("year").alias("listed_year"))
    whole = Window.partitionBy("title_id").rowsBetween(
        Window.unboundedPreceding, Window.unboundedFollowing
    )
    joined = dated.join(years, on="title_id", how="left").withColumn(
        "any_year", F.coalesce(F.max("year").over(whole), "listed_year")
    )
    return joined.withColumn("reason", _first_reason()).drop("listed_year", "any_year")


def is_lender() -> Column:
    """Whether an item has no title and only states the budget of one that others name."""
    return F.col("title").isNull() & F.col("type").isNull() & F.col("budget").isNotNull()


def merged_per_title(items: DataFrame) -> DataFrame:
    """One row a title: each field from the latest known item that states it, else the latest.

    Changing fields and ratings come from known items only.
    """
    order = F.struct("known", "fetched", "snapshot")
    known = F.col("known")
    votes = F.struct("rating", "vote_count")
    rated = F.when(known & F.col("rating").isNotNull(), order)
    merged = items.groupBy("title_id").agg(
        *(_latest(name, order) for name in SETTLED),
        *(_latest(name, order, known) for name in CHANGING),
        F.max_by(votes, rated).alias("votes"),
        F.max_by("notes", order).alias("notes"),
    )
    return merged.select(
        *("title_id", "title", "type", "year", "release_date", "runtime", "certificate", "plot"),
        *(F.coalesce(name, F.expr(NO_WORDS)).alias(name) for name in LISTS),
        "votes.rating",
        "votes.vote_count",
        *(F.col(f"budget.{name}").alias(f"budget_{name}") for name in BUDGET),
        *(credited(role).alias(role) for role in ("directors", "writers", "cast")),
        credited("directors", named=True).alias("director_names"),
        "notes",
    )


def credited(role: str, named: bool = False) -> Column:
    """The people of a role in order, as keys: ids, or names folded so that spellings agree.

    `named`: their names as credited instead, of the same people.
    """
    people = F.filter(role, lambda p: F.coalesce(p["name_id"], p["name"]).isNotNull())
    plain = F.transform(people, lambda p: _key(p, named))
    return F.coalesce(plain, F.expr(NO_WORDS))


def folded(name: Column) -> Column:
    """`marquee.normalise.text.fold` as a column, for letters of three alphabets.

    Other letters only become lower case.
    """
    plain = F.regexp_replace(name, INVISIBLE, "")
    return F.lower(F.translate(_spaced(plain), *folding_table()))


def _read_snapshot(
    spark: SparkSession, root: str, snapshot: TitlesInput, inputs: Inputs
) -> DataFrame:
    """The items of one snapshot; a glob, because `refused-*.jsonl.gz` lies beside them."""
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
    is_whole = F.coalesce(F.col("fetched_at").rlike(rf"^{FETCHED}\z"), F.lit(False))
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


def _first_reason() -> Column:
    """The first rule that an item breaks, or null."""
    fetched_in = F.year("fetched")
    return (
        F.when(F.col(CORRUPT).isNotNull(), F.lit("not a title item"))
        .when(~F.coalesce(F.col("title_id").rlike(r"^tt\d{7,10}$"), F.lit(False)), "no title id")
        .when(is_lender(), F.lit(None).cast("string"))
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
    """The latest stated value, where `also` holds; an empty list states nothing."""
    lists = (*LISTS, "directors", "writers", "cast")
    stated = F.size(name) > 0 if name in lists else F.col(name).isNotNull()
    return F.max_by(name, F.when(stated if also is None else stated & also, order)).alias(name)


def _key(person: Column, named: bool) -> Column:
    if named:
        return F.coalesce(_spaced(person["name"]), person["name_id"])
    return F.coalesce(person["name_id"], folded(person["name"]))


def _spaced(name: Column) -> Column:
    return F.trim(F.regexp_replace(name, SPACES, " "))
