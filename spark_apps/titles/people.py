"""One director, two spellings: a name without an id is the person whose id goes by that name."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from spark_apps.titles.items import folded

IS_ID = r"^nm\d+$"


def with_one_key(titles: DataFrame) -> DataFrame:
    """`directors` with the id in place of a folded name that exactly one id answers to.

    Names several ids share stay names: two people may be called alike.
    """
    credits = titles.select(
        "title_id", F.posexplode(F.arrays_zip("directors", "director_names")).alias("place", "one")
    ).select("title_id", "place", "one.directors", "one.director_names")
    by_id = credits.where(F.col("directors").rlike(IS_ID))
    unique = (
        by_id.groupBy(folded(F.col("director_names")).alias("key"))
        .agg(F.min("directors").alias("name_id"), F.max("directors").alias("other"))
        .where("name_id = other AND NOT key RLIKE '" + IS_ID + "'")
        .select("key", "name_id")
    )
    named = credits.where(~F.col("directors").rlike(IS_ID))
    touched = credits.join(named.select("title_id").distinct(), on="title_id", how="left_semi")
    found = touched.join(
        F.broadcast(unique), on=F.col("directors") == F.col("key"), how="left"
    ).withColumn("person", F.struct("place", F.coalesce("name_id", "directors").alias("key")))
    keys = found.groupBy("title_id").agg(
        F.transform(F.array_sort(F.collect_list("person")), lambda p: p["key"]).alias("keys")
    )
    joined = titles.join(F.broadcast(keys), on="title_id", how="left")
    return joined.withColumn("directors", F.coalesce("keys", "directors")).drop("keys")
