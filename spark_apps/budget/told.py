"""What titles tell beside directors, genres and rating, in three maps whatever the source.

`people` (role to keys), `numbers` and `labels`. A column that prepared titles do not have yet is
simply not told.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from scoring.budget.features import DIRECTOR
from spark_apps.titles.items import folded

PEOPLE = {
    DIRECTOR: "directors",
    "writer": "writers",
    "cast": "cast",
    "company": "companies",
    "keyword": "keywords",
}
NUMBERS = ("runtime", "vote_count")
FIRST_OF = {"language": "languages", "country": "countries"}


def with_told(titles: DataFrame) -> DataFrame:
    """Adds `people` map<string,array<string>>, `numbers` map<string,double> and `labels`
    map<string,string>; nothing empty is in them. What a source put there already is kept."""
    there = set(titles.columns)
    return titles.withColumns(
        {
            "people": _people(there),
            "numbers": _numbers(there),
            "labels": _labels(there),
        }
    )


def _people(there: set[str]) -> Column:
    pairs = [
        cell
        for role, column in PEOPLE.items()
        if column in there
        for cell in (F.lit(role), _keys(column))
    ]
    known = F.create_map(*pairs)
    if "people" in there:
        tidy = F.transform_values("people", lambda _, names: _tidied(names))
        known = F.map_concat(known, tidy)
    return F.map_filter(known, lambda _, names: F.size(names) > 0)


def _keys(column: str) -> Column:
    return F.coalesce(_tidied(F.col(column)), F.array().cast("array<string>"))


def _tidied(names: Column) -> Column:
    """Each once; as `person_key` does."""
    return F.array_distinct(F.transform(names, folded))


def _numbers(there: set[str]) -> Column:
    pairs = [c for n in NUMBERS if n in there for c in (F.lit(n), F.col(n).cast("double"))]
    known = F.create_map(*pairs) if pairs else F.create_map().cast("map<string,double>")
    if "numbers" in there:
        known = F.map_concat(known, F.col("numbers"))
    return F.map_filter(known, lambda _, value: value.isNotNull())


def _labels(there: set[str]) -> Column:
    pairs = [F.lit("certificate"), F.col("certificate")] if "certificate" in there else []
    for name, column in FIRST_OF.items():
        pairs += [F.lit(name), F.get(column, 0)] if column in there else []
    if "release_date" in there:
        pairs += [F.lit("month"), F.regexp_extract("release_date", r"^\d{4}-(\d\d)-", 1)]
    known = F.create_map(*pairs) if pairs else F.create_map().cast("map<string,string>")
    if "labels" in there:
        known = F.map_concat(known, F.col("labels"))
    return F.map_filter(known, lambda _, word: F.coalesce(word, F.lit("")) != "")
