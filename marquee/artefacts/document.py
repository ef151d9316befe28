"""Documents of the release room: frozen values with a version, read in one way.

A key nobody knows is ignored, so a release may add one without making what it writes unreadable
to the release before. A change of meaning raises the format's number, and an older release then
says to update instead of guessing.
"""

from __future__ import annotations

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

from marquee.artefacts.formats import check_format
from marquee.errors import LakeError
from marquee.names import inside, iso

T = TypeVar("T")


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(microsecond=0)


Moment = Annotated[AwareDatetime, AfterValidator(_utc), PlainSerializer(iso, return_type=str)]
"""A whole second, UTC, spelled `2026-01-04T03:00:00Z`."""
Share = Annotated[float, Field(ge=0, allow_inf_nan=False)]
"""A finite share, never negative."""
Size = Annotated[int, Field(ge=0, le=10**15)]
"""How many of something."""


def _one_step(name: str) -> str:
    try:
        steps = inside(name).split("/")
    except LakeError as error:
        raise ValueError(error.message) from None
    if len(steps) > 1:
        raise ValueError(f"{name!r} is a path, not a name")
    return name


Name = Annotated[str, AfterValidator(_one_step)]
"""A folder's name: one step of a path, so that it stays below whatever it is joined to."""


class Document(BaseModel):
    """A frozen value as a JSON file holds it; nothing is guessed from a wrong type."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", allow_inf_nan=False)


_OBJECT = TypeAdapter(dict[str, Any])


def read_document(kind: type[T], data: bytes, newest: int) -> T:
    """A `kind` from its file; ValueError with what is wrong, NewerFormatError past `newest`."""
    try:
        check_format(_OBJECT.validate_json(data), newest)
        return TypeAdapter(kind).validate_json(data)
    except _ValidationError as error:
        raise ValueError(told(error)) from None


def told(error: _ValidationError) -> str:
    """The first three things that are wrong, by their place."""
    problems = error.errors(include_url=False, include_input=False, include_context=False)
    said = [f"{'/'.join(map(str, p['loc'])) or 'it'}: {p['msg']}" for p in problems[:3]]
    return "; ".join(said)
