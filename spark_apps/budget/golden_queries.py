"""`golden.json` of a budget bundle: queries with Spark's answers.

A loaded bundle must repeat the answers (`scoring.budget.bundle.check_golden`). This check finds a
difference between Spark's features or models and NumPy's before a promotion.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from scoring.budget.features import (
    ALL_BEFORE_RELEASE,
    ALL_KNOWN,
    BEFORE_RELEASE,
    DIRECTOR,
    WITH_RATING,
)
from spark_apps.budget.features import with_attributes, with_records
from spark_apps.budget.pipeline import FittedBudget, estimate_column

TOLERANCE = 1e-9
FEWEST = 40
QUERY_SCHEMA = """
    fold string, title_id string, year int, directors array<string>, genres array<string>,
    rating double, people map<string,array<string>>, numbers map<string,double>,
    labels map<string,string>, above_time double
"""
Query = dict[str, Any]


def golden_queries(titles: Sequence[Row], is_wide: bool) -> list[Query]:
    """At least FEWEST queries, made from `titles` in order of release.

    They include missing, unknown and out-of-range inputs, so that every branch of an answer has a
    query. `is_wide` adds queries with cast, companies, running time and other attributes.
    """
    newest = list(titles)[-10:]
    last = max(int(title["year"]) for title in titles)
    queries: list[Query] = []
    for title in newest:
        directors, genres = list(title["directors"]), list(title["genres"])
        year, rating = int(title["year"]), title["rating"]
        queries += [
            _query(directors, genres, last + 1, rating),
            _query(directors, genres, year, None),
            _query(["nm0000000"], genres, year, rating),
            _query(directors, [*genres, "Puppetry"], year, 6.5),
        ]
        queries += _wide_queries(title, last) if is_wide else []
    oldest = list(titles[0]["directors"])
    both = list(newest[-1]["directors"]) + list(newest[0]["directors"])
    return [
        *queries,
        _query([], [], last, None),
        _query([], ["Puppetry"], last + 40, 9.9),
        _query(oldest, list(titles[0]["genres"]), 1900, 1.0),
        _query(both, ["Drama", "Action", "Drama"], last + 1, 7.0),
    ] + [_query(oldest, ["Drama"], last, 5.0 + i / 4) for i in range(max(0, FEWEST - len(queries)))]


def _query(directors: list[str], genres: list[str], year: int, rating: float | None) -> Query:
    return {"directors": directors, "genres": genres, "year": year, "rating": rating}


def _wide_queries(title: Row, last: int) -> list[Query]:
    """Queries of the title with all attributes, with some, and with unknown names."""
    plain = _query(list(title["directors"]), list(title["genres"]), last + 1, title["rating"])
    people = {role: names for role, names in title["people"].items() if role != DIRECTOR}
    numbers, labels = dict(title["numbers"]), dict(title["labels"])
    planned = {name: value for name, value in numbers.items() if name == "runtime"}
    strange = {role: ["nm0000000", *names[:1]] for role, names in people.items()}
    return [
        plain | {"people": people, "numbers": numbers, "labels": labels},
        plain | {"rating": None, "people": people, "numbers": planned, "labels": labels},
        plain | {"numbers": numbers, "labels": {"certificate": "Puppets"}},
        plain | {"rating": None, "people": strange},
    ]


def record_golden(
    spark: SparkSession,
    fitted: FittedBudget,
    known: DataFrame,
    queries: Sequence[Query],
) -> dict[str, Any]:
    """`golden.json`: each query with its question and Spark's answer.

    `known` holds the fold's training titles; the track records come from them.
    """
    rows = [_row(number, query) for number, query in enumerate(queries)]
    requested = with_attributes(spark.createDataFrame(rows, QUERY_SCHEMA).coalesce(1))
    needed = ["fold", "title_id", "year", "people", "above_time"]
    history = known.withColumn("fold", F.lit("golden")).select(*needed)
    both = requested.unionByName(history, allowMissingColumns=True)
    featured = with_records(both, fitted.recipe.director_smoothing).where("directors IS NOT NULL")
    columns = [estimate_column(question) for question in fitted.blends]
    answers = fitted.pipeline.transform(featured).select("title_id", *columns).collect()
    by_id = {row["title_id"]: row for row in answers}
    recorded = []
    for number, query in enumerate(queries):
        question = _question(fitted, query)
        answer = float(by_id[_name(number)][estimate_column(question)])
        recorded.append(query | {"question": question, "log10": answer})
    return {"tolerance": TOLERANCE, "queries": recorded}


def _row(number: int, query: Query) -> tuple[Any, ...]:
    attributes = [query.get(name) or {} for name in ("people", "numbers", "labels")]
    plain = (query["year"], query["directors"], query["genres"], query["rating"])
    return ("golden", _name(number), *plain, *attributes, None)


def _name(number: int) -> str:
    return f"query {number:04d}"


def _question(fitted: FittedBudget, query: Query) -> str:
    """The question of a query. It does not call `BudgetQuery`, because the check tests that too."""
    is_known = any(name != "runtime" for name in query.get("numbers", {}))
    states_more = any(query.get(name) for name in ("people", "numbers", "labels"))
    narrow = BEFORE_RELEASE if query["rating"] is None else WITH_RATING
    wide = ALL_KNOWN if is_known or query["rating"] is not None else ALL_BEFORE_RELEASE
    candidates = [wide, narrow] if states_more else [narrow]
    return next(q for q in (*candidates, BEFORE_RELEASE) if q in fitted.blends)
