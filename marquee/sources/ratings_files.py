"""One file of a ratings release as rows of text, whatever parts its cells, gzipped or not."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import IO

from marquee.errors import SourceError

Cells = tuple[str, ...]


@dataclass(frozen=True)
class Sheet:
    """A file's name, what parts its cells, and its columns.

    A `,` means CSV in UTF-8, whose first line names at least these columns, in any order; anything
    else has no such line, and these columns in this order.
    """

    file: str
    separator: str
    columns: Cells

    @property
    def is_csv(self) -> bool:
        """Whether its first line names the columns."""
        return self.separator == ","


def find_file(folder: Path, sheet: Sheet) -> Path | None:
    """The file or its gzipped twin; None where there is neither."""
    paths = folder / sheet.file, folder / f"{sheet.file}.gz"
    return next((path for path in paths if path.is_file()), None)


def read_cells(folder: Path, sheet: Sheet) -> Iterator[Cells]:
    """Rows of `sheet.columns`; missing cells are empty. SourceError where it is not such a file."""
    path = find_file(folder, sheet)
    if path is None:
        raise SourceError(f"{folder / sheet.file} is missing", "give a whole release")
    return read_file(path, sheet)


def read_file(path: Path, sheet: Sheet) -> Iterator[Cells]:
    """The rows of one file; SourceError naming it, what is wrong, and what to do."""
    try:
        with _open(path) as stream:
            yield from (_csv_rows if sheet.is_csv else _parted_rows)(stream, path, sheet)
    except UnicodeDecodeError as error:
        raise SourceError(
            f"{path} is not UTF-8 (byte {error.start})",
            f"convert it: iconv -f latin1 -t utf-8 {path.name}",
        ) from None
    except csv.Error as error:
        raise SourceError(f"{path} is not a CSV file: {error}", "export it again") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise SourceError(f"{path} is torn: {error}", "copy or download it again") from None
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}", "look at the disk") from None


def _open(path: Path) -> IO[bytes]:
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]


def _csv_rows(stream: IO[bytes], path: Path, sheet: Sheet) -> Iterator[Cells]:
    reader = csv.reader(_utf8(stream))
    header = next(reader, [])
    missing = [name for name in sheet.columns if name not in header]
    if missing:
        raise SourceError(
            f"{path} has no column {', '.join(missing)}",
            f"its first line must name {', '.join(sheet.columns)}",
        )
    pick, width = itemgetter(*map(header.index, sheet.columns)), len(header)
    for row in reader:
        if row:
            yield pick(row if len(row) >= width else row + [""] * (width - len(row)))


def _utf8(stream: Iterable[bytes]) -> Iterator[str]:
    """Lines as text, without a byte-order mark; a bad byte is counted from the start."""
    passed = 0
    for line in stream:
        try:
            yield line.decode("utf-8-sig" if not passed else "utf-8")
        except UnicodeDecodeError as error:
            at = passed + error.start
            raise UnicodeDecodeError("utf-8", b"", at, at + 1, error.reason) from None
        passed += len(line)


def _parted_rows(stream: IO[bytes], path: Path, sheet: Sheet) -> Iterator[Cells]:
    width, first = len(sheet.columns), ", ".join(sheet.columns[:4])
    for number, line in enumerate(stream):
        cells = _old_text(line).rstrip("\r\n").split(sheet.separator)
        if not number and len(cells) < min(width, 3):
            raise SourceError(
                f"{path}: its first line has {len(cells)} cells, not {width}",
                f"its cells should be {first}, parted by {sheet.separator!r}",
            )
        if cells != [""]:
            yield tuple(cells[:width] + [""] * (width - len(cells)))


def _old_text(line: bytes) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return line.decode("latin-1")
