"""A lake in a local folder, `file:///…`: the visible fallback, and the tests' quick root."""

from __future__ import annotations

import os
import shutil
import uuid
from pathlib import Path
from urllib.parse import unquote, urlsplit

from marquee.errors import ConflictError, LakeError, NotFoundError
from marquee.lake.client import Lake
from marquee.names import inside

NO_FILE = (FileNotFoundError, NotADirectoryError, IsADirectoryError)
"""What reading says where no file lies: also where a folder does, or a file stands above."""


class FolderLake(Lake):
    """Renames are exclusive because a folder never replaces a full one and files are linked."""

    def __init__(self, root: str) -> None:
        super().__init__(root)
        self.folder = Path(unquote(urlsplit(root).path))

    def _at(self, path: str) -> Path:
        return self.folder / inside(path, f"below {self.root}") if path else self.folder

    def exists(self, path: str) -> bool:
        return self._at(path).exists()

    def is_folder(self, path: str) -> bool:
        return self._at(path).is_dir()

    def names(self, path: str) -> list[str]:
        try:
            return sorted(os.listdir(self._at(path)))
        except (FileNotFoundError, NotADirectoryError):
            return []

    def read_bytes(self, path: str) -> bytes:
        try:
            return self._at(path).read_bytes()
        except NO_FILE:
            raise self._no_file(path) from None

    def copy_out(self, path: str, target: Path) -> None:
        try:
            shutil.copyfile(self._at(path), target)
        except NO_FILE:
            raise self._no_file(path) from None

    def copy_in(self, source: Path, path: str) -> None:
        self._parents(path)
        shutil.copyfile(source, self._at(path))

    def write_bytes(self, path: str, data: bytes) -> None:
        self._parents(path)
        self._at(path).write_bytes(data)

    def rename(self, source: str, target: str) -> None:
        self._parents(target)
        origin, goal = self._at(source), self._at(target)
        try:
            if origin.is_dir():
                self._rename_folder(origin, goal)
            else:
                os.link(origin, goal)
                origin.unlink()
        except FileExistsError:
            raise ConflictError(f"something lies at {self.uri(target)} already") from None
        except FileNotFoundError:
            raise NotFoundError(f"nothing lies at {self.uri(source)}") from None

    def _rename_folder(self, origin: Path, goal: Path) -> None:
        # POSIX lets a folder replace an *empty* folder; nobody publishes one, so an existing
        # empty folder is a leftover that means nothing. A full one fails, which is what we want.
        try:
            origin.rename(goal)
        except OSError as error:
            if goal.exists():
                raise FileExistsError from error
            raise

    def delete(self, path: str) -> None:
        at = self._at(path)
        if at.is_dir():
            # Renamed away first, so that a reader never sees a half-deleted folder.
            doomed = at.with_name(f".{at.name}-{uuid.uuid4().hex}")
            at.rename(doomed)
            shutil.rmtree(doomed, ignore_errors=True)
        else:
            at.unlink(missing_ok=True)

    def _no_file(self, path: str) -> NotFoundError:
        what = "a folder, and no file," if self.is_folder(path) else "nothing"
        return NotFoundError(f"{what} lies at {self.uri(path)}")

    def _parents(self, path: str) -> None:
        try:
            self._at(path).parent.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise LakeError(f"a file stands where {self.uri(path)} needs a folder") from None
