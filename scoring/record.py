"""The holdout record, `record.jsonl`: what a model did on each unit of its holdout, a line each.

It is kept with a promoted bundle, so that code that has changed since is compared with what the
champion did, on the units that are asked the same now: those whose `holdout` digests are equal.
What else a line holds, each model says (`recommender/record.py`, `budget/record.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

HEX = 12
"""Hex digits of a sha256 that a line's `holdout` keeps."""
MOST = 1e100
"""Of an error or its square: sums of a hundred million such stay finite."""
NO_RECORD = "the champion left no record of its holdout"


class RecordLine(BaseModel):
    """One unit. Keys that a later version adds are ignored."""

    model_config = ConfigDict(frozen=True, strict=True, populate_by_name=True)

    unit: Any
    holdout: Annotated[str, Field(min_length=HEX, max_length=HEX)]


L = TypeVar("L", bound=RecordLine)


def write_record(path: Path, lines: Sequence[RecordLine]) -> Path:
    """As JSON lines."""
    path.write_text("".join(f"{line.model_dump_json(by_alias=True)}\n" for line in lines), "utf-8")
    return path


def read_record(path: Path | None, kind: type[L]) -> tuple[list[L] | None, str]:
    """The lines, or None and the reason: a record that is missing or damaged compares nothing, and
    is no fault of the model that is judged."""
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
            found = error.errors()[0]
            where = ".".join(map(str, ("", *found["loc"])))
            return None, f"line {number}{where} of the champion's {path.name}: {found['msg']}"
    if len({line.unit for line in lines}) < len(lines):
        return None, f"the champion's {path.name} holds one unit twice"
    return lines, ""


def matched(ours: Sequence[L], recorded: Sequence[L]) -> list[tuple[L, L]]:
    """Our line and the recorded one of each unit that both were asked the same about."""
    kept = {(line.unit, line.holdout): line for line in recorded}
    asked = [(line, kept.get((line.unit, line.holdout))) for line in ours]
    return [(line, other) for line, other in asked if other is not None]


def versus_record(
    path: Path | None, kind: type[L], compare: Callable[[list[L]], dict[str, Any]]
) -> tuple[dict[str, Any] | None, str]:
    """What an evaluation says of the record at `path`: `versus.record`, the comparison, or None and
    in `record_why` why there is none."""
    recorded, why = read_record(path, kind)
    return (None if recorded is None else compare(recorded)), why
