"""One entry of a ledger: the bundle that became champion, its run, the moment and the reason.

`release.ledger` writes and reads entries; serving reads the last entry.
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
    """An entry without its number."""

    kind: Kind
    bundle: Name
    """Name of the folder below `serving/<model>/bundles/`."""
    bundle_digest: str
    """Digest of the bundle's list of files; equal to the verdict's `bundle_digest`."""
    run: str
    as_of: Moment
    recipe: Mapping[str, Any]
    code: str
    at: Moment
    verdict: str
    """sha256 of `verdict.json`."""
    losses: Mapping[str, Share] = {}
    """The balance of accepted losses by metric, as shares, while this bundle serves."""
    hold: bool = False
    """Whether promotions are banned while this entry is the last."""
    reason: str = ""
    approved_by: str = ""
    """The Airflow user who approved; empty where the run required no approval."""
    world: str = ""
    """The run whose data a person accepted by `accept_world`; empty after the next promotion.

    Condition 5 compares new data with the data of this run. Where `world` is empty, condition 5
    compares them with the data of the champion's run.
    """

    def with_changes(self, **changes: Any) -> Draft:
        """A copy of the draft with the values of `changes`."""
        return Draft(**{name: getattr(self, name) for name in Draft.model_fields} | changes)


class Entry(Draft):
    """A draft with its number and the hash of the previous entry.

    The hash covers the bytes of the file, so an entry keeps the bytes of its file. Two entries are
    equal where their bytes are equal.
    """

    format: int = FORMAT
    number: int = Field(ge=1)
    previous: str | None
    """sha256 of the previous entry's bytes; None for the first."""
    stored: bytes = Field(default=b"", exclude=True, repr=False)
    """The bytes of the entry's file; empty for a new entry."""

    def to_bytes(self) -> bytes:
        """The content of the entry's file; for a new entry, indented JSON."""
        if self.stored:
            return self.stored
        text = json.dumps(self.to_json(), indent=1, sort_keys=True, ensure_ascii=False)
        return text.encode() + b"\n"

    @property
    def digest(self) -> str:
        """sha256 of the entry's bytes; the `previous` of the next entry."""
        return digest_bytes(self.to_bytes())

    def to_json(self) -> dict[str, Any]:
        """The entry as a JSON value."""
        return self.model_dump(mode="json")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Entry) and self.to_bytes() == other.to_bytes()

    def __hash__(self) -> int:
        return hash(self.to_bytes())


def read_entry(data: bytes, where: str) -> Entry:
    """An entry from the content of its file.

    Raises LedgerError where the content is damaged or a later release wrote it.
    """
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
