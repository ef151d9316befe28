"""Unpack and decode text files from outside.

`tables` reads rows through `open_text`; other callers read a whole file. The content, not the
file's name, shows gzip and the encoding: UTF-8, UTF-16 or UTF-32, with or without a byte order
mark, else Windows-1252 or Latin-1. Every error is a SourceError that names the file and the remedy.
"""

from __future__ import annotations

import codecs
import gzip
import io
import json
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from marquee.errors import SourceError

CHUNK = 1 << 20  # bytes decoded together
GZIP = b"\x1f\x8b"
ARCHIVES = {
    b"PK\x03\x04": "a zip archive (or a spreadsheet)",
    b"BZh": "packed with bzip2",
    b"\xfd7zXZ": "packed with xz",
    b"\x28\xb5\x2f\xfd": "packed with zstd",
    b"7z\xbc\xaf": "a 7z archive",
    b"PAR1": "a Parquet file",
}
"""First bytes of a file that is no text, to the words for its kind."""
MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""Byte order marks. UTF-32 comes before UTF-16, whose mark is the start of UTF-32's."""
NOT_WINDOWS = re.compile(rb"[\x81\x8d\x8f\x90\x9d]")
"""Bytes that Windows-1252 does not define; in Latin-1 they are control characters."""
ESCAPED = re.compile("[\udc80-\udcff]")
BEYOND_ASCII = re.compile("[^\x00-\x7f]")


def read_text(path: Path) -> str:
    """A whole file as text, unpacked and decoded; SourceError where it is no text."""
    with file_errors(path), open_text(path, encoding_of(path)) as stream:
        return stream.read()


def read_json(path: Path) -> Any:
    """The value of a JSON file, unpacked and decoded; SourceError where it is no JSON."""
    text = read_text(path)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{path} is no JSON: {error}", "export it again") from None


def open_text(path: Path, encoding: str) -> IO[str]:
    """The file's text as a stream, line ends unchanged."""
    return io.TextIOWrapper(_open_bytes(path), encoding=encoding, newline="")  # type: ignore[arg-type]


def encoding_of(path: Path) -> str:
    """The encoding of a file's text.

    Raises SourceError where the file holds NUL bytes, or mixes UTF-8 with another encoding.
    """
    with file_errors(path), _open_bytes(path) as stream:
        chunk = stream.read(CHUNK)
        for mark, name in MARKS:
            if chunk.startswith(mark):
                return name
        return _wide_encoding(chunk[:32]) or _narrow_encoding(path, chunk, stream)


@contextmanager
def file_errors(path: Path) -> Iterator[None]:
    """Turn every error of reading a file's bytes into a SourceError with a remedy."""
    try:
        yield
    except UnicodeError as error:
        why = getattr(error, "reason", error)
        raise SourceError(f"{path} is torn or damaged: {why}", "copy or export it again") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise SourceError(f"{path} is torn: {error}", "copy or download it again") from None
    except FileNotFoundError:
        raise SourceError(f"{path} is missing", "check the path") from None
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}", "look at the disk") from None


def _open_bytes(path: Path) -> IO[bytes]:
    """The file's bytes, unpacked where it is gzip; SourceError where it is another archive."""
    stream = path.open("rb")
    head = stream.read(6)
    stream.seek(0)
    for start, what in ARCHIVES.items():
        if head.startswith(start):
            stream.close()
            raise SourceError(f"{path} is {what}", "unpack or export it, and give CSV or TSV")
    if head.startswith(GZIP):
        stream.close()
        return gzip.open(path, "rb")  # type: ignore[return-value]
    return stream


def _wide_encoding(head: bytes) -> str | None:
    """UTF-32 or UTF-16 without a byte order mark, or None.

    Two of the four bytes of every UTF-32 character are NUL at one end. In UTF-16, one of the two
    bytes of every ASCII letter is NUL.
    """
    quarter = len(head) // 4
    nuls = [head[at : 4 * quarter : 4].count(0) for at in range(4)]
    if quarter > 1 and nuls[0] == 0 and nuls[2] == nuls[3] == quarter:
        return "utf-32-le"
    if quarter > 1 and nuls[3] == 0 and nuls[0] == nuls[1] == quarter:
        return "utf-32-be"
    half = len(head) // 2
    if half < 4:
        return None
    if head[1::2].count(0) > 0.4 * half and head[::2].count(0) < 0.1 * half:
        return "utf-16-le"
    if head[::2].count(0) > 0.4 * half and head[1::2].count(0) < 0.1 * half:
        return "utf-16-be"
    return None


def _narrow_encoding(path: Path, chunk: bytes, stream: IO[bytes]) -> str:
    """`utf-8`, `cp1252` or `latin-1`; SourceError for a mixture.

    In Windows-1252 and Latin-1 hardly any character beyond ASCII is valid UTF-8. A file with many
    valid and some invalid ones mixes encodings or is damaged.
    """
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    line, good, bad, bad_line, is_windows = 1, 0, 0, 0, True
    while True:
        if b"\0" in chunk:
            at = line + chunk.count(b"\n", 0, chunk.index(b"\0"))
            raise SourceError(
                f"{path} line {at} holds a NUL byte: it is no table, or torn",
                "export or copy it again",
            )
        if not chunk or not chunk.isascii() or decoder.getstate()[0]:
            text = decoder.decode(chunk, final=not chunk)
            found = len(ESCAPED.findall(text))
            if found and not bad:
                bad_line = line + text.count("\n", 0, ESCAPED.search(text).start())  # type: ignore[union-attr]
            bad += found
            good += len(BEYOND_ASCII.findall(text)) - found
            is_windows = is_windows and not NOT_WINDOWS.search(chunk)
        if not chunk:
            break
        line += chunk.count(b"\n")
        chunk = stream.read(CHUNK)
    if not bad:
        return "utf-8"
    if good * 10 > bad:
        raise SourceError(
            f"{path} line {bad_line} is not UTF-8, though other lines are",
            "two encodings are mixed, or the file is damaged: export it again",
        )
    return "cp1252" if is_windows else "latin-1"
