"""Budgets in US dollars of the release year, and which of them cannot be believed."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from marquee.money import RateTable

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
    return F.when(
        amount.isNotNull(),
        F.when(amount == 0, "budget is 0")
        .when(amount < 0, F.lit("budget is negative"))
        .when(F.isnan(amount) | (amount >= TOO_MUCH), F.lit("budget is not a number of money"))
        .when(~currency.isin(known_currencies), F.concat(F.lit("currency unknown: "), currency))
        .when(
            F.col("per_dollar").isNull(),
            F.concat(F.lit("no exchange rate: "), currency, F.lit(" in "), F.col("year")),
        )
        .when(~F.col("converted").between(LEAST_DOLLARS, MOST_DOLLARS), "budget is implausible"),
    )
