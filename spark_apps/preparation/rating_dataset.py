"""The ratings of a run as a dataset: validation, one rating a pair, the holdout, the figures.

`prepare_ratings` calls this on the rows of `raw_ratings`, in this order:

1. `validate` types each row, or states the first rule that the row breaks. The rules and their
   order are those of `sources.ratings_cells` (a test compares the two).
2. `latest_of_each_pair` keeps one rating for each person and title.
3. `mark_holdout` holds out each person's rows after the first ceil(0.8 n) by (time, movie id), as
   `scoring.recommender.holdout.last_share` does (a test compares the two).
4. `ratings_figures` counts the merged ratings.

A text id becomes a number by a hash. `prepared/ids/{users,titles}` holds the pairs (`text`, `id`).

The gate compares the figures `runs/R/data/ratings.json` with the champion's: `{"format": 1,
"as_of", "rows", "people", "titles", "mean", "counts": {"stars": {label: n}, "activity":
{label: n}}}`. `stars` counts ratings by their stars, to the nearest half. `activity` counts people
by how many ratings they gave.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from marquee.dataset_contracts import RATINGS
from marquee.errors import SourceError
from sources.ratings_cells import (
    LEAST_MILLISECONDS,
    MISSING,
    NEGATIVE_MOVIE,
    NEGATIVE_USER,
    NO_NUMBER,
    NO_STARS,
    NO_TIME,
    OUT_OF_TIME,
    YEAR_2100,
    outside,
)

RAW_COLUMNS = ("user_id", "movie_id", "rating", "time")
Rule = tuple[Column, str]
"""(whether a row breaks the rule, the reason for quarantine)"""
TEXT_ID_COLUMNS = {"users": "user_id", "titles": "movie_id"}
HELD_OUT = "is_held_out"
FEWEST_TO_SPLIT = 5
"""Ratings that a person must have to hold any out."""
FIGURES_FORMAT = 1
ACTIVITY_BOUNDS = (1, 5, 10, 20, 50, 100, 200, 500)
"""Lower bounds of the classes of people by number of ratings."""
ACTIVITY_LABELS = (
    *(f"{low}-{high - 1}" for low, high in pairwise(ACTIVITY_BOUNDS)),
    f"{ACTIVITY_BOUNDS[-1]}+",
)


@dataclass(frozen=True)
class Scale:
    """The lowest and the highest stars that a person can give."""

    lowest: float
    highest: float


def validate(raw: DataFrame, scale: Scale, text_ids: Sequence[str] = ()) -> DataFrame:
    """Add `typed` (a struct of the four columns in their types) and `reason` (null where valid).

    `text_ids`: which of `users` and `titles` have text ids in the release.
    """
    typed = F.struct(
        _id("user_id", "users" in text_ids).alias("user_id"),
        _id("movie_id", "titles" in text_ids).alias("movie_id"),
        F.col("rating").try_cast("double").alias("rating"),
        _seconds(_integer("time")).alias("time"),
    )
    first = F.coalesce(*(F.when(broken, F.lit(text)) for broken, text in _rules(scale)))
    return raw.withColumn("typed", typed).withColumn("reason", first)


def _rules(scale: Scale) -> list[Rule]:
    """The rules, in the order in which they apply."""
    user, movie = F.col("typed.user_id"), F.col("typed.movie_id")
    stars, time = F.col("typed.rating"), F.col("typed.time")
    given = ~F.col("is_deleted")
    return [
        (_blank("user_id") | _blank("movie_id"), MISSING),
        (user.isNull() | movie.isNull(), NO_NUMBER),
        (movie < 0, NEGATIVE_MOVIE),
        # Negative user ids belong to people of our API.
        (~F.col("is_from_api") & (user < 0), NEGATIVE_USER),
        (given & (stars.isNull() | F.isnan(stars)), NO_STARS),
        (given & ~stars.between(scale.lowest, scale.highest), outside(scale.lowest, scale.highest)),
        (time.isNull(), NO_TIME),
        ((time < 0) | (time >= YEAR_2100), OUT_OF_TIME),
    ]


def _id(name: str, is_text: bool) -> Column:
    """An id as a number; feedback has numbers already."""
    if not is_text:
        return _integer(name)
    return F.when(F.col("is_from_api"), _integer(name)).otherwise(text_id(F.col(name)))


def _integer(name: str) -> Column:
    return F.col(name).try_cast("bigint")


def _blank(name: str) -> Column:
    return F.col(name).isNull() | (F.trim(F.col(name)) == "")


def _seconds(time: Column) -> Column:
    """UTC seconds; a number too large for seconds is taken as milliseconds."""
    milliseconds = F.floor(time / 1000).cast("bigint")
    return F.when(time >= LEAST_MILLISECONDS, milliseconds).otherwise(time)


def reason_counts(scale: Scale) -> list[Column]:
    """Aggregates of validated rows: the count `rows`, and one count named by each reason."""
    counts = [F.count_if(F.col("reason") == text).alias(text) for text in reasons(scale)]
    return [F.count(F.lit(1)).alias("rows"), *counts]


def reasons(scale: Scale) -> list[str]:
    """All reasons, without repetition."""
    return list(dict.fromkeys(text for _, text in _rules(scale)))


def valid_rows(validated: DataFrame) -> DataFrame:
    """The rows without a reason, typed, with `is_deleted` and `feedback_position`."""
    return validated.where(F.col("reason").isNull()).select(
        "typed.*", "is_deleted", "feedback_position"
    )


def quarantined_rows(validated: DataFrame) -> DataFrame:
    """The rows with a reason, unchanged."""
    return validated.where(F.col("reason").isNotNull()).select(*RAW_COLUMNS, "reason")


# Ids that are text


def text_id(text: Column) -> Column:
    """`marquee.identifiers.text_id` as a column: the first 53 bits of the text's sha256."""
    first_bytes = F.conv(F.substring(F.sha2(text, 256), 1, 16), 16, -10).cast("bigint")
    return F.shiftrightunsigned(first_bytes, 11)


def id_tables(
    validated: DataFrame, listed: DataFrame, kinds: Sequence[str]
) -> Mapping[str, DataFrame]:
    """A table of `text` and `id` for each of `kinds`, which holds `users`, `titles` or both.

    People are those who rated; titles are those rated or `listed`.
    """
    release = validated.where(F.col("reason").isNull() & ~F.col("is_from_api"))
    texts = {kind: release.select(F.col(TEXT_ID_COLUMNS[kind]).alias("text")) for kind in kinds}
    if "titles" in texts:
        texts["titles"] = texts["titles"].unionByName(listed)
    return {kind: _with_ids(frame) for kind, frame in texts.items()}


def _with_ids(texts: DataFrame) -> DataFrame:
    """The distinct texts with their ids, cached."""
    named = texts.where(F.trim("text") != "").distinct()
    return named.withColumn("id", text_id(F.col("text"))).cache()


def refuse_collisions(table: DataFrame) -> int:
    """The number of ids; SourceError names two texts with one hash."""
    same = table.groupBy("id").agg(F.count("text").alias("n"), F.min("text"), F.max("text"))
    found = same.where("n > 1").first()
    if found:
        raise SourceError(
            f"the ids '{found[2]}' and '{found[3]}' have one hash",
            "rename one of them in the release, or number its ids",
        )
    rows: int = table.count()
    return rows


# One rating a pair, and the holdout


def rows_before(rows: DataFrame, as_of: int) -> DataFrame:
    """The rows with a time before `as_of` (UTC seconds)."""
    return rows.where(F.col("time") < as_of)


def latest_of_each_pair(rows: DataFrame) -> DataFrame:
    """The latest row of each (person, title); a pair whose latest row deletes the rating has none.

    Rows of one second are ordered by the server's name, by the line's number on the server, then by
    the rating. So the order of the files changes nothing. The frame is partitioned by person, which
    spares `mark_holdout` a shuffle.
    """
    order = F.struct("time", "feedback_position", "is_deleted", "rating")
    last = F.max(order).alias("last")
    one = rows.repartition("user_id").groupBy("user_id", "movie_id").agg(last)
    kept = one.where(~F.col("last.is_deleted"))
    return kept.select("user_id", "movie_id", "last.rating", "last.time").select(*RATINGS.names)


def mark_holdout(ratings: DataFrame) -> DataFrame:
    """Add `is_held_out`.

    ceil(0.8 n) is computed as floor((4 n + 4) / 5), which is exact for integers.
    """
    person = Window.partitionBy("user_id")
    everything = Window.unboundedPreceding, Window.unboundedFollowing
    n = F.count(F.lit(1)).over(person.rowsBetween(*everything))
    place = F.row_number().over(person.orderBy("time", "movie_id"))
    numbered = ratings.withColumns({"n": n, "place": place})
    late = F.col("place") > F.floor((F.col("n") * 4 + 4) / 5)
    held_out = late & (F.col("n") >= FEWEST_TO_SPLIT)
    return numbered.withColumn(HELD_OUT, held_out).drop("n", "place")


# The figures


def ratings_figures(ratings: DataFrame) -> Mapping[str, Any]:
    """The figures; `ratings` holds at least one row and should be cached."""
    whole = ratings.agg(F.count_distinct("movie_id"), F.avg("rating")).first()
    stars, people = _counted(ratings)
    assert whole is not None
    return {
        "rows": sum(stars.values()),
        "people": sum(people.values()),
        "titles": whole[0],
        "mean": round(whole[1], 6),
        "counts": {
            "stars": {f"{half / 2:g}": stars[half] for half in sorted(stars)},
            "activity": activity_counts(people.items()),
        },
    }


def activity_counts(people: Iterable[tuple[int, int]]) -> dict[str, int]:
    """People by class of ACTIVITY_LABELS, from pairs (ratings given, number of people)."""
    counts = dict.fromkeys(ACTIVITY_LABELS, 0)
    for given, how_many in people:
        counts[ACTIVITY_LABELS[bisect_right(ACTIVITY_BOUNDS, given) - 1]] += how_many
    return counts


def _counted(ratings: DataFrame) -> tuple[Counter[int], Counter[int]]:
    """Ratings by half stars, and people by the lower bound of their class; one Spark job."""
    half = F.round(F.col("rating") * 2).cast("int").alias("value")
    by_person = ratings.groupBy("user_id").agg(F.count(F.lit(1)).alias("given"))
    bounds = F.array(*(F.lit(low) for low in ACTIVITY_BOUNDS))
    first = F.array_max(F.filter(bounds, lambda low: low <= F.col("given"))).alias("value")
    both = ratings.select(F.lit("stars").alias("kind"), half).unionByName(
        by_person.select(F.lit("people").alias("kind"), first)
    )
    found: dict[str, Counter[int]] = {"stars": Counter(), "people": Counter()}
    for row in both.groupBy("kind", "value").agg(F.count(F.lit(1)).alias("n")).collect():
        found[row.kind][row.value] = row.n
    return found["stars"], found["people"]
