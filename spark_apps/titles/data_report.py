"""What a run's titles are like: summaries, missing values, repeats, tests of chance, drift.

Spark's `Summarizer` gives the moments of the numbers, `ChiSquareTest` (Pearson) asks whether the
commonest genres and directors and the size of a budget go together by more than chance. Drift
is the population stability index (PSI) of each distribution against the run before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pyspark.ml.functions import array_to_vector
from pyspark.ml.stat import ChiSquareTest, Summarizer, SummaryBuilder
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from marquee.contracts import TITLES
from marquee.psi import psi
from spark_apps.titles.split import USABLE

FORMAT = 2
"""Format 1 has neither `films` nor `counts`."""
NUMBERS = ("year", "runtime", "rating", "log10_budget_usd")
BUDGET_EDGES = (6.0, 7.0, 7.7)
"""Classes of a budget, in log10 dollars: below 1 million, to 10, to 50, above."""
ASKED = ("genres", "directors")
COMMONEST = 20
FEWEST = 50
"""Titles with a budget below which a test of chance says nothing."""


def describe(titles: DataFrame, earlier: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The report of prepared titles; `earlier` is the last run's, where there is one.

    A handful of small jobs over the one frame, which should be cached.
    """
    sized = _sized(titles)
    counts = _counts(titles)
    missing = {**counts["missing"], "log10_budget_usd": 0.0 if counts["with_budget"] else 1.0}
    films = counts_of_films(sized)
    found: dict[str, Any] = {
        "format": FORMAT,
        "films": films.pop("films"),
        "counts": films,
        **counts,
        "numbers": _summaries(sized, [name for name in NUMBERS if missing[name] < 1]),
        "shares": {
            "decade": _shares(titles.select((F.floor(F.col("year") / 10) * 10).alias("word"))),
            "genre": _shares(titles.select(F.explode("genres").alias("word"))),
            "budget_class": _shares(sized.select(F.col("budget_class").alias("word"))),
        },
    }
    is_enough = found["with_budget"] >= FEWEST and len(found["shares"]["budget_class"]) > 1
    found["chi_square"] = _chi_square(sized) if is_enough else {}
    return found | {"drift": drift(found, earlier) if earlier else None}


def counts_of_films(sized: DataFrame) -> dict[str, Any]:
    """`films`: how many a budget can be learnt from; and of those, by decade, genre and class of
    budget, how many in each. The gate compares them with the champion's."""
    films = sized.where(USABLE).cache()
    decade, budget = F.floor(F.col("year") / 10) * 10, F.col("budget_class")
    words = {"decade": decade, "genre": F.explode("genres"), "budget_class": budget}
    found = {name: _tally(films.select(word.alias("word"))) for name, word in words.items()}
    return {"films": films.count(), **found}


def drift(now: Mapping[str, Any], earlier: Mapping[str, Any]) -> dict[str, float]:
    """PSI by distribution, as the gate has it: above 0.2 is another world."""
    return {
        name: round(psi(shares, earlier.get("shares", {}).get(name, {})), 4)
        for name, shares in now["shares"].items()
    }


def _sized(titles: DataFrame) -> DataFrame:
    log = F.log10("budget_usd")
    size = F.when(log.isNotNull(), sum((log >= edge).cast("int") for edge in BUDGET_EDGES))
    return titles.withColumns({"log10_budget_usd": log, "budget_class": size.cast("double")})


def _counts(titles: DataFrame) -> dict[str, Any]:
    """Rows; the share of them in which a column is null or an empty list; rows that repeat."""
    empty = [_is_empty(column.name, column.type) for column in TITLES.columns]
    same = F.when(F.size("directors") > 0, F.struct(F.lower("title"), "year", "directors"))
    row = titles.agg(
        F.count("*").alias("rows"),
        F.count("budget_usd").alias("with_budget"),
        (F.count("title_id") - F.count_distinct("title_id")).alias("twice"),
        (F.count(same) - F.count_distinct(same)).alias("alike"),
        *(F.count_if(is_).alias(f"no_{name}") for name, is_ in empty),
    ).collect()[0]
    rows = row["rows"] or 1
    return {
        "rows": row["rows"],
        "with_budget": row["with_budget"],
        "missing": {name: round(row[f"no_{name}"] / rows, 9) for name, _ in empty},
        "duplicates": {"title_id": row["twice"], "title_year_directors": row["alike"]},
    }


def _is_empty(name: str, type: str) -> tuple[str, Column]:
    return name, (F.size(name) == 0) if type.startswith("array") else F.col(name).isNull()


def _summaries(sized: DataFrame, stated: Sequence[str]) -> dict[str, dict[str, float]]:
    """Count, mean, deviation, least and most of each number; what is null weighs nothing, and a
    number never stated has no summary (Spark's refuses one of nothing)."""
    if not stated:
        return {name: {"count": 0} for name in NUMBERS}
    metrics = Summarizer.metrics("count", "mean", "std", "min", "max")
    row = sized.agg(*(_summary(metrics, name).alias(name) for name in stated)).collect()[0]
    return {name: _numbers(row[name]) if name in stated else {"count": 0} for name in NUMBERS}


def _summary(metrics: SummaryBuilder, name: str) -> Column:
    value = F.col(name).cast("double")
    vector = array_to_vector(F.array(F.coalesce(value, F.lit(0.0))))
    return metrics.summary(vector, value.isNotNull().cast("double"))


def _numbers(summary: Any) -> dict[str, float]:
    numbers = {key: round(float(summary[key][0]), 4) for key in ("mean", "std", "min", "max")}
    return {"count": int(summary["count"]), **numbers}


def _tally(words: DataFrame) -> dict[str, int]:
    counts = words.where("word IS NOT NULL").groupBy("word").count().collect()
    return {str(row["word"]): row["count"] for row in sorted(counts)}


def _shares(words: DataFrame) -> dict[str, float]:
    counts = _tally(words)
    total = sum(counts.values()) or 1
    return {word: round(count / total, 6) for word, count in counts.items()}


def _chi_square(sized: DataFrame) -> dict[str, list[dict[str, Any]]]:
    """For each of the commonest genres and directors: statistic, degrees of freedom, p-value."""
    known = sized.where("budget_class IS NOT NULL")
    words = [(column, word) for column in ASKED for word in _commonest(known, column)]
    flags = [F.array_contains(column, word).cast("double") for column, word in words]
    frame = known.select("budget_class", array_to_vector(F.array(*flags)).alias("words"))
    found = ChiSquareTest.test(frame, "words", "budget_class").collect()[0]
    figures = zip(found["statistics"], found["degreesOfFreedom"], found["pValues"], strict=True)
    asked: dict[str, list[dict[str, Any]]] = {column: [] for column in ASKED}
    for (column, word), (statistic, freedom, p) in zip(words, figures, strict=True):
        one = {"word": word, "statistic": round(float(statistic), 3), "df": int(freedom)}
        asked[column].append(one | {"p": float(p)})
    return asked


def _commonest(known: DataFrame, column: str) -> Sequence[str]:
    counts = known.select(F.explode(column).alias("word")).groupBy("word").count()
    top = counts.orderBy(F.desc("count"), "word").limit(COMMONEST).collect()
    return [row["word"] for row in top]
