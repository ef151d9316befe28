"""The zip of our code for Spark executors, which see nothing of this checkout.

spark-submit gets it as `--py-files`. Its name holds a digest of its content, so there is one zip
for each version of the code, and two submissions of the same version share it.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from marquee.settings import REPOSITORY

SHIPPED_ROOMS = ("marquee", "sources", "scoring", "spark_apps")
"""Packages that the Python of an executor may import."""
SHIPPED_KINDS = (".py", ".csv")
SAME_MOMENT = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip can hold; real times would give each checkout another digest."""


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
    return target


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
