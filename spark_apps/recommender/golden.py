"""Golden queries, answered by whoever was trained. Spark answers what it can: predictions of ALS by
`transform` (blended here), rankings of plain implicit ALS by `recommendForUserSubset`. All else is
plain arithmetic on what was fitted: a posterior's predictions, item weights, content, fold-in.
Nothing here imports the scorer that will be held to them, nor the code it scores cold titles by.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from pyspark.sql import DataFrame, SparkSession

from scoring.arrays import Floats, Mask, Rows
from spark_apps.recommender.blend import Clip
from spark_apps.recommender.catalogue import IndexedRatings
from spark_apps.recommender.content.ridge import ContentFit, best_unseen, listed
from spark_apps.recommender.factor_model import Predictor
from spark_apps.recommender.golden_fold_in import Fit, record_fold_in
from spark_apps.recommender.ranking.fit import RankerFit

PREDICTIONS, RANKINGS, TOP = 40, 10, 10
TOLERANCE = 1e-5
NO_QUERIES: dict[str, Any] = {
    "tolerance": TOLERANCE,
    "predictions": [],
    "rankings": [],
    "cold": [],
    "fold_in": [],
}


def record_golden(
    spark: SparkSession,
    ratings: IndexedRatings,
    predictor: Predictor,
    ranker: RankerFit,
    content: ContentFit | None,
    clip: Clip,
    seed: int,
) -> dict[str, Any]:
    """Predictions of seeded random pairs, top lists of seeded people, the best cold title of each,
    and what people known by ratings at hand are told, as `golden.json`."""
    lots = np.random.default_rng(seed)
    predictions = _predictions(spark, ratings, predictor, clip, lots)
    rankings, cold = _rankings(spark, ratings, ranker, content, lots)
    return {
        "tolerance": TOLERANCE,
        "predictions": predictions,
        "rankings": rankings,
        "cold": cold,
        "fold_in": record_fold_in(Fit(ratings, predictor, ranker, content, clip), lots),
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
    spark: SparkSession,
    ratings: IndexedRatings,
    ranker: RankerFit,
    content: ContentFit | None,
    lots: np.random.Generator,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Best unseen titles of light raters the ranker can learn from, and of each the best title
    that it does not know."""
    known, ids = ranker.known, ratings.catalogue.movie_ids
    seen = {u: ratings.rated(u) for u in _light_raters(ratings, lots).tolist()}
    seen = {u: rated for u, rated in seen.items() if known[rated].any()}
    rankings, colds = [], []
    for user, plain in _scores(spark, ranker, seen).items():
        rows, cold, scores = _listed(plain, known, seen[user], content)
        person = {"user_id": int(ratings.catalogue.user_ids[user])}
        told = {"n": TOP, "movie_ids": ids[rows].tolist(), "scores": scores[rows].tolist()}
        rankings.append(person | told)
        colds += [person | {"movie_id": int(ids[r]), "score": float(scores[r])} for r in cold]
    return [one for one in rankings if one["movie_ids"]], colds


def _listed(
    plain: Floats, known: Mask, seen: Rows, content: ContentFit | None
) -> tuple[list[int], list[int], Floats]:
    """One person's list, the best title that the ranker does not know (if any), all scores [I]."""
    rows, scores = listed(plain, known, seen, content, TOP)
    return rows, best_unseen(scores, content.cold, seen, 1) if content else [], scores


def _scores(spark: SparkSession, ranker: RankerFit, seen: Mapping[int, Rows]) -> dict[int, Floats]:
    """Scores [I] of each person; those of the best titles by Spark where it can tell them."""
    scores = {user: ranker.scores(user, rated) for user, rated in seen.items()}
    if ranker.answered_by_spark is not None and seen:
        most = TOP + max(len(items) for items in seen.values())
        asked = spark.createDataFrame([(u,) for u in seen], "user int")
        answers = _top(ranker.answered_by_spark.recommendForUserSubset(asked, most))
        for user, best in answers.items():
            for item, score in best:
                scores[user][item] = score
    return scores


def _top(frame: DataFrame) -> Mapping[int, list[tuple[int, float]]]:
    rows = frame.collect()
    return {r["user"]: [(x["item"], x["rating"]) for x in r["recommendations"]] for r in rows}


def _light_raters(ratings: IndexedRatings, lots: np.random.Generator) -> Rows:
    """Seeded people among the half with the fewest ratings: short lists of seen titles."""
    counts = np.bincount(ratings.users, minlength=len(ratings.catalogue.user_ids))
    half = np.argsort(counts, kind="stable")[: max(1, (len(counts) + 1) // 2)]
    chosen: Rows = np.sort(lots.choice(half, size=min(RANKINGS, len(half)), replace=False))
    return chosen
