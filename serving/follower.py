"""Follow one model's ledger: fetch the champion, load it beside, swap one reference.

A request takes `view` once and answers from it alone, so no request sees two models. A bundle
that cannot be fetched, loaded or verified never replaces one that works: `trouble` says why. The
champion last served lies in the cache, so a server that starts while the lake is away still
answers. A ledger only grows: one that lost an entry which was read here, or holds another in its
place, is not followed.

Nothing that goes wrong ends the following: not a lake that answers nonsense, not a disk that is
full. `trouble` says it, and the next look tries again.
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

from marquee.artefacts.ledger_entry import Entry
from marquee.clock import now
from marquee.errors import BundleError, LedgerError, MarqueeError
from marquee.lake import Lake
from release.ledger import Ledger, breaks, lost_entry
from serving.cache import BundleCache

M = TypeVar("M")
SECONDS_BEFORE_ANOTHER_TRY = 10.0
SECONDS_TO_LOOK = 120.0
"""A look that takes longer is said: an HDFS that is away is given up after 40 s."""
SECONDS_TO_STOP = 2.0
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
        self.looked_at: datetime | None = None
        """When the ledger was last read."""
        self._ledger = Ledger(lake, name)
        self._cache = BundleCache(lake, name, cache)
        self._load = load
        self._clock = clock
        self._not_before: dict[int, float] = {}
        self._looks_since: float | None = None
        self._disk_trouble = ""
        self._remembered: Entry | None = None
        self._before = ""  # the bundle that served before this one
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, poll_seconds: float) -> None:
        """Look every `poll_seconds` until `stop`, in a thread of its own."""
        self._stop.clear()
        thread = threading.Thread(
            target=self._run, args=(poll_seconds,), name=f"follow-{self.name}", daemon=True
        )
        thread.start()
        self._thread = thread

    def ask_to_stop(self) -> None:
        """Look no more; the last champion stays loaded."""
        self._stop.set()

    def stop(self, seconds: float = SECONDS_TO_STOP) -> None:
        """Look no more, and wait so long for a look that is under way."""
        self.ask_to_stop()
        if self._thread is not None:
            self._thread.join(timeout=seconds)

    @property
    def has_ended(self) -> bool:
        """Whether the thread that looks has ended though nobody stopped it."""
        thread = self._thread
        return thread is not None and not thread.is_alive() and not self._stop.is_set()

    @property
    def trouble(self) -> str:
        """All that is wrong at this moment, in sentences; empty where nothing is."""
        found = (self._thread_trouble(), self.view.trouble, self._disk_trouble)
        return "; ".join(text for text in found if text)

    def look(self) -> None:
        """Read the ledger once and follow it; never raises, `trouble` says what is wrong."""
        self._looks_since = self._clock()
        self._safely(self._look)
        self._safely(self._remember)
        self._looks_since = None

    def recall(self) -> None:
        """Serve at once what was served last here, if it is whole; the next look corrects it.

        Never raises, like `look`.
        """
        self._safely(self._recall)

    # How --------------------------------------------------------------------------------

    def _run(self, poll_seconds: float) -> None:
        try:
            self.recall()
            while not self._stop.is_set():
                self.look()
                self._stop.wait(poll_seconds)
        finally:
            if not self._stop.is_set():
                log.critical("%s: %s", self.name, self._ended())

    def _safely(self, step: Callable[[], None]) -> None:
        """A step whose every failure is said: a thread that died would end promotions unseen."""
        try:
            step()
        except MarqueeError as error:
            self._keep(str(error))
        except Exception as error:  # whatever a lake, a disk or a library may raise
            log.exception("following the %s failed", self.name)
            self._keep(f"following the {self.name} failed: {_said(error)}; it is tried again")

    def _thread_trouble(self) -> str:
        if self.has_ended:
            return self._ended()
        since = self._looks_since
        waited = 0.0 if since is None else self._clock() - since
        if waited <= SECONDS_TO_LOOK:
            return ""
        return f"the lake has not answered for {waited:.0f} s: a promotion since is not known here"

    def _ended(self) -> str:
        return f"the thread that follows the {self.name} has ended; start the server again"

    def _look(self) -> None:
        entries = self._read()
        self.looked_at = now()
        if wrong := self._wrong(entries):
            self._stay(entries, wrong)
        elif entries:
            self._follow(entries)
        else:
            self.view = View(trouble=f"no {self.name} has been promoted yet")

    def _recall(self) -> None:
        entry = self._last_served()
        if entry is None:
            return
        if self._cache.local(entry) is None:
            self._say_disk(f"the copy of {entry.bundle}, which served last, is torn or gone")
            return
        trouble = self.view.trouble
        if self._try(entry):
            self._keep(trouble)

    def _last_served(self) -> Entry | None:
        """What was served last, where the disk can tell; where it cannot, that is said."""
        try:
            return self._cache.recall()
        except (OSError, LedgerError) as error:
            self._say_disk(f"what served last cannot be read: {_said(error)}")
            return None

    def _remember(self) -> None:
        """Note on the disk what serves; a disk that refuses is asked again at the next look."""
        champion = self.view.champion
        if champion is None or champion.entry == self._remembered:
            return
        try:
            self._cache.remember(champion.entry)
            self._cache.prune({champion.entry.bundle, self._before})
        except OSError as error:
            self._say_disk(
                f"the cache {self._cache.folder} cannot be written: {_said(error)}; what serves, "
                "serves on: make room there, or give --cache a folder that can be written"
            )
            return
        self._remembered = champion.entry
        self._disk_trouble = ""

    def _say_disk(self, trouble: str) -> None:
        if trouble != self._disk_trouble:
            log.warning("%s: %s", self.name, trouble)
        self._disk_trouble = trouble

    def _read(self) -> tuple[Entry, ...]:
        """The ledger; entries never change, so only the last one known and new ones are read."""
        known = {entry.number: entry for entry in self.view.entries[:-1]}
        return tuple(known.get(n) or self._ledger.entry(n) for n in self._ledger.numbers())

    def _wrong(self, entries: tuple[Entry, ...]) -> str:
        """What is wrong with the ledger as read now, beside what was read or served before."""
        known = self.view.entries[-1] if self.view.entries else self._last_served()
        wrong = lost_entry(entries, known) if known else ""
        if not wrong and (broken := breaks(entries)):
            wrong = f"is broken: {'; '.join(broken)}"
        remedy = "restore it from a copy of the lake; what served, serves on"
        return f"the ledger of the {self.name} {wrong}; {remedy}" if wrong else ""

    def _stay(self, entries: tuple[Entry, ...], trouble: str) -> None:
        """Keep what serves; where nothing does, what was served last beats no answer."""
        last = self._last_served()
        if self.view.champion is None and not (last and self._try(last)) and entries:
            self._follow(entries)
        self._keep(trouble)

    def _follow(self, entries: tuple[Entry, ...]) -> None:
        head = entries[-1]
        serving = self.view.champion
        if serving is not None and serving.entry.bundle_digest == head.bundle_digest:
            # A roll-back to what still serves here, or a hold released: only the entry is new.
            self.view = View(replace(serving, entry=head), entries)
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
            # A bundle that is wrong must be fetched afresh; a lake's, disk's or memory's trouble
            # passes, and then a whole copy here may be the last one within reach.
            if isinstance(error, BundleError):
                self._cache.forget(entry)
            remedy = "; make room or mend the disk: it is tried again"
            why = _said(error) + (remedy if isinstance(error, OSError) else "")
            self._keep(f"champion {entry.number} ({entry.bundle}) does not serve: {why}")
            return False
        self._swap(Champion(model, entry, now()))
        return True

    def _swap(self, champion: Champion[M]) -> None:
        before = self.view.champion
        if before and before.entry.bundle != champion.entry.bundle:
            self._before = before.entry.bundle
        self.view = View(champion, self.view.entries)
        self.swaps += 1
        self._not_before.pop(champion.entry.number, None)
        log.info("%s: champion %d, %s", self.name, champion.entry.number, champion.entry.bundle)

    def _keep(self, trouble: str) -> None:
        if trouble != self.view.trouble:
            log.warning("%s: %s", self.name, trouble)
        self.view = replace(self.view, trouble=trouble)


def _said(error: Exception) -> str:
    """An error as a person reads it."""
    if isinstance(error, MarqueeError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror} ({error.filename})" if error.filename else error.strerror
    return f"{type(error).__name__}: {error}"
