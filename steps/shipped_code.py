"""The zip of our code for Spark executors, which see nothing of this checkout.

spark-submit gets it as `--py-files`. Its name holds a digest of its content, so there is one zip
for each version of the code, and two submissions of the same version share it.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from marquee.settings import REPOSITORY

SHIPPED_ROOMS = ("marquee", "sources", "scoring", "spark_apps")
"""Packages that the Python of an executor may import."""
SHIPPED_KINDS = (".py", ".csv")
SAME_MOMENT = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip can hold; real times would give each checkout another digest."""
NEWEST_KEPT = 3
SECONDS_IN_USE = 86_400
"""A zip that a submission has named since then may be needed by a job that still runs."""


def code_zip(folder: Path) -> Path:
    """The zip of this version of the code in `folder`; written where it is missing."""
    files = {
        path.relative_to(REPOSITORY).as_posix(): path.read_bytes()
        for room in SHIPPED_ROOMS
        for path in sorted((REPOSITORY / room).rglob("*"))
        if path.suffix in SHIPPED_KINDS
    }
    target = folder / f"marquee-code-{_digest(files)}.zip"
    if not target.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        _write(files, target)
    if not os.access(folder, os.W_OK):
        return target  # part of an image, which has this one
    os.utime(target, ns=(time.time_ns(), target.stat().st_mtime_ns))  # read now: it is in use
    _sweep(folder)
    return target


def _sweep(folder: Path) -> None:
    """Remove the zips of older code, but for the newest few and those in use."""
    with suppress(FileNotFoundError):  # another submission sweeps, too
        used = {path: path.stat().st_atime for path in folder.glob("marquee-code-*.zip")}
        for path in sorted(used, key=lambda path: used[path], reverse=True)[NEWEST_KEPT:]:
            if time.time() - used[path] > SECONDS_IN_USE:
                path.unlink()


def _digest(files: dict[str, bytes]) -> str:
    found = hashlib.sha256()
    for name, data in files.items():
        found.update(f"{name}\0{len(data)}\0".encode() + data)
    return found.hexdigest()[:12]


def _write(files: dict[str, bytes], target: Path) -> None:
    """Write the zip beside its place and rename it, because two tasks may start together."""
    handle, beside = tempfile.mkstemp(dir=target.parent, suffix=".part")
    with os.fdopen(handle, "wb") as out, ZipFile(out, "w", ZIP_DEFLATED) as archive:
        for name, data in files.items():
            entry = ZipInfo(name, SAME_MOMENT)
            entry.compress_type, entry.external_attr = ZIP_DEFLATED, 0o644 << 16
            archive.writestr(entry, data)
    Path(beside).replace(target)
