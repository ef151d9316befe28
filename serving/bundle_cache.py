"""Bundles on the serving host's own disk: fetched once, verified every time they are loaded.

`serving.follower` keeps one cache for each model.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Collection
from pathlib import Path

from marquee.artefacts.ledger_entry import Entry, read_entry
from marquee.errors import BundleError, LakeError
from marquee.lake import Lake, Manifest

LAST = "last-served.json"


class BundleCache:
    """The folder `<cache>/<model>/`: bundles by id, and the entry served last."""

    def __init__(self, lake: Lake, model: str, cache: Path) -> None:
        self.folder = cache / model
        self._lake = lake
        self._model = model

    def fetch(self, entry: Entry) -> Path:
        """The folder of the entry's bundle, every byte as the ledger's digest states.

        Raises BundleError where the lake holds another bundle than the ledger names, LakeError
        where the lake cannot give it.
        """
        if (copy := self.local(entry)) is not None:
            return copy
        folder = self.folder / entry.bundle
        self.folder.mkdir(parents=True, exist_ok=True)
        staged = Path(tempfile.mkdtemp(prefix=".part-", dir=self.folder))
        try:
            source = f"serving/{self._model}/bundles/{entry.bundle}"
            self._lake.fetch(source, staged, below="bundle")
            self._require(staged, entry)
            shutil.rmtree(folder, ignore_errors=True)
            staged.rename(folder)
        finally:
            shutil.rmtree(staged, ignore_errors=True)
        return folder

    def local(self, entry: Entry) -> Path | None:
        """The entry's bundle where a whole copy lies here; None where it is torn or missing."""
        folder = self.folder / entry.bundle
        try:
            is_whole = folder.is_dir() and Manifest.of_folder(folder).digest == entry.bundle_digest
        except (OSError, LakeError):
            return None
        return folder if is_whole else None

    def forget(self, entry: Entry) -> None:
        """Remove a bundle, so that the next fetch reads it from the lake."""
        shutil.rmtree(self.folder / entry.bundle, ignore_errors=True)

    def prune(self, keep: Collection[str]) -> None:
        """Remove every bundle but those named (arrays still mapped stay readable)."""
        for folder in self.folder.iterdir():
            if folder.is_dir() and folder.name not in keep:
                shutil.rmtree(folder, ignore_errors=True)

    def save_served(self, entry: Entry) -> None:
        """Note which entry serves, for a start without a lake; OSError where the disk refuses.

        The note is durable before it replaces the old one: a power cut leaves one of them whole.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        staged = self.folder / f".{LAST}"
        with staged.open("wb") as stream:
            stream.write(entry.to_bytes())
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(staged, self.folder / LAST)

    def last_served(self) -> Entry | None:
        """The entry that served last; None where none did.

        OSError where the disk cannot tell, LedgerError where the note is torn.
        """
        path = self.folder / LAST
        try:
            return read_entry(path.read_bytes(), str(path))
        except FileNotFoundError:
            return None

    def _require(self, folder: Path, entry: Entry) -> None:
        found = Manifest.of_folder(folder).digest
        if found != entry.bundle_digest:
            raise BundleError(
                f"bundle {entry.bundle} has digest {found[:12]}, the ledger names "
                f"{entry.bundle_digest[:12]}",
                "find out who wrote it; roll back to a bundle that is whole",
            )
