"""Follow one model's ledger: fetch the champion, load it beside the old one, swap one reference.

A request takes `view` once and answers from it alone, so no request sees two models. A bundle that
cannot be fetched, loaded or verified never replaces one that works: `failure` says why. The
champion that served last lies in the cache, so a server that starts while the lake is away still
answers. A ledger only grows. One that lost an entry which was read here, or holds another entry in
its place, is not followed.

No error ends the following: neither a lake that answers nonsense nor a disk that is full. `failure`
states it, and the next poll tries again. `serving.backend` starts one follower for each model.
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
from release.ledger import Ledger, broken_links, lost_entry
from serving.bundle_cache import BundleCache

M = TypeVar("M")
SECONDS_BEFORE_ANOTHER_TRY = 10.0
SECONDS_TO_POLL = 120.0
"""A poll that takes longer is reported: the client gives up an HDFS that is away after 40 s."""
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
    failure: str = ""
    """Why the champion served is not the one the ledger names, or why there is none."""


class Follower(Generic[M]):
    """Follows the ledger of the model `name`; `load` raises BundleError for a bad bundle."""

    def __init__(
        self,
        lake: Lake,
        name: str,
        load: Callable[[Path], M],
        cache: Path,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.view: View[M] = View(failure=f"the ledger of the {name} has not been read yet")
        self.swaps = 0
        self.refusals = 0
        self.polled_at: datetime | None = None
        """When the ledger was last read."""
        self._ledger = Ledger(lake, name)
        self._cache = BundleCache(lake, name, cache)
        self._load = load
        self._clock = clock
        self._not_before: dict[int, float] = {}
        self._polling_since: float | None = None
        self._disk_failure = ""
        self._saved: Entry | None = None
        self._previous_bundle = ""
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, poll_seconds: float) -> None:
        """Poll every `poll_seconds` until `stop`, in a thread of its own."""
        self._stop.clear()
        thread = threading.Thread(
            target=self._run, args=(poll_seconds,), name=f"follow-{self.name}", daemon=True
        )
        thread.start()
        self._thread = thread

    def ask_to_stop(self) -> None:
        """Poll no more; the last champion stays loaded."""
        self._stop.set()

    def stop(self, seconds: float = SECONDS_TO_STOP) -> None:
        """Poll no more, and wait up to `seconds` for an open poll."""
        self.ask_to_stop()
        if self._thread is not None:
            self._thread.join(timeout=seconds)

    @property
    def has_ended(self) -> bool:
        """Whether the thread that polls has ended though nobody stopped it."""
        thread = self._thread
        return thread is not None and not thread.is_alive() and not self._stop.is_set()

    @property
    def failure(self) -> str:
        """All that is wrong at this moment, in sentences; empty where nothing is."""
        found = (self._thread_failure(), self.view.failure, self._disk_failure)
        return "; ".join(text for text in found if text)

    def poll(self) -> None:
        """Read the ledger once and follow it; never raises, `failure` says what is wrong."""
        self._polling_since = self._clock()
        self._safely(self._poll)
        self._safely(self._save_served)
        self._polling_since = None

    def resume(self) -> None:
        """Serve at once what served last here, if it is whole; the next poll corrects it.

        Never raises, like `poll`.
        """
        self._safely(self._resume)

    # How --------------------------------------------------------------------------------

    def _run(self, poll_seconds: float) -> None:
        try:
            self.resume()
            while not self._stop.is_set():
                self.poll()
                self._stop.wait(poll_seconds)
        finally:
            if not self._stop.is_set():
                log.critical("%s: %s", self.name, self._ended())

    def _safely(self, step: Callable[[], None]) -> None:
        """Run a step and report its every failure: a dead thread would miss promotions unseen."""
        try:
            step()
        except MarqueeError as error:
            self._report(str(error))
        except Exception as error:  # whatever a lake, a disk or a library may raise
            log.exception("following the %s failed", self.name)
            self._report(f"following the {self.name} failed: {_reason(error)}; it is tried again")

    def _thread_failure(self) -> str:
        if self.has_ended:
            return self._ended()
        since = self._polling_since
        waited = 0.0 if since is None else self._clock() - since
        if waited <= SECONDS_TO_POLL:
            return ""
        return f"the lake has not answered for {waited:.0f} s: a promotion since is not known here"

    def _ended(self) -> str:
        return f"the thread that follows the {self.name} has ended; start the server again"

    def _poll(self) -> None:
        entries = self._read()
        self.polled_at = now()
        if damage := self._ledger_damage(entries):
            self._stay(entries, damage)
        elif entries:
            self._follow(entries)
        else:
            self.view = View(failure=f"no {self.name} has been promoted yet")

    def _resume(self) -> None:
        entry = self._last_served()
        if entry is None:
            return
        if self._cache.local(entry) is None:
            self._report_disk(f"the copy of {entry.bundle}, which served last, is torn or gone")
            return
        failure = self.view.failure
        if self._try(entry):
            self._report(failure)

    def _last_served(self) -> Entry | None:
        """The entry that served last; None where none did, or where the disk cannot tell."""
        try:
            return self._cache.last_served()
        except (OSError, LedgerError) as error:
            self._report_disk(f"what served last cannot be read: {_reason(error)}")
            return None

    def _save_served(self) -> None:
        """Note on the disk what serves; a refused note is tried again at the next poll."""
        champion = self.view.champion
        if champion is None or champion.entry == self._saved:
            return
        try:
            self._cache.save_served(champion.entry)
            self._cache.prune({champion.entry.bundle, self._previous_bundle})
        except OSError as error:
            self._report_disk(
                f"the cache {self._cache.folder} cannot be written: {_reason(error)}; what serves, "
                "serves on: make room there, or give --cache a folder that can be written"
            )
            return
        self._saved = champion.entry
        self._disk_failure = ""

    def _report_disk(self, failure: str) -> None:
        if failure != self._disk_failure:
            log.warning("%s: %s", self.name, failure)
        self._disk_failure = failure

    def _read(self) -> tuple[Entry, ...]:
        """The ledger; entries never change, so only the last one known and new ones are read."""
        known = {entry.number: entry for entry in self.view.entries[:-1]}
        return tuple(known.get(n) or self._ledger.entry(n) for n in self._ledger.numbers())

    def _ledger_damage(self, entries: tuple[Entry, ...]) -> str:
        """What is wrong with the ledger, compared with what was read or served before."""
        known = self.view.entries[-1] if self.view.entries else self._last_served()
        wrong = lost_entry(entries, known) if known else ""
        if not wrong and (broken := broken_links(entries)):
            wrong = f"is broken: {'; '.join(broken)}"
        remedy = "restore it from a copy of the lake; what served, serves on"
        return f"the ledger of the {self.name} {wrong}; {remedy}" if wrong else ""

    def _stay(self, entries: tuple[Entry, ...], failure: str) -> None:
        """Keep what serves; where nothing does, what was served last beats no answer."""
        last = self._last_served()
        if self.view.champion is None and not (last and self._try(last)) and entries:
            self._follow(entries)
        self._report(failure)

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
        failure = self.view.failure
        if any(self._try(entry) for entry in reversed(entries[:-1])):
            self._report(failure)

    def _try(self, entry: Entry) -> bool:
        """Make the entry's bundle the one that serves; False, and `failure`, where it cannot."""
        if self._clock() < self._not_before.get(entry.number, 0.0):
            return False
        try:
            model = self._load(self._cache.fetch(entry))
        except Exception as error:  # whatever is wrong with a bundle, the old one keeps serving
            self.refusals += 1
            self._not_before[entry.number] = self._clock() + SECONDS_BEFORE_ANOTHER_TRY
            # A wrong bundle must be fetched again. An error of the lake, the disk or the memory
            # passes, and then a whole copy here may be the last one within reach.
            if isinstance(error, BundleError):
                self._cache.forget(entry)
            remedy = "; make room or mend the disk: it is tried again"
            why = _reason(error) + (remedy if isinstance(error, OSError) else "")
            self._report(f"champion {entry.number} ({entry.bundle}) does not serve: {why}")
            return False
        self._swap(Champion(model, entry, now()))
        return True

    def _swap(self, champion: Champion[M]) -> None:
        before = self.view.champion
        if before and before.entry.bundle != champion.entry.bundle:
            self._previous_bundle = before.entry.bundle
        self.view = View(champion, self.view.entries)
        self.swaps += 1
        self._not_before.pop(champion.entry.number, None)
        log.info("%s: champion %d, %s", self.name, champion.entry.number, champion.entry.bundle)

    def _report(self, failure: str) -> None:
        if failure != self.view.failure:
            log.warning("%s: %s", self.name, failure)
        self.view = replace(self.view, failure=failure)


def _reason(error: Exception) -> str:
    """An error as a person reads it."""
    if isinstance(error, MarqueeError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror} ({error.filename})" if error.filename else error.strerror
    return f"{type(error).__name__}: {error}"
