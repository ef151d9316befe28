"""How a JSON document of the lake is read: typed and whole, or one value at a time.

A typed document is a frozen value with a format number. A reader ignores a key that it does not
know, so a release may add a key and the release before still reads the file. A change of meaning
raises the format number; an older release then asks for an update instead of guessing.

The functions at the end read a document that nobody has checked: a value that is missing, of
another type, NaN or infinite becomes None.
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
from marquee.identifiers import inside

T = TypeVar("T")


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(microsecond=0)


def _one_step(name: str) -> str:
    try:
        steps = inside(name).split("/")
    except LakeError as error:
        raise ValueError(error.message) from None
    if len(steps) > 1:
        raise ValueError(f"{name!r} is a path, not a name")
    return name


Moment = Annotated[AwareDatetime, AfterValidator(_utc), PlainSerializer(iso, return_type=str)]
"""A whole second, UTC, spelled `2026-01-04T03:00:00Z`."""
Share = Annotated[float, Field(ge=0, allow_inf_nan=False)]
"""A finite share, never negative."""
Size = Annotated[int, Field(ge=0, le=10**15)]
"""A count of rows, people, titles or bytes."""
Name = Annotated[str, AfterValidator(_one_step)]
"""A folder's name: one step of a path, so that it stays below whatever it is joined to."""


class Document(BaseModel):
    """A frozen value as a JSON file holds it; no value is coerced from another type."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", allow_inf_nan=False)


class NewerFormatError(ValueError):
    """A later release wrote the document."""


_OBJECT = TypeAdapter(dict[str, Any])


def read_document(kind: type[T], data: bytes, newest: int) -> T:
    """A `kind` from its file.

    Raises NewerFormatError where its format is beyond `newest`, ValueError with the first
    problems where it is not a `kind`.
    """
    try:
        check_format(_OBJECT.validate_json(data), newest)
        return TypeAdapter(kind).validate_json(data)
    except _ValidationError as error:
        raise ValueError(first_problems(error)) from None


def check_format(value: Mapping[str, Any], newest: int) -> None:
    """ValueError where `format` is not a format number, NewerFormatError beyond `newest`.

    A document without a `format` has format 1.
    """
    found = value.get("format", 1)
    if type(found) is not int or found < 1:
        raise ValueError("its format is not a whole number from 1 on")
    if found > newest:
        raise NewerFormatError(f"its format is {found}, and this release knows {newest}")


def format_problem(value: Mapping[str, Any], newest: int) -> str:
    """Why the document's format cannot be read, and what to do; empty where it can."""
    try:
        check_format(value, newest)
    except NewerFormatError as error:
        return f"{error}; update this release"
    except ValueError as error:
        return str(error)
    return ""


def first_problems(error: _ValidationError) -> str:
    """The first three problems of a document, each with its place."""
    problems = error.errors(include_url=False, include_input=False, include_context=False)
    return "; ".join(f"{'/'.join(map(str, p['loc'])) or 'it'}: {p['msg']}" for p in problems[:3])


def json_or_none(data: bytes) -> Any:
    """The JSON value in `data`; None where it is not JSON."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def dig(value: Any, *keys: str) -> Any:
    """The value below `keys`; None where one of them is missing."""
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def number(value: Any, *keys: str) -> float | None:
    """The finite number below `keys`, or None."""
    found = dig(value, *keys)
    if isinstance(found, bool) or not isinstance(found, int | float):
        return None
    try:
        as_float = float(found)
    except OverflowError:  # an integer beyond what a float holds
        return None
    return as_float if math.isfinite(as_float) else None


def flat_figures(value: Any) -> list[tuple[str, Any]]:
    """Each (name, value) of a table and of the tables inside it; names are `outer / inner`."""
    found: list[tuple[str, Any]] = []
    waiting = [("", value)] if isinstance(value, Mapping) else []
    while waiting:  # a loop, because endless nesting must not exhaust the gate's stack
        path, table = waiting.pop()
        for key, inner in table.items():
            if isinstance(inner, Mapping):
                waiting.append((printable(f"{path}{printable(key)} / "), inner))
            else:
                found.append((printable(path + printable(key)), inner))
    return found


def printable(value: Any, most: int = 60) -> str:
    """At most `most` characters of a text, fit to print anywhere; lone surrogates are replaced."""
    text = value if isinstance(value, str) else f"a {type(value).__name__}"
    return text.encode("utf-8", "replace").decode()[:most]
