"""What a recommender's `golden.json` holds, and how a loaded bundle is held to it.

    {"tolerance": 1e-5,
     "predictions": [{"user_id", "movie_id", "value"}...],
     "rankings": [{"user_id", "n", "movie_ids": [...], "scores": [...]}...],
     "cold": [{"user_id", "movie_id", "score"}...]}

Predictions and rankings are the training job's own, best unseen title first, never this package's.
A ranking is the head of a list of `n`, without the popular titles that fill it up. Rankings must
be equal up to ties: every recorded title scores here what it scored there, and our own list has the
same scores place by place. `cold` is of each person the best title the ranker does not know,
whether it is admitted to the list or not; bundles of before content have none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from marquee.errors import BundleError
from marquee.scoring.arrays import Floats, rows_of
from marquee.scoring.golden import GoldenReport, differences

if TYPE_CHECKING:
    from marquee.scoring.recommender.model import Recommender


def check_golden(model: Recommender) -> GoldenReport:
    """Ask every recorded query; raises BundleError where `golden.json` is not in this form."""
    golden = model.bundle.golden
    try:
        tolerance = float(golden["tolerance"])
        found = _predictions(model, golden["predictions"]) + _rankings(model, golden["rankings"])
        found += [(f"cold {q['user_id']}", _cold(model, q)) for q in golden.get("cold", ())]
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(f"golden.json is not complete: {error}", "train it again") from None
    failures = tuple(query for query, apart in found if not apart <= tolerance)
    return GoldenReport(len(found), failures, max((apart for _, apart in found), default=0.0))


def _predictions(model: Recommender, asked: list[Mapping[str, Any]]) -> list[tuple[str, float]]:
    users = np.array([q["user_id"] for q in asked], dtype=np.int64)
    movies = np.array([q["movie_id"] for q in asked], dtype=np.int64)
    recorded = np.array([q["value"] for q in asked], dtype=np.float64)
    apart = differences(model.predict(users, movies).values, recorded)
    return [(f"predict {u} {m}", float(d)) for u, m, d in zip(users, movies, apart)]


def _rankings(model: Recommender, asked: list[Mapping[str, Any]]) -> list[tuple[str, float]]:
    return [(f"recommend {q['user_id']}", _ranking(model, q)) for q in asked]


def _ranking(model: Recommender, query: Mapping[str, Any]) -> float:
    """The largest difference of one ranking; infinite where it has other titles or a stranger."""
    recorded = np.array(query["scores"], dtype=np.float64)
    asked = int(query.get("n", len(recorded)))
    ours = model.recommend(int(query["user_id"]), asked)[: len(recorded)]
    there = _scores(model, int(query["user_id"]), query["movie_ids"])
    if len(ours) != len(recorded) or there is None or not len(recorded):
        return float("inf")
    here = np.array([r.score for r in ours])
    return float(max(differences(there, recorded).max(), differences(here, recorded).max()))


def _cold(model: Recommender, query: Mapping[str, Any]) -> float:
    """How far one cold title's score is off; infinite where it or the person is unknown."""
    there = _scores(model, int(query["user_id"]), [int(query["movie_id"])])
    if there is None:
        return float("inf")
    return float(differences(there, np.array([query["score"]], dtype=np.float64)).max())


def _scores(model: Recommender, user_id: int, movie_ids: list[int]) -> Floats | None:
    users = rows_of(model.user_ids, np.array([user_id], dtype=np.int64))
    items = rows_of(model.movie_ids, np.array(movie_ids, dtype=np.int64))
    if users.min() < 0 or items.min(initial=0) < 0:
        return None
    return model.scores(user_id)[items]
