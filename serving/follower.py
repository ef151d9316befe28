"""Follow one model's ledger: fetch the champion, load it beside, swap one reference.

A request takes `view` once and answers from it alone, so no request sees two models. A bundle
that cannot be fetched, loaded or verified never replaces one that works: `trouble` says why. The
champion last served lies in the cache, so a server that starts while the lake is away still
answers. A ledger only grows: one that lost an entry which was read here, or holds another in its
place, is not followed.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Generic, TypeVar

from marquee.clock import now
from marquee.errors import LakeError, MarqueeError
from marquee.lake import Lake
from marquee.release.entry import Entry
from marquee.release.ledger import Ledger, breaks, lost_entry
from serving.cache import BundleCache

M = TypeVar("M")
SECONDS_BEFORE_ANOTHER_TRY = 10.0
log = logging.getLogger("marquee.serving")


@dataclass(frozen=True)
class Champion(Generic[M]):
    """A model that serves, the ledger entry that made it so, and since when here."""

    model: M
    entry: Entry
    loaded_at: datetime


@dataclass(frozen=True)
class View(Generic[M]):
    """All a request needs to know, in one immutable value."""

    champion: Champion[M] | None = None
    entries: tuple[Entry, ...] = ()
    """The ledger as last read, oldest first."""
    trouble: str = ""
    """Why the champion served is not the one the ledger names, or why there is none."""


class Follower(Generic[M]):
    """`load` raises BundleError for a bundle that must not serve."""

    def __init__(
        self,
        lake: Lake,
        name: str,
        load: Callable[[Path], M],
        cache: Path,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.view: View[M] = View(trouble=f"the ledger of the {name} has not been read yet")
        self.swaps = 0
        self.refusals = 0
        self._ledger = Ledger(lake, name)
        self._cache = BundleCache(lake, name, cache)
        self._load = load
        self._clock = clock
        self._not_before: dict[int, float] = {}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, poll_seconds: float) -> None:
        """Look every `poll_seconds` until `stop`, in a thread of its own."""
        self._stop.clear()
        self._thread = threading.Thread(
            target=self._run, args=(poll_seconds,), name=f"follow-{self.name}", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Stop looking; the last champion stays loaded."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=5)

    def look(self) -> None:
        """Read the ledger once and follow it; never raises, `view.trouble` says what is wrong."""
        try:
            entries = self._read()
        except MarqueeError as error:
            self._keep(str(error))
            return
        if wrong := self._wrong(entries):
            self._stay(entries, wrong)
        elif entries:
            self._follow(entries)
        else:
            self.view = View(trouble=f"no {self.name} has been promoted yet")

    def recall(self) -> None:
        """Serve at once what was served last here, if it is whole; the next look corrects it."""
        entry = self._cache.recall()
        if entry is not None and self._cache.local(entry) is not None:
            trouble = self.view.trouble
            self._try(entry)
            self._keep(trouble)

    # How --------------------------------------------------------------------------------

    def _run(self, poll_seconds: float) -> None:
        self.recall()
        while not self._stop.is_set():
            try:
                self.look()
            except Exception as error:  # a thread that dies would stop promotions silently
                log.exception("following the %s failed", self.name)
                self._keep(f"{type(error).__name__}: {error}")
            self._stop.wait(poll_seconds)

    def _read(self) -> tuple[Entry, ...]:
        """The ledger; entries never change, so only the last one known and new ones are read."""
        known = {entry.number: entry for entry in self.view.entries[:-1]}
        return tuple(known.get(n) or self._ledger.entry(n) for n in self._ledger.numbers())

    def _wrong(self, entries: tuple[Entry, ...]) -> str:
        """What is wrong with the ledger as read now, beside what was read or served before."""
        known = self.view.entries[-1] if self.view.entries else self._cache.recall()
        wrong = lost_entry(entries, known) if known else ""
        if not wrong and (broken := breaks(entries)):
            wrong = f"is broken: {'; '.join(broken)}"
        remedy = "restore it from a copy of the lake; what served, serves on"
        return f"the ledger of the {self.name} {wrong}; {remedy}" if wrong else ""

    def _stay(self, entries: tuple[Entry, ...], trouble: str) -> None:
        """Keep what serves; where nothing does, what was served last beats no answer."""
        last = self._cache.recall()
        if self.view.champion is None and not (last and self._try(last)) and entries:
            self._follow(entries)
        self._keep(trouble)

    def _follow(self, entries: tuple[Entry, ...]) -> None:
        head = entries[-1]
        serving = self.view.champion
        if serving is not None and serving.entry.bundle_digest == head.bundle_digest:
            # A roll-back to what still serves here, or a hold released: only the entry is new.
            self.view = View(replace(serving, entry=head), entries)
            if serving.entry != head:
                self._cache.remember(head)
            return
        self.view = replace(self.view, entries=entries)
        if self._try(head) or serving is not None:
            return
        # Nothing serves and the newest is broken: an earlier champion beats no answer.
        trouble = self.view.trouble
        if any(self._try(entry) for entry in reversed(entries[:-1])):
            self._keep(trouble)

    def _try(self, entry: Entry) -> bool:
        """Make the entry's bundle the one that serves; False, and `trouble`, where it cannot."""
        if self._clock() < self._not_before.get(entry.number, 0.0):
            return False
        try:
            model = self._load(self._cache.fetch(entry))
        except Exception as error:  # whatever is wrong with a bundle, the old one keeps serving
            self.refusals += 1
            self._not_before[entry.number] = self._clock() + SECONDS_BEFORE_ANOTHER_TRY
            # The lake's own troubles pass; a bundle that is wrong must be fetched afresh.
            if not isinstance(error, LakeError):
                self._cache.forget(entry)
            self._keep(f"champion {entry.number} ({entry.bundle}) does not serve: {_said(error)}")
            return False
        self._swap(Champion(model, entry, now()))
        return True

    def _swap(self, champion: Champion[M]) -> None:
        before = self.view.champion
        self.view = View(champion, self.view.entries)
        self.swaps += 1
        self._not_before.pop(champion.entry.number, None)
        log.info("%s: champion %d, %s", self.name, champion.entry.number, champion.entry.bundle)
        keep = {champion.entry.bundle} | ({before.entry.bundle} if before else set())
        self._cache.remember(champion.entry)
        self._cache.prune(keep)

    def _keep(self, trouble: str) -> None:
        if trouble != self.view.trouble:
            log.warning("%s: %s", self.name, trouble)
        self.view = replace(self.view, trouble=trouble)


def _said(error: Exception) -> str:
    return str(error) if isinstance(error, MarqueeError) else f"{type(error).__name__}: {error}"
