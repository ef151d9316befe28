"""Ratings in many partitions: the same content as in few; a quarantine read by many tasks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from marquee.lake import Lake
from spark_apps import prepare_ratings
from spark_apps.spark_session import partitions_of, raise_shuffle_partitions
from tests.plugins.spark_session import spark  # noqa: F401
from tests.spark_recommender.made_up import flags, make_lake, ratings_lines

KEY = "spark.sql.shuffle.partitions"
POPULAR, HEAVY, AGAIN, WIDE = 39, 9_001, 9_002, 2**60
LINES = [
    *ratings_lines(),
    *(f"{1000 + n},{POPULAR},4.0,{1_400_000_000 + n}" for n in range(3_000)),  # rated by everybody
    *(f"{HEAVY},{n},3.5,{1_300_000_000 + n}" for n in range(20_000)),  # rates everything
    *(f"{WIDE + n},{WIDE + n % 7},1.0,{1_200_000_000 + n}" for n in range(50)),
    *(f"x{n},1,4.0,1000" for n in range(500)),
    *([f"{AGAIN},5,4.5,1350000000"] * 5_000),  # one row again and again
]


def content(lake: Lake, session: SparkSession) -> dict[str, Any]:
    """Sorted rows of all that the job published, and its figures."""
    found: dict[str, Any] = {}
    for path in ("prepared/ratings", "split/ratings/train", "split/ratings/holdout"):
        rows = session.read.parquet(lake.uri(f"runs/r-1/{path}")).collect()
        found[path] = sorted(tuple(row) for row in rows)
    refused = session.read.json(lake.uri("runs/r-1/prepared/quarantine/ratings")).collect()
    found["refused"] = sorted(json.dumps(row.asDict(), sort_keys=True) for row in refused)
    return found | {"figures": lake.read_json("runs/r-1/data/ratings.json")}


def test_the_number_of_partitions_changes_nothing(
    spark: SparkSession,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    few, many = (make_lake(tmp_path / name, LINES) for name in ("few", "many"))
    assert prepare_ratings.main(flags(few)) == 0
    before = spark.conf.get(KEY)
    monkeypatch.setattr(prepare_ratings, "partitions_of", lambda rows: partitions_of(rows, 400))
    try:
        assert prepare_ratings.main(flags(many)) == 0
        assert int(spark.conf.get(KEY) or 0) > 50
    finally:
        spark.conf.set(KEY, before)
    one, other = content(few, spark), content(many, spark)
    assert one == other
    assert len(one["refused"]) == 500
    assert sum(row[0] == HEAVY for row in one["split/ratings/holdout"]) == 4_000
    assert sum(row[1] == POPULAR for row in one["prepared/ratings"]) > 3_000
    assert sum(row[0] >= WIDE for row in one["prepared/ratings"]) == 50
    assert sum(row[0] == AGAIN for row in one["prepared/ratings"]) == 1
    files = many.manifest("runs/r-1/prepared/quarantine/ratings").files
    assert sum(f.bytes > 0 for f in files) == partitions_of(500, 400) == 2


def test_partitions_are_raised_and_never_lowered(spark: SparkSession) -> None:  # noqa: F811
    before = spark.conf.get(KEY)
    try:
        raise_shuffle_partitions(spark, 64)
        raise_shuffle_partitions(spark, 3)
        assert spark.conf.get(KEY) == "64"
    finally:
        spark.conf.set(KEY, before)
    assert [partitions_of(n, 10) for n in (0, 1, 10, 11, 100)] == [1, 1, 1, 2, 10]
