"""Golden queries: films, known and made up, with the answers of Spark's own `transform`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from marquee.scoring.budget_features import BEFORE_RELEASE, WITH_RATING
from spark_apps.budget.features import director_history, with_numbers, with_record
from spark_apps.budget.fitting import FittedBudget

TOLERANCE = 1e-9
FEWEST = 40
QUERY_SCHEMA = """
    fold string, title_id string, year int, directors array<string>, genres array<string>,
    rating double
"""
Query = tuple[list[str], list[str], int, float | None]  # directors, genres, year, rating


def golden_queries(films: Sequence[Row]) -> list[Query]:
    """At least FEWEST queries from `films` in order of release: the newest as they are and with
    something missing, strange or out of range, so that every branch of an answer is recorded."""
    newest = list(films)[-10:]
    last = max(int(film["year"]) for film in films)
    queries: list[Query] = []
    for film in newest:
        directors, genres = list(film["directors"]), list(film["genres"])
        year, rating = int(film["year"]), film["rating"]
        queries += [
            (directors, genres, last + 1, rating),
            (directors, genres, year, None),
            (["nm0000000"], genres, year, rating),
            (directors, [*genres, "Puppetry"], year, 6.5),
        ]
    oldest = list(films[0]["directors"])
    both = list(newest[-1]["directors"]) + list(newest[0]["directors"])
    return [
        *queries,
        ([], [], last, None),
        ([], ["Puppetry"], last + 40, 9.9),
        (oldest, list(films[0]["genres"]), 1900, 1.0),
        (both, ["Drama", "Action", "Drama"], last + 1, 7.0),
    ] + [(oldest, ["Drama"], last, 5.0 + i / 4) for i in range(max(0, FEWEST - len(queries)))]


def record_golden(
    spark: SparkSession,
    fitted: FittedBudget,
    known: DataFrame,
    queries: Sequence[Query],
    years: tuple[int, int],
) -> dict[str, Any]:
    """`golden.json`: each query with the question it is and Spark's answer.

    `known` holds the fold's fitted films, which directors' records come from; `years` are the
    first and last of them.
    """
    rows = [("golden", f"q{i:04d}", q[2], q[0], q[1], q[3]) for i, q in enumerate(queries)]
    asked = spark.createDataFrame(rows, QUERY_SCHEMA).coalesce(1)
    history = director_history(known.withColumn("fold", F.lit("golden")))
    recorded = with_record(asked, history, fitted.recipe.director_smoothing)
    featured = with_numbers(recorded, F.lit(years[0]), F.lit(years[1]), fitted.recipe.rating_step)
    answers = fitted.pipeline.transform(featured).select("title_id", "estimate").collect()
    by_id = {row["title_id"]: float(row["estimate"]) for row in answers}
    return {
        "tolerance": TOLERANCE,
        "queries": [
            {
                "directors": directors,
                "genres": genres,
                "year": year,
                "rating": rating,
                "question": _question(fitted, rating),
                "log10": by_id[f"q{i:04d}"],
            }
            for i, (directors, genres, year, rating) in enumerate(queries)
        ],
    }


def _question(fitted: FittedBudget, rating: float | None) -> str:
    can_rate = rating is not None and WITH_RATING in fitted.answerers
    return WITH_RATING if can_rate else BEFORE_RELEASE
