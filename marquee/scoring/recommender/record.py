"""The holdout record: what one model did on each person, kept for the model that comes after it.

`record.jsonl` has one line a person, ascending:

    {"unit": 42, "holdout": "9c1f…", "rows": 7, "squared_error": 5.25, "ndcg@10": 0.31}

`unit` is the user id; `holdout` the first 12 hex digits of the sha256 of that person's held-out
rows (movie id, stars, time; ascending, little-endian, 8 bytes each); `squared_error` the sum over
`rows`, in stars; `ndcg@10` null for a person who liked none of them. Code that has changed since is
judged on the people whose digests are equal: what they are asked is the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from marquee.digest import digest_bytes
from marquee.scoring.arrays import Floats
from marquee.scoring.bootstrap import paired
from marquee.scoring.recommender.exam import Exam, Scored
from marquee.scoring.recommender.ratings import Ratings

RECORD = "record.jsonl"
DIGITS = 12
MOST = 1e100  # of a squared error: sums of a hundred million such stay finite
NO_RECORD = "the champion left no record of its holdout"
ROW = np.dtype([("movie_id", "<i8"), ("rating", "<f8"), ("time", "<i8")])


class RecordLine(BaseModel):
    """One person. Keys that a later version adds are ignored."""

    model_config = ConfigDict(frozen=True, strict=True, populate_by_name=True)

    unit: int
    holdout: Annotated[str, Field(min_length=DIGITS, max_length=DIGITS)]
    rows: Annotated[int, Field(ge=1)]
    squared_error: Annotated[float, Field(ge=0.0, le=MOST)]
    ndcg: Annotated[float, Field(ge=0.0, le=1.0)] | None = Field(
        validation_alias="ndcg@10", serialization_alias="ndcg@10"
    )


def holdout_record(exam: Exam, scored: Scored) -> list[RecordLine]:
    """One line a person of the holdout: how `scored`, one model on this exam, did on them."""
    errors, rows = exam.errors(scored.values)
    ndcg: list[float] = exam.ranking_liked(scored.lists)["ndcg"].clip(0.0, 1.0).tolist()
    liked = dict(zip(exam.liked.people.tolist(), ndcg, strict=True))
    columns = (exam.people.tolist(), holdout_digests(exam.holdout), rows.tolist(), errors.tolist())
    return [
        RecordLine(unit=u, holdout=d, rows=int(n), squared_error=e, ndcg=liked.get(u))
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
    return [digest_bytes(table[i:j].tobytes())[:DIGITS] for i, j in zip(starts, ends)]


def write_record(path: Path, lines: Sequence[RecordLine]) -> Path:
    """As JSON lines."""
    path.write_text("".join(f"{line.model_dump_json(by_alias=True)}\n" for line in lines), "utf-8")
    return path


def read_record(path: Path | None) -> tuple[list[RecordLine] | None, str]:
    """The lines, or None and the reason: a record that is missing or damaged compares nothing, and
    is no fault of the model that is judged."""
    if path is None or not path.exists():
        return None, NO_RECORD
    try:
        text = path.read_text("utf-8")
    except (OSError, ValueError) as error:
        return None, f"the champion's {path.name} cannot be read: {error}"
    lines: list[RecordLine] = []
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            lines.append(RecordLine.model_validate_json(line))
        except ValidationError as error:
            found = error.errors()[0]
            where = ".".join(map(str, ("", *found["loc"])))
            return None, f"line {number}{where} of the champion's {path.name}: {found['msg']}"
    if not lines or len({line.unit for line in lines}) < len(lines):
        return None, f"the champion's {path.name} is empty or holds a person twice"
    return lines, ""


def compare_with_record(
    ours: Sequence[RecordLine], recorded: Sequence[RecordLine], seed: int
) -> dict[str, Any]:
    """`versus.record`: `{"matched", "units", "rmse": COMPARISON, "ndcg@10": COMPARISON}` over the
    people of `ours` whose holdout is the same in `recorded`, resampled; `other` is what was
    recorded. A metric without anybody to compare is left out; `matched` inside the ranking's counts
    the people who liked something, for they alone are compared on it.
    """
    kept = {(line.unit, line.holdout): line for line in recorded}
    asked = [(line, kept.get((line.unit, line.holdout))) for line in ours]
    pairs = [(line, other) for line, other in asked if other is not None]
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
