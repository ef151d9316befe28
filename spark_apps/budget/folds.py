"""Which films a fit learns from, and which it is scored on: always later ones.

A fold is a number of films by place in time: it is fitted on the films up to `fitted` and scored
on those after, up to `scored`. The rolling origins inside train choose recipes and give the
residuals of the interval; `evaluated` and `shipped` are the two fits a model folder holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

EVALUATED, SHIPPED = "evaluated", "shipped"
ORIGINS = (0.55, 0.7, 0.85)
"""Shares of train at which the clock is stopped; each is scored up to the next."""


@dataclass(frozen=True)
class Fold:
    """Places 1 to `fitted` are learnt from, `fitted` + 1 to `scored` are scored."""

    name: str
    fitted: int
    scored: int


def make_folds(train: int, holdout: int) -> tuple[list[Fold], list[Fold]]:
    """The rolling origins inside `train` films, and the two fits that are kept."""
    stops = [round(train * share) for share in (*ORIGINS, 1.0)]
    origins = [Fold(f"origin {a}", a, b) for a, b in pairwise(stops)]
    kept = [Fold(EVALUATED, train, train), Fold(SHIPPED, train + holdout, train + holdout)]
    return origins, kept


def with_place(titles: DataFrame, *first: str) -> DataFrame:
    """Adds `place`: 1 for the oldest film, by (year, release date, title id), after the columns
    `first`.

    One sorted partition, numbered within: thousands of films, and no window over all of them.
    """
    by_release = "year", F.asc_nulls_first("release_date"), "title_id"
    ordered = titles.repartition(1).sortWithinPartitions(*first, *by_release)
    return ordered.withColumn("place", F.monotonically_increasing_id() + 1)


def in_folds(spark: SparkSession, titles: DataFrame, folds: list[Fold]) -> DataFrame:
    """Each title once a fold that uses it, with `fold` and `is_fitted`."""
    table = spark.createDataFrame(
        [(f.name, f.fitted, f.scored) for f in folds], "fold string, fitted int, scored int"
    )
    return (
        titles.join(F.broadcast(table), on=F.col("place") <= F.col("scored"), how="inner")
        .withColumn("is_fitted", F.col("place") <= F.col("fitted"))
        .drop("fitted", "scored")
    )
