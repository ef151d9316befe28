"""One entry of a ledger: which bundle became champion, from which run, when and why.

`release.ledger` writes and reads entries; serving reads the last one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from marquee.artefacts.document import (
    Document,
    Moment,
    Name,
    NewerFormatError,
    Share,
    read_document,
)
from marquee.errors import LedgerError
from marquee.identifiers import digest_bytes

FORMAT = 2
"""Format 2 adds the kind `accept_world` and the key `world`."""
Kind = Literal["promote", "roll_back", "release_hold", "accept_world"]


class Draft(Document):
    """The content of an entry before it has a number."""

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
    """The balance of accepted losses while this bundle serves: shares by metric."""
    hold: bool = False
    """Whether promotions are banned while this entry is the last."""
    reason: str = ""
    approved_by: str = ""
    """Airflow's user who approved, where the run required an approval."""
    world: str = ""
    """The run whose data figures condition 5 compares with, where a person accepted changed data;
    empty for the champion's own. The next promotion clears it."""

    def with_changes(self, **changes: Any) -> Draft:
        """A draft with the same values, except for `changes`."""
        return Draft(**{name: getattr(self, name) for name in Draft.model_fields} | changes)


class Entry(Draft):
    """A draft with its number and the hash of the entry before it.

    The hash covers the file's bytes, so an entry that was read keeps the bytes it was read from.
    Two entries are equal where their bytes are.
    """

    format: int = FORMAT
    number: int = Field(ge=1)
    previous: str | None
    """sha256 of the previous entry's bytes; None for the first."""
    stored: bytes = Field(default=b"", exclude=True, repr=False)
    """The bytes of the file the entry was read from; empty for a new entry."""

    def to_bytes(self) -> bytes:
        """The file's content: as it was read, or, for a new entry, indented for human readers."""
        if self.stored:
            return self.stored
        text = json.dumps(self.to_json(), indent=1, sort_keys=True, ensure_ascii=False)
        return text.encode() + b"\n"

    @property
    def digest(self) -> str:
        """sha256 of the entry's bytes, which the next entry holds as `previous`."""
        return digest_bytes(self.to_bytes())

    def to_json(self) -> dict[str, Any]:
        """The entry as its file spells it."""
        return self.model_dump(mode="json")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Entry) and self.to_bytes() == other.to_bytes()

    def __hash__(self) -> int:
        return hash(self.to_bytes())


def read_entry(data: bytes, where: str) -> Entry:
    """An entry from its file; LedgerError where it is no entry, or a later release wrote it."""
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
