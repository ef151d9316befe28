"""Features of a film, as columns: what was known when it came out and nothing later.

A director's record is taken from films of *earlier years* among those the fit may see, each as the
difference between its budget and the mean budget of all films before it (log10 dollars of the
price year). So a row's features do not change when the future is deleted. `marquee.scoring.
budget_features` makes the same numbers for one query.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from marquee.money import PriceIndex

TARGET = "log_budget"
RECORD = ("director_mean", "director_last", "director_most", "director_films")


def with_target(spark: SparkSession, titles: DataFrame, prices: PriceIndex) -> DataFrame:
    """Adds `log_budget`: log10 of the budget in dollars of the index's last year."""
    years = [(y, prices.factor(y, prices.last)) for y in range(prices.first, prices.last + 2)]
    factors = spark.createDataFrame(years, "year int, factor double")
    priced = titles.join(F.broadcast(factors), on="year", how="inner")
    return priced.withColumn(TARGET, F.log10(F.col("budget_usd") * F.col("factor"))).drop("factor")


def with_time_deviation(rows: DataFrame) -> DataFrame:
    """Adds `above_time`: log_budget less the mean over the fold's fitted films of earlier years.

    Null for films of a fold's first year (there is nothing before them) and for films the fold
    may not learn from.
    """
    yearly = rows.where("is_fitted").groupBy("fold", "year")
    sums = yearly.agg(F.sum(TARGET).alias("total"), F.count("*").alias("films"))
    before = Window.partitionBy("fold").orderBy("year").rowsBetween(Window.unboundedPreceding, -1)
    means = sums.select(
        "fold", "year", (F.sum("total").over(before) / F.sum("films").over(before)).alias("mean")
    )
    joined = rows.join(F.broadcast(means), on=["fold", "year"], how="left")
    above = F.when(F.col("is_fitted"), F.col(TARGET) - F.col("mean"))
    return joined.withColumn("above_time", above).drop("mean")


def director_history(rows: DataFrame) -> DataFrame:
    """One row a fold, director and fitted film: what each had made, and when."""
    return rows.where("above_time IS NOT NULL").select(
        "fold",
        _keys().alias("key"),
        F.col("year").alias("made_in"),
        F.col("title_id").alias("made"),
        "above_time",
    )


def with_record(rows: DataFrame, history: DataFrame, smoothing: float) -> DataFrame:
    """Adds the four features of the directors' record; zeros where there is none.

    Several directors: the mean of their means and lasts, the greatest of the rest.
    """
    keyed = rows.select("fold", "title_id", "year", _keys(outer=True).alias("key"))
    earlier = [
        keyed["fold"] == history["fold"],
        keyed["key"] == history["key"],
        history["made_in"] < keyed["year"],
    ]
    each = keyed.join(history, on=earlier, how="left").groupBy(
        keyed["fold"], keyed["title_id"], keyed["key"]
    )
    films = F.count("above_time")
    per_director = each.agg(
        F.coalesce(F.sum("above_time") / (films + smoothing), F.lit(0.0)).alias("mean"),
        F.coalesce(F.max_by("above_time", F.struct("made_in", "made")), F.lit(0.0)).alias("last"),
        F.coalesce(F.max("above_time"), F.lit(0.0)).alias("most"),
        films.alias("films"),
    )
    per_film = per_director.groupBy("fold", "title_id").agg(
        F.avg("mean").alias("director_mean"),
        F.avg("last").alias("director_last"),
        F.max("most").alias("director_most"),
        F.log1p(F.max("films").cast("double")).alias("director_films"),
    )
    return rows.join(per_film, on=["fold", "title_id"], how="left")


def with_numbers(
    rows: DataFrame, first_year: Column, last_year: Column, rating_step: float
) -> DataFrame:
    """Adds `year_clipped` (into the years the fit has seen), `genre_count` and `rating_rounded`."""
    rounded = F.floor(F.col("rating") / (rating_step or 1.0) + 0.5) * F.lit(rating_step)
    return rows.withColumns(
        {
            "year_clipped": F.greatest(F.least("year", last_year), first_year).cast("double"),
            "genre_count": F.size(F.array_distinct("genres")).cast("double"),
            "rating_rounded": rounded if rating_step else F.col("rating"),
        }
    )


def featured(rows: DataFrame, smoothing: float, rating_step: float) -> DataFrame:
    """All features of rows laid out in folds (`spark_apps.budget.folds`)."""
    deviating = with_time_deviation(rows)
    recorded = with_record(deviating, director_history(deviating), smoothing)
    fitted_year = F.when(F.col("is_fitted"), F.col("year"))
    of_fold = Window.partitionBy("fold")
    years = F.min(fitted_year).over(of_fold), F.max(fitted_year).over(of_fold)
    return with_numbers(recorded, *years, rating_step)


def _keys(outer: bool = False) -> Column:
    """A director's id, or a name without regard to case and spaces; as budget_features does."""
    tidy = F.transform("directors", lambda d: F.lower(F.trim(F.regexp_replace(d, r"\s+", " "))))
    distinct = F.array_distinct(tidy)
    return F.explode_outer(distinct) if outer else F.explode(distinct)
