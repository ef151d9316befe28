"""Golden queries: seeded queries with the answers of a fitted recommender, as `golden.json`.

A loaded bundle must repeat these answers (`scoring/recommender/golden_check.py`), so this module
does not import the scorer. Spark answers with `transform` (ALS predictions, blended here) and
`recommendForUserSubset` (rankings of implicit ALS that the driver did not refine). The fitted
models answer the others by other algorithms than the scorer's.

- `predictions`: stars of random pairs.
- `rankings`: lists of people with few ratings.
- `cold`: the best cold title of each of these people.
- `intervals`: the probabilities of the stars, for some of these pairs.
- `fold_in`: answers for people who are not in the bundle, from ratings in the request.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from pyspark.sql import DataFrame, SparkSession

from scoring.arrays import Floats, Ints, Rows
from scoring.recommender.ratings_arrays import History
from spark_apps.recommender.content_fit import ContentFit, best_unseen, list_unseen
from spark_apps.recommender.families import Clip, FittedRanker, Predictor
from spark_apps.recommender.fitted_order import FittedOrder
from spark_apps.recommender.indexed_ratings import IndexedRatings

PREDICTIONS, RANKINGS, TOP = 40, 10, 10
FOLDED_PEOPLE, FEW, MANY = 3, 5, 60  # trained people folded in; ratings of a query
STARS_EACH = 4  # titles of the catalogue in a fold-in query's predictions; one unknown id is added
INTERVALS = 10  # pairs
TOLERANCE = 1e-5
NO_QUERIES: dict[str, Any] = {
    "tolerance": TOLERANCE,
    "predictions": [],
    "intervals": [],
    "rankings": [],
    "cold": [],
    "fold_in": [],
}
GivenRatings = tuple[Ints, Floats]  # movie ids and stars, oldest first


@dataclass(frozen=True)
class FittedRecommender:
    """The fitted models; `content` is None where no title has content.

    `intervals` are those of `bundle.json`, or None.
    """

    predictor: Predictor
    order: FittedOrder
    content: ContentFit | None
    intervals: Mapping[str, Any] | None = None

    @property
    def ratings(self) -> IndexedRatings:
        """The rows of the fit."""
        return self.order.ratings

    @property
    def ranker(self) -> FittedRanker:
        """The ranker without what is rated lately."""
        return self.order.ranker

    def notes(self) -> list[str]:
        """Notes for the card."""
        return self.predictor.notes() + ([self.content.note()] if self.content else [])


def record_golden(
    spark: SparkSession, fitted: FittedRecommender, clip: Clip, seed: int
) -> dict[str, Any]:
    """The queries and answers of `golden.json`."""
    rng = np.random.default_rng(seed)
    predictions = _predictions(spark, fitted, clip, rng)
    rankings, cold = _rankings(spark, fitted, rng)
    folded = [_fold_in(fitted, clip, given, rng) for given in _given_ratings(fitted, clip, rng)]
    return {
        "tolerance": TOLERANCE,
        "predictions": predictions,
        "intervals": _intervals(fitted, predictions[:INTERVALS]),
        "rankings": rankings,
        "cold": cold,
        "fold_in": folded,
    }


def _predictions(
    spark: SparkSession, fitted: FittedRecommender, clip: Clip, rng: np.random.Generator
) -> list[dict[str, float | int]]:
    catalogue = fitted.ratings.catalogue
    users = rng.integers(0, len(catalogue.user_ids), PREDICTIONS)
    items = rng.integers(0, len(catalogue.movie_ids), PREDICTIONS)
    pairs = np.array(sorted(set(zip(users.tolist(), items.tolist()))), dtype=np.intp)
    stars = fitted.predictor.answers(spark, pairs[:, 0], pairs[:, 1]).clip(*clip)
    return [
        {
            "user_id": int(catalogue.user_ids[u]),
            "movie_id": int(catalogue.movie_ids[i]),
            "value": float(value),
        }
        for (u, i), value in zip(pairs.tolist(), stars)
    ]


def _intervals(fitted: FittedRecommender, asked: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """`intervals` of the pairs `asked`; none where the bundle has no intervals."""
    if fitted.intervals is None:
        return []
    ratings, found = fitted.ratings, []
    for query in asked:
        user = np.searchsorted(ratings.catalogue.user_ids, query["user_id"])
        item = np.searchsorted(ratings.catalogue.movie_ids, query["movie_id"])
        own = ratings.stars[ratings.indptr[user] : ratings.indptr[user + 1]]
        stars = ratings.levels[own], ratings.levels[ratings.stars[ratings.indices == item]]
        shares = _star_shares(fitted.intervals, query["value"], *stars)
        found.append({**query, "shares": shares})
    return found


def _star_shares(facts: Mapping[str, Any], value: float, given: Floats, got: Floats) -> list[float]:
    """The probability of each star, one star at a time."""
    levels, every, w = facts["levels"], facts["shares"], facts["weights"]

    def shrunken(stars: Floats, prior: float) -> list[float]:
        near = [levels[int(np.argmin([abs(star - one) for one in levels]))] for star in stars]
        total = len(near) + prior
        return [(near.count(one) + prior * p) / total for one, p in zip(levels, every)]

    person, title = (shrunken(s, p) for s, p in zip((given, got), facts["priors"]))
    own = value - sum(share * level for share, level in zip(person, levels))
    half, new, rare = (levels[-1] - levels[0]) / 2, *(1 / (1 + len(s)) ** 0.5 for s in (given, got))
    middle = (value - sum(levels) / len(levels)) / half
    logs = []
    for level, share, mine, its in zip(levels, every, person, title):
        d = (level - value) / half
        tilt = w["tilt"] + w["tilt_new"] * new + w["tilt_middle"] * middle + w["tilt_own"] * own
        narrow = w["square"] + w["square_new"] * new + w["square_rare"] * rare
        common = w["everybody"] + (0 if len(given) else w["everybody_unknown"])
        power = d * tilt - d * d * narrow - abs(d) * w["distance"]
        liked = (w["person"] + w["person_new"] * new) * np.log(mine) + w["title"] * np.log(its)
        logs.append(float(power + common * np.log(share) + liked))
    odds = [float(np.exp(one - max(logs))) for one in logs]
    return [one / sum(odds) for one in odds]


def _rankings(
    spark: SparkSession, fitted: FittedRecommender, rng: np.random.Generator
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """`rankings` and `cold`: the best unseen titles, and the best cold title, of light raters.

    People without a title that the ranker knows are omitted.
    """
    ratings, known, content = fitted.ratings, fitted.ranker.known, fitted.content
    ids = ratings.catalogue.movie_ids
    seen = {u: fitted.order.history(u) for u in _light_raters(ratings, rng).tolist()}
    seen = {u: history for u, history in seen.items() if known[history.rows].any()}
    rankings, colds = [], []
    for user, plain in _scores(spark, fitted.ranker, seen).items():
        rated, ordered = seen[user].rows, fitted.order.ordered(plain, seen[user])
        rows, scores = list_unseen(ordered, known, rated, content, TOP)
        cold = best_unseen(scores, content.cold, rated, 1) if content else []
        person = {"user_id": int(ratings.catalogue.user_ids[user])}
        best = {"n": TOP, "movie_ids": ids[rows].tolist(), "scores": scores[rows].tolist()}
        rankings.append(person | best)
        colds += [person | {"movie_id": int(ids[r]), "score": float(scores[r])} for r in cold]
    return [one for one in rankings if one["movie_ids"]], colds


def _scores(
    spark: SparkSession, ranker: FittedRanker, seen: Mapping[int, History]
) -> dict[int, Floats]:
    """The ranker's scores [I] of each person; where it has a Spark model, Spark's for the best."""
    scores = {user: ranker.scores(user, history) for user, history in seen.items()}
    if ranker.spark_model is not None and seen:
        most = TOP + max(len(history.rows) for history in seen.values())
        people = spark.createDataFrame([(u,) for u in seen], "user int")
        answers = _top(ranker.spark_model.recommendForUserSubset(people, most))
        for user, best in answers.items():
            for item, score in best:
                scores[user][item] = score
    return scores


def _top(frame: DataFrame) -> Mapping[int, list[tuple[int, float]]]:
    rows = frame.collect()
    return {r["user"]: [(x["item"], x["rating"]) for x in r["recommendations"]] for r in rows}


def _light_raters(ratings: IndexedRatings, rng: np.random.Generator) -> Rows:
    """Seeded people of the half with the fewest ratings."""
    counts = np.diff(ratings.indptr)
    half = np.argsort(counts, kind="stable")[: max(1, (len(counts) + 1) // 2)]
    chosen: Rows = np.sort(rng.choice(half, size=min(RANKINGS, len(half)), replace=False))
    return chosen


def _given_ratings(
    fitted: FittedRecommender, clip: Clip, rng: np.random.Generator
) -> Iterator[GivenRatings]:
    """Seeded ratings of fold-in queries: the oldest ratings of trained people, one rating, the same
    titles at both ends of the scale, at the lowest and at the highest star, MANY ratings, cold
    titles, unknown titles, known and unknown ones, none."""
    ids, rated = fitted.ratings.catalogue.movie_ids, np.flatnonzero(fitted.ratings.title_counts)
    levels, unknown = fitted.ratings.levels, _unknown_ids(ids)

    def some(rows: Rows, most: int) -> GivenRatings:
        chosen = rng.permutation(rows)[:most]
        return ids[chosen], rng.choice(levels, size=len(chosen))

    people = rng.permutation(len(fitted.ratings.catalogue.user_ids))[:FOLDED_PEOPLE]
    yield from (_first_ratings(fitted.ratings, int(person)) for person in people)
    yield some(rated, 1)
    movies, _ = some(rated, FEW)
    yield movies, np.resize(np.array(clip), len(movies))
    for end in clip:
        yield movies, np.full(len(movies), end)
    yield some(rated, MANY)
    yield some(np.flatnonzero(~fitted.ranker.known), FEW)
    yield unknown, rng.choice(levels, size=len(unknown))
    movies, stars = some(rated, FEW)
    yield np.concatenate([unknown[:1], movies]), np.concatenate([levels[:1], stars])
    yield np.empty(0, dtype=np.int64), np.empty(0)


def _first_ratings(ratings: IndexedRatings, person: int) -> GivenRatings:
    """A trained person's FEW oldest ratings."""
    own = ratings.matrix.oldest_first(person)[:FEW]
    items = ratings.matrix.items(person)[own]
    return ratings.catalogue.movie_ids[items], ratings.matrix.stars(person)[own].astype(np.float64)


def _unknown_ids(movie_ids: Ints) -> Ints:
    """Three ids that are not in the catalogue."""
    return np.setdiff1d(np.arange(1, len(movie_ids) + 4), movie_ids)[:3].astype(np.int64)


def _fold_in(
    fitted: FittedRecommender,
    clip: Clip,
    given: GivenRatings,
    rng: np.random.Generator,
) -> dict[str, Any]:
    ids, (movies, stars) = fitted.ratings.catalogue.movie_ids, given
    known = np.isin(movies, ids)
    rows = np.searchsorted(ids, movies[known])
    history = fitted.order.given(rows, stars[known])
    strategy, best, scores, by = _list(fitted, history)
    pool = np.append(rng.choice(ids, size=STARS_EACH), _unknown_ids(ids)[:1])
    values = _stars(fitted, rows, stars[known], pool).clip(*clip)
    return {
        "ratings": list(zip(movies.tolist(), stars.tolist())),
        "strategy": strategy,
        "predictions": [
            {"movie_id": m, "value": v} for m, v in zip(pool.tolist(), values.tolist())
        ],
        "n": TOP,
        "movie_ids": ids[best].tolist(),
        "scores": scores,
        "strategies": by,
        "disliked": ids[rows[~fitted.ranker.liked(history)]].tolist(),
    }


def _stars(fitted: FittedRecommender, rows: Rows, stars: Floats, wanted: Ints) -> Floats:
    """Stars of the wanted titles; mean + bias for an unknown title, without ratings a bias of 0."""
    model, ids = fitted.predictor.factor_model(), fitted.ratings.catalogue.movie_ids
    bias, every = 0.0, model.mean + model.item_bias
    if len(rows):
        bias, every = fitted.predictor.folded(rows, stars)
    places = np.minimum(np.searchsorted(ids, wanted), len(ids) - 1)
    values = np.where(ids[places] == wanted, every[places], model.mean + bias)
    return values


def _list(
    fitted: FittedRecommender, history: History
) -> tuple[str, list[int], list[float], list[str]]:
    """The strategy of the answer; TOP titles, and the score and the strategy of each."""
    order, known, content, seen = fitted.order, fitted.ranker.known, fitted.content, history.rows
    popular = order.popular()
    if known[seen].any():
        strategy = "fold-in"
        rows, scores = list_unseen(order.folded(history), known, seen, content, TOP)
        by = [strategy if known[row] else "content" for row in rows]
    else:
        liked = seen[fitted.ranker.liked(history)]
        described = content is not None and bool(content.described[liked].any())
        strategy = "content" if described else "popular"
        scores = order.popularity * (content.likeness(liked) if content else 0.0)
        rows = best_unseen(scores, scores > 0.0, seen, TOP)
        by = ["content"] * len(rows)
    free = ~np.isin(np.arange(len(popular)), rows)
    more = best_unseen(popular, free, seen, TOP - len(rows))
    values = scores[rows].tolist() + popular[more].tolist()
    return strategy, rows + more, values, by + ["popular"] * len(more)
