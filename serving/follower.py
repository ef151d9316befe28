"""Follow one model's ledger: poll it, fetch its champion, load it, replace the old champion.

- `serving.backend` starts one follower for each model.
- A request reads `view` once and answers from it alone. So no request sees two models.
- The old champion serves on if the new bundle cannot be served. `failure` holds the reason.
- The cache holds the champion that served last. So a server can start while the lake is away.
- A ledger only grows. The follower ignores new entries if an entry known here is lost or changed.
- The thread survives every error, for example a full disk. The next poll tries again.
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
SECONDS_BEFORE_RETRY = 10.0
LONGEST_POLL_SECONDS = 120.0
"""A longer poll is reported as a failure. (The client gives up one call to HDFS after 40 s.)"""
SECONDS_TO_STOP = 2.0
UNREAD = "has not been read yet"
log = logging.getLogger("marquee.serving")


@dataclass(frozen=True)
class LoadedChampion(Generic[M]):
    """A loaded model, its ledger entry, when this server loaded it, and the engine that did."""

    model: M
    entry: Entry
    loaded_at: datetime
    engine: str = "native"


@dataclass(frozen=True)
class View(Generic[M]):
    """The state that a request reads: one immutable value."""

    champion: LoadedChampion[M] | None = None
    entries: tuple[Entry, ...] = ()
    """The ledger when it was last read, oldest entry first."""
    failure: str = ""
    """Why the ledger's champion does not serve; empty if it serves."""


class Follower(Generic[M]):
    """Follows the ledger of the model `name`.

    `load` loads a bundle's folder and raises BundleError for a bad one. `swaps` counts the bundles
    that were put into service, `refusals` those that failed.
    """

    def __init__(
        self,
        lake: Lake,
        name: str,
        load: Callable[[Path], M],
        cache: Path,
        clock: Callable[[], float] = time.monotonic,
        engine: str = "native",
    ) -> None:
        self.name, self.engine = name, engine
        self.view: View[M] = View(failure=f"the ledger of the {name} {UNREAD}")
        self.swaps = 0
        self.refusals = 0
        self.polled_at: datetime | None = None
        """When the ledger was last read; None before the first time."""
        self._ledger = Ledger(lake, name)
        self._cache = BundleCache(lake, name, cache)
        self._load = load
        self._clock = clock
        self._retry_at: dict[int, float] = {}
        self._polling_since: float | None = None
        self._disk_failure = ""
        self._saved: Entry | None = None
        self._previous_bundle = ""
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, poll_seconds: float) -> None:
        """Start a thread that polls every `poll_seconds` until `stop`."""
        self._stop.clear()
        thread = threading.Thread(
            target=self._run, args=(poll_seconds,), name=f"follow-{self.name}", daemon=True
        )
        thread.start()
        self._thread = thread

    def request_stop(self) -> None:
        """End the thread after the current poll; the champion stays loaded."""
        self._stop.set()

    def stop(self, seconds: float = SECONDS_TO_STOP) -> None:
        """End the thread, and wait up to `seconds` for it."""
        self.request_stop()
        if self._thread is not None:
            self._thread.join(timeout=seconds)

    @property
    def has_ended(self) -> bool:
        """Whether the thread has died: it ended, and nobody stopped it."""
        thread = self._thread
        return thread is not None and not thread.is_alive() and not self._stop.is_set()

    @property
    def failure(self) -> str:
        """All present failures in sentences; empty if there are none."""
        found = (self._thread_failure(), self.view.failure, self._disk_failure)
        return "; ".join(text for text in found if text)

    def poll(self) -> None:
        """Read the ledger once and follow it. Never raises; `failure` holds the error."""
        self._polling_since = self._clock()
        self._safely(self._poll)
        self._safely(self._save_served)
        self._polling_since = None

    def resume(self) -> None:
        """Serve the bundle that served last, if the cache holds a whole copy. Never raises.

        The next poll replaces it if the ledger names another one.
        """
        self._safely(self._resume)

    # Internals --------------------------------------------------------------------------

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
        """Run a step and report any error, because a dead thread would miss all promotions."""
        try:
            step()
        except MarqueeError as error:
            self._report(str(error))
        except Exception as error:  # from the lake, the disk or a library
            log.exception("following the %s failed", self.name)
            self._report(f"following the {self.name} failed: {_reason(error)}; it is tried again")

    def _thread_failure(self) -> str:
        if self.has_ended:
            return self._ended()
        since = self._polling_since
        waited = 0.0 if since is None else self._clock() - since
        if waited <= LONGEST_POLL_SECONDS:
            return ""
        return f"the lake has not answered for {waited:.0f} s: a promotion since is not known here"

    def _ended(self) -> str:
        return f"the thread that follows the {self.name} has ended; start the server again"

    def _poll(self) -> None:
        entries = self._read()
        self.polled_at = now()
        if damage := self._ledger_damage(entries):
            self._follow_damaged(entries, damage)
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
        if self._put_into_service(entry):
            self.view = replace(self.view, failure=failure)  # the ledger is as unread as before

    def _last_served(self) -> Entry | None:
        """The entry that served last; None if none did, or if its file cannot be read."""
        try:
            return self._cache.last_served()
        except (OSError, LedgerError) as error:
            self._report_disk(f"what served last cannot be read: {_reason(error)}")
            return None

    def _save_served(self) -> None:
        """Record the champion in the cache; after a disk error the next poll tries again."""
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
        """The whole ledger. Only new entries and the last known one are read from the lake."""
        known = {entry.number: entry for entry in self.view.entries[:-1]}
        return tuple(known.get(n) or self._ledger.entry(n) for n in self._ledger.numbers())

    def _ledger_damage(self, entries: tuple[Entry, ...]) -> str:
        """How the ledger contradicts the entries known here, or itself; empty if it does not."""
        known = self.view.entries[-1] if self.view.entries else self._last_served()
        wrong = lost_entry(entries, known) if known else ""
        if not wrong and (broken := broken_links(entries)):
            wrong = f"is broken: {'; '.join(broken)}"
        remedy = "restore it from a copy of the lake; what served, serves on"
        return f"the ledger of the {self.name} {wrong}; {remedy}" if wrong else ""

    def _follow_damaged(self, entries: tuple[Entry, ...], failure: str) -> None:
        """Keep the champion. Without one, try what served last, then the ledger as it is."""
        last = self._last_served()
        if self.view.champion is None and not (last and self._put_into_service(last)) and entries:
            self._follow(entries)
        self._report(failure)

    def _follow(self, entries: tuple[Entry, ...]) -> None:
        head = entries[-1]
        serving = self.view.champion
        if serving is not None and serving.entry.bundle_digest == head.bundle_digest:
            # The new entry names the same bundle (a released hold, for example): nothing to load.
            self.view = View(replace(serving, entry=head), entries)
            return
        self.view = replace(self.view, entries=entries)
        if self._put_into_service(head) or serving is not None:
            return
        # Nothing serves and the newest bundle is bad: an earlier champion is better than none.
        failure = self.view.failure
        if any(self._put_into_service(entry) for entry in reversed(entries[:-1])):
            self.view = replace(self.view, failure=failure)  # it was reported above

    def _put_into_service(self, entry: Entry) -> bool:
        """Fetch, load and serve the entry's bundle; False, with `failure` set, if that fails."""
        if self._clock() < self._retry_at.get(entry.number, 0.0):
            return False
        try:
            model = self._load(self._cache.fetch(entry))
        except Exception as error:  # the old champion serves on, whatever the error is
            self.refusals += 1
            self._retry_at[entry.number] = self._clock() + SECONDS_BEFORE_RETRY
            # A wrong bundle must be fetched again. Other errors (lake, disk, memory) pass, and the
            # copy on this disk may be the only one within reach.
            if isinstance(error, BundleError):
                self._cache.forget(entry)
            remedy = "; make room or mend the disk: it is tried again"
            why = _reason(error) + (remedy if isinstance(error, OSError) else "")
            self._report(f"champion {entry.number} ({entry.bundle}) does not serve: {why}")
            return False
        self._swap(LoadedChampion(model, entry, now(), self.engine))
        return True

    def _swap(self, champion: LoadedChampion[M]) -> None:
        before = self.view.champion
        if before and before.entry.bundle != champion.entry.bundle:
            self._previous_bundle = before.entry.bundle
        self.view = View(champion, self.view.entries)
        self.swaps += 1
        self._retry_at.pop(champion.entry.number, None)
        log.info("%s: champion %d, %s", self.name, champion.entry.number, champion.entry.bundle)

    def _report(self, failure: str) -> None:
        if failure != self.view.failure:
            log.warning("%s: %s", self.name, failure)
        self.view = replace(self.view, failure=failure)


def _reason(error: Exception) -> str:
    """An error as one sentence for people."""
    if isinstance(error, MarqueeError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror} ({error.filename})" if error.filename else error.strerror
    return f"{type(error).__name__}: {error}"
