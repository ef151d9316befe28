"""The manifest of a published folder: files with sizes and digests, number of rows, and facts.

`Lake.publish` and `Lake.seal` write the manifest. `Lake.fetch` checks every file against it. What
this machine has just written or fetched lies in `LocalCopies`, by digest, and is not fetched again.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

from marquee.artefacts.document import NewerFormatError, check_format
from marquee.errors import LakeError
from marquee.identifiers import (
    canonical_json,
    checked_path,
    digest_bytes,
    digest_file,
    digest_value,
)

MANIFEST = "_manifest.json"
COPIES = "MARQUEE_COPIES"
"""The environment variable with the folder of `LocalCopies`; the local stack sets it."""
MOST_COPIED = 10**9
"""Bytes of all copies together."""
FORMAT = 1


@dataclass(frozen=True, order=True)
class FileFact:
    """One file of a published folder; `name` is a path relative to the folder."""

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """The files of a folder by name, and facts that the writer adds, such as `loaded_at`."""

    files: tuple[FileFact, ...]
    rows: int | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """sha256 of the list of files, without rows and facts; it identifies the folder."""
        return digest_value([[f.name, f.bytes, f.sha256] for f in self.files])

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(f.bytes for f in self.files)

    def below(self, folder: str) -> Manifest:
        """The manifest of one sub-folder, with names relative to the sub-folder."""
        prefix = folder.rstrip("/") + "/"
        contained = [f for f in self.files if f.name.startswith(prefix)]
        return Manifest(
            tuple(FileFact(f.name.removeprefix(prefix), f.bytes, f.sha256) for f in contained)
        )

    def to_bytes(self) -> bytes:
        """The content of the manifest's file."""
        files = [{"name": f.name, "bytes": f.bytes, "sha256": f.sha256} for f in self.files]
        return canonical_json(
            {"format": FORMAT, "files": files, "rows": self.rows, "facts": dict(self.facts)}
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Manifest:
        """A manifest from the content of its file.

        Raises LakeError where the content is damaged, a name leaves the folder, or a later release
        wrote the manifest.
        """
        try:
            value = json.loads(data)
            check_format(value, FORMAT)
            files = [FileFact(f["name"], f["bytes"], f["sha256"]) for f in value["files"]]
            rows, facts = value["rows"], dict(value["facts"])
        except NewerFormatError as error:
            raise LakeError(
                f"a later release wrote this manifest: {error}", "update this release"
            ) from None
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise _damaged(f"{type(error).__name__} {error}") from None
        if not (rows is None or _is_count(rows)):
            raise _damaged("its rows are no number of rows")
        if wrong := [f for f in files if not _is_sound(f)]:
            raise _damaged(f"{wrong[0]} is no file's fact")
        return cls.of_files(files, rows, facts)

    @classmethod
    def of_files(
        cls, files: Iterable[FileFact], rows: int | None, facts: Mapping[str, Any]
    ) -> Manifest:
        """A manifest over `files`, in any order.

        Raises LakeError where a name leaves the folder, repeats, or is both a file and a folder.
        """
        found = tuple(sorted(files))
        _refuse_names([f.name for f in found])
        return cls(found, rows, dict(facts))

    @classmethod
    def of_folder(
        cls, folder: Path, rows: int | None = None, facts: Mapping[str, Any] | None = None
    ) -> Manifest:
        """The manifest of a local folder; an existing manifest file does not count."""
        paths = (p for p in folder.rglob("*") if p.is_file() and p.name != MANIFEST)
        found = (
            FileFact(p.relative_to(folder).as_posix(), p.stat().st_size, digest_file(p))
            for p in paths
        )
        return cls.of_files(found, rows, facts or {})


class LocalCopies:
    """Files of published folders on this machine, by digest; the oldest give way to newer ones.

    Tasks of one run write, fetch and publish the same ratings again and again. A copy is a hard
    link where the disk allows it. No error is raised: without a copy, a file is fetched.
    """

    def __init__(self, folder: Path, most_bytes: int = MOST_COPIED) -> None:
        self.folder = folder
        self.most_bytes = most_bytes

    @classmethod
    def of_environment(cls) -> LocalCopies | None:
        """The copies in the folder that the variable `MARQUEE_COPIES` names; None without it."""
        named = os.environ.get(COPIES)
        return cls(Path(named)) if named else None

    def keep(self, source: Path, fact: FileFact) -> None:
        """Keep a copy of the local file `source`, whose content is that of `fact`."""
        target = self.folder / fact.sha256
        if fact.bytes > self.most_bytes // 4:
            return
        with suppress(OSError):
            if not target.exists():
                self.folder.mkdir(parents=True, exist_ok=True)
                _link(source, target)
                self._trim()
            os.utime(target)

    def keep_bytes(self, data: bytes, fact: FileFact) -> None:
        """Keep a copy of the content `data` of `fact`."""
        with suppress(OSError), TemporaryDirectory(prefix="marquee-copy-") as scratch:
            (source := Path(scratch) / "data").write_bytes(data)
            self.keep(source, fact)

    def take(self, fact: FileFact, target: Path) -> bool:
        """Put a copy of `fact` at `target`; whether there is one. A damaged copy is removed."""
        source = self.folder / fact.sha256
        with suppress(OSError):
            if source.stat().st_size == fact.bytes and digest_file(source) == fact.sha256:
                target.unlink(missing_ok=True)
                _link(source, target)
                os.utime(source)
                return True
            source.unlink()
        return False

    def _trim(self) -> None:
        """Remove the copies that were used longest ago, above `most_bytes` together."""
        found = [(path.stat(), path) for path in self.folder.iterdir()]
        total = 0
        for status, path in sorted(found, key=lambda one: -one[0].st_mtime):
            total += status.st_size
            if total > self.most_bytes:
                path.unlink(missing_ok=True)


def _link(source: Path, target: Path) -> None:
    """Give a file a second name, by way of a third; another disk gets a copy."""
    beside = target.with_name(f".{target.name}-{uuid.uuid4().hex}")
    try:
        os.link(source, beside)
    except OSError:
        shutil.copyfile(source, beside)
    beside.replace(target)


def _refuse_names(names: Sequence[str]) -> None:
    taken: set[str] = set()
    for name in names:
        checked_path(name, "a manifest's file")
        if name in taken:
            raise _damaged(f"{name!r} is there twice")
        taken.add(name)
    folders = {parent.as_posix() for name in names for parent in PurePosixPath(name).parents}
    if both := sorted(taken & folders):
        raise _damaged(f"{both[0]!r} is a file and a folder")


def _is_sound(fact: FileFact) -> bool:
    return isinstance(fact.name, str) and _is_count(fact.bytes) and isinstance(fact.sha256, str)


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0


def _damaged(why: str) -> LakeError:
    return LakeError(
        f"this manifest cannot be used: {why}",
        "restore the folder from a copy of the lake, or remove it and run the task that made it",
    )


def fact_of(name: str, data: bytes) -> FileFact:
    """The entry of a manifest for a file `name` with the content `data`."""
    return FileFact(name, len(data), digest_bytes(data))
