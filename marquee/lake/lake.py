"""The operations of every lake: publish, seal, create and fetch.

`FolderLake` and `WebHdfsLake` implement the abstract methods. A published folder appears complete
or not at all, in three steps: an attempt writes the folder below a staging name of its own, adds
the manifest, and moves the folder by one *exclusive* rename. An attempt that finds the target taken
compares the two manifests. Equal manifests count as success.
"""

from __future__ import annotations

import errno
import json
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
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
from marquee.lake.manifest import MANIFEST, FileFact, LocalCopies, Manifest, fact_of

READS_AT_ONCE = 8
"""Threads for parallel calls. A call to HDFS mostly waits for one round trip."""
STAGING = ".staging"
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
FINAL = frozenset(
    {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL}
    | {errno.ENOENT, errno.ENOTDIR, errno.EISDIR}
)


@dataclass(frozen=True, order=True)
class FileStatus:
    """A file or folder inside a folder."""

    name: str
    is_folder: bool
    bytes: int
    modified: float
    """Seconds since 1970, by the clock of the machine that stores the file."""


class Lake(ABC):
    """Files and published folders below one root; paths are relative to it and `/`-separated."""

    def __init__(self, root: str) -> None:
        self.root = root.rstrip("/")
        self.copies: LocalCopies | None = None
        """Copies of published files on this machine; None where a fetch costs no network."""

    def uri(self, path: str) -> str:
        """The full address of a path, as Spark reads it."""
        return f"{self.root}/{path}" if path else self.root

    @abstractmethod
    def exists(self, path: str) -> bool:
        """Whether a file or folder lies at `path`."""

    @abstractmethod
    def list_status(self, path: str) -> list[FileStatus]:
        """The files and folders directly below `path`, by name; empty where `path` is no folder."""

    @abstractmethod
    def is_folder(self, path: str) -> bool:
        """Whether a folder lies at `path`."""

    @abstractmethod
    def read_bytes(self, path: str) -> bytes:
        """The content of a file; NotFoundError where `path` is no file."""

    @abstractmethod
    def copy_out(self, path: str, target: Path) -> None:
        """Copy one file of the lake to the local file `target`."""

    @abstractmethod
    def copy_in(self, source: Path, path: str) -> None:
        """Copy one local file into staging; replaces a file of an earlier attempt."""

    @abstractmethod
    def write_bytes(self, path: str, data: bytes) -> None:
        """Write a file into staging; replaces a file of an earlier attempt."""

    @abstractmethod
    def rename(self, source: str, target: str) -> None:
        """Move a file or folder, and create the parent folders of `target`.

        Raises ConflictError where `target` exists.
        """

    @abstractmethod
    def make_durable(self, path: str) -> None:
        """Sync the *name* `path` to the disk, so that the name survives a power cut.

        `rename` syncs its own target. A caller that finds a target of another attempt calls this
        method, because the other attempt may have died between rename and sync.
        """

    @abstractmethod
    def delete(self, path: str) -> None:
        """Remove a file, or a folder with its content; no error where `path` is missing."""

    # Operations ----------------------------------------------------------------------------

    def names(self, path: str) -> list[str]:
        """Sorted names directly below `path`; empty where `path` is no folder."""
        return [leaf.name for leaf in self.list_status(path)]

    def read_json(self, path: str) -> Any:
        """A JSON file's value."""
        return json.loads(self.read_bytes(path))

    def create(self, path: str, data: bytes) -> None:
        """Create a file; ConflictError where `path` exists with other content."""
        staged = self.staging(path)
        self.write_bytes(staged, data)
        self._claim(staged, path, lambda: self._is(path, data))

    def create_json(self, path: str, value: Any) -> None:
        """Create a JSON file in canonical form; ConflictError as `create`."""
        self.create(path, canonical_json(value))

    def create_once(self, path: str, make: Callable[[], bytes]) -> bytes:
        """Create a file from `make()` unless it exists, and return the file's content.

        Two attempts at one document may differ in a time stamp or a last digit; the first wins.
        """
        if not self.exists(path):
            with suppress(ConflictError):
                self.create(path, make())
        return self.read_bytes(path)

    def staging(self, path: str) -> str:
        """A staging path that is unique to this attempt."""
        return f"{STAGING}/{path.replace('/', '-')}-{uuid.uuid4().hex}"

    def publish(self, folder: Path, path: str, rows: int | None = None, **facts: Any) -> Manifest:
        """Publish a local folder at `path` with a manifest of `rows` and `facts`.

        A second publication of the same files changes nothing. Raises ConflictError where `path`
        holds other files.
        """
        manifest = Manifest.of_folder(folder, rows, facts)
        if self.exists(path):
            return self._same(path, manifest)
        staged = self.staging(path)
        with ThreadPoolExecutor(READS_AT_ONCE) as pool:
            names = [f.name for f in manifest.files]
            list(pool.map(lambda n: self.copy_in(folder / n, f"{staged}/{n}"), names))
        self._keep(folder, manifest.files)
        return self._finish(staged, path, manifest)

    def seal(self, staged: str, path: str, rows: int | None = None, **facts: Any) -> Manifest:
        """Publish a staged folder of the lake at `path` with a manifest of `rows` and `facts`."""
        names = [n for n in self._walk(staged) if not n.rsplit("/", 1)[-1].startswith(("_", "."))]
        with ThreadPoolExecutor(READS_AT_ONCE) as pool:
            files = list(pool.map(lambda n: self._fact(n, self.read_bytes(f"{staged}/{n}")), names))
        return self._finish(staged, path, Manifest.of_files(files, rows, facts))

    def manifest(self, path: str) -> Manifest:
        """The manifest of the folder published at `path`.

        Raises NotFoundError where no folder is published, and LakeError where the manifest is
        damaged.
        """
        where = f"{path}/{MANIFEST}"
        data = self.read_bytes(where)
        try:
            return Manifest.from_bytes(data)
        except LakeError as error:
            raise LakeError(f"{self.uri(where)}: {error.message}", error.remedy) from None

    def fetch(self, path: str, folder: Path, below: str = "") -> Path:
        """Copy a published folder, or its sub-folder `below`, to the local `folder`; return it.

        Raises LakeError where a digest differs from the manifest, and NotFoundError where the
        manifest names no files below `below`.
        """
        manifest = self.manifest(path)
        start = f"{path}/{below}" if below else path
        wanted = manifest.below(below) if below else manifest
        if not wanted.files:
            raise NotFoundError(f"nothing is published at {self.uri(start)}")
        for fact in wanted.files:
            (folder / fact.name).parent.mkdir(parents=True, exist_ok=True)
        copies = self.copies
        missing = [f for f in wanted.files if not (copies and copies.take(f, folder / f.name))]
        for _ in range(2):  # a second copy corrects a file that the network damaged
            missing = self._copy_out(start, folder, missing)
        if missing:
            names = ", ".join(f.name for f in missing[:3])
            raise LakeError(
                f"{self.uri(start)} differs from its manifest in {names}",
                "restore the folder from another replica or run the task that made it again",
            )
        return folder

    # Helpers ----------------------------------------------------------------------------

    def _fact(self, name: str, data: bytes) -> FileFact:
        """The manifest's entry of a file; this machine keeps a copy."""
        fact = fact_of(name, data)
        if self.copies:
            self.copies.keep_bytes(data, fact)
        return fact

    def _copy_out(self, start: str, folder: Path, facts: Sequence[FileFact]) -> list[FileFact]:
        """Copy these files of a published folder; those whose digest is wrong."""
        with ThreadPoolExecutor(READS_AT_ONCE) as pool:
            list(pool.map(lambda f: self.copy_out(f"{start}/{f.name}", folder / f.name), facts))
        wrong = [f for f in facts if digest_file(folder / f.name) != f.sha256]
        self._keep(folder, [f for f in facts if f not in wrong])
        return wrong

    def _keep(self, folder: Path, facts: Sequence[FileFact]) -> None:
        if self.copies:
            for fact in facts:
                self.copies.keep(folder / fact.name, fact)

    def _walk(self, path: str, prefix: str = "") -> Iterator[str]:
        for leaf in self.list_status(path):
            if leaf.is_folder:
                yield from self._walk(f"{path}/{leaf.name}", f"{prefix}{leaf.name}/")
            else:
                yield prefix + leaf.name

    def _finish(self, staged: str, path: str, manifest: Manifest) -> Manifest:
        self.write_bytes(f"{staged}/{MANIFEST}", manifest.to_bytes())
        self._claim(staged, path, lambda: self._holds(path, manifest))
        return manifest

    def _claim(self, staged: str, path: str, is_equal: Callable[[], bool]) -> None:
        """Rename `staged` to `path`; an equal file or folder at `path` counts as success.

        An equal one means that another attempt was first, or that a response was lost. Raises
        ConflictError where the file or folder at `path` differs.
        """
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
        """Whether the folder published at `path` has the same files."""
        try:
            return self.manifest(path).digest == manifest.digest
        except NotFoundError:
            return False


def system_error(error: OSError, where: str) -> LakeError:
    """The LakeError for an error of a local disk that is full, read-only or broken."""
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
