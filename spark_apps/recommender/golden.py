"""Golden queries, answered by whoever was trained: Spark's `transform` and
`recommendForUserSubset`, or the double-precision posterior, and plain arithmetic on their numbers.
Nothing here imports the scorer that will be held to them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from pyspark.sql import DataFrame, SparkSession

from marquee.scoring.arrays import Rows
from spark_apps.recommender.blend import Clip
from spark_apps.recommender.catalogue import IndexedRatings
from spark_apps.recommender.factor_model import Predictor
from spark_apps.recommender.ranking.fit import RankerFit

PREDICTIONS, RANKINGS, TOP = 40, 10, 10
TOLERANCE = 1e-5
NO_QUERIES: dict[str, Any] = {"tolerance": TOLERANCE, "predictions": [], "rankings": []}


def record_golden(
    spark: SparkSession,
    ratings: IndexedRatings,
    predictor: Predictor,
    ranker: RankerFit,
    clip: Clip,
    seed: int,
) -> dict[str, Any]:
    """Predictions of seeded random pairs and top lists of seeded people, as `golden.json`."""
    lots = np.random.default_rng(seed)
    return {
        "tolerance": TOLERANCE,
        "predictions": _predictions(spark, ratings, predictor, clip, lots),
        "rankings": _rankings(spark, ratings, ranker, lots),
    }


def _predictions(
    spark: SparkSession,
    ratings: IndexedRatings,
    predictor: Predictor,
    clip: Clip,
    lots: np.random.Generator,
) -> list[dict[str, float | int]]:
    known = ratings.catalogue
    users = lots.integers(0, len(known.user_ids), PREDICTIONS)
    items = lots.integers(0, len(known.movie_ids), PREDICTIONS)
    pairs = np.array(sorted(set(zip(users.tolist(), items.tolist()))), dtype=np.intp)
    stars = predictor.answers(spark, pairs[:, 0], pairs[:, 1]).clip(*clip)
    return [
        {
            "user_id": int(known.user_ids[u]),
            "movie_id": int(known.movie_ids[i]),
            "value": float(value),
        }
        for (u, i), value in zip(pairs.tolist(), stars)
    ]


def _rankings(
    spark: SparkSession, ratings: IndexedRatings, ranker: RankerFit, lots: np.random.Generator
) -> list[dict[str, Any]]:
    """Best unseen titles of light raters: all are ranked, as many more as were seen are listed."""
    seen = {u: ratings.rated(u) for u in _light_raters(ratings, lots).tolist()}
    if ranker.answered_by_spark is not None:
        most = TOP + max(len(items) for items in seen.values())
        asked = spark.createDataFrame([(u,) for u in seen], "user int")
        answers = _top(ranker.answered_by_spark.recommendForUserSubset(asked, most))
    else:
        answers = {u: _ranked(ranker, u, rated) for u, rated in seen.items()}
    lists = [_unseen(ratings, u, answers[u], set(seen[u].tolist())) for u in seen if u in answers]
    return [asked for asked in lists if asked["movie_ids"]]


def _ranked(ranker: RankerFit, user: int, rated: Rows) -> list[tuple[int, float]]:
    """Every title the ranker knows with its score, best first."""
    scores = ranker.scores(user, rated)
    rows = np.flatnonzero(ranker.known)
    order = rows[np.argsort(-scores[rows], kind="stable")]
    return [(int(row), float(scores[row])) for row in order]


def _top(frame: DataFrame) -> Mapping[int, list[tuple[int, float]]]:
    rows = frame.collect()
    return {r["user"]: [(x["item"], x["rating"]) for x in r["recommendations"]] for r in rows}


def _unseen(
    ratings: IndexedRatings, user: int, ranked: list[tuple[int, float]], seen: set[int]
) -> dict[str, Any]:
    best = [(item, score) for item, score in ranked if item not in seen][:TOP]
    known = ratings.catalogue
    return {
        "user_id": int(known.user_ids[user]),
        "movie_ids": [int(known.movie_ids[item]) for item, _ in best],
        "scores": [float(score) for _, score in best],
    }


def _light_raters(ratings: IndexedRatings, lots: np.random.Generator) -> Rows:
    """Seeded people among the half with the fewest ratings: short lists of seen titles."""
    counts = np.bincount(ratings.users, minlength=len(ratings.catalogue.user_ids))
    half = np.argsort(counts, kind="stable")[: max(1, (len(counts) + 1) // 2)]
    chosen: Rows = np.sort(lots.choice(half, size=min(RANKINGS, len(half)), replace=False))
    return chosen
