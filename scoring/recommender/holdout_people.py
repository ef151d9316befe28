"""Each person of the holdout: the record of everybody, twenty shown in full, others' stars turned.

The record has one line for each person, ascending:

    {"unit": 42, "holdout": "9c1f…", "rows": 7, "squared_error": 5.25, "ndcg@10": 0.31}

- `unit`: the user id.
- `holdout`: the first 12 hex digits of the sha256 of the person's held-out rows (movie id, stars,
  time; ascending, little-endian, 8 bytes each).
- `squared_error`: the sum over `rows`, in squared stars.
- `ndcg@10`: null for a person who liked none of the rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from marquee.identifiers import digest_bytes
from scoring.arrays import Floats, Ints, rows_of
from scoring.evaluation_blocks import DIGEST_DIGITS, LARGEST_ERROR, RecordLine, matched_lines
from scoring.model_comparison import paired_bootstrap
from scoring.recommender.fallback import FOLD_IN
from scoring.recommender.holdout import LIKED, LIST_LENGTH, HoldoutScores, HoldoutSplit
from scoring.recommender.model import Recommender
from scoring.recommender.ratings_arrays import Ratings, Scale, liking_of

ROW = np.dtype([("movie_id", "<i8"), ("rating", "<f8"), ("time", "<i8")])
SHOWN_PEOPLE, SHOWN_PAST = 20, 6
TURNED_PEOPLE = 200
DISLIKED = 0.4
"""Two of five stars; see `liking_of`."""


class PersonLine(RecordLine):
    """One person's line of the holdout record."""

    unit: int
    rows: Annotated[int, Field(ge=1)]
    squared_error: Annotated[float, Field(ge=0.0, le=LARGEST_ERROR)]
    ndcg: Annotated[float, Field(ge=0.0, le=1.0)] | None = Field(
        validation_alias="ndcg@10", serialization_alias="ndcg@10"
    )


def holdout_record(split: HoldoutSplit, scores: HoldoutScores) -> list[PersonLine]:
    """One model's line for each person of the holdout."""
    errors, rows = split.errors(scores.values)
    ndcg: list[float] = split.ranking_liked(scores.lists)["ndcg"].clip(0.0, 1.0).tolist()
    liked = dict(zip(split.liked.people.tolist(), ndcg, strict=True))
    digests = holdout_digests(split.holdout)
    columns = (split.people.tolist(), digests, rows.tolist(), errors.tolist())
    return [
        PersonLine(unit=u, holdout=d, rows=int(n), squared_error=e, ndcg=liked.get(u))
        for u, d, n, e in zip(*columns, strict=True)
    ]


def holdout_digests(holdout: Ratings) -> list[str]:
    """One digest for each person, ascending; the order of `holdout` has no effect."""
    order = np.lexsort((holdout.values, holdout.times, holdout.movie_ids, holdout.user_ids))
    rows = holdout.take(order)
    table = np.empty(len(rows), dtype=ROW)
    table["movie_id"], table["rating"], table["time"] = rows.movie_ids, rows.values, rows.times
    _, starts = np.unique(rows.user_ids, return_index=True)
    ends = np.append(starts[1:], len(rows))
    return [digest_bytes(table[i:j].tobytes())[:DIGEST_DIGITS] for i, j in zip(starts, ends)]


def compare_with_record(
    ours: Sequence[PersonLine], recorded: Sequence[PersonLine], seed: int
) -> dict[str, Any]:
    """`versus.record`: `{"matched", "units", "rmse", "ndcg@10"}`, metrics by `paired_bootstrap`.

    It compares the people with the same holdout in `ours` and `recorded`; `other` is the recorded
    model. A metric without people to compare is left out. `matched` of `ndcg@10` counts the people
    who liked a title: only they have an nDCG.
    """
    pairs = matched_lines(ours, recorded)
    found: dict[str, Any] = {"matched": len(pairs), "units": len(ours)}
    if pairs:
        errors = _columns([(a.squared_error, b.squared_error, a.rows) for a, b in pairs])
        found["rmse"] = paired_bootstrap(*errors[:2], weights=errors[2], root=True, seed=seed)
    liked = [(a.ndcg, b.ndcg) for a, b in pairs if a.ndcg is not None and b.ndcg is not None]
    if liked:
        found["ndcg@10"] = paired_bootstrap(*_columns(liked), seed=seed) | {"matched": len(liked)}
    return found


def _columns(rows: Sequence[tuple[float, ...]]) -> list[Floats]:
    return list(np.array(rows, dtype=np.float64).T)


# Twenty people as examples


def sample_people(model: Recommender, split: HoldoutSplit, seed: int) -> list[dict[str, Any]]:
    """Twenty people of the holdout, from the shortest history to the longest.

    Keys: `user_id`; `rated`, rows in the bundle; `held_out` rows and those `liked`; `past`, the
    best-rated titles; `recommended`, ten titles, each with the titles `because` of which it is
    listed and with its held-out `stars` or null.
    """
    moments = split.moments
    asked = {} if moments is None else dict(zip(split.people.tolist(), moments.tolist()))
    return [_person(model, split, u, asked.get(u)) for u in _drawn_people(split, seed).tolist()]


def _drawn_people(split: HoldoutSplit, seed: int) -> Ints:
    """One random person from each twentieth of the people; people are ordered by rows in train."""
    users, counts = split.learnt_people
    rows = rows_of(users, split.people)
    length = np.where(rows >= 0, counts[rows], 0)
    ordered = split.people[np.lexsort((split.people, length))]
    rng = np.random.default_rng(seed)
    strata = np.array_split(ordered, min(SHOWN_PEOPLE, len(ordered)))
    return np.array([people[rng.integers(len(people))] for people in strata], dtype=np.int64)


def _person(model: Recommender, split: HoldoutSplit, user: int, at: int | None) -> dict[str, Any]:
    own = split.holdout.user_ids == user
    later = dict(zip(split.holdout.movie_ids[own].tolist(), split.holdout.values[own].tolist()))
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
            for found in model.recommend(user, LIST_LENGTH, at=at)
        ],
    }


def _title(model: Recommender, movie_id: int) -> dict[str, Any]:
    known = model.titles.get(movie_id)
    name, year = (known.title, known.year) if known else (f"title {movie_id}", None)
    return {"movie_id": movie_id, "title": name, "year": year}


# Whether stars count


def turn_stars(model: Recommender, split: HoldoutSplit, seed: int) -> dict[str, Any]:
    """What turning all stars upside down does to the lists of at most 200 people of the holdout.

    Each is folded in twice: from their ratings, and from lowest + highest - stars. Keys: `people`
    asked; `changed`, the share whose ten titles are others; `overlap`, the mean share of titles in
    both lists; `disliked_reasons`, recommendations of either list with a disliked title as a
    reason. Nobody is asked of whom the ranker knows no title, or whose stars all lie in the middle.
    """
    rng = np.random.default_rng(seed)
    scale = low, high = model.bundle.scale
    overlaps, disliked = list[float](), 0
    for user in rng.permutation(split.people)[:TURNED_PEOPLE].tolist():
        rated = model.ratings_of(user)
        turned = {movie: low + high - stars for movie, stars in rated.items()}
        if turned == rated or model.strategy_for(rated) != FOLD_IN:
            continue
        lists = []
        for ratings in (rated, turned):
            found, bad = model.recommend_for(ratings, LIST_LENGTH), _disliked(ratings, scale)
            disliked += sum(not bad.isdisjoint(r.because) for r in found)
            lists.append({r.movie_id for r in found})
        overlaps.append(len(lists[0] & lists[1]) / max(len(lists[0]), 1))
    return {
        "people": len(overlaps),
        "changed": float(np.mean([overlap < 1.0 for overlap in overlaps])) if overlaps else None,
        "overlap": float(np.mean(overlaps)) if overlaps else None,
        "disliked_reasons": disliked,
    }


def _disliked(ratings: Mapping[int, float], scale: Scale) -> set[int]:
    """The titles with at most two of five stars."""
    liking = liking_of(np.fromiter(ratings.values(), dtype=np.float64), scale)
    return {movie for movie, share in zip(ratings, liking.tolist()) if share <= DISLIKED}
