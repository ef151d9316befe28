"""The titles of a run: the ratings release's list, joined with what other sources state.

`prepare_titles` reads the list, joins the merged items to it by title id, and links directors by
name. MovieLens' names of genres become IMDb's, for example `Children` becomes `Family`.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from marquee.dataset_contracts import TITLES
from marquee.normalise.dates import FIRST_FILM, LAST_YEAR
from sources.ratings_forms import IMDB_GENRES
from spark_apps.preparation.rating_dataset import text_id
from spark_apps.preparation.title_items import folded

NAME_AND_YEAR = r"^(.*?)\s*\((\d{4})\)\s*$"
NAME_AND_ARTICLE = r"^(.*), (The|A|An|Les?|La|Il|El|Der|Die|Das)$"
ITEM_FIELDS = (
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
ITEM_LISTS = (
    "directors",
    "director_names",
    "countries",
    "writers",
    "cast",
    "companies",
    "languages",
    "keywords",
    "writer_names",
    "cast_names",
)
IS_ID = r"^nm\d+$"
KEY = "title_key"


def read_movielens(listed: DataFrame, is_text: bool = False) -> DataFrame:
    """A release's list (`raw_ratings.read_listed`) as movie_id, title_id, title, year, genres.

    MovieLens writes `Matrix, The (1999)`, and genres as `Action|Sci-Fi`. A movie without a title
    gets its id as title. A year before the first film or after the last year is null. `is_text`:
    the release's movie ids are text.
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


def join_movielens(items: DataFrame, movielens: DataFrame) -> DataFrame:
    """The full join of items and release by title id; an item's field precedes MovieLens' field.

    A title that MovieLens does not list has no movie_id. Where an item states only a budget and
    nothing else names its title, the title is null.
    """
    stated, listed = items.alias("c"), movielens.withColumn(KEY, _key_of_title()).alias("m")
    joined = stated.join(listed, on=F.col("c.title_id") == F.col(f"m.{KEY}"), how="full")
    nothing = F.expr("cast(array() as array<string>)")
    stated_genres = F.when(F.size("c.genres") > 0, F.col("c.genres"))
    return joined.select(
        "m.movie_id",
        F.coalesce("c.title_id", "m.title_id").alias("title_id"),
        F.coalesce("c.title", "m.title").alias("title"),
        F.coalesce("c.year", "m.year").alias("year"),
        F.coalesce(stated_genres, "m.genres", nothing).alias("genres"),
        *(F.col(f"c.{name}").alias(name) for name in ITEM_FIELDS),
        *(F.coalesce(f"c.{name}", nothing).alias(name) for name in ITEM_LISTS),
    )


def with_linked_directors(titles: DataFrame, *, is_small: bool = False) -> DataFrame:
    """Replace a folded name in `directors` by the person's id, where exactly one id has that name.

    Each title has an id of its own. A name that several ids have stays a name, because two people
    may share a name. `is_small`: every name fits the driver, which sends them to each task instead
    of sorting the titles by name.
    """
    sent = F.broadcast if is_small else _unchanged
    nameless = F.exists("directors", lambda key: ~key.rlike(IS_ID))
    credits = titles.where(nameless).select(
        "title_id", F.posexplode("directors").alias("place", "director")
    )
    found = credits.join(
        sent(_ids_of_names(titles)), on=F.col("director") == F.col("key"), how="left"
    ).withColumn("person", F.struct("place", F.coalesce("name_id", "director").alias("key")))
    keys = found.groupBy("title_id").agg(
        F.transform(F.array_sort(F.collect_list("person")), lambda p: p["key"]).alias("keys")
    )
    joined = titles.join(sent(keys), on="title_id", how="left")
    return joined.withColumn("directors", F.coalesce("keys", "directors")).drop("keys")


def _ids_of_names(titles: DataFrame) -> DataFrame:
    """Rows of `key`, a director's folded name, and `name_id`, the one id that has it."""
    people = titles.select(F.explode(F.arrays_zip("directors", "director_names")).alias("one"))
    named = people.where(F.col("one.directors").rlike(IS_ID))
    return (
        named.groupBy(folded(F.col("one.director_names")).alias("key"))
        .agg(F.min("one.directors").alias("name_id"), F.max("one.directors").alias("other"))
        .where("name_id = other AND NOT key RLIKE '" + IS_ID + "'")
        .select("key", "name_id")
    )


def _key_of_title() -> Column:
    """The title id. A title without one gets its movie id, so that such titles do not meet in one
    task of a join."""
    return F.coalesce("title_id", F.concat(F.lit("?"), F.col("movie_id").cast("string")))


def _unchanged(frame: DataFrame) -> DataFrame:
    return frame


def is_released(as_of: str) -> Column:
    """Whether a title is released by the day of `as_of` (ISO 8601).

    A month or a year counts as its first day: `2025` is before `2025-06-01`. A title without a date
    counts as released.
    """
    stated = F.coalesce("release_date", F.lpad(F.col("year").cast("string"), 4, "0"))
    day = F.concat(stated, F.when(F.length(stated) == 4, "-01-01").otherwise("-01"))
    out = F.when(F.length(stated) == 10, stated).otherwise(day).cast("date")
    return F.coalesce(out <= F.lit(as_of[:10]).cast("date"), F.lit(True))


def as_contract(titles: DataFrame) -> DataFrame:
    """The columns of the `titles` contract, in its order; ContractError where a type differs."""
    chosen = titles.select(*TITLES.names)
    TITLES.check_types(dict(chosen.dtypes))
    return chosen


def _movielens_name() -> Column:
    """`Matrix, The (1999)` as `The Matrix`."""
    bare = F.when(
        F.col("title").rlike(NAME_AND_YEAR), F.regexp_extract("title", NAME_AND_YEAR, 1)
    ).otherwise(F.trim("title"))
    return F.regexp_replace(bare, NAME_AND_ARTICLE, "$2 $1")


def _movielens_genres() -> Column:
    words = F.split(F.trim(F.coalesce("genres", F.lit(""))), r"(?U)\s*\|\s*")
    renames = F.create_map(*(F.lit(x) for pair in IMDB_GENRES.items() for x in pair))
    renamed = F.transform(words, lambda word: F.coalesce(renames[word], word))
    return F.array_distinct(F.filter(renamed, lambda word: word != ""))
