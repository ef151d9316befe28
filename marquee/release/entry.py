"""One entry of a ledger: what was made champion, from which run, when and why."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, get_args

from marquee.digest import digest_bytes
from marquee.errors import LedgerError, SourceError
from marquee.names import iso, parse_moment

Kind = Literal["promote", "roll_back", "release_hold"]


@dataclass(frozen=True, kw_only=True)
class Draft:
    """What an entry says, before it has its place in the chain."""

    kind: Kind
    bundle: str
    """Name of the folder below `serving/<model>/bundles/`."""
    bundle_digest: str
    """Digest of the bundle's own file list, equal to the verdict's."""
    run: str
    as_of: datetime
    recipe: Mapping[str, Any]
    code: str
    at: datetime
    verdict: str
    """sha256 of `verdict.json`."""
    losses: Mapping[str, float] = field(default_factory=dict)
    """The balance of accepted losses while this bundle serves, by metric, as shares."""
    hold: bool = False
    """While the last entry holds, nothing is promoted."""
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Entry(Draft):
    """A draft with its number, chained to the entry before it."""

    number: int
    previous: str | None
    """sha256 of the previous entry's bytes; None for the first."""

    def to_bytes(self) -> bytes:
        """The file's content: indented for the person who opens it, one spelling a value."""
        text = json.dumps(self.to_json(), indent=1, sort_keys=True, ensure_ascii=False)
        return text.encode() + b"\n"

    @property
    def digest(self) -> str:
        """sha256 of the entry's bytes: what the next one names as `previous`."""
        return digest_bytes(self.to_bytes())

    def to_json(self) -> dict[str, Any]:
        """The entry as its file spells it."""
        moments = {"as_of": iso(self.as_of), "at": iso(self.at)}
        return {"format": 1, **vars(self), **moments, "losses": dict(self.losses)}


def read_entry(data: bytes, where: str) -> Entry:
    """An entry from its file; LedgerError where it is not one, or not spelled as we spell it.

    The spelling matters: the chain is over bytes, and `digest` is computed from the value.
    """
    try:
        value = json.loads(data)
        keys = Entry.__dataclass_fields__
        moments = {key: parse_moment(value[key]) for key in ("as_of", "at")}
        entry = Entry(**{key: value[key] for key in keys} | moments)
        sound = value["format"] == 1 and _is_sound(entry) and entry.to_bytes() == data
    except (ValueError, TypeError, KeyError, AttributeError, SourceError):
        sound = False
    if not sound:
        raise LedgerError(f"{where} is not a ledger entry", "restore it from a copy of the lake")
    return entry


def _is_sound(entry: Entry) -> bool:
    shares = entry.losses.values()
    return (
        type(entry.number) is int
        and entry.number >= 1
        and isinstance(entry.hold, bool)
        and entry.kind in get_args(Kind)
        and all(isinstance(s, int | float) and math.isfinite(s) and s >= 0 for s in shares)
    )
