"""From crawled items to one row a title: what is put aside, what is merged, what may be known."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from marquee.normalise.text import folding_table
from spark_apps.titles.raw import CORRUPT

MOST_GENRES = 12
"""IMDb lists at most a handful; a longer list is a page read wrongly."""
FIRST_YEAR = 1874
ISO_DATE = r"^(18[7-9]\d|19\d\d|20\d\d|2100)(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?\z"
"""A release date as the loader writes it; snapshots of earlier code hold what a source wrote."""
SETTLED_LATER = ("keywords", "plot")
"""What goes on changing after the release: only a page known at as-of may say it. So do rating and
votes, which come in pairs."""
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
"""What the release settled: a page fetched later may lend it."""
LISTS = ("genres", "countries", "languages", "companies", "keywords")
NO_WORDS = "cast(array() as array<string>)"


def with_reason(items: DataFrame, movielens: DataFrame) -> DataFrame:
    """The items with `reason`: why one cannot be used, null where it can.

    A release date that is none is null. An item without a year is used where another item of its
    title, or MovieLens, has the year.
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


def _first_reason() -> Column:
    """The first rule an item breaks, in the order a reader would look."""
    fetched_in = F.year("fetched")
    return (
        F.when(F.col(CORRUPT).isNotNull(), F.lit("not a title item"))
        .when(~F.coalesce(F.col("title_id").rlike(r"^tt\d{7,10}$"), F.lit(False)), "no title id")
        .when(is_lender(), F.lit(None).cast("string"))
        .when(F.trim(F.coalesce("title", F.lit(""))) == "", F.lit("no title"))
        .when(F.col("any_year").isNull(), F.lit("no year"))
        .when(F.col("year") < FIRST_YEAR, F.lit("year before the first film"))
        .when(F.col("year") > fetched_in, F.lit("year in the future"))
        .when(
            F.size(F.coalesce("genres", F.array())) > MOST_GENRES,
            F.concat(F.size("genres").cast("string"), F.lit(" genres")),
        )
    )


def is_lender() -> Column:
    """Whether an item has no title of its own and only says what one cost."""
    return F.col("title").isNull() & F.col("type").isNull() & F.col("budget").isNotNull()


def merged_per_title(items: DataFrame) -> DataFrame:
    """One row a title, each field from the latest known at as-of that states it, else the latest.

    From a page fetched later a title may have only what its release settled.
    """
    order = F.struct("known", "fetched", "snapshot")
    known = F.col("known")
    votes = F.struct("rating", "vote_count")
    rated = F.when(known & F.col("rating").isNotNull(), order)
    merged = items.groupBy("title_id").agg(
        *(_latest(name, order) for name in SETTLED),
        *(_latest(name, order, known) for name in SETTLED_LATER),
        F.max_by(votes, rated).alias("votes"),
        F.max_by("notes", order).alias("notes"),
    )
    return merged.select(
        *("title_id", "title", "type", "year", "release_date", "runtime", "certificate", "plot"),
        *(F.coalesce(name, F.expr(NO_WORDS)).alias(name) for name in LISTS),
        "votes.rating",
        "votes.vote_count",
        *(F.col(f"budget.{part}").alias(f"budget_{part}") for part in BUDGET),
        *(credited(role).alias(role) for role in ("directors", "writers", "cast")),
        credited("directors", named=True).alias("director_names"),
        "notes",
    )


BUDGET = ("amount", "currency", "confidence")
UNSEEN = r"[\u0300-\u036f\u200b-\u200f\u2060\ufeff\u00ad]"
"""Accents written as marks of their own, and marks that nobody sees."""
SPACES = r"[\s\u00a0\u2000-\u200a\u202f\u3000]+"


def _latest(name: str, order: Column, also: Column | None = None) -> Column:
    """The latest value stated; an empty list states nothing."""
    lists = (*LISTS, "directors", "writers", "cast")
    stated = F.size(name) > 0 if name in lists else F.col(name).isNotNull()
    return F.max_by(name, F.when(stated if also is None else stated & also, order)).alias(name)


def credited(role: str, named: bool = False) -> Column:
    """People's ids or, lacking, their names folded so that spellings agree; or, `named`, their
    names as credited. The same people in both, in order."""
    people = F.filter(role, lambda p: F.coalesce(p["name_id"], p["name"]).isNotNull())
    plain = F.transform(people, lambda p: _one(p, named))
    return F.coalesce(plain, F.expr(NO_WORDS))


def _one(person: Column, named: bool) -> Column:
    if named:
        return F.coalesce(_spaced(person["name"]), person["name_id"])
    return F.coalesce(person["name_id"], folded(person["name"]))


def folded(name: Column) -> Column:
    """`marquee.normalise.text.fold` for letters of three alphabets; others become lower case."""
    plain = F.regexp_replace(name, UNSEEN, "")
    return F.lower(F.translate(_spaced(plain), *folding_table()))


def _spaced(name: Column) -> Column:
    return F.trim(F.regexp_replace(name, SPACES, " "))
