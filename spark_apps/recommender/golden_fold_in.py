"""Golden queries with ratings given: what a newcomer and the anonymous route are answered.

Plain arithmetic on what was fitted, each by another road than the scorer's (`folded` of predictors
and rankers says which). Those asked: trained people's first few ratings, one rating, both ends of
the scale, sixty ratings, titles that the ranker or the whole catalogue does not know, nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from scoring.arrays import Floats, Ints, Rows
from spark_apps.recommender.blend import Clip
from spark_apps.recommender.catalogue import IndexedRatings
from spark_apps.recommender.content.ridge import ContentFit, best_unseen, listed
from spark_apps.recommender.factor_model import Predictor
from spark_apps.recommender.ranking.fit import RankerFit

PEOPLE, FEW, MANY, TOP = 3, 5, 60, 10
ASKED = 4  # titles of the catalogue whose stars each is told, and one nobody has heard of
DAMPING = 25.0  # ratings at the mean that a title's popularity starts from
Given = tuple[Ints, Floats]  # movie ids and stars, oldest first


@dataclass(frozen=True)
class Fit:
    """What is asked: everything that was fitted on `ratings`."""

    ratings: IndexedRatings
    predictor: Predictor
    ranker: RankerFit
    content: ContentFit | None
    clip: Clip


def record_fold_in(fit: Fit, lots: np.random.Generator) -> list[dict[str, Any]]:
    """`fold_in` of `golden.json`; `scoring/recommender/golden.py` says what is in it."""
    popular = _popularity(fit.ratings)
    return [_query(fit, given, popular, lots) for given in _everybody(fit, lots)]


def _everybody(fit: Fit, lots: np.random.Generator) -> Iterator[Given]:
    """Seeded ratings of every kind that the catalogue allows."""
    ids, rated = fit.ratings.catalogue.movie_ids, np.unique(fit.ratings.items)
    levels, unheard = np.unique(fit.ratings.values), _unheard(ids)

    def some(rows: Rows, most: int) -> Given:
        chosen = lots.permutation(rows)[:most]
        return ids[chosen], lots.choice(levels, size=len(chosen))

    people = lots.permutation(len(fit.ratings.catalogue.user_ids))[:PEOPLE]
    yield from (_first_ratings(fit.ratings, int(person)) for person in people)
    yield some(rated, 1)
    movies, _ = some(rated, FEW)
    yield movies, np.resize(np.array(fit.clip), len(movies))
    yield some(rated, MANY)
    yield some(np.flatnonzero(~fit.ranker.known), FEW)
    yield unheard, lots.choice(levels, size=len(unheard))
    movies, stars = some(rated, FEW)
    yield np.concatenate([unheard[:1], movies]), np.concatenate([levels[:1], stars])
    yield np.empty(0, dtype=np.int64), np.empty(0)


def _first_ratings(ratings: IndexedRatings, person: int) -> Given:
    """A trained person's oldest few."""
    own = ratings.matrix.oldest_first(person)[:FEW]
    items = ratings.matrix.items(person)[own]
    return ratings.catalogue.movie_ids[items], ratings.matrix.stars(person)[own].astype(np.float64)


def _unheard(movie_ids: Ints) -> Ints:
    """Three ids that are not in the catalogue."""
    return np.setdiff1d(np.arange(1, len(movie_ids) + 4), movie_ids)[:3].astype(np.int64)


def _query(fit: Fit, given: Given, popular: Floats, lots: np.random.Generator) -> dict[str, Any]:
    ids, (movies, stars) = fit.ratings.catalogue.movie_ids, given
    known = np.isin(movies, ids)
    rows = np.searchsorted(ids, movies[known])
    strategy, best, scores, by = _list(fit, rows, popular)
    asked = np.append(lots.choice(ids, size=ASKED), _unheard(ids)[:1])
    values = _stars(fit, rows, stars[known], asked)
    return {
        "ratings": list(zip(movies.tolist(), stars.tolist())),
        "strategy": strategy,
        "predictions": [
            {"movie_id": m, "value": v} for m, v in zip(asked.tolist(), values.tolist())
        ],
        "n": TOP,
        "movie_ids": ids[best].tolist(),
        "scores": scores,
        "strategies": by,
    }


def _stars(fit: Fit, rows: Rows, stars: Floats, asked: Ints) -> Floats:
    """The person's bias alone where a title is in no catalogue; no bias where nothing was rated."""
    model, ids = fit.predictor.factor_model(), fit.ratings.catalogue.movie_ids
    bias, every = 0.0, model.mean + model.item_bias
    if len(rows):
        bias, every = fit.predictor.folded(rows, stars)
    places = np.minimum(np.searchsorted(ids, asked), len(ids) - 1)
    values = np.where(ids[places] == asked, every[places], model.mean + bias)
    return values.clip(*fit.clip)


def _list(fit: Fit, seen: Rows, popular: Floats) -> tuple[str, list[int], list[float], list[str]]:
    """By what the person is answered; ten titles, and the score and the strategy of each."""
    known, content = fit.ranker.known, fit.content
    if known[seen].any():
        strategy = "fold-in"
        rows, scores = listed(fit.ranker.folded(seen), known, seen, content, TOP)
        by = [strategy if known[row] else "content" for row in rows]
    else:
        told = content is not None and bool(content.told[seen].any())
        strategy = "content" if told else "popular"
        scores = popular * (content.likeness(seen) if content else 0.0)
        rows = best_unseen(scores, scores > 0.0, seen, TOP)
        by = ["content"] * len(rows)
    free = ~np.isin(np.arange(len(popular)), rows)
    more = best_unseen(popular, free, seen, TOP - len(rows))
    values = scores[rows].tolist() + popular[more].tolist()
    return strategy, rows + more, values, by + ["popular"] * len(more)


def _popularity(ratings: IndexedRatings) -> Floats:
    """Ratings of each title, times their damped mean over the mean of all."""
    titles, mean = len(ratings.catalogue.movie_ids), ratings.values.mean()
    counts, totals = np.zeros(titles), np.zeros(titles)
    np.add.at(counts, ratings.items, 1.0)
    np.add.at(totals, ratings.items, ratings.values / mean)
    found: Floats = counts * (totals + DAMPING) / (counts + DAMPING)
    return found
