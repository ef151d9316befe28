"""Titles in many partitions: the same content as in one, and no task that takes them all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from spark_apps import prepare_titles
from spark_apps.preparation.listed_titles import with_linked_directors
from spark_apps.preparation.title_dataset import split_by_release, split_sizes, year_of_end
from spark_apps.preparation.title_items import (
    ALONE,
    ITEM_SCHEMA,
    KEY,
    merged_per_title,
    with_reason,
)
from tests.spark_budget.budget_lake import item
from tests.spark_budget.prepared_titles import Prepared, prepare

LOADED = "2026-10-31T00:00:00Z"
COLUMNS = "title_id string, type string, year int, release_date string, genres array<string>"


def titles_to_split(spark: SparkSession) -> tuple[DataFrame, list[tuple[Any, ...]]]:
    """Titles of few years and dates in any order, many of them alike, some of them unusable."""
    rng = np.random.default_rng(4)
    dates = (None, "{}", "{}-03", "{}-03-01", "{}-11-30")
    rows = []
    for n in rng.permutation(400).tolist():
        year, date = int(1990 + rng.integers(6)), dates[rng.integers(len(dates))]
        kind = "movie" if rng.random() < 0.9 else "tvEpisode"
        stated = date and date.format(year)
        rows.append((f"tt{n:07d}", kind, year, stated, ["Drama"], 1e6))
    frame = spark.createDataFrame(rows, f"{COLUMNS}, budget_usd double").repartition(5)
    return frame, [row for row in rows if row[1] == "movie"]


def test_the_split_is_that_of_the_titles_in_order(spark: SparkSession) -> None:
    frame, usable = titles_to_split(spark)
    ordered = sorted(usable, key=lambda row: (row[2], row[3] is not None, row[3] or "", row[0]))
    assert len(ordered) > 300
    for train in (split_sizes(len(ordered))["train"], 1, len(ordered) - 1, len(ordered)):
        sizes = {"train": train, "holdout": len(ordered) - train}
        split = split_by_release(frame, sizes)
        found = {
            name: sorted(r["title_id"] for r in part.collect()) for name, part in split.items()
        }
        assert found["train"] == sorted(row[0] for row in ordered[:train])
        assert found["holdout"] == sorted(row[0] for row in ordered[train:])


def test_train_ends_in_a_year() -> None:
    years = {2001: 3, 1999: 2, 2003: 5}
    assert [year_of_end(years, n) for n in (1, 2, 3, 5, 6, 10)] == [
        (1999, 1),
        (1999, 2),
        (2001, 1),
        (2001, 3),
        (2003, 1),
        (2003, 5),
    ]
    assert year_of_end({}, 0)[1] == 0


def lines() -> list[str]:
    """Usable titles, torn lines, refused budgets, directors with and without an id."""
    usual = [item(100 + n, year=1990 + n % 20, release_date=None) for n in range(60)]
    nameless = [{"name_id": None, "name": "Ada Lane"}, {"name_id": None, "name": "Nobody Else"}]
    odd = [
        item(1, directors=nameless),
        item(2, budget={"amount": 3, "currency": "USD"}),
        item(3, year=1700),
        item(4, title_id="nm0000004"),
        '{"title_id": "tt00000',
        "torn",
        "torn",
    ]
    return usual + odd


def content(found: Prepared) -> dict[str, Any]:
    rows = sorted(json.dumps(row.asDict(), sort_keys=True) for row in found.frame.collect())
    refused = sorted(json.dumps(line, sort_keys=True) for line in found.refused)
    split = {name: sorted(ids) for name, ids in found.split.items()}
    return {"rows": rows, "refused": refused, "split": split, "facts": dict(found.facts)}


def test_the_number_of_partitions_changes_nothing(
    tmp_path: Path, spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "many").mkdir()
    one = content(prepare(tmp_path / "one", spark, (LOADED, lines())))
    monkeypatch.setattr(prepare_titles, "ROWS_PER_PARTITION", 15)
    before = spark.conf.get("spark.sql.shuffle.partitions")
    try:
        found = prepare(tmp_path / "many", spark, (LOADED, lines()))
    finally:
        spark.conf.set("spark.sql.shuffle.partitions", before)
    assert content(found) == one
    assert found.frame.rdd.getNumPartitions() > 1
    assert len(one["rows"]) > 60 and len(one["refused"]) == 6
    assert len(one["split"]["train"]) > 40 and len(one["split"]["holdout"]) > 10
    assert found.rows["tt0000001"]["directors"] == ["nm0000001", "nobody else"]


def plan(frame: DataFrame) -> str:
    return str(frame._jdf.queryExecution().executedPlan().toString())


def analysed(frame: DataFrame) -> str:
    return str(frame._jdf.queryExecution().analyzed().toString())


def test_no_plan_gathers_the_titles_or_sends_names_through_the_driver(spark: SparkSession) -> None:
    frame, usable = titles_to_split(spark)
    parts = split_by_release(frame, split_sizes(len(usable)))
    people = "title_id string, movie_id bigint, directors array<string>"
    rows = [(f"tt{n:07d}", n, ["nm0000001"], ["Ada Lane"]) for n in range(50)]
    titles = spark.createDataFrame(rows, f"{people}, director_names array<string>").repartition(3)
    linked = with_linked_directors(titles)
    for one in [*parts.values(), linked]:
        assert "SinglePartition" not in plan(one)
    assert "strategy=broadcast" not in analysed(linked)
    small = with_linked_directors(titles, is_small=True)
    assert analysed(small).count("strategy=broadcast") == 2


def test_lines_that_are_no_items_do_not_meet_in_one_task(spark: SparkSession) -> None:
    torn = [(None, None, f"torn {n}", None, None) for n in range(200)]
    schema = "title_id string, title string, corrupt string, year int, release_date string"
    items = spark.createDataFrame(torn, f"{schema}").selectExpr(
        "*",
        "cast(null as string) AS type",
        "cast(null as struct<amount: double>) AS budget",
        "cast(array() as array<string>) AS genres",
        "cast(null as string) AS fetched_at",
        "timestamp '2026-01-01' AS fetched",
    )
    movielens = spark.createDataFrame([("tt0000001", 1999)], "title_id string, year int")
    found = with_reason(items, movielens)
    keys = {row[KEY] for row in found.select(KEY).collect()}
    assert len(keys) == 200
    assert {row["reason"] for row in found.select("reason").collect()} == {"not a title item"}


def test_a_line_again_and_again_is_one_title(tmp_path: Path, spark: SparkSession) -> None:
    """One key with most of the rows: a title stated a thousand times, a torn line as often."""
    usual = [item(100 + n, year=1990 + n % 20) for n in range(20)]
    often = [item(1, year=1994, fetched_at=None)] * 1_000
    found = prepare(tmp_path, spark, (LOADED, [*usual, *often, *["torn"] * 700]))
    assert found.rows["tt0000001"]["year"] == 1994
    assert sum(row["title_id"] == "tt0000001" for row in found.frame.collect()) == 1
    assert (found.facts["items"], found.facts["items_refused"]) == (1_720, 700)
    assert [line["reason"] for line in found.refused] == ["not a title item"] * 700


def test_a_title_with_one_item_is_merged_as_one_with_several(spark: SparkSession) -> None:
    """The short way of titles with one item gives what the aggregate gives."""
    lines = [item(1), item(2, genres=[], directors=[]), item(3, rating=None, vote_count=5)]
    raw = spark.read.schema(ITEM_SCHEMA).json(spark.sparkContext.parallelize(lines))
    moments = {"snapshot": F.lit("s"), "fetched": F.to_timestamp(F.lit("2026-01-01"))}
    movielens = spark.createDataFrame([("tt0000001", 1999)], "title_id string, year int")
    for known in (True, False):
        items = with_reason(raw.withColumns(moments | {"known": F.lit(known)}), movielens)
        assert items.where(ALONE).count() == 3
        twice = items.withColumn(ALONE, F.lit(False))
        short, long = (
            sorted(str(row) for row in merged_per_title(one).collect()) for one in (items, twice)
        )
        assert short == long and len(short) == 3


def test_no_title_is_shuffled_again_after_its_items(spark: SparkSession) -> None:
    before = spark.conf.get("spark.sql.adaptive.enabled")
    spark.conf.set("spark.sql.adaptive.enabled", "false")  # as our jobs have it
    raw = spark.read.schema(ITEM_SCHEMA).json(spark.sparkContext.parallelize([item(1), item(2)]))
    moments = {"snapshot": F.lit("s"), "fetched": F.to_timestamp(F.lit("2026-01-01"))}
    movielens = spark.createDataFrame([("tt0000001", 1999)], "title_id string, year int")
    items = with_reason(raw.withColumns(moments | {"known": F.lit(True)}), movielens).cache()
    try:
        merged = merged_per_title(items)._jdf.queryExecution().executedPlan()
        assert merged.outputPartitioning().toString().startswith("hashpartitioning(title_id")
    finally:
        items.unpersist()
        spark.conf.set("spark.sql.adaptive.enabled", before)
