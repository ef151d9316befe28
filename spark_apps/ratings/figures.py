"""What a run's ratings are like: the figures by which the gate knows the world again.

`runs/R/data/ratings.json` holds `{"format": 1, "as_of", "rows", "people", "titles", "mean",
"counts": {"stars": {label: n}, "activity": {label: n}}}` of the merged ratings, before the split:
how many ratings gave how many stars (to the nearest half), how many people gave how many ratings.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

FORMAT = 1
ACTIVITY = (1, 5, 10, 20, 50, 100, 200, 500)
"""The fewest ratings of each class of people."""
LABELS = (*(f"{low}-{high - 1}" for low, high in pairwise(ACTIVITY)), f"{ACTIVITY[-1]}+")


def describe_ratings(ratings: DataFrame) -> Mapping[str, Any]:
    """The figures of ratings of which there is at least one; two small jobs over a cached frame."""
    whole = ratings.agg(F.count_distinct("movie_id"), F.avg("rating")).first()
    stars, people = _counted(ratings)
    assert whole is not None
    return {
        "rows": sum(stars.values()),
        "people": sum(people.values()),
        "titles": whole[0],
        "mean": round(whole[1], 6),
        "counts": {
            "stars": {f"{half / 2:g}": stars[half] for half in sorted(stars)},
            "activity": activity(people.items()),
        },
    }


def activity(people: Iterable[tuple[int, int]]) -> dict[str, int]:
    """How many people are in each class, from (ratings given, people who gave so many)."""
    counts = dict.fromkeys(LABELS, 0)
    for given, how_many in people:
        counts[LABELS[bisect_right(ACTIVITY, given) - 1]] += how_many
    return counts


def _counted(ratings: DataFrame) -> tuple[Counter[int], Counter[int]]:
    """Ratings by half stars; people by the first number of their class. One job for both."""
    half = F.round(F.col("rating") * 2).cast("int").alias("value")
    by_person = ratings.groupBy("user_id").agg(F.count(F.lit(1)).alias("given"))
    bounds = F.array(*(F.lit(low) for low in ACTIVITY))
    first = F.array_max(F.filter(bounds, lambda low: low <= F.col("given"))).alias("value")
    both = ratings.select(F.lit("stars").alias("kind"), half).unionByName(
        by_person.select(F.lit("people").alias("kind"), first)
    )
    found: dict[str, Counter[int]] = {"stars": Counter(), "people": Counter()}
    for row in both.groupBy("kind", "value").agg(F.count(F.lit(1)).alias("n")).collect():
        found[row.kind][row.value] = row.n
    return found["stars"], found["people"]
