"""Compares the answers of a loaded recommender with the golden queries of its `golden.json`.

    {"tolerance": 1e-5,
     "predictions": [{"user_id", "movie_id", "value"}...],
     "intervals": [{"user_id", "movie_id", "value", "shares": [...]}...],
     "rankings": [{"user_id", "n", "movie_ids": [...], "scores": [...]}...],
     "cold": [{"user_id", "movie_id", "score"}...],
     "fold_in": [{"ratings": [[movie_id, stars]...], "strategy", "predictions": [{"movie_id",
                  "value"}...], "n": 10, "movie_ids": [...], "scores": [...], "strategies": [...],
                  "disliked": [movie_id...]}]}

The training job computes the recorded answers with its own code, so that an error in this package
shows.

- `rankings`: a person's list of `n` unrated titles, best first, without the popular titles at its
  end. Tied titles may change places: each recorded title must have its recorded score here, and
  each position of our list the recorded score.
- `intervals`: the probability of each star, given the recorded prediction. Empty for a bundle
  without intervals, missing in older ones.
- `cold`: each person's best title among those the ranker does not know. Missing in bundles without
  content.
- `fold_in`: ratings, oldest first, of a person unknown to the bundle. The lists include popular
  titles. No reason may be one of `disliked`. Missing in older bundles.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from marquee.errors import BundleError
from scoring.arrays import Floats, rows_of
from scoring.evaluation_blocks import GoldenReport, golden_differences

if TYPE_CHECKING:
    from scoring.recommender.model import Recommender

Query = Mapping[str, Any]


def check_golden(model: Recommender) -> GoldenReport:
    """Answer every recorded query; raises BundleError where `golden.json` has another form."""
    golden = model.bundle.golden
    try:
        tolerance = float(golden["tolerance"])
        found = _predictions(model, golden["predictions"])
        asked = golden.get("intervals", ())
        found += [(f"interval {q['user_id']} {q['movie_id']}", _interval(model, q)) for q in asked]
        found += [(f"recommend {q['user_id']}", _ranking(model, q)) for q in golden["rankings"]]
        found += [(f"cold {q['user_id']}", _cold(model, q)) for q in golden.get("cold", ())]
        folded = enumerate(golden.get("fold_in", ()))
        found += [(f"fold in {i}", _fold_in(model, q)) for i, q in folded]
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(f"golden.json is not complete: {error}", "train it again") from None
    failures = tuple(query for query, difference in found if not difference <= tolerance)
    return GoldenReport(len(found), failures, max((worst for _, worst in found), default=0.0))


def _predictions(model: Recommender, queries: list[Query]) -> list[tuple[str, float]]:
    users = np.array([q["user_id"] for q in queries], dtype=np.int64)
    movies = np.array([q["movie_id"] for q in queries], dtype=np.int64)
    recorded = np.array([q["value"] for q in queries], dtype=np.float64)
    differences = golden_differences(model.predict(users, movies).values, recorded)
    return [(f"predict {u} {m}", float(d)) for u, m, d in zip(users, movies, differences)]


def _interval(model: Recommender, query: Query) -> float:
    """The largest difference of the stars' probabilities; infinite without intervals."""
    if model.intervals is None:
        return float("inf")
    user, movie = (np.array([query[key]], dtype=np.int64) for key in ("user_id", "movie_id"))
    cases = model.intervals.cases(user, movie, np.array([query["value"]], dtype=np.float64))
    shares = model.intervals.stars.probabilities(cases)[0]
    return _largest(np.array(query["shares"], dtype=np.float64), shares)


def _ranking(model: Recommender, query: Query) -> float:
    """The largest difference of one ranking.

    Infinite where the length differs, or the person or a title is unknown.
    """
    recorded = np.array(query["scores"], dtype=np.float64)
    n = int(query.get("n", len(recorded)))
    ours = model.recommend(int(query["user_id"]), n)[: len(recorded)]
    scores = _scores(model, int(query["user_id"]), query["movie_ids"])
    if len(ours) != len(recorded) or scores is None or not len(recorded):
        return float("inf")
    return _largest(recorded, scores, np.array([r.score for r in ours]))


def _cold(model: Recommender, query: Query) -> float:
    """The difference of one cold title's score; infinite where title or person is unknown."""
    scores = _scores(model, int(query["user_id"]), [int(query["movie_id"])])
    if scores is None:
        return float("inf")
    return _largest(np.array([query["score"]], dtype=np.float64), scores)


def _scores(model: Recommender, user_id: int, movie_ids: list[int]) -> Floats | None:
    users = rows_of(model.user_ids, np.array([user_id], dtype=np.int64))
    items = rows_of(model.movie_ids, np.array(movie_ids, dtype=np.int64))
    if users.min() < 0 or items.min(initial=0) < 0:
        return None
    return model.scores(user_id)[items]


def _fold_in(model: Recommender, query: Query) -> float:
    """The largest difference of the stars and of the list after a fold-in.

    Infinite where the strategy differs or a title is unknown.
    """
    ratings = {int(movie): float(stars) for movie, stars in query["ratings"]}
    movies = np.array([q["movie_id"] for q in query["predictions"]], dtype=np.int64)
    stars = np.array([q["value"] for q in query["predictions"]], dtype=np.float64)
    worst = _largest(stars, model.predict_for(ratings, movies).values)
    if model.strategy_for(ratings) != query["strategy"]:
        return float("inf")
    return max(worst, _list_for(model, ratings, query))


def _list_for(model: Recommender, ratings: Mapping[int, float], query: Query) -> float:
    recorded = np.array(query["scores"], dtype=np.float64)
    ours = model.recommend_for(ratings, int(query["n"]))
    scores = _scores_for(model, ratings, query["movie_ids"], query["strategies"])
    bad = set(query.get("disliked", ()))
    if any(not bad.isdisjoint(r.because) for r in ours):
        return float("inf")
    same_strategies = sorted(r.strategy for r in ours) == sorted(query["strategies"])
    if not same_strategies or scores is None or len(scores) != len(recorded):
        return float("inf")
    return _largest(recorded, scores, np.array([r.score for r in ours]))


def _scores_for(
    model: Recommender, ratings: Mapping[int, float], movie_ids: list[int], strategies: list[str]
) -> Floats | None:
    """Each title's score by its strategy; None where the title or the strategy is unknown."""
    items = rows_of(model.movie_ids, np.array(movie_ids, dtype=np.int64))
    scores = model.scores_for(ratings)
    if items.min(initial=0) < 0 or set(strategies) - set(scores):
        return None
    return np.array([scores[s][i] for s, i in zip(strategies, items, strict=True)])


def _largest(recorded: Floats, *answers: Floats) -> float:
    """The largest difference between the recorded values and any of the answers."""
    return max(float(golden_differences(a, recorded).max(initial=0.0)) for a in answers)
