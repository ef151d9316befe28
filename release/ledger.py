"""The ledger: numbered, append-only, hash-chained; its last entry names the champion.

An entry is one file, created exclusively: that create *is* the compare-and-swap. Two writers who
read the same head both try to create the same number, and the lake lets one through.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from typing import Protocol

from marquee.artefacts.ledger_entry import Draft, Entry, read_entry
from marquee.clock import now
from marquee.errors import ConflictError, HeadMovedError, LedgerError, NotFoundError
from marquee.lake import Lake
from release.timeline import entry_at

_NAME = re.compile(r"(\d{6}|[1-9]\d{6,})\.json")


class HeadRef(Protocol):
    """Anything that names an entry by number and digest: an `Entry`, a verdict's `Head`."""

    @property
    def number(self) -> int:
        """The entry's number."""

    @property
    def digest(self) -> str:
        """sha256 of its bytes."""


class Ledger:
    """One model's ledger, `serving/<model>/ledger/000042.json`."""

    def __init__(self, lake: Lake, model: str) -> None:
        self.lake = lake
        self.model = model
        self.path = f"serving/{model}/ledger"

    def numbers(self) -> list[int]:
        """The numbers of all entries, ascending."""
        found = (_NAME.fullmatch(name) for name in self.lake.names(self.path))
        return sorted(int(match[1]) for match in found if match)

    def entry(self, number: int) -> Entry:
        """One entry; NotFoundError where there is none, LedgerError where it is damaged."""
        path = self._file(number)
        entry = read_entry(self._bytes(path), self.lake.uri(path))
        if entry.number != number:
            raise LedgerError(
                f"{self.lake.uri(path)} calls itself number {entry.number}",
                "restore it from a copy of the lake",
            )
        return entry

    def entries(self) -> list[Entry]:
        """The whole history, oldest first."""
        return [self.entry(number) for number in self.numbers()]

    def whole(self) -> list[Entry]:
        """The history, after checking its chain; LedgerError where that is broken."""
        entries = self.entries()
        if broken := breaks(entries):
            raise LedgerError(
                f"the ledger of the {self.model} is broken: {'; '.join(broken)}",
                f"restore {self.lake.uri(self.path)} from a copy of the lake",
            )
        return entries

    def standing(self, named: HeadRef | None) -> list[Entry]:
        """The whole history, which must still hold the entry somebody else has `named`.

        Raises LedgerError where it does not: a ledger only grows, so entries were lost, or
        others were written over them.
        """
        entries = self.whole()
        if named is not None:
            self.require(entries, named)
        return entries

    def require(self, entries: Sequence[Entry], named: HeadRef) -> None:
        """LedgerError where `entries`, this ledger's, lack the entry `named`."""
        if lost := lost_entry(entries, named):
            raise LedgerError(
                f"the ledger of the {self.model} {lost}",
                f"restore {self.lake.uri(self.path)} from a copy of the lake",
            )

    def head(self) -> Entry | None:
        """The last entry: its bundle is the champion. None before the first promotion."""
        numbers = self.numbers()
        return self.entry(numbers[-1]) if numbers else None

    def at(self, moment: datetime) -> Entry | None:
        """What was the head at a moment; None before the first entry."""
        return entry_at(self.entries(), moment, now())

    def append(self, draft: Draft, expected_head: HeadRef | None) -> Entry:
        """Add one entry after `expected_head` (None: the first).

        Raises HeadMovedError where another entry was written since that head was read. Entries
        are ordered by number; the time is the clock's, also where it was set back since.
        """
        head = self.head()
        if _ref(head) != _ref(expected_head):
            raise self._moved(expected_head)
        entry = Entry(
            **vars(draft) | {"at": draft.at.replace(microsecond=0)},
            number=head.number + 1 if head else 1,
            previous=head.digest if head else None,
        )
        try:
            self.lake.create(self._file(entry.number), entry.to_bytes())
        except ConflictError:
            raise self._moved(expected_head) from None
        return entry

    def verify(self) -> list[str]:
        """Every place where the chain is broken, in sentences; empty when it is whole."""
        problems, whole = [], []
        for number in self.numbers():
            try:
                whole.append(self.entry(number))
            except LedgerError as error:
                problems.append(str(error))
        return problems + breaks(whole)

    def _bytes(self, path: str) -> bytes:
        try:
            return self.lake.read_bytes(path)
        except NotFoundError:
            if not self.lake.is_folder(path):
                raise
        raise LedgerError(
            f"{self.lake.uri(path)} is a folder, and a ledger's entry is a file",
            "remove it, or restore the ledger from a copy of the lake",
        )

    def _file(self, number: int) -> str:
        return f"{self.path}/{number:06d}.json"

    def _moved(self, expected: HeadRef | None) -> HeadMovedError:
        stood = f"number {expected.number}" if expected else "empty"
        return HeadMovedError(
            f"the ledger of the {self.model} has moved on since it stood at {stood}",
            "trigger a new run: it is judged against the new champion",
        )


def lost_entry(entries: Sequence[HeadRef], named: HeadRef) -> str:
    """What became of an entry that once was read; empty where it stands."""
    found = {entry.number: entry.digest for entry in entries}
    last = max(found, default=0)
    if last < named.number:
        return f"ends with entry {last}, and entry {named.number} is known to have been"
    if named.number not in found:
        return f"lacks entry {named.number}, which is known to have been"
    if found[named.number] != named.digest:
        return f"holds another entry {named.number} than the one that was read before"
    return ""


def _ref(head: HeadRef | None) -> tuple[int, str] | None:
    return (head.number, head.digest) if head else None


def breaks(entries: Sequence[Entry]) -> list[str]:
    """Where the chain of a ledger's entries is broken, in sentences."""
    problems = []
    if entries and (entries[0].number, entries[0].previous) != (1, None):
        problems.append(
            f"the first entry is number {entries[0].number}, not a number 1 that starts"
        )
    for before, after in pairwise(entries):
        if after.number != before.number + 1:
            problems.append(f"entries {before.number + 1} to {after.number - 1} are missing")
        elif after.previous != before.digest:
            problems.append(f"entry {after.number} does not follow from entry {before.number}")
    return problems
