"""Blocks of both models' evaluations: golden report, `shipped`, calibration, holdout record.

`scoring/recommender/` and `scoring/budget/` build `evaluation.json` and `record.jsonl` from them.
Serving uses `GoldenReport` too: it refuses a bundle that fails its golden queries.
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

# Golden queries: the training job records the answers, and a loaded bundle must repeat them


@dataclass(frozen=True)
class GoldenReport:
    """The number of golden queries, the failed ones, and the worst difference.

    `worst` is the largest |answer - recorded| / (1 + |recorded|).
    """

    count: int
    failures: tuple[str, ...]
    worst: float

    @property
    def passed(self) -> bool:
        """There was at least one query, and none failed."""
        return self.count > 0 and not self.failures

    def as_json(self) -> dict[str, Any]:
        """As `evaluation.json` keeps it: the number of failures without their texts."""
        return {"count": self.count, "failures": len(self.failures), "worst": self.worst}


def golden_differences(answers: Floats, recorded: Floats) -> Floats:
    """|a - b| / (1 + |b|): at most 1e-5 is |a - b| <= 1e-5 + 1e-5 |b|. NaN counts as infinite."""
    relative = np.abs(answers - recorded) / (1.0 + np.abs(recorded))
    return np.where(np.isfinite(relative), relative, np.inf)


# `shipped`: whether the bundle to be served loads and repeats its golden queries


def check_shipped(
    measure: Callable[[], tuple[GoldenReport, float]], error: float
) -> dict[str, Any]:
    """`evaluation.json`'s `shipped`, of either model.

    `measure` loads the shipped bundle and returns its golden report and its error on the holdout.
    That error is small, because the shipped fit includes the holdout. `error` is the evaluated
    fit's. A bundle that does not load gives `loads: false` with the reason; nothing is raised.
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


# Calibration: the mean actual value for each group of predictions

HALF_STAR = 0.5
DECILES = 10


def calibration_by_half_star(predicted: Floats, actual: Floats) -> list[dict[str, Any]]:
    """`_calibration` of predictions grouped by the nearest half star."""
    return _calibration(np.round(predicted / HALF_STAR).astype(np.int64), predicted, actual)


def calibration_by_decile(predicted: Floats, actual: Floats) -> list[dict[str, Any]]:
    """`_calibration` of predictions in ten groups of equal size, the lowest first."""
    order = np.argsort(np.argsort(predicted, kind="stable"), kind="stable")
    return _calibration(order * DECILES // max(len(predicted), 1), predicted, actual)


def shares_of_stars(values: Floats) -> dict[str, float]:
    """The share of `values` at each half star, `{"3.5": 0.2, …}`, the lowest first."""
    stars, counts = np.unique(np.round(values / HALF_STAR) * HALF_STAR, return_counts=True)
    return {f"{star:g}": float(n / len(values)) for star, n in zip(stars, counts)}


def _calibration(group: Ints, predicted: Floats, actual: Floats) -> list[dict[str, Any]]:
    """For each group: rows, mean prediction, mean actual value, its 25th and 75th percentile."""
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


# The holdout record, `record.jsonl`: one line for each unit (person or title) of the holdout
#
# Promotion keeps the record with the bundle. After a change of code, a challenger is compared with
# the champion's recorded errors on the units with equal `holdout` digests. Each model adds its own
# keys to a line: see `recommender/holdout_people.py` and `budget/holdout.py`.

DIGEST_DIGITS = 12
"""A line's `holdout` is the first so many hex digits of a sha256."""
LARGEST_ERROR = 1e100
"""Bound of an error or its square: a sum over a hundred million rows stays finite."""
NO_RECORD = "the champion left no record of its holdout"


class RecordLine(BaseModel):
    """One unit of the holdout. Unknown keys are ignored: a later version may add some."""

    model_config = ConfigDict(frozen=True, strict=True, populate_by_name=True)

    unit: Any
    holdout: Annotated[str, Field(min_length=DIGEST_DIGITS, max_length=DIGEST_DIGITS)]


LineType = TypeVar("LineType", bound=RecordLine)


def write_record(path: Path, lines: Sequence[RecordLine]) -> Path:
    """Write JSON lines."""
    path.write_text("".join(f"{line.model_dump_json(by_alias=True)}\n" for line in lines), "utf-8")
    return path


def read_record(path: Path | None, kind: type[LineType]) -> tuple[list[LineType] | None, str]:
    """The lines and an empty reason, or None and the reason.

    A missing or damaged record raises nothing: the evaluated model did not cause it.
    """
    if path is None or not path.exists():
        return None, NO_RECORD
    try:
        text = path.read_text("utf-8")
    except (OSError, ValueError) as error:
        return None, f"the champion's {path.name} cannot be read: {error}"
    lines: list[LineType] = []
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


def matched_lines(
    ours: Sequence[LineType], recorded: Sequence[LineType]
) -> list[tuple[LineType, LineType]]:
    """Pairs of our line and the recorded one, for each unit with the same holdout rows in both."""
    by_unit_and_holdout = {(line.unit, line.holdout): line for line in recorded}
    pairs = [(line, by_unit_and_holdout.get((line.unit, line.holdout))) for line in ours]
    return [(line, other) for line, other in pairs if other is not None]


def versus_record(
    path: Path | None, kind: type[LineType], compare: Callable[[list[LineType]], dict[str, Any]]
) -> tuple[dict[str, Any] | None, str]:
    """An evaluation's `versus.record` and `record_why`: the comparison with the record at `path`
    and an empty reason, or None and the reason."""
    recorded, why = read_record(path, kind)
    return (None if recorded is None else compare(recorded)), why
