"""What the evaluations of both models share: golden report, `shipped`, calibration, holdout record.

`scoring/recommender/` and `scoring/budget/` build their `evaluation.json` and `record.jsonl` from
these. Serving uses `GoldenReport` too: a bundle that fails its golden queries never serves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from marquee.errors import MarqueeError
from scoring.arrays import Floats, Ints

# Golden queries: answers that the training job recorded and that a loaded bundle must repeat


@dataclass(frozen=True)
class GoldenReport:
    """How many golden queries were put, which failed, and the worst difference.

    `worst` is relative to the tolerance's scale: |a - b| / (1 + |b|).
    """

    count: int
    failures: tuple[str, ...]
    worst: float

    @property
    def passed(self) -> bool:
        """There was at least one query, and none failed."""
        return self.count > 0 and not self.failures

    def as_json(self) -> dict[str, Any]:
        """The form `evaluation.json` keeps: the number of failures, not their texts."""
        return {"count": self.count, "failures": len(self.failures), "worst": self.worst}


def golden_differences(answers: Floats, recorded: Floats) -> Floats:
    """|a - b| / (1 + |b|): at most 1e-5 is |a - b| <= 1e-5 + 1e-5 |b|. NaN counts as infinite."""
    relative = np.abs(answers - recorded) / (1.0 + np.abs(recorded))
    return np.where(np.isfinite(relative), relative, np.inf)


# `shipped`: whether the bundle that would serve can


def check_shipped(
    measure: Callable[[], tuple[GoldenReport, float]], error: float
) -> dict[str, Any]:
    """`evaluation.json`'s `shipped`, of either model.

    `measure` loads the bundle and returns its golden report and its error on the holdout, which it
    has learnt from; `error` is that of the evaluated fit. A broken bundle is an answer, not an
    error.
    """
    answer: dict[str, Any] = {
        "loads": False,
        "why": "",
        "golden": {"count": 0, "failures": 0, "worst": None},
        "error_on_holdout": None,
        "error_evaluated": error,
    }
    try:
        golden, measured = measure()
    except MarqueeError as why:
        return answer | {"why": str(why)}
    return answer | {"loads": True, "golden": golden.as_json(), "error_on_holdout": measured}


# Calibration: the mean truth beside each prediction

HALF_STAR = 0.5
GROUPS = 10


def calibration_by_half_star(predicted: Floats, actual: Floats) -> list[dict[str, Any]]:
    """Predictions grouped by the nearest half star; see `_calibration`."""
    return _calibration(np.round(predicted / HALF_STAR).astype(np.int64), predicted, actual)


def calibration_by_tenths(predicted: Floats, actual: Floats) -> list[dict[str, Any]]:
    """Predictions in ten groups of like size, the lowest first; see `_calibration`."""
    order = np.argsort(np.argsort(predicted, kind="stable"), kind="stable")
    return _calibration(order * GROUPS // max(len(predicted), 1), predicted, actual)


def shares_of_stars(values: Floats) -> dict[str, float]:
    """The share of `values` at each half star, `{"3.5": 0.2, …}`, the lowest first."""
    stars, counts = np.unique(np.round(values / HALF_STAR) * HALF_STAR, return_counts=True)
    return {f"{star:g}": float(n / len(values)) for star, n in zip(stars, counts)}


def _calibration(group: Ints, predicted: Floats, actual: Floats) -> list[dict[str, Any]]:
    """Of each group: rows, the mean prediction, the mean truth and the truth's middle half."""
    table = []
    for key in np.unique(group):
        rows = group == key
        low, high = np.quantile(actual[rows], [0.25, 0.75])
        table.append(
            {
                "rows": int(rows.sum()),
                "predicted": float(predicted[rows].mean()),
                "actual": float(actual[rows].mean()),
                "middle_half": [float(low), float(high)],
            }
        )
    return table


# The holdout record, `record.jsonl`: what a model did on each unit of its holdout, a line each
#
# Promotion keeps it with the bundle. Code that has changed since is compared with what the champion
# did, on the units with the same question now: those with equal `holdout` digests. Each model adds
# its own keys to a line: `recommender/holdout_people.py`, and the budget model's twin.

DIGEST_DIGITS = 12
"""Hex digits of a sha256 that a line's `holdout` keeps."""
LARGEST_ERROR = 1e100
"""Of an error or its square: sums of a hundred million such stay finite."""
NO_RECORD = "the champion left no record of its holdout"


class RecordLine(BaseModel):
    """One unit. Keys that a later version adds are ignored."""

    model_config = ConfigDict(frozen=True, strict=True, populate_by_name=True)

    unit: Any
    holdout: Annotated[str, Field(min_length=DIGEST_DIGITS, max_length=DIGEST_DIGITS)]


L = TypeVar("L", bound=RecordLine)


def write_record(path: Path, lines: Sequence[RecordLine]) -> Path:
    """Write JSON lines."""
    path.write_text("".join(f"{line.model_dump_json(by_alias=True)}\n" for line in lines), "utf-8")
    return path


def read_record(path: Path | None, kind: type[L]) -> tuple[list[L] | None, str]:
    """The lines and an empty reason, or None and the reason.

    A record that is missing or damaged compares nothing, and is no fault of the evaluated model.
    """
    if path is None or not path.exists():
        return None, NO_RECORD
    try:
        text = path.read_text("utf-8")
    except (OSError, ValueError) as error:
        return None, f"the champion's {path.name} cannot be read: {error}"
    lines: list[L] = []
    # Not splitlines: a name may hold what Unicode calls a line separator.
    for number, line in enumerate(text.removesuffix("\n").split("\n"), start=1):
        try:
            lines.append(kind.model_validate_json(line))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, ("", *first["loc"])))
            return None, f"line {number}{where} of the champion's {path.name}: {first['msg']}"
    if len({line.unit for line in lines}) < len(lines):
        return None, f"the champion's {path.name} holds one unit twice"
    return lines, ""


def matched_lines(ours: Sequence[L], recorded: Sequence[L]) -> list[tuple[L, L]]:
    """Our line and the recorded one, of each unit with the same holdout rows in both."""
    by_question = {(line.unit, line.holdout): line for line in recorded}
    pairs = [(line, by_question.get((line.unit, line.holdout))) for line in ours]
    return [(line, other) for line, other in pairs if other is not None]


def versus_record(
    path: Path | None, kind: type[L], compare: Callable[[list[L]], dict[str, Any]]
) -> tuple[dict[str, Any] | None, str]:
    """An evaluation's `versus.record` and `record_why`: the comparison with the record at `path`
    and an empty reason, or None and the reason."""
    recorded, why = read_record(path, kind)
    return (None if recorded is None else compare(recorded)), why
