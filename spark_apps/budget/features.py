"""Features of a film, as columns: what was known when it came out and nothing later.

A person's record is taken from films of *earlier years* among those the fit may see, each as the
difference between its budget and what was usual in its time (log10 dollars of the price year). So
a row's features do not change when the future is deleted. `scoring.budget.features` makes
the same numbers for one query.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from marquee.money import PriceIndex
from scoring.budget.films import RECENT, STEADY
from scoring.budget.records import LONGEST_GAP

TARGET = "log_budget"
EARLIER = Window.unboundedPreceding, -1
"""Years before a row's own, in a window ordered by year."""


def with_target(spark: SparkSession, titles: DataFrame, prices: PriceIndex) -> DataFrame:
    """Adds `log_budget`: log10 of the budget in dollars of the index's last year.

    Every film keeps its row: before the table's first year the first one's prices stand, after
    its last year the last one's, as `PriceIndex.nearest` says.
    """
    table = list(prices.factors(prices.last).items())
    factors = spark.createDataFrame(table, "priced_at int, factor double")
    nearest = F.greatest(F.least(F.col("year"), F.lit(prices.last)), F.lit(prices.first))
    placed = titles.withColumn("priced_at", nearest)
    priced = placed.join(F.broadcast(factors), on="priced_at", how="left")
    log_dollars = F.log10(F.col("budget_usd") * F.col("factor"))
    return priced.withColumn(TARGET, log_dollars).drop("factor", "priced_at")


def with_time_deviation(rows: DataFrame) -> DataFrame:
    """Adds `above_time`: log_budget less what was usual, from the fold's fitted films of earlier
    years (`scoring.budget.films.with_deviations`).

    Null for films of a fold's first year (there is nothing before them) and for films the fold
    may not learn from.
    """
    yearly = rows.where("is_fitted").groupBy("fold", "year")
    sums = yearly.agg(F.sum(TARGET).alias("total"), F.count("*").alias("films"))
    by_year = Window.partitionBy("fold").orderBy("year")
    ever, recent = by_year.rangeBetween(*EARLIER), by_year.rangeBetween(-RECENT, -1)

    def summed(column: str) -> Column:
        return F.coalesce(F.sum(column).over(recent), F.lit(0.0))

    mean = F.sum("total").over(ever) / F.sum("films").over(ever)
    usual = (summed("total") + STEADY * mean) / (summed("films") + STEADY)
    known = sums.select("fold", "year", usual.alias("usual"))
    joined = rows.join(F.broadcast(known), on=["fold", "year"], how="left")
    above = F.when(F.col("is_fitted"), F.col(TARGET) - F.col("usual"))
    return joined.withColumn("above_time", above).drop("usual")


def with_records(rows: DataFrame, smoothing: float) -> DataFrame:
    """Adds `record`: for each role told, a struct of mean, last, most, films and gap.

    Several people: the mean of their means and lasts, the greatest of the rest, the least gap.
    Rows need `fold`, `title_id`, `year`, `people` and `above_time` (null for those that are only
    asked about).
    """
    named = rows.select("fold", "title_id", "year", "above_time", F.explode("people"))
    each = named.withColumnsRenamed({"key": "role", "value": "names"})
    each = each.withColumn("name", F.explode("names")).drop("names")
    by_year = Window.partitionBy("fold", "role", "name").orderBy("year").rangeBetween(*EARLIER)
    counts = F.col("above_time").isNotNull()
    films = F.count("above_time").over(by_year)
    when = F.when(counts, F.struct("year", "title_id"))
    made_in = F.max(F.when(counts, F.col("year"))).over(by_year)
    record = each.select(
        "fold",
        "title_id",
        "role",
        _or_zero(F.sum("above_time").over(by_year) / (films + smoothing)).alias("mean"),
        _or_zero(F.max_by("above_time", when).over(by_year)).alias("last"),
        _or_zero(F.max("above_time").over(by_year)).alias("most"),
        films.alias("films"),
        F.least(F.lit(LONGEST_GAP), F.col("year") - made_in).alias("gap"),
    )
    return rows.join(_by_film(record), on=["fold", "title_id"], how="left")


def _by_film(record: DataFrame) -> DataFrame:
    by_role = record.groupBy("fold", "title_id", "role").agg(
        F.struct(
            F.avg("mean").alias("mean"),
            F.avg("last").alias("last"),
            F.max("most").alias("most"),
            F.log1p(F.max("films").cast("double")).alias("films"),
            F.coalesce(F.min("gap"), F.lit(LONGEST_GAP)).alias("gap"),
        ).alias("stats")
    )
    pairs = F.map_from_entries(F.collect_list(F.struct("role", "stats")))
    return by_role.groupBy("fold", "title_id").agg(pairs.alias("record"))


def _or_zero(value: Column) -> Column:
    return F.coalesce(value, F.lit(0.0))


def featured(rows: DataFrame, smoothing: float) -> DataFrame:
    """All features of rows laid out in folds (`spark_apps.budget.folds`)."""
    return with_records(with_time_deviation(rows), smoothing)
