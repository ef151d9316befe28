"""Budgets in US dollars of the release year, and which of them cannot be believed."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from marquee.money import CERTAIN, RateTable

BUDGET_NOTE = "budget: "
TOO_MUCH = 1e12
"""In any currency: a number misread, or a telephone number."""
LEAST_DOLLARS, MOST_DOLLARS = 100.0, 1e9
"""Outside of these the currency or the number was misread: no film has cost a billion."""


def rate_frame(spark: SparkSession, rates: RateTable, years: range) -> DataFrame:
    """The table as rows: currency, year, per_dollar, and whether it is that very year's rate."""
    rows = [
        (currency, year, 1.0 / one.amount, one.is_exact)
        for currency in (*rates.rates, "USD")
        for year in years
        if (one := rates.dollars(1.0, currency, year))
    ]
    schema = "budget_currency string, year int, per_dollar double, is_exact boolean"
    return spark.createDataFrame(rows, schema)


def with_dollars(titles: DataFrame, rates: DataFrame, known_currencies: list[str]) -> DataFrame:
    """Adds `budget_usd`, `budget_reason` (why a stated budget gave no dollars) and `is_exact`."""
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
        .when(~F.col("converted").between(LEAST_DOLLARS, MOST_DOLLARS), "budget is implausible")
    )


def _note() -> Column:
    """Why a source could not read a budget it saw: its note `budget: …`."""
    notes = F.filter("notes", lambda note: note.startswith(BUDGET_NOTE))
    return F.substring(F.get(notes, F.lit(0)), len(BUDGET_NOTE) + 1, 500)
