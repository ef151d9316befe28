"""Bundles on the local disk of a server: fetched once, verified before every load.

`serving.follower` has one cache for each model. The cache also records the ledger entry that served
last, so that a server can start while the lake is away.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from marquee.artefacts.ledger_entry import Entry, read_entry
from marquee.errors import BundleError, LakeError
from marquee.lake import Lake, Manifest

LAST_SERVED_FILE = "last-served.json"
LOCK_FILE = ".lock"
STAGED = ".part-"
SECONDS_TO_FETCH = 3600
"""What has been staged for longer was left behind by a process that was killed."""


class BundleCache:
    """The folder `<cache>/<model>/`: bundles by id, and the entry that served last."""

    def __init__(self, lake: Lake, model: str, cache: Path) -> None:
        self.folder = cache / model
        self._lake = lake
        self._model = model

    def fetch(self, entry: Entry) -> Path:
        """The folder of the entry's bundle, fetched from the lake if no whole copy is here.

        Raises BundleError for a bundle with another digest than the entry's, LakeError where the
        lake cannot give the bundle.
        """
        if (copy := self.local(entry)) is not None:
            return copy
        folder = self.folder / entry.bundle
        self.folder.mkdir(parents=True, exist_ok=True)
        staged = Path(tempfile.mkdtemp(prefix=STAGED, dir=self.folder))
        try:
            source = f"serving/{self._model}/bundles/{entry.bundle}"
            self._lake.fetch(source, staged, below="bundle")
            self._require(staged, entry)
            with self._alone():
                if self.local(entry) is None:  # another process may have been faster
                    shutil.rmtree(folder, ignore_errors=True)
                    staged.rename(folder)
        finally:
            shutil.rmtree(staged, ignore_errors=True)
        return folder

    def local(self, entry: Entry) -> Path | None:
        """The folder of the entry's bundle on this disk; None if it is torn or missing."""
        folder = self.folder / entry.bundle
        try:
            is_whole = folder.is_dir() and Manifest.of_folder(folder).digest == entry.bundle_digest
        except (OSError, LakeError):
            return None
        return folder if is_whole else None

    def forget(self, entry: Entry) -> None:
        """Remove the entry's bundle, so that `fetch` reads it from the lake again."""
        shutil.rmtree(self.folder / entry.bundle, ignore_errors=True)

    def prune(self, keep: Collection[str]) -> None:
        """Remove all bundles except `keep`, a collection of ids; mapped arrays stay readable.

        What was staged in the last hour stays: another process of this host may be fetching it.
        """
        for folder in self.folder.iterdir():
            is_staged = folder.name.startswith(STAGED) and not _is_old(folder)
            if folder.is_dir() and folder.name not in keep and not is_staged:
                shutil.rmtree(folder, ignore_errors=True)

    def save_served(self, entry: Entry) -> None:
        """Record the entry that serves; OSError where the disk refuses.

        The new file is durable before it replaces the old one: a power cut leaves one of the two.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        staged = self.folder / f".{LAST_SERVED_FILE}"
        with self._alone():
            with staged.open("wb") as stream:
                stream.write(entry.to_bytes())
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(staged, self.folder / LAST_SERVED_FILE)

    def last_served(self) -> Entry | None:
        """The entry that served last; None if none did.

        Raises OSError for an unreadable file, LedgerError for a torn one.
        """
        path = self.folder / LAST_SERVED_FILE
        try:
            return read_entry(path.read_bytes(), str(path))
        except FileNotFoundError:
            return None

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the other processes that share this cache; the lock ends with its process."""
        with (self.folder / LOCK_FILE).open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _require(self, folder: Path, entry: Entry) -> None:
        found = Manifest.of_folder(folder).digest
        if found != entry.bundle_digest:
            raise BundleError(
                f"bundle {entry.bundle} has digest {found[:12]}, the ledger names "
                f"{entry.bundle_digest[:12]}",
                "find out who wrote it; roll back to a bundle that is whole",
            )


def _is_old(folder: Path) -> bool:
    with suppress(FileNotFoundError):
        return time.time() - folder.stat().st_mtime > SECONDS_TO_FETCH
    return False
