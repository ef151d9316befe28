"""A small Spark run that loads the classes of Marquee's jobs, so that set-up can archive them.

`local_stack` calls it once. The JVM's class archive makes later jobs start faster.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from pyspark.ml import Pipeline
from pyspark.ml.feature import StringIndexer, VectorAssembler
from pyspark.ml.recommendation import ALS
from pyspark.ml.regression import GBTRegressor, LinearRegression
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from spark_apps.recommender.content_fit import weigh_words
from spark_apps.recommender.training_titles import words_table

HDFS = ("org.apache.hadoop.hdfs.DistributedFileSystem", "org.apache.hadoop.hdfs.DFSClient")


def main() -> int:
    """Read, shuffle and write a small frame; weigh words; fit ALS, boosted trees, a line."""
    session = SparkSession.builder.config("spark.ui.enabled", "false").getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    for name in HDFS:
        session.sparkContext._jvm.java.lang.Class.forName(name)
    with tempfile.TemporaryDirectory() as folder:
        session.sparkContext.setCheckpointDir(folder)
        frame = _round_trip(session, Path(folder))
        _fit(frame, Path(folder))
    session.stop()
    return 0


def _round_trip(session: SparkSession, folder: Path) -> DataFrame:
    frame = session.range(4000).select(
        (F.col("id") % 60).cast("int").alias("user"),
        (F.col("id") % 83).cast("int").alias("item"),
        (F.col("id") % 5 + 1.0).alias("rating"),
        F.concat(F.lit("g"), F.col("id") % 7).alias("genre"),
    )
    frame.write.option("header", True).csv(str(folder / "csv"))
    read = session.read.option("header", True).csv(str(folder / "csv"))
    typed = read.select(*(F.col(n).cast(t).alias(n) for n, t in frame.dtypes)).dropDuplicates()
    ranked = typed.withColumn(
        "rank", F.row_number().over(Window.partitionBy("user").orderBy("item"))
    )
    ranked.write.parquet(str(folder / "parquet"))
    ranked.select("user").mapInArrow(lambda batches: batches, "user int").count()
    ranked.write.json(str(folder / "json"), compression="gzip")
    session.read.schema(ranked.schema).json(str(folder / "json")).count()
    return session.read.parquet(str(folder / "parquet")).cache()


def _fit(frame: DataFrame, folder: Path) -> None:
    _weigh_words(frame.sparkSession)
    for implicit in (False, True):
        als = ALS(userCol="user", itemCol="item", ratingCol="rating", maxIter=2, rank=8)
        model = als.setImplicitPrefs(implicit).setCheckpointInterval(2).fit(frame)
        model.transform(frame).agg(F.avg("prediction")).collect()
        model.itemFactors.toPandas()
        model.recommendForUserSubset(frame.select("user").limit(3), 5).collect()
    stages = [StringIndexer(inputCol="genre", outputCol="code", handleInvalid="keep")]
    stages += [VectorAssembler(inputCols=["code", "rank"], outputCol="features")]
    for last in (
        GBTRegressor(labelCol="rating", maxIter=3, maxDepth=3),
        LinearRegression(labelCol="rating", regParam=0.1),
    ):
        fitted = Pipeline(stages=[*stages, last]).fit(frame)
        fitted.transform(frame).agg(F.avg("prediction")).collect()
        fitted.write().overwrite().save(str(folder / "model"))


def _weigh_words(session: SparkSession) -> None:
    """The pipeline of the content vectors, which every training of a recommender runs."""
    rows = [
        {"movie_id": n, "plot": f"a plot with word{n % 7} in it", "year": 1990} for n in range(60)
    ]
    weigh_words(session, words_table(rows), 100)


if __name__ == "__main__":
    sys.exit(main())
