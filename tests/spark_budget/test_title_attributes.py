"""A person spelt in two ways is one person, in training and in a query."""

from __future__ import annotations

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from marquee.normalise.text import fold
from scoring.budget.features import person_key
from spark_apps.budget.features import with_attributes, with_records, with_time_deviation
from spark_apps.preparation.title_items import folded
from tests.plugins.spark_session import spark  # noqa: F401

SPELLINGS = [
    "Alejandro G. Iñárritu",
    "Alejandro G. Inarritu",
    " ALEJANDRO  g. iñárritu ",
    "Alejandro\u00a0G. In\u0303a\u0301rritu",
    "Alejandro G. Iñ\u200bárritu",
]
SCHEMA = "title_id string, year int, directors array<string>, `cast` array<string>"


def test_spellings_are_one_key(spark: SparkSession) -> None:  # noqa: F811
    rows = [("tt1", 2001, SPELLINGS, [*SPELLINGS, "Bo Zell"])]
    row = with_attributes(spark.createDataFrame(rows, SCHEMA)).first()
    assert row is not None
    assert row["people"]["director"] == ["alejandro g. inarritu"]
    assert row["people"]["cast"] == ["alejandro g. inarritu", "bo zell"]


@pytest.mark.parametrize("name", [*SPELLINGS, "nm0000001", "Łukasz Żal", "İzzet Ünal", "Πέτρος"])
def test_training_and_query_agree(spark: SparkSession, name: str) -> None:  # noqa: F811
    row = with_attributes(spark.createDataFrame([("tt1", 2001, [name], [])], SCHEMA)).first()
    assert row is not None
    assert row["people"]["director"] == [person_key(name)]


def test_a_record_is_carried_from_one_spelling_to_the_next(
    spark: SparkSession,  # noqa: F811
) -> None:
    rows = [("one", f"tt{n}", 2000 + n, [name], [], 7.0 + n, True)
            for n, name in enumerate(SPELLINGS[:3])]  # fmt: skip
    schema = "fold string, " + SCHEMA + ", log_budget double, is_fitted boolean"
    titles = with_attributes(spark.createDataFrame(rows, schema))
    found = with_records(with_time_deviation(titles), 1.0).orderBy("year").collect()
    # A first year has nothing to be above of, so that the last title knows of one before it.
    assert [round(row["record"]["director"]["films"], 6) for row in found] == [0.0, 0.0, 0.693147]


def test_names_are_folded_as_in_python(spark: SparkSession) -> None:  # noqa: F811
    """ASCII names take a shorter way; both give one space and no accents."""
    names = ["Ada Lane", "Ada  Lane", " Ada\tLane ", "", "ÉMILE Zola", "José\u00a0Díaz"]
    names += ["Ada\u3000Lane", "Ada\u2003\u2003Lane", "A\u200bda Lane", *SPELLINGS[:3]]
    frame = spark.createDataFrame([(name,) for name in names], "name string")
    found = dict(frame.select("name", folded(F.col("name"))).collect())
    assert found == {name: fold(name) for name in names} and len(found) == len(names)
