"""A lake in a local folder, `file:///…`, for tests and for machines without HDFS.

A renamed file or folder survives a power cut: `rename` syncs the content to the disk before the
rename, and the new name and its parent folders after the rename.
"""

from __future__ import annotations

import errno
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import unquote, urlsplit

from marquee.errors import ConflictError, LakeError, NotFoundError
from marquee.identifiers import checked_path
from marquee.lake.lake import FileStatus, Lake, system_error

NO_FILE = (FileNotFoundError, NotADirectoryError, IsADirectoryError)
"""Errors of a read where the path is missing, is a folder, or has a file as parent."""
CHUNK = 1 << 20


class FolderLake(Lake):
    """A lake in a local folder.

    A rename is exclusive: POSIX refuses to replace a folder that has content, and `os.link` refuses
    to replace a file.
    """

    def __init__(self, root: str) -> None:
        super().__init__(root)
        self.folder = Path(unquote(urlsplit(root).path))

    def _at(self, path: str) -> Path:
        return self.folder / checked_path(path, f"below {self.root}") if path else self.folder

    def exists(self, path: str) -> bool:
        with self._errors_at(path):
            return self._at(path).exists()

    def is_folder(self, path: str) -> bool:
        with self._errors_at(path):
            return self._at(path).is_dir()

    def list_status(self, path: str) -> list[FileStatus]:
        try:
            with self._errors_at(path), os.scandir(self._at(path)) as found:
                return sorted(leaf for entry in found for leaf in _leaf(entry))
        except NotFoundError:
            return []

    def read_bytes(self, path: str) -> bytes:
        with self._errors_at(path):
            return self._at(path).read_bytes()

    def copy_out(self, path: str, target: Path) -> None:
        with self._errors_at(path), self._at(path).open("rb") as content:
            try:
                with target.open("wb") as out:
                    shutil.copyfileobj(content, out, CHUNK)
            except OSError as error:
                raise system_error(error, str(target)) from error

    def copy_in(self, source: Path, path: str) -> None:
        self._parents(path)
        try:
            content = source.open("rb")
        except OSError as error:
            raise system_error(error, str(source)) from error
        with content, self._errors_at(path), self._at(path).open("wb") as out:
            shutil.copyfileobj(content, out, CHUNK)

    def write_bytes(self, path: str, data: bytes) -> None:
        self._parents(path)
        with self._errors_at(path):
            self._at(path).write_bytes(data)

    def rename(self, source: str, target: str) -> None:
        origin, goal = self._at(source), self._at(target)
        with self._errors_at(source):
            _sync_below(origin)
        self._parents(target)
        try:
            with self._errors_at(source):
                if origin.is_dir():
                    self._rename_folder(origin, goal)
                else:
                    os.link(origin, goal)
        except FileExistsError:
            raise ConflictError(f"something lies at {self.uri(target)} already") from None
        self.make_durable(target)
        if not goal.is_dir():
            origin.unlink(missing_ok=True)

    def make_durable(self, path: str) -> None:
        with self._errors_at(path):
            _sync(self._at(path).parent)

    def _rename_folder(self, origin: Path, goal: Path) -> None:
        # POSIX replaces an *empty* folder. No published folder is empty, so an empty folder is a
        # leftover. The rename fails where the goal has content.
        try:
            origin.rename(goal)
        except OSError as error:
            if goal.exists():
                raise FileExistsError from error
            raise

    def delete(self, path: str) -> None:
        at = self._at(path)
        with self._errors_at(path):
            if at.is_dir():
                # The rename comes first, so a reader never sees a half-deleted folder.
                doomed = at.with_name(f".{at.name}-{uuid.uuid4().hex}")
                with suppress(FileNotFoundError):  # another process deletes the folder, too
                    at.rename(doomed)
                shutil.rmtree(doomed, ignore_errors=True)
            else:
                at.unlink(missing_ok=True)

    @contextmanager
    def _errors_at(self, path: str) -> Iterator[None]:
        """Translate the disk's errors about `path` into LakeErrors."""
        try:
            yield
        except NO_FILE:
            what = "a folder, and no file," if self.is_folder(path) else "nothing"
            raise NotFoundError(f"{what} lies at {self.uri(path)}") from None
        except FileExistsError:
            raise
        except OSError as error:
            raise system_error(error, self.uri(path)) from error

    def _parents(self, path: str) -> None:
        """Create the parent folders of `path` and sync their names to the disk."""
        parent = self._at(path).parent
        made = [p for p in (parent, *parent.parents) if not p.exists()]
        try:
            with self._errors_at(path):
                parent.mkdir(parents=True, exist_ok=True)
                for folder in made:
                    _sync(folder.parent)
        except (FileExistsError, NotFoundError):
            raise LakeError(
                f"a file stands where {self.uri(path)} needs a folder",
                "remove it, or name another path",
            ) from None


def _leaf(entry: os.DirEntry[str]) -> Iterator[FileStatus]:
    """One entry; nothing where another process has deleted it."""
    with suppress(FileNotFoundError):
        found = entry.stat()
        size = 0 if entry.is_dir() else found.st_size
        yield FileStatus(entry.name, entry.is_dir(), size, found.st_mtime)


def _sync_below(path: Path) -> None:
    """Sync a file, or a folder and everything below it, to the disk."""
    for folder, _, files in os.walk(path):
        for name in files:
            _sync(Path(folder, name))
        _sync(Path(folder))
    if not path.is_dir():
        _sync(path)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        # Some file systems, such as network ones, cannot sync a folder.
        if not (path.is_dir() and error.errno in (errno.EINVAL, errno.ENOTSUP, errno.EBADF)):
            raise
    finally:
        os.close(handle)
