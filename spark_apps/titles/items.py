"""From crawled items to one row a title: what is put aside, what is merged, what may be known."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from spark_apps.titles.raw import CORRUPT

MOST_GENRES = 12
"""IMDb lists at most a handful; a longer list is a page read wrongly."""
FIRST_YEAR = 1874
SETTLED_LATER = ("rating", "vote_count")
"""What goes on changing after the release: only a snapshot that precedes as-of may say it."""


NO_WORDS = "cast(array() as array<string>)"


def with_reason(items: DataFrame) -> DataFrame:
    """The items with `reason`: why one cannot be used, null where it can."""
    year = F.coalesce("year", F.try_to_number(F.substring("release_date", 1, 4), F.lit("9999")))
    dated = items.withColumn("year", year.cast("int"))
    return dated.withColumn("reason", _first_reason())


def _first_reason() -> Column:
    """The first rule an item breaks, in the order a reader would look."""
    crawled_in = F.substring("snapshot", 1, 4).cast("int")
    return (
        F.when(F.col(CORRUPT).isNotNull(), F.lit("not a title item"))
        .when(~F.coalesce(F.col("title_id").rlike(r"^tt\d{7,10}$"), F.lit(False)), "no title id")
        .when(F.trim(F.coalesce("title", F.lit(""))) == "", F.lit("no title"))
        .when(F.col("year").isNull(), F.lit("no year"))
        .when(F.col("year") < FIRST_YEAR, F.lit("year before the first film"))
        .when(F.col("year") > crawled_in, F.lit("year in the future"))
        .when(
            F.size(F.coalesce("genres", F.array())) > MOST_GENRES,
            F.concat(F.size("genres").cast("string"), F.lit(" genres")),
        )
    )


def latest_per_title(items: DataFrame) -> DataFrame:
    """One row a title: the latest known at as-of, else the latest of all.

    From a snapshot taken later a title may have only what its release settled: director, genres,
    year and budget, never ratings or votes.
    """
    newest_first = Window.partitionBy("title_id").orderBy(
        F.desc("known"), F.desc("snapshot"), F.desc_nulls_last("fetched_at")
    )
    latest = items.withColumn("place", F.row_number().over(newest_first)).where("place = 1")
    known = {name: F.when(F.col("known"), F.col(name)) for name in SETTLED_LATER}
    return latest.withColumns(known).select(
        "title_id",
        "title",
        "year",
        "release_date",
        "type",
        F.coalesce("genres", F.expr(NO_WORDS)).alias("genres"),
        "rating",
        "vote_count",
        F.col("budget.amount").alias("budget_amount"),
        F.col("budget.currency").alias("budget_currency"),
        F.coalesce("countries", F.expr(NO_WORDS)).alias("countries"),
        _credited("name_id", "name").alias("directors"),
        _credited("name", "name_id").alias("director_names"),
    )


def _credited(first: str, second: str) -> Column:
    """The directors' ids (or, lacking, names), or the other way round; the same people in both."""
    named = F.filter("directors", lambda p: F.coalesce(p["name_id"], p["name"]).isNotNull())
    words = F.transform(named, lambda p: F.trim(F.coalesce(p[first], p[second])))
    return F.coalesce(words, F.expr(NO_WORDS))
