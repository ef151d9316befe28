"""What a recommender's `golden.json` holds, and how a loaded bundle is held to it.

    {"tolerance": 1e-5,
     "predictions": [{"user_id", "movie_id", "value"}...],
     "rankings": [{"user_id", "n", "movie_ids": [...], "scores": [...]}...],
     "cold": [{"user_id", "movie_id", "score"}...],
     "fold_in": [{"ratings": [[movie_id, stars]...], "strategy", "predictions": [{"movie_id",
                  "value"}...], "n": 10, "movie_ids": [...], "scores": [...], "strategies": [...]}]}

Predictions and rankings are the training job's own, best unseen title first, never this package's.
A ranking is the head of a list of `n`, without the popular titles that fill it up. Rankings must
be equal up to ties: every recorded title scores here what it scored there, and our own list has the
same scores place by place. `cold` is of each person the best title the ranker does not know,
whether it is admitted to the list or not; bundles of before content have none. `fold_in` is asked
with ratings given, oldest first, as a newcomer's and as the anonymous route's are; its list is
whole, with the popular titles that fill it up. Bundles of before it have none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from marquee.errors import BundleError
from scoring.arrays import Floats, rows_of
from scoring.golden import GoldenReport, differences

if TYPE_CHECKING:
    from scoring.recommender.model import Recommender


def check_golden(model: Recommender) -> GoldenReport:
    """Ask every recorded query; raises BundleError where `golden.json` is not in this form."""
    golden = model.bundle.golden
    try:
        tolerance = float(golden["tolerance"])
        found = _predictions(model, golden["predictions"]) + _rankings(model, golden["rankings"])
        found += [(f"cold {q['user_id']}", _cold(model, q)) for q in golden.get("cold", ())]
        found += [(f"fold in {i}", _fold_in(model, q)) for i, q in _numbered(golden, "fold_in")]
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


def _fold_in(model: Recommender, query: Mapping[str, Any]) -> float:
    """The largest difference of the stars and the list told to somebody with these ratings;
    infinite where they are answered by another strategy or a title is unknown here."""
    ratings = {int(movie): float(stars) for movie, stars in query["ratings"]}
    movies = np.array([q["movie_id"] for q in query["predictions"]], dtype=np.int64)
    stars = np.array([q["value"] for q in query["predictions"]], dtype=np.float64)
    apart = differences(model.predict_for(ratings, movies).values, stars).max(initial=0.0)
    if model.strategy_for(ratings) != query["strategy"]:
        return float("inf")
    return max(float(apart), _list_for(model, ratings, query))


def _list_for(model: Recommender, ratings: Mapping[int, float], query: Mapping[str, Any]) -> float:
    recorded = np.array(query["scores"], dtype=np.float64)
    ours = model.recommend_for(ratings, int(query["n"]))
    there = _scores_for(model, ratings, query["movie_ids"], query["strategies"])
    alike = sorted(r.strategy for r in ours) == sorted(query["strategies"])
    if not alike or there is None or len(there) != len(recorded):
        return float("inf")
    here = np.array([r.score for r in ours])
    apart = np.concatenate([differences(there, recorded), differences(here, recorded)])
    return float(apart.max(initial=0.0))


def _scores_for(
    model: Recommender, ratings: Mapping[int, float], movie_ids: list[int], strategies: list[str]
) -> Floats | None:
    """Of each title by the strategy that listed it; None where either is not known here."""
    items = rows_of(model.movie_ids, np.array(movie_ids, dtype=np.int64))
    scores = model.scores_for(ratings)
    if items.min(initial=0) < 0 or set(strategies) - set(scores):
        return None
    return np.array([scores[s][i] for s, i in zip(strategies, items, strict=True)])


def _numbered(golden: Mapping[str, Any], name: str) -> Iterable[tuple[int, Mapping[str, Any]]]:
    return enumerate(golden.get(name, ()))


def _scores(model: Recommender, user_id: int, movie_ids: list[int]) -> Floats | None:
    users = rows_of(model.user_ids, np.array([user_id], dtype=np.int64))
    items = rows_of(model.movie_ids, np.array(movie_ids, dtype=np.int64))
    if users.min() < 0 or items.min(initial=0) < 0:
        return None
    return model.scores(user_id)[items]
