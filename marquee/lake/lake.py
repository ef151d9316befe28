"""What every lake does, whichever root it has: publish, seal, create and fetch.

`FolderLake` and `WebHdfsLake` implement the primitives; everything that follows from them stands
here once. A folder appears whole or not at all: it is staged under a name unique to the attempt,
gets a manifest, and is moved by one *exclusive* rename. An attempt that finds the name taken
compares manifests: equal is success.
"""

from __future__ import annotations

import errno
import json
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from marquee.errors import (
    ConflictError,
    LakeError,
    LakeFullError,
    LakeUnavailableError,
    NotFoundError,
)
from marquee.identifiers import canonical_json, digest_file
from marquee.lake.manifest import MANIFEST, Manifest, fact_of

READS_AT_ONCE = 8
"""A call to a remote lake is one round trip: eight of them wait together."""
STAGING = ".staging"
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
FINAL = frozenset(
    {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL}
    | {errno.ENOENT, errno.ENOTDIR, errno.EISDIR}
)


@dataclass(frozen=True, order=True)
class Leaf:
    """A file or folder inside a folder."""

    name: str
    is_folder: bool
    bytes: int
    modified: float
    """Seconds since 1970, by the clock of the machine that keeps it."""


class Lake(ABC):
    """Files and published folders below one root; paths are relative and `/`-separated."""

    def __init__(self, root: str) -> None:
        self.root = root.rstrip("/")

    def uri(self, path: str) -> str:
        """The full address of a path, as Spark reads it."""
        return f"{self.root}/{path}" if path else self.root

    # The primitives of a root ------------------------------------------------------------

    @abstractmethod
    def exists(self, path: str) -> bool:
        """Whether a file or folder lies at `path`."""

    @abstractmethod
    def leaves(self, path: str) -> list[Leaf]:
        """The files and folders at `path`, by name; none where no folder lies there."""

    @abstractmethod
    def is_folder(self, path: str) -> bool:
        """Whether a folder lies at `path`."""

    @abstractmethod
    def read_bytes(self, path: str) -> bytes:
        """A whole file; NotFoundError where there is none."""

    @abstractmethod
    def copy_out(self, path: str, target: Path) -> None:
        """Stream one file to a local one."""

    @abstractmethod
    def copy_in(self, source: Path, path: str) -> None:
        """Stream one local file into staging, over what an earlier attempt may have written."""

    @abstractmethod
    def write_bytes(self, path: str, data: bytes) -> None:
        """Write a file into staging, over what an earlier attempt may have written."""

    @abstractmethod
    def rename(self, source: str, target: str) -> None:
        """Move exclusively, and create the parents; ConflictError where `target` is taken."""

    @abstractmethod
    def make_durable(self, path: str) -> None:
        """Return when the *name* `path` survives a power cut.

        `rename` does so itself, but another attempt may have been cut off in between.
        """

    @abstractmethod
    def delete(self, path: str) -> None:
        """Remove a file or a whole folder; nothing there is fine."""

    # What follows from them --------------------------------------------------------------

    def names(self, path: str) -> list[str]:
        """Sorted names below `path`; none where no folder lies there."""
        return [leaf.name for leaf in self.leaves(path)]

    def read_json(self, path: str) -> Any:
        """A JSON file's value."""
        return json.loads(self.read_bytes(path))

    def create(self, path: str, data: bytes) -> None:
        """Create a file exclusively; ConflictError where one with other content lies there."""
        staged = self.staging(path)
        self.write_bytes(staged, data)
        self._claim(staged, path, lambda: self._is(path, data))

    def create_json(self, path: str, value: Any) -> None:
        """Create a JSON file exclusively, in its canonical spelling."""
        self.create(path, canonical_json(value))

    def create_once(self, path: str, make: Callable[[], bytes]) -> bytes:
        """Create a file with what `make` returns, unless another attempt has; return its content.

        For a run's own documents, whose attempts may differ in a moment or a last digit.
        """
        if not self.exists(path):
            with suppress(ConflictError):
                self.create(path, make())
        return self.read_bytes(path)

    def staging(self, path: str) -> str:
        """A path unique to this attempt, to write below before `seal`."""
        return f"{STAGING}/{path.replace('/', '-')}-{uuid.uuid4().hex}"

    def publish(self, folder: Path, path: str, rows: int | None = None, **facts: Any) -> Manifest:
        """Make a local folder appear whole at `path`; publishing it twice is a no-op."""
        manifest = Manifest.of_folder(folder, rows, facts)
        if self.exists(path):
            return self._same(path, manifest)
        staged = self.staging(path)
        with ThreadPoolExecutor(READS_AT_ONCE) as pool:
            names = [f.name for f in manifest.files]
            list(pool.map(lambda n: self.copy_in(folder / n, f"{staged}/{n}"), names))
        return self._finish(staged, path, manifest)

    def seal(self, staged: str, path: str, rows: int | None = None, **facts: Any) -> Manifest:
        """Give a staged folder its manifest and make it appear whole at `path`."""
        names = [n for n in self._walk(staged) if not n.rsplit("/", 1)[-1].startswith(("_", "."))]
        with ThreadPoolExecutor(READS_AT_ONCE) as pool:
            files = list(pool.map(lambda n: fact_of(n, self.read_bytes(f"{staged}/{n}")), names))
        return self._finish(staged, path, Manifest.of_files(files, rows, facts))

    def manifest(self, path: str) -> Manifest:
        """What the folder published at `path` holds; NotFoundError where none is, LakeError with
        the manifest's own address where it cannot be used."""
        where = f"{path}/{MANIFEST}"
        data = self.read_bytes(where)
        try:
            return Manifest.from_bytes(data)
        except LakeError as error:
            raise LakeError(f"{self.uri(where)}: {error.message}", error.remedy) from None

    def fetch(self, path: str, folder: Path, below: str = "") -> Path:
        """Copy a published folder (or one sub-folder of it) out and check every digest."""
        manifest = self.manifest(path)
        start = f"{path}/{below}" if below else path
        wanted = manifest.below(below) if below else manifest
        if not wanted.files:
            raise NotFoundError(f"nothing is published at {self.uri(start)}")
        for fact in wanted.files:
            (folder / fact.name).parent.mkdir(parents=True, exist_ok=True)
        torn = [f.name for f in wanted.files]
        for _ in range(2):  # a file that was damaged on its way is copied once more
            with ThreadPoolExecutor(READS_AT_ONCE) as pool:
                list(pool.map(lambda n: self.copy_out(f"{start}/{n}", folder / n), torn))
            wrong = {f.name for f in wanted.files if digest_file(folder / f.name) != f.sha256}
            torn = [name for name in torn if name in wrong]
            if not torn:
                break
        if torn:
            raise LakeError(
                f"{self.uri(start)} differs from its manifest in {', '.join(torn[:3])}",
                "restore the folder from another replica or run the task that made it again",
            )
        return folder

    # Helpers ----------------------------------------------------------------------------

    def _walk(self, path: str, prefix: str = "") -> Iterator[str]:
        for leaf in self.leaves(path):
            if leaf.is_folder:
                yield from self._walk(f"{path}/{leaf.name}", f"{prefix}{leaf.name}/")
            else:
                yield prefix + leaf.name

    def _finish(self, staged: str, path: str, manifest: Manifest) -> Manifest:
        self.write_bytes(f"{staged}/{MANIFEST}", manifest.to_bytes())
        self._claim(staged, path, lambda: self._holds(path, manifest))
        return manifest

    def _claim(self, staged: str, path: str, is_equal: Callable[[], bool]) -> None:
        """Rename, and distinguish a lost race or a lost response from a conflict."""
        try:
            self.rename(staged, path)
            return
        except LakeUnavailableError:
            # The response may have been lost after the rename was done.
            if not self.exists(path):
                raise
        except ConflictError:
            pass
        equal = is_equal()
        self.delete(staged)
        if equal:
            self.make_durable(path)
        else:
            raise ConflictError(
                f"something else lies at {self.uri(path)} already",
                "it is immutable: write under another name, or find out who wrote it",
            )

    def _is(self, path: str, data: bytes) -> bool:
        try:
            return self.read_bytes(path) == data
        except NotFoundError:  # a folder lies there
            return False

    def _same(self, path: str, manifest: Manifest) -> Manifest:
        if not self._holds(path, manifest):
            raise ConflictError(
                f"another folder lies at {self.uri(path)} already",
                "it is immutable: write under another name, or find out who wrote it",
            )
        self.make_durable(path)
        return self.manifest(path)

    def _holds(self, path: str, manifest: Manifest) -> bool:
        """Whether the same files are published there; without a manifest nothing is."""
        try:
            return self.manifest(path).digest == manifest.digest
        except NotFoundError:
            return False


def system_error(error: OSError, where: str) -> LakeError:
    """Our error for a local disk's: full, forbidden, or failing."""
    reason = f"{where}: {error.strerror or error}"
    if error.errno in FULL:
        return LakeFullError(f"there is no room for {reason}", "make room there, then try again")
    if error.errno in FINAL:
        return LakeError(
            f"the system refuses {reason}", "give its user the right, or name another place"
        )
    return LakeUnavailableError(
        f"the system failed at {reason}", "look at that disk, then try again"
    )
