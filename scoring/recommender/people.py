"""Real people to look at: what they liked, what they are told to watch, what they then watched."""

from __future__ import annotations

from typing import Any

import numpy as np

from scoring.arrays import Ints, rows_of
from scoring.recommender.exam import LIKED, Exam
from scoring.recommender.metrics import AT
from scoring.recommender.model import Recommender

SHOWN_PEOPLE, SHOWN_PAST = 20, 6


def real_people(model: Recommender, exam: Exam, seed: int) -> list[dict[str, Any]]:
    """Twenty people of the holdout, from the shortest history to the longest.

    Each: `user_id`, `rated` (rows the model knows), `held_out` and `liked` (of those, liked),
    `past` (their best-rated titles), `recommended` (ten, each with its reasons and, where the
    person rated it later, those `stars`).
    """
    return [_person(model, exam, int(user)) for user in _chosen(exam, seed)]


def _chosen(exam: Exam, seed: int) -> Ints:
    """One lot from each twentieth of the people, ordered by how many rows train has of them."""
    users, counts = np.unique(exam.train.user_ids, return_counts=True)
    rows = rows_of(users, exam.people)
    length = np.where(rows >= 0, counts[rows], 0)
    ordered = exam.people[np.lexsort((exam.people, length))]
    lots = np.random.default_rng(seed)
    parts = np.array_split(ordered, min(SHOWN_PEOPLE, len(ordered)))
    return np.array([part[lots.integers(len(part))] for part in parts], dtype=np.int64)


def _person(model: Recommender, exam: Exam, user: int) -> dict[str, Any]:
    own = exam.holdout.user_ids == user
    later = dict(zip(exam.holdout.movie_ids[own].tolist(), exam.holdout.values[own].tolist()))
    past = model.ratings_of(user)
    best = sorted(past, key=lambda movie: (-past[movie], movie))[:SHOWN_PAST]
    return {
        "user_id": user,
        "rated": len(past),
        "held_out": len(later),
        "liked": sum(stars >= LIKED for stars in later.values()),
        "past": [_title(model, movie) | {"stars": past[movie]} for movie in best],
        "recommended": [
            _title(model, found.movie_id)
            | {"strategy": found.strategy, "stars": later.get(found.movie_id)}
            | {"because": [_title(model, movie)["title"] for movie in found.because]}
            for found in model.recommend(user, AT)
        ],
    }


def _title(model: Recommender, movie_id: int) -> dict[str, Any]:
    known = model.titles.get(movie_id)
    name, year = (known.title, known.year) if known else (f"title {movie_id}", None)
    return {"movie_id": movie_id, "title": name, "year": year}
