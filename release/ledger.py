"""The ledger: numbered, append-only, hash-linked; its last entry names the champion.

Each entry is one file, created exclusively. Two writers who have read the same head try to create
the same file, and the lake lets one of them succeed: a compare-and-swap.

A run's inputs and verdict name the entry that the run was compared with. `complete_entries` uses
these names to find entries that a damaged ledger has lost.

A writer's clock may be wrong, so an entry's time is only a claim. `entry_at` bounds it by the order
of the entries: entry 5 was written before entry 6, and after the as-of of each promotion up to 5.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import accumulate, pairwise
from typing import Protocol

from marquee.artefacts.ledger_entry import Draft, Entry, read_entry
from marquee.artefacts.verdict import Head, read_verdict
from marquee.clock import EARLIEST_CREDIBLE, now
from marquee.errors import (
    ConflictError,
    ContractError,
    HeadMovedError,
    LakeError,
    LakeUnavailableError,
    LedgerError,
    NotFoundError,
)
from marquee.lake import Lake
from marquee.policy import Model
from marquee.run_folder import inputs_of, read_all_runs, verdict_path

EARLIEST, LATEST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
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
        """Entry `number`; NotFoundError where there is none, LedgerError where it is damaged."""
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

    def linked_entries(self) -> list[Entry]:
        """The whole history; LedgerError where an entry does not follow from the one before."""
        entries = self.entries()
        if broken := broken_links(entries):
            raise LedgerError(
                f"the ledger of the {self.model} is broken: {'; '.join(broken)}",
                f"restore {self.lake.uri(self.path)} from a copy of the lake",
            )
        return entries

    def entries_including(self, named: HeadRef | None) -> list[Entry]:
        """The whole history; LedgerError where it lacks `named`, an entry read earlier.

        A ledger only grows, so a missing entry was lost or overwritten.
        """
        entries = self.linked_entries()
        if named is not None:
            self.require_entry(entries, named)
        return entries

    def require_entry(self, entries: Sequence[Entry], named: HeadRef) -> None:
        """Raise LedgerError where `entries`, of this ledger, lack the entry `named`."""
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
        """The head at a moment; None before the first entry."""
        return entry_at(self.entries(), moment, now())

    def append(self, draft: Draft, expected_head: HeadRef | None) -> Entry:
        """Add one entry after `expected_head` (None: the first).

        Raises HeadMovedError where another writer has added an entry since. Entries are ordered
        by number; their times are the clock's, and may go backwards.
        """
        head = self.head()
        if _number_and_digest(head) != _number_and_digest(expected_head):
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
        """Every problem of the ledger as a sentence; empty where the ledger is sound."""
        problems, readable = [], []
        for number in self.numbers():
            try:
                readable.append(self.entry(number))
            except LedgerError as error:
                problems.append(str(error))
        return problems + broken_links(readable)

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
    """How `entries` lack the entry `named`, as the end of a sentence; empty where they hold it."""
    found = {entry.number: entry.digest for entry in entries}
    last = max(found, default=0)
    if last < named.number:
        return f"ends with entry {last}, and entry {named.number} is known to have been"
    if named.number not in found:
        return f"lacks entry {named.number}, which is known to have been"
    if found[named.number] != named.digest:
        return f"holds another entry {named.number} than the one that was read before"
    return ""


def _number_and_digest(head: HeadRef | None) -> tuple[int, str] | None:
    return (head.number, head.digest) if head else None


def broken_links(entries: Sequence[Entry]) -> list[str]:
    """One sentence for each gap, and for each entry whose hash of the one before is wrong."""
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


def complete_entries(lake: Lake, model: Model, named: HeadRef | None = None) -> list[Entry]:
    """The ledger's entries; LedgerError where one is lost that is `named` or that a run names.

    Hash links do not show that the last entries are missing, or that the whole ledger was written
    anew. The entries that runs name do.
    """
    # Read the runs first: an entry appended between the two reads would look lost otherwise.
    known = sorted(heads_named_by_runs(lake, model), key=lambda head: head.number, reverse=True)
    ledger = Ledger(lake, model)
    entries = ledger.entries_including(named)
    for head in known:
        ledger.require_entry(entries, head)
    return entries


def heads_named_by_runs(lake: Lake, model: Model) -> set[Head]:
    """The entries that the inputs and verdicts of all runs name."""

    def read(run: str) -> set[Head]:
        found = (_head_or_none(of, lake, model, run) for of in (_of_inputs, _of_verdict))
        return {head for head in found if head}

    return set().union(*read_all_runs(lake, read))


def _head_or_none(
    of: Callable[[Lake, Model, str], Head | None], lake: Lake, model: Model, run: str
) -> Head | None:
    """The entry that a run's document names; None where the document is missing or unreadable.

    Raises LakeUnavailableError where the lake does not answer: the document may exist.
    """
    try:
        return of(lake, model, run)
    except LakeUnavailableError:
        raise
    except (LakeError, ContractError):
        return None


def _of_inputs(lake: Lake, model: Model, run: str) -> Head | None:
    champion = inputs_of(lake, run).models[model].champion
    return Head(champion.number, champion.digest) if champion else None


def _of_verdict(lake: Lake, model: Model, run: str) -> Head | None:
    return read_verdict(lake.read_bytes(verdict_path(run, model))).head


def entry_at(entries: Sequence[Entry], moment: datetime, present: datetime) -> Entry | None:
    """The last entry written by `moment`; None before the first entry.

    `entries` are a ledger's, oldest first. From `present` on the answer is the head. Before that
    it rests on the entries' times, corrected where the order of the entries contradicts them.
    """
    if moment >= present:
        return entries[-1] if entries else None
    stamps = _bounded_times(entries, _earliest_times(entries, present))
    known_by = _suffix_minima(stamps)
    there = [entry for entry, at in zip(entries, known_by, strict=True) if at <= moment]
    return there[-1] if there else None


def _suffix_minima(moments: Sequence[datetime]) -> list[datetime]:
    """The suffix minima: for each moment, the earliest of itself and all later in the list."""
    return list(accumulate(reversed(moments), min))[::-1]


def _earliest_times(entries: Sequence[Entry], present: datetime) -> list[datetime]:
    """For each entry, the earliest moment at which it can have been written.

    That is the latest as-of of the promotions up to the entry. Two kinds of as-of are ignored: one
    in the future (a clock was ahead), and one later than a later promotion's (a roll-back).
    """
    as_ofs = [entry.as_of if entry.kind == "promote" else LATEST for entry in entries]
    earliest = _suffix_minima(as_ofs)
    sound = (
        as_of if as_of <= min(present, least) else EARLIEST
        for as_of, least in zip(as_ofs, earliest, strict=True)
    )
    return list(accumulate(sound, max))


def _bounded_times(entries: Sequence[Entry], bounds: Sequence[datetime]) -> list[datetime]:
    """The times of the entries, none earlier than its bound.

    A clock that was never set shows a time before SET_FROM; its entry takes the time before it.
    """
    stamps: list[datetime] = []
    for entry, bound in zip(entries, bounds, strict=True):
        stamp = entry.at if entry.at >= EARLIEST_CREDIBLE or not stamps else stamps[-1]
        stamps.append(max(stamp, bound))
    return stamps
