"""Functions that read a JSON document of the lake as a typed value, or one key of it.

A typed document is a frozen value with a format number. A reader ignores unknown keys, so an older
release can read a file with a new key. A change of meaning raises the format number; an older
release then raises NewerFormatError.

The functions from `json_or_none` on read unchecked JSON and raise no error. `number` returns None
for a value that is missing, no number, NaN or infinite.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    TypeAdapter,
)
from pydantic import ValidationError as _ValidationError

from marquee.clock import iso
from marquee.errors import LakeError
from marquee.identifiers import checked_path

T = TypeVar("T")


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(microsecond=0)


def _one_step(name: str) -> str:
    try:
        steps = checked_path(name).split("/")
    except LakeError as error:
        raise ValueError(error.message) from None
    if len(steps) > 1:
        raise ValueError(f"{name!r} is a path, not a name")
    return name


Moment = Annotated[AwareDatetime, AfterValidator(_utc), PlainSerializer(iso, return_type=str)]
"""A moment in UTC with whole seconds, in JSON `2026-01-04T03:00:00Z`."""
Share = Annotated[float, Field(ge=0, allow_inf_nan=False)]
"""A finite number of at least 0."""
Size = Annotated[int, Field(ge=0, le=10**15)]
"""A count of rows, people, titles or bytes."""
Name = Annotated[str, AfterValidator(_one_step)]
"""The name of a folder: one step of a path, without `/` and `..`."""


class Document(BaseModel):
    """A frozen, typed JSON object: a value of another type is an error, an unknown key is not."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", allow_inf_nan=False)


class NewerFormatError(ValueError):
    """A later release wrote the document."""


_OBJECT = TypeAdapter(dict[str, Any])


def read_document(kind: type[T], data: bytes, newest: int) -> T:
    """A value of type `kind` from the content of its file.

    Raises NewerFormatError where the format is above `newest`, and ValueError with the first three
    problems where the content does not fit `kind`.
    """
    try:
        check_format(_OBJECT.validate_json(data), newest)
        return TypeAdapter(kind).validate_json(data)
    except _ValidationError as error:
        raise ValueError(first_problems(error)) from None


def check_format(value: Mapping[str, Any], newest: int) -> None:
    """Raise NewerFormatError where the key `format` is above `newest`.

    Raises ValueError where `format` is not a whole number from 1 on. A document without `format`
    has format 1.
    """
    found = value.get("format", 1)
    if type(found) is not int or found < 1:
        raise ValueError("its format is not a whole number from 1 on")
    if found > newest:
        raise NewerFormatError(f"its format is {found}, and this release knows {newest}")


def format_problem(value: Mapping[str, Any], newest: int) -> str:
    """The error of `check_format` as a sentence; empty where the format is readable."""
    try:
        check_format(value, newest)
    except NewerFormatError as error:
        return f"{error}; update this release"
    except ValueError as error:
        return str(error)
    return ""


def first_problems(error: _ValidationError) -> str:
    """The first three problems of a document, each with its path of keys."""
    problems = error.errors(include_url=False, include_input=False, include_context=False)
    return "; ".join(f"{'/'.join(map(str, p['loc'])) or 'it'}: {p['msg']}" for p in problems[:3])


def json_or_none(data: bytes) -> Any:
    """The JSON value in `data`; None where it is not JSON."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def dig(value: Any, *keys: str) -> Any:
    """`value[keys[0]][keys[1]]…`; None where a key is missing or a value is no mapping."""
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def number(value: Any, *keys: str) -> float | None:
    """The finite number at `dig(value, *keys)`; None for any other value."""
    found = dig(value, *keys)
    if isinstance(found, bool) or not isinstance(found, int | float):
        return None
    try:
        as_float = float(found)
    except OverflowError:  # an integer beyond what a float holds
        return None
    return as_float if math.isfinite(as_float) else None


def finite(value: Any) -> Any:
    """The same value with None for each number that is not finite."""
    if isinstance(value, Mapping):
        return {key: finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def flat_figures(value: Any) -> list[tuple[str, Any]]:
    """Each (name, value) of a nested mapping; the name of an inner value is `outer / inner`."""
    found: list[tuple[str, Any]] = []
    waiting = [("", value)] if isinstance(value, Mapping) else []
    while waiting:  # a loop, because deep nesting exceeds Python's recursion limit
        path, table = waiting.pop()
        for key, inner in table.items():
            if isinstance(inner, Mapping):
                waiting.append((printable(f"{path}{printable(key)} / "), inner))
            else:
                found.append((printable(path + printable(key)), inner))
    return found


def printable(value: Any, most: int = 60) -> str:
    """The first `most` characters of a text, with `?` for lone surrogates."""
    text = value if isinstance(value, str) else f"a {type(value).__name__}"
    return text.encode("utf-8", "replace").decode()[:most]
