"""The titles of a run: what the ratings release lists, with what other sources know of them."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from marquee.contracts import TITLES

CRAWLED = (
    "release_date",
    "rating",
    "vote_count",
    "budget_amount",
    "budget_currency",
    "budget_confidence",
    "type",
    "runtime",
    "certificate",
    "plot",
    "notes",
)
LISTS = (
    "directors",
    "director_names",
    "countries",
    "writers",
    "cast",
    "companies",
    "languages",
    "keywords",
)


def join_movielens(items: DataFrame, movielens: DataFrame) -> DataFrame:
    """Every title either side knows; the crawl's word counts before MovieLens'.

    Titles never crawled keep MovieLens' title, year and genres; titles MovieLens does not list
    have no movie_id; a budget for a title that nobody names has no title either.
    """
    crawled, listed = items.alias("c"), movielens.alias("m")
    joined = crawled.join(listed, on=F.col("c.title_id") == F.col("m.title_id"), how="full")
    nothing = F.expr("cast(array() as array<string>)")
    crawled_genres = F.when(F.size("c.genres") > 0, F.col("c.genres"))
    return joined.select(
        "m.movie_id",
        F.coalesce("c.title_id", "m.title_id").alias("title_id"),
        F.coalesce("c.title", "m.title").alias("title"),
        F.coalesce("c.year", "m.year").alias("year"),
        F.coalesce(crawled_genres, "m.genres", nothing).alias("genres"),
        *(F.col(f"c.{name}").alias(name) for name in CRAWLED),
        *(F.coalesce(f"c.{name}", nothing).alias(name) for name in LISTS),
    )


def is_out(as_of: str) -> Column:
    """Whether a title was out by the day of `as_of` (ISO 8601).

    A month or a year stands for its first day: `2025` is before `2025-06-01`. A title without any
    date is in, for somebody has rated it.
    """
    stated = F.coalesce("release_date", F.lpad(F.col("year").cast("string"), 4, "0"))
    day = F.concat(stated, F.when(F.length(stated) == 4, "-01-01").otherwise("-01"))
    out = F.when(F.length(stated) == 10, stated).otherwise(day).cast("date")
    return F.coalesce(out <= F.lit(as_of[:10]).cast("date"), F.lit(True))


def as_contract(titles: DataFrame) -> DataFrame:
    """The contract's columns, in its order."""
    chosen = titles.select(*TITLES.names)
    TITLES.check_types(dict(chosen.dtypes))
    return chosen
