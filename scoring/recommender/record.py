"""The recommender's holdout record, one line a person, ascending:

    {"unit": 42, "holdout": "9c1f…", "rows": 7, "squared_error": 5.25, "ndcg@10": 0.31}

`unit` is the user id; `holdout` the first 12 hex digits of the sha256 of that person's held-out
rows (movie id, stars, time; ascending, little-endian, 8 bytes each); `squared_error` the sum over
`rows`, in stars; `ndcg@10` null for a person who liked none of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from marquee.digest import digest_bytes
from scoring.arrays import Floats
from scoring.bootstrap import paired
from scoring.recommender.exam import Exam, Scored
from scoring.recommender.ratings import Ratings
from scoring.record import HEX, MOST, RecordLine, matched

ROW = np.dtype([("movie_id", "<i8"), ("rating", "<f8"), ("time", "<i8")])


class PersonLine(RecordLine):
    """One person."""

    unit: int
    rows: Annotated[int, Field(ge=1)]
    squared_error: Annotated[float, Field(ge=0.0, le=MOST)]
    ndcg: Annotated[float, Field(ge=0.0, le=1.0)] | None = Field(
        validation_alias="ndcg@10", serialization_alias="ndcg@10"
    )


def holdout_record(exam: Exam, scored: Scored) -> list[PersonLine]:
    """One line a person of the holdout: how `scored`, one model on this exam, did on them."""
    errors, rows = exam.errors(scored.values)
    ndcg: list[float] = exam.ranking_liked(scored.lists)["ndcg"].clip(0.0, 1.0).tolist()
    liked = dict(zip(exam.liked.people.tolist(), ndcg, strict=True))
    columns = (exam.people.tolist(), holdout_digests(exam.holdout), rows.tolist(), errors.tolist())
    return [
        PersonLine(unit=u, holdout=d, rows=int(n), squared_error=e, ndcg=liked.get(u))
        for u, d, n, e in zip(*columns, strict=True)
    ]


def holdout_digests(holdout: Ratings) -> list[str]:
    """Of each person, ascending; the order of their rows does not matter, and nobody else's do."""
    order = np.lexsort((holdout.values, holdout.times, holdout.movie_ids, holdout.user_ids))
    rows = holdout.take(order)
    table = np.empty(len(rows), dtype=ROW)
    table["movie_id"], table["rating"], table["time"] = rows.movie_ids, rows.values, rows.times
    _, starts = np.unique(rows.user_ids, return_index=True)
    ends = np.append(starts[1:], len(rows))
    return [digest_bytes(table[i:j].tobytes())[:HEX] for i, j in zip(starts, ends)]


def compare_with_record(
    ours: Sequence[PersonLine], recorded: Sequence[PersonLine], seed: int
) -> dict[str, Any]:
    """`versus.record`: `{"matched", "units", "rmse": COMPARISON, "ndcg@10": COMPARISON}` over the
    people of `ours` whose holdout is the same in `recorded`, resampled; `other` is what was
    recorded. A metric without anybody to compare is left out; `matched` inside the ranking's counts
    the people who liked something, for they alone are compared on it.
    """
    pairs = matched(ours, recorded)
    found: dict[str, Any] = {"matched": len(pairs), "units": len(ours)}
    if pairs:
        errors = _columns([(a.squared_error, b.squared_error, a.rows) for a, b in pairs])
        found["rmse"] = paired(*errors[:2], weights=errors[2], root=True, seed=seed)
    liked = [(a.ndcg, b.ndcg) for a, b in pairs if a.ndcg is not None and b.ndcg is not None]
    if liked:
        found["ndcg@10"] = paired(*_columns(liked), seed=seed) | {"matched": len(liked)}
    return found


def _columns(rows: Sequence[tuple[float, ...]]) -> list[Floats]:
    return list(np.array(rows, dtype=np.float64).T)
