"""The titles of a run as a dataset: budgets in dollars, the split, and the figures.

`prepare_titles` calls this on the listed titles. Each stated budget is converted at the exchange
rate of the release year, or gets a reason why it is not converted. The holdout is the newest
titles, because people ask the model about future titles.

`runs/R/data/titles.json` holds the figures: summaries, missing values, duplicates, tests of
independence and drift. Pearson's chi-square tests whether a genre, a director or a decade is
independent of the class of budget. Drift is the population stability index (PSI) of each
distribution against the run before.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from pyspark.ml.functions import array_to_vector
from pyspark.ml.stat import ChiSquareTest, Summarizer, SummaryBuilder
from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from marquee.artefacts.model_card import psi
from marquee.dataset_contracts import TITLES
from marquee.normalise.dates import LAST_YEAR
from marquee.prices import CERTAIN, PLAUSIBLE_BUDGET, RateTable

BUDGET_NOTE = "budget: "
TOO_MUCH = 1e12
"""In any currency; a budget of this size or more was misread."""
TRAIN_SHARE = 0.8
USABLE = "type = 'movie' AND budget_usd IS NOT NULL AND year IS NOT NULL AND size(genres) > 0"
"""The titles that the budget model learns from, as an SQL condition."""
FORMAT = 2
"""Format 1 has neither `films` nor `counts`."""
NUMBERS = ("year", "runtime", "rating", "log10_budget_usd")
BUDGET_EDGES = (6.0, 7.0, 7.7)
"""Bounds of the budget classes in log10 dollars: 1, 10 and 50 million dollars."""
TESTED = ("genres", "directors", "decades")
MOST_TESTED = 20
FEWEST_TO_TEST = 50
"""Titles with a budget that the chi-square tests need."""


def rate_frame(spark: SparkSession, rates: RateTable, years: range) -> DataFrame:
    """Rows of currency, year, units per dollar, and `is_exact`: the rate is of that year."""
    rows = [
        (currency, year, 1.0 / one.amount, one.is_exact)
        for currency in (*rates.rates, "USD")
        for year in years
        if (one := rates.dollars(1.0, currency, year))
    ]
    schema = "budget_currency string, year int, per_dollar double, is_exact boolean"
    return spark.createDataFrame(rows, schema)


def with_dollars(titles: DataFrame, rates: DataFrame, known_currencies: list[str]) -> DataFrame:
    """Add `budget_usd`, `budget_reason` (why a budget is not converted) and `is_exact`."""
    joined = titles.join(F.broadcast(rates), on=["budget_currency", "year"], how="left")
    dollars = joined.withColumn("converted", F.col("budget_amount") / F.col("per_dollar"))
    reasoned = dollars.withColumn("budget_reason", _reason(known_currencies))
    believed = F.when(F.col("budget_reason").isNull(), F.col("converted"))
    return reasoned.withColumn("budget_usd", believed).drop("converted", "per_dollar")


def _reason(known_currencies: list[str]) -> Column:
    amount, currency = F.col("budget_amount"), F.coalesce("budget_currency", F.lit("?"))
    doubt = F.format_string("currency in doubt: %s at %.2f", currency, F.col("budget_confidence"))
    return (
        F.when(amount.isNull(), _note())
        .when(amount == 0, "budget is 0")
        .when(amount < 0, F.lit("budget is negative"))
        .when(F.isnan(amount) | (amount >= TOO_MUCH), F.lit("budget is not a number of money"))
        .when(F.col("budget_confidence") < CERTAIN, doubt)
        .when(~currency.isin(known_currencies), F.concat(F.lit("currency unknown: "), currency))
        .when(F.col("year").isNull(), F.lit("no year to convert the budget at"))
        .when(
            F.col("per_dollar").isNull(),
            F.concat(F.lit("no exchange rate: "), currency, F.lit(" in "), F.col("year")),
        )
        .when(~F.col("converted").between(*PLAUSIBLE_BUDGET), "budget is implausible")
    )


def _note() -> Column:
    """The text of an item's note `budget: …`, by which a source says why a budget is unreadable."""
    notes = F.filter("notes", lambda note: note.startswith(BUDGET_NOTE))
    return F.substring(F.get(notes, F.lit(0)), len(BUDGET_NOTE) + 1, 500)


# The split


def split_sizes(usable: int) -> dict[str, int]:
    """How many of the usable titles go to `train` and to `holdout`."""
    train = math.ceil(TRAIN_SHARE * usable)
    return {"train": train, "holdout": usable - train}


def split_by_release(titles: DataFrame, sizes: Mapping[str, int]) -> dict[str, DataFrame]:
    """The oldest usable titles as `train`, the newest as `holdout`.

    The order is (year, release date, title id), so that the order of the rows changes nothing. Only
    the titles of one year are put in order: the year in which train ends.
    """
    usable = titles.where(USABLE)
    year, left = year_of_end(_years(usable), sizes["train"])
    by_release = Window.partitionBy("year").orderBy(F.asc_nulls_first("release_date"), "title_id")
    placed = usable.where(F.col("year") == year).withColumn(
        "place", F.row_number().over(by_release)
    )
    is_train = F.col("place") <= left
    earlier, later = usable.where(F.col("year") < year), usable.where(F.col("year") > year)
    return {
        "train": earlier.unionByName(placed.where(is_train).drop("place")),
        "holdout": placed.where(~is_train).drop("place").unionByName(later),
    }


def year_of_end(titles_of_year: Mapping[int, int], train: int) -> tuple[int, int]:
    """The year in which the first `train` titles end, and how many of that year are among them."""
    left = train
    for year, titles in sorted(titles_of_year.items()):
        if titles >= left:
            return year, left
        left -= titles
    return LAST_YEAR, left


def _years(titles: DataFrame) -> dict[int, int]:
    """Year to its number of titles; at most as many as films have years."""
    return {row["year"]: row["count"] for row in titles.groupBy("year").count().collect()}


# The figures


def titles_figures(titles: DataFrame, earlier: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The figures of prepared titles, which should be cached.

    `earlier`: the figures of the run before, for the drift; without them the drift is None.
    """
    sized = _sized(titles)
    counts = _counts(titles)
    missing = {**counts["missing"], "log10_budget_usd": 0.0 if counts["with_budget"] else 1.0}
    usable = counts_of_usable(sized)
    found: dict[str, Any] = {
        "format": FORMAT,
        "films": usable.pop("films"),
        "counts": usable,
        **counts,
        "numbers": _summaries(sized, [name for name in NUMBERS if missing[name] < 1]),
        "shares": {
            "decade": _shares(titles.select(_decade().alias("word"))),
            "genre": _shares(titles.select(F.explode("genres").alias("word"))),
            "budget_class": _shares(sized.select(F.col("budget_class").alias("word"))),
        },
    }
    is_enough = found["with_budget"] >= FEWEST_TO_TEST and len(found["shares"]["budget_class"]) > 1
    found["chi_square"] = _chi_square(sized) if is_enough else {}
    return found | {"drift": drift(found, earlier) if earlier else None}


def counts_of_usable(sized: DataFrame) -> dict[str, Any]:
    """The USABLE titles: their number `films`, and their counts by decade, genre and budget class.

    The gate compares the counts with the champion's.
    """
    usable = sized.where(USABLE).cache()
    decade, budget = _decade(), F.col("budget_class")
    words = {"decade": decade, "genre": F.explode("genres"), "budget_class": budget}
    found = {name: _tally(usable.select(word.alias("word"))) for name, word in words.items()}
    return {"films": usable.count(), **found}


def _decade() -> Column:
    return F.floor(F.col("year") / 10) * 10


def drift(now: Mapping[str, Any], earlier: Mapping[str, Any]) -> dict[str, float]:
    """PSI of each distribution in `shares`, from `earlier` to `now`."""
    return {
        name: round(psi(shares, earlier.get("shares", {}).get(name, {})), 4)
        for name, shares in now["shares"].items()
    }


def _sized(titles: DataFrame) -> DataFrame:
    log = F.log10("budget_usd")
    size = F.when(log.isNotNull(), sum((log >= edge).cast("int") for edge in BUDGET_EDGES))
    return titles.withColumns({"log10_budget_usd": log, "budget_class": size.cast("double")})


def _counts(titles: DataFrame) -> dict[str, Any]:
    """Number of rows, share of rows that lack each column, number of duplicates."""
    empty = [_is_empty(column.name, column.type) for column in TITLES.columns]
    same = F.when(F.size("directors") > 0, F.xxhash64(F.lower("title"), "year", "directors"))
    row = titles.agg(
        F.count("*").alias("rows"),
        F.count("budget_usd").alias("with_budget"),
        *(F.count_if(is_).alias(f"no_{name}") for name, is_ in empty),
    ).collect()[0]
    rows = row["rows"] or 1
    return {
        "rows": row["rows"],
        "with_budget": row["with_budget"],
        "missing": {name: round(row[f"no_{name}"] / rows, 9) for name, _ in empty},
        "duplicates": repeats(titles, {"title_year_directors": same}),
    }


def repeats(titles: DataFrame, keys: Mapping[str, Column]) -> dict[str, int]:
    """By name, how many titles repeat the key of another; a null key repeats nothing.

    One aggregate over (name, key), because Spark writes a row for each `count_distinct` of a query
    and for its other columns.
    """
    pairs = [
        F.when(
            key.isNotNull(), F.struct(F.lit(name).alias("name"), key.cast("string").alias("key"))
        )
        for name, key in keys.items()
    ]
    rows = titles.select(F.inline(F.array_compact(F.array(*pairs))))
    counted = rows.groupBy("name", "key").count().groupBy("name").agg(F.sum(F.col("count") - 1))
    return dict.fromkeys(keys, 0) | dict(counted.collect())


def _is_empty(name: str, type: str) -> tuple[str, Column]:
    return name, (F.size(name) == 0) if type.startswith("array") else F.col(name).isNull()


def _summaries(sized: DataFrame, stated: Sequence[str]) -> dict[str, dict[str, float]]:
    """Count, mean, standard deviation, minimum and maximum of each number's non-null values.

    A number without values has the count 0 alone, because Spark's summary needs a row.
    """
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
    """Statistic, degrees of freedom and p-value of the most frequent words of each of TESTED."""
    decades = F.when(F.col("year").isNotNull(), F.array(_decade().cast("string")))
    known = sized.where("budget_class IS NOT NULL").withColumn("decades", decades)
    words = [(column, word) for column in TESTED for word in _commonest(known, column)]
    flags = [F.array_contains(column, word).cast("double") for column, word in words]
    frame = known.select("budget_class", array_to_vector(F.array(*flags)).alias("words"))
    found = ChiSquareTest.test(frame, "words", "budget_class").collect()[0]
    figures = zip(found["statistics"], found["degreesOfFreedom"], found["pValues"], strict=True)
    tested: dict[str, list[dict[str, Any]]] = {column: [] for column in TESTED}
    for (column, word), (statistic, freedom, p) in zip(words, figures, strict=True):
        one = {"word": word, "statistic": round(float(statistic), 3), "df": int(freedom)}
        tested[column].append(one | {"p": float(p)})
    return tested


def _commonest(known: DataFrame, column: str) -> Sequence[str]:
    counts = known.select(F.explode(column).alias("word")).groupBy("word").count()
    top = counts.orderBy(F.desc("count"), "word").limit(MOST_TESTED).collect()
    return [row["word"] for row in top]
