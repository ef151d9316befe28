"""One entry of a ledger: what was made champion, from which run, when and why."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from marquee.artefacts.document import Document, Moment, Name, Share, read_document
from marquee.artefacts.formats import NewerFormatError
from marquee.digest import digest_bytes
from marquee.errors import LedgerError

FORMAT = 2
"""Format 2 adds the kind `accept_world` and the key `world`."""
Kind = Literal["promote", "roll_back", "release_hold", "accept_world"]


class Draft(Document):
    """What an entry says, before it has its place in the chain."""

    kind: Kind
    bundle: Name
    """Name of the folder below `serving/<model>/bundles/`."""
    bundle_digest: str
    """Digest of the bundle's own file list, equal to the verdict's."""
    run: str
    as_of: Moment
    recipe: Mapping[str, Any]
    code: str
    at: Moment
    verdict: str
    """sha256 of `verdict.json`."""
    losses: Mapping[str, Share] = {}
    """The balance of accepted losses while this bundle serves, by metric, as shares."""
    hold: bool = False
    """While the last entry holds, nothing is promoted."""
    reason: str = ""
    approved_by: str = ""
    """Airflow's user who let the bundle serve, where the run asked for a person."""
    world: str = ""
    """The run whose figures condition 5 compares with, where a person accepted another world
    than the champion's own; stands until the next promotion."""

    def but(self, **changes: Any) -> Draft:
        """The same as a draft, with other values where `changes` names some."""
        return Draft(**{name: getattr(self, name) for name in Draft.model_fields} | changes)


class Entry(Draft):
    """A draft with its number, chained to the entry before it.

    The chain is over the file's bytes, whatever their spelling: an entry that was read keeps
    them. Two entries are equal where their bytes are.
    """

    format: int = FORMAT
    number: int = Field(ge=1)
    previous: str | None
    """sha256 of the previous entry's bytes; None for the first."""
    stored: bytes = Field(default=b"", exclude=True, repr=False)
    """The file's content, where the entry comes from one."""

    def to_bytes(self) -> bytes:
        """The file's content: as it was read, else indented for the person who opens it."""
        if self.stored:
            return self.stored
        text = json.dumps(self.to_json(), indent=1, sort_keys=True, ensure_ascii=False)
        return text.encode() + b"\n"

    @property
    def digest(self) -> str:
        """sha256 of the entry's bytes: what the next one names as `previous`."""
        return digest_bytes(self.to_bytes())

    def to_json(self) -> dict[str, Any]:
        """The entry as its file spells it."""
        return self.model_dump(mode="json")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Entry) and self.to_bytes() == other.to_bytes()

    def __hash__(self) -> int:
        return hash(self.to_bytes())


def read_entry(data: bytes, where: str) -> Entry:
    """An entry from its file; LedgerError where it is not one, or one of a later release."""
    try:
        entry = read_document(Entry, data, FORMAT)
    except NewerFormatError as error:
        raise LedgerError(
            f"{where} was written by a later release: {error}", "update this one"
        ) from None
    except ValueError as error:
        raise LedgerError(
            f"{where} is not a ledger entry: {error}", "restore it from a copy of the lake"
        ) from None
    return entry.model_copy(update={"stored": data})
