"""Features of a title as Spark columns, from facts that were known at the title's release.

`with_attributes` collects a title's attributes into three maps: `people` (role to keys), `numbers`
and `labels`. `with_records` adds the track record of each role, from the training titles of earlier
years alone. A record is a mean of deviations. A deviation is a title's budget minus the usual
budget at its time, in log10 dollars of the price year. `scoring.budget` computes the same numbers
for one query.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame, Row, SparkSession, Window
from pyspark.sql import functions as F

from marquee.prices import PriceIndex
from scoring.budget.features import (
    DIRECTOR,
    FURTHER,
    GENRE,
    LONGEST_GAP,
    FeatureEncoder,
    KnownTitle,
    person_key,
)
from scoring.budget.known_titles import PRIOR_TITLES, RECENT_YEARS
from spark_apps.preparation.title_items import folded

TARGET, WITHOUT = "log_budget", "without"
EARLIER = Window.unboundedPreceding, -1
"""The frame of all earlier years, in a window ordered by year."""
PEOPLE = {
    DIRECTOR: "directors",
    "writer": "writers",
    "cast": "cast",
    "company": "companies",
    "keyword": "keywords",
}
NUMBERS = ("runtime", "vote_count")
FIRST_OF = {"language": "languages", "country": "countries"}


def with_attributes(titles: DataFrame) -> DataFrame:
    """Add `people` map<string,array<string>>, `numbers` map<string,double> and `labels`
    map<string,string>.

    No entry is empty. Existing columns of these names keep their entries. A missing input column
    adds no entry.
    """
    columns = set(titles.columns)
    return titles.withColumns(
        {
            "people": _people(columns),
            "numbers": _numbers(columns),
            "labels": _labels(columns),
        }
    )


def _people(columns: set[str]) -> Column:
    pairs = [
        cell
        for role, column in PEOPLE.items()
        if column in columns
        for cell in (F.lit(role), _keys(column))
    ]
    known = F.create_map(*pairs)
    if "people" in columns:
        folded_names = F.transform_values("people", lambda _, names: _distinct_keys(names))
        known = F.map_concat(known, folded_names)
    return F.map_filter(known, lambda _, names: F.size(names) > 0)


def _keys(column: str) -> Column:
    return F.coalesce(_distinct_keys(F.col(column)), F.array().cast("array<string>"))


def _distinct_keys(names: Column) -> Column:
    """The folded names without repetition."""
    return F.array_distinct(F.transform(names, folded))


def _numbers(columns: set[str]) -> Column:
    pairs = [c for n in NUMBERS if n in columns for c in (F.lit(n), F.col(n).cast("double"))]
    known = F.create_map(*pairs) if pairs else F.create_map().cast("map<string,double>")
    if "numbers" in columns:
        known = F.map_concat(known, F.col("numbers"))
    return F.map_filter(known, lambda _, value: value.isNotNull())


def _labels(columns: set[str]) -> Column:
    pairs = [F.lit("certificate"), F.col("certificate")] if "certificate" in columns else []
    for name, column in FIRST_OF.items():
        pairs += [F.lit(name), F.get(column, 0)] if column in columns else []
    if "release_date" in columns:
        pairs += [F.lit("month"), F.regexp_extract("release_date", r"^\d{4}-(\d\d)-", 1)]
    known = F.create_map(*pairs) if pairs else F.create_map().cast("map<string,string>")
    if "labels" in columns:
        known = F.map_concat(known, F.col("labels"))
    return F.map_filter(known, lambda _, word: F.coalesce(word, F.lit("")) != "")


def credited_names(title: Row) -> dict[str, str]:
    """The names of a prepared title's writers and cast whose key is an id, by key."""
    pairs = [
        pair
        for role, column in (("writers", "writer_names"), ("cast", "cast_names"))
        if role in title and column in title
        for pair in zip(title[role] or (), title[column] or ())
    ]
    return {key: name for key, name in pairs if key != person_key(name)}


def known_title(row: Row) -> KnownTitle:
    """A featured training title as a bundle holds it."""
    people = {role: tuple(names) for role, names in row["people"].items() if role != DIRECTOR}
    return KnownTitle(
        title_id=row["title_id"],
        title=row["title"],
        year=int(row["year"]),
        directors=tuple(row["directors"]),
        director_names=tuple(row["director_names"]),
        genres=tuple(row["genres"]),
        rating=row["rating"],
        log_budget=float(row[TARGET]),
        above_time=row["above_time"],
        people=people,
        numbers=dict(row["numbers"]),
        labels=dict(row["labels"]),
        names=credited_names(row),
    )


def with_target(spark: SparkSession, titles: DataFrame, prices: PriceIndex) -> DataFrame:
    """Add `log_budget`: log10 of the budget in dollars of the index's last year.

    Years before the price table take the prices of its first year, later years those of its last
    year, as in `PriceIndex.nearest`.
    """
    table = list(prices.factors(prices.last).items())
    factors = spark.createDataFrame(table, "priced_at int, factor double")
    nearest = F.greatest(F.least(F.col("year"), F.lit(prices.last)), F.lit(prices.first))
    placed = titles.withColumn("priced_at", nearest)
    priced = placed.join(F.broadcast(factors), on="priced_at", how="left")
    log_dollars = F.log10(F.col("budget_usd") * F.col("factor"))
    return priced.withColumn(TARGET, log_dollars).drop("factor", "priced_at")


def featured(rows: DataFrame, smoothing: float) -> DataFrame:
    """Add all features to the rows of `spark_apps.budget.folds.in_folds`."""
    return with_records(with_time_deviation(rows), smoothing)


def with_time_deviation(rows: DataFrame) -> DataFrame:
    """Add `above_time`: log_budget less the usual log budget of the fold's earlier years.

    `scoring.budget.known_titles.with_deviations` computes the same. The value is null for titles of
    the fold's first year, and for titles that the fold is not fitted on.
    """
    yearly = rows.where("is_fitted").groupBy("fold", "year")
    sums = yearly.agg(F.sum(TARGET).alias("total"), F.count("*").alias("titles"))
    by_year = Window.partitionBy("fold").orderBy("year")
    ever, recent = by_year.rangeBetween(*EARLIER), by_year.rangeBetween(-RECENT_YEARS, -1)

    def summed(column: str) -> Column:
        return F.coalesce(F.sum(column).over(recent), F.lit(0.0))

    mean = F.sum("total").over(ever) / F.sum("titles").over(ever)
    usual = (summed("total") + PRIOR_TITLES * mean) / (summed("titles") + PRIOR_TITLES)
    known = sums.select("fold", "year", usual.alias("usual"))
    joined = rows.join(F.broadcast(known), on=["fold", "year"], how="left")
    above = F.when(F.col("is_fitted"), F.col(TARGET) - F.col("usual"))
    return joined.withColumn("above_time", above).drop("usual")


def with_records(rows: DataFrame, smoothing: float) -> DataFrame:
    """Add `record`: a map from role to a struct of mean, last, most, films and gap.

    Several people of a role have the mean of `mean` and of `last`, the maximum of `most` and of
    `films`, the minimum of `gap`. Rows need `fold`, `title_id`, `year`, `people` and `above_time`.
    """
    named = rows.select("fold", "title_id", "year", "above_time", F.explode("people"))
    each = named.withColumnsRenamed({"key": "role", "value": "names"})
    each = each.withColumn("name", F.explode("names")).drop("names")
    by_year = Window.partitionBy("fold", "role", "name").orderBy("year").rangeBetween(*EARLIER)
    counts = F.col("above_time").isNotNull()
    titles = F.count("above_time").over(by_year)
    when = F.when(counts, F.struct("year", "title_id"))
    made_in = F.max(F.when(counts, F.col("year"))).over(by_year)
    record = each.select(
        "fold",
        "title_id",
        "role",
        _or_zero(F.sum("above_time").over(by_year) / (titles + smoothing)).alias("mean"),
        _or_zero(F.max_by("above_time", when).over(by_year)).alias("last"),
        _or_zero(F.max("above_time").over(by_year)).alias("most"),
        titles.alias("films"),
        F.least(F.lit(LONGEST_GAP), F.col("year") - made_in).alias("gap"),
    )
    return rows.join(_by_title(record), on=["fold", "title_id"], how="left")


def optional_fields(encoder: FeatureEncoder) -> list[str]:
    """The fields whose cost is measured: those that a person may state, and FURTHER for all but
    director, genre, year and rating together. None for a recipe with stages: `with_blanks` takes
    away what track records and vocabularies read, and a chain reads the names themselves."""
    if encoder.chains:
        return []
    numbers = [name for name in encoder.numbers if name in NUMBERS]
    further = [*encoder.people, *numbers, *encoder.labels]
    return [DIRECTOR, GENRE, *further, *([FURTHER] if further else [])]


def with_blanks(titles: DataFrame, fields: Sequence[str]) -> DataFrame:
    """Each featured title as it is, and once without each of `fields`; WITHOUT names the field."""
    each = titles.withColumn(WITHOUT, F.explode(F.array(*map(F.lit, ("", *fields)))))

    def is_kept(name: Column, _: Column) -> Column:
        is_further = (F.col(WITHOUT) == FURTHER) & (name != DIRECTOR)
        return (F.col(WITHOUT) != name) & ~is_further

    maps = {name: F.map_filter(name, is_kept) for name in ("record", "numbers", "labels")}
    genres = F.when(F.col(WITHOUT) == GENRE, F.array().cast("array<string>"))
    return each.withColumns({**maps, "genres": genres.otherwise(F.col("genres"))})


def _by_title(record: DataFrame) -> DataFrame:
    by_role = record.groupBy("fold", "title_id", "role").agg(
        F.struct(
            F.avg("mean").alias("mean"),
            F.avg("last").alias("last"),
            F.max("most").alias("most"),
            F.log1p(F.max("films").cast("double")).alias("films"),
            F.coalesce(F.min("gap"), F.lit(LONGEST_GAP)).alias("gap"),
        ).alias("features")
    )
    pairs = F.map_from_entries(F.collect_list(F.struct("role", "features")))
    return by_role.groupBy("fold", "title_id").agg(pairs.alias("record"))


def _or_zero(value: Column) -> Column:
    return F.coalesce(value, F.lit(0.0))
