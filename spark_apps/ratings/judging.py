"""Strings to types: every row is either a rating or has the reason why it is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from spark_apps.ratings.text_ids import text_id

# Seconds reach this in the year 5138; any MovieLens moment in milliseconds is beyond it.
MILLISECONDS_FROM = 100_000_000_000
YEAR_2100 = 4_102_444_800
RAW = ("user_id", "movie_id", "rating", "time")

Rule = tuple[Column, str]


@dataclass(frozen=True)
class Scale:
    """The lowest and the highest stars somebody can give."""

    lowest: float
    highest: float


def judge(raw: DataFrame, scale: Scale, text_ids: Sequence[str] = ()) -> DataFrame:
    """Add `typed` (a struct of the four columns in their types) and `reason` (null where good).

    `text_ids` says which of the release's `users` and `titles` are named by text.
    """
    typed = F.struct(
        _id("user_id", "users" in text_ids).alias("user_id"),
        _id("movie_id", "titles" in text_ids).alias("movie_id"),
        F.col("rating").try_cast("double").alias("rating"),
        _seconds(_whole("time")).alias("time"),
    )
    first = F.coalesce(*(F.when(broken, F.lit(text)) for broken, text in _rules(scale)))
    return raw.withColumn("typed", typed).withColumn("reason", first)


def reasons(scale: Scale) -> list[str]:
    """Everything a row can be refused for."""
    return list(dict.fromkeys(text for _, text in _rules(scale)))


def count_reasons(scale: Scale) -> list[Column]:
    """Aggregates over judged rows: `rows`, and one count a reason, named by it."""
    counts = [F.count_if(F.col("reason") == text).alias(text) for text in reasons(scale)]
    return [F.count(F.lit(1)).alias("rows"), *counts]


def good_rows(judged: DataFrame) -> DataFrame:
    """The rows without a reason, typed, with `is_deleted` and `word`."""
    return judged.where(F.col("reason").isNull()).select("typed.*", "is_deleted", "word")


def quarantined_rows(judged: DataFrame) -> DataFrame:
    """The rows with a reason, as they came."""
    return judged.where(F.col("reason").isNotNull()).select(*RAW, "reason")


def _rules(scale: Scale) -> list[Rule]:
    """In this order: a row is refused for the first that it breaks."""
    user, movie = F.col("typed.user_id"), F.col("typed.movie_id")
    stars, time = F.col("typed.rating"), F.col("typed.time")
    given = ~F.col("is_deleted")
    return [
        (_blank("user_id") | _blank("movie_id"), "an id is missing"),
        (user.isNull() | movie.isNull(), "an id is not a whole number"),
        (movie < 0, "movie_id is negative"),
        # Negative numbers are the people of our own API: a release must not write to them.
        (~F.col("is_ours") & (user < 0), "user_id is negative"),
        (given & (stars.isNull() | F.isnan(stars)), "the rating is not a number"),
        (given & ~stars.between(scale.lowest, scale.highest), _outside(scale)),
        (time.isNull(), "the time is not a whole number of seconds"),
        ((time < 0) | (time >= YEAR_2100), "the time is not between 1970 and 2100"),
    ]


def _outside(scale: Scale) -> str:
    return f"the rating is outside {scale.lowest:g} to {scale.highest:g}"


def _id(name: str, is_text: bool) -> Column:
    """Our own API's feedback already says titles and people by number."""
    if not is_text:
        return _whole(name)
    return F.when(F.col("is_ours"), _whole(name)).otherwise(text_id(F.col(name)))


def _whole(name: str) -> Column:
    return F.col(name).try_cast("bigint")


def _blank(name: str) -> Column:
    return F.col(name).isNull() | (F.trim(F.col(name)) == "")


def _seconds(time: Column) -> Column:
    """Milliseconds are recognised by their size and become seconds."""
    milliseconds = F.floor(time / 1000).cast("bigint")
    return F.when(time >= MILLISECONDS_FROM, milliseconds).otherwise(time)
