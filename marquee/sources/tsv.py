"""Rows of a large TSV that belong to wanted keys, one at a time, and the rest skipped unread.

IMDb's datasets hold tens of millions of lines of which a catalogue wants thousands: a line is
taken apart only where its first column is wanted.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Collection, Iterator, Sequence
from io import BufferedReader
from pathlib import Path

from marquee.errors import SourceError

TAB = b"\t"


def wanted_rows(
    path: Path, needed: Sequence[str], wanted: Collection[str]
) -> Iterator[dict[str, str]]:
    """Rows whose first column is in `wanted`; SourceError names what is wrong and where."""
    keys = frozenset(key.encode() for key in wanted)
    line = 0
    try:
        with _open(path) as stream:
            header = _header(path, stream.readline(), needed)
            for line, raw in enumerate(stream, 2):  # noqa: B007 -- said where it fails
                if raw[: raw.find(TAB)] in keys:
                    cells = raw.rstrip(b"\r\n").decode().split("\t")
                    yield dict(zip(header, cells, strict=True))
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise SourceError(
            f"{path} cannot be read after line {line}: {error}", "fetch the file again"
        ) from None


def _header(path: Path, raw: bytes, needed: Sequence[str]) -> list[str]:
    header = raw.decode("utf-8-sig").rstrip("\r\n").split("\t")
    missing = [name for name in needed if name not in header]
    if missing or header[0] != needed[0]:
        raise SourceError(
            f"{path} lacks the column {', '.join(missing or needed[:1])}",
            f"its header must start with {needed[0]} and hold {', '.join(needed)}",
        )
    return header


def _open(path: Path) -> gzip.GzipFile | BufferedReader:
    with path.open("rb") as stream:
        is_packed = stream.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rb") if is_packed else path.open("rb")
