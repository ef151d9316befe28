r"""The one reader of tables from outside: CSV and TSV, whatever wrote them.

A table is a file of rows parted into cells, whose first line names the columns (or whose columns
the caller names). What is told apart by content, never by the file's name: gzip; UTF-8, UTF-16 and
UTF-32 with or without their mark; and, where a file is not UTF-8, Windows-1252 or Latin-1. Quotes
are those of RFC 4180: a quoted cell may hold separators, line breaks and doubled quotes. Spaces
may come before a cell, quoted or not, and are none of it. IMDb's own TSV has no quotes at all
(`quoting=False`).

An empty cell and `\N` are both null and read as "". Blank lines are skipped. A row of another
number of cells than the header is *torn*: the caller sets it aside (`Aside`) or it is refused.
Every error names the file, the line and what to do. No more than some thousand rows are in memory.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import json
import re
import zlib
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import accumulate, islice
from pathlib import Path
from typing import IO, Any

from marquee.errors import SourceError

NULL = r"\N"
CHUNK = 1 << 20  # bytes looked at together
ROWS = 5_000  # rows read together
Batch = tuple[Sequence[int], list[list[str]]]
"""The line each row began on, and the rows."""
BREAK = re.compile(r"\r\n|\r|\n")
SEPARATORS = ",\t;"
GZIP = b"\x1f\x8b"
# What a file may be instead of a table, by its first bytes.
ARCHIVES = {
    b"PK\x03\x04": "a zip archive (or a spreadsheet)",
    b"BZh": "packed with bzip2",
    b"\xfd7zXZ": "packed with xz",
    b"\x28\xb5\x2f\xfd": "packed with zstd",
    b"7z\xbc\xaf": "a 7z archive",
    b"PAR1": "a Parquet file",
}
# The longer marks first: UTF-32's begins with UTF-16's.
MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
NOT_WINDOWS = re.compile(rb"[\x81\x8d\x8f\x90\x9d]")
"""Bytes that Windows-1252 leaves open and Latin-1 has as control characters."""
ESCAPED = re.compile("[\udc80-\udcff]")
BEYOND_ASCII = re.compile("[^\x00-\x7f]")


@dataclass
class Aside:
    """Rows that were set aside: how many, and the first three in words."""

    count: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, line: int, why: str, what: str = "line") -> None:
        """Count one row that began on `line` (or, `what` says, was counted otherwise)."""
        self.count += 1
        if len(self.examples) < 3:
            self.examples.append(f"{what} {line} {why}")

    def __str__(self) -> str:
        more = "" if self.count <= len(self.examples) else ", …"
        return f"{self.count} ({', '.join(self.examples)}{more})" if self.count else "none"


@dataclass(frozen=True)
class Table:
    """A table that was opened and looked at; reading its rows opens it again."""

    path: Path
    columns: tuple[str, ...]
    """The names of its columns, in the file's order, trimmed."""
    separator: str
    encoding: str
    quoting: bool = True
    has_header: bool = True

    def rows(
        self, aside: Aside | None = None, wanted: Collection[str] | None = None
    ) -> Iterator[tuple[int, list[str]]]:
        """The line each row began on (from 1) and its cells, as many as `columns`.

        Torn rows are counted in `aside`; without one the first is a SourceError. `wanted`: only
        rows whose first cell is one of these, the others skipped unread (with `quoting=False`).
        """
        width = len(self.columns)
        for lines, rows in self._every_row(wanted):
            if set(map(len, rows)) == {width}:
                yield from zip(lines, rows)
                continue
            for line, row in zip(lines, rows):
                if self._is_whole(line, row, aside):
                    yield line, row[:width]

    def batches(
        self, names: Sequence[str], aside: Aside | None = None
    ) -> Iterator[tuple[Sequence[int], list[tuple[str, ...]]]]:
        """As `rows`, many at a time: the lines they began on, and the columns of these names."""
        places, width = self.places(names), len(self.columns)
        for every, rows in self._every_row(None):
            lines, whole = every, rows
            if set(map(len, rows)) != {width}:
                kept = [pair for pair in zip(every, rows) if self._is_whole(*pair, aside)]
                lines, whole = [line for line, _ in kept], [row[:width] for _, row in kept]
            if whole:
                columns = list(zip(*whole))
                yield lines, [columns[place] for place in places]

    def records(
        self, aside: Aside | None = None, wanted: Collection[str] | None = None
    ) -> Iterator[tuple[int, dict[str, str]]]:
        """The line each row began on and its cells by column name, nulls as ""."""
        for line, row in self.rows(aside, wanted):
            cells = ["" if cell == NULL else cell for cell in row] if NULL in row else row
            yield line, dict(zip(self.columns, cells))

    def places(self, names: Sequence[str]) -> list[int]:
        """Where in a row the cells of these columns are."""
        return [self.columns.index(name) for name in names]

    def _is_whole(self, line: int, row: list[str], aside: Aside | None) -> bool:
        """Whether a row has a cell for each column; cells beyond them may be there, but empty."""
        width = len(self.columns)
        is_blank = not row or (len(row) == 1 < width and not row[0].strip())
        if is_blank or len(row) == width or (len(row) > width and not any(row[width:])):
            return not is_blank
        why = f"has {_cells(len(row))}, not {width}"
        if aside is None:
            raise SourceError(f"{self.path} line {line} {why}", "mend or drop that row")
        aside.add(line, why)
        return False

    def _every_row(self, wanted: Collection[str] | None) -> Iterator[Batch]:
        """Batches of the rows below the header, torn and blank ones too."""
        with _plain_errors(self.path), _open_text(self.path, self.encoding) as stream:
            batches = self._quoted(stream) if self.quoting else self._bare(stream, wanted)
            for number, (lines, rows) in enumerate(batches):
                start = int(self.has_header and not number)
                yield lines[start:], rows[start:]

    def _bare(self, stream: IO[str], wanted: Collection[str] | None) -> Iterator[Batch]:
        """Rows of lines without quotes."""
        separator = self.separator
        keys = None if wanted is None else frozenset(wanted)
        found = (
            (number, line.rstrip("\r\n").split(separator))
            for number, line in enumerate(stream, 1)
            if keys is None or number == 1 or line[: line.find(separator)] in keys
        )
        while batch := list(islice(found, ROWS)):
            yield [line for line, _ in batch], [row for _, row in batch]

    def _quoted(self, stream: IO[str]) -> Iterator[Batch]:
        """Rows as RFC 4180 has them."""
        reader = csv.reader(stream, delimiter=self.separator, strict=True, skipinitialspace=True)
        start = 1
        try:
            while rows := list(islice(reader, ROWS)):
                lines: Sequence[int] = range(start, start + len(rows))
                if reader.line_num + 1 != start + len(rows):
                    breaks = [sum(len(BREAK.findall(cell)) for cell in row) for row in rows]
                    lines = list(accumulate((1 + b for b in breaks[:-1]), initial=start))
                yield lines, rows
                start = reader.line_num + 1
        except csv.Error as error:
            raise self._bad_quote(start, error) from None

    def _bad_quote(self, line: int, error: csv.Error) -> SourceError:
        opened, is_closed = self._last_quote(line)
        if is_closed:
            why = "a quoted cell goes on after its closing quote"
        elif "limit" in str(error):
            why = f"a cell is longer than {csv.field_size_limit()} characters: its quote is open"
        else:
            why = "a quote is opened and never closed"
        return SourceError(
            f"{self.path} line {opened}: {why}", 'close it; a quote inside a cell is doubled ("")'
        )

    def _last_quote(self, line: int) -> tuple[int, bool]:
        """The line of the quote over which the rows from `line` on cannot be read, and whether
        that quote is closed."""
        opened, is_open, at_start = line, False, True
        with _open_text(self.path, self.encoding) as stream:
            for number, text in enumerate(islice(stream, line - 1, None), line):
                place = 0
                while place < len(text):
                    char = text[place]
                    if is_open and text[place : place + 2] == '""':
                        place += 1
                    elif is_open and char == '"':
                        is_open = False
                        if text[place + 1 : place + 2] not in ("", self.separator, "\r", "\n"):
                            return opened, True
                    elif not is_open and at_start and char == '"':
                        opened, is_open = number, True
                    is_blank = at_start and char == " "
                    at_start = not is_open and (is_blank or char in (self.separator, "\r", "\n"))
                    place += 1
        return opened, False


def open_table(
    path: Path,
    needed: Sequence[str] = (),
    *,
    known: Sequence[str] = (),
    columns: Sequence[str] | None = None,
    separator: str | None = None,
    quoting: bool = True,
) -> Table:
    """A table whose header names at least the columns `needed`, in any order.

    Names are trimmed; a name of `needed` or `known` is found in any capitals, with underscores or
    without, and then spelled as asked. `columns`: the file has no header, and these columns.
    `separator`: found in the first line (comma, tab or semicolon) unless given. SourceError where
    it is not such a file.
    """
    with _plain_errors(path):
        encoding = encoding_of(path)
        if columns is not None:
            return Table(path, tuple(columns), separator or ",", encoding, quoting, False)
        with _open_text(path, encoding) as stream:
            first = stream.readline()
    separator = separator or max(SEPARATORS, key=first.count)
    bare = Table(path, (), separator, encoding, quoting, has_header=False)
    _, rows = next(bare._every_row(None), ((), [[]]))
    cells = rows[0]
    header = _header(path, cells, (*needed, *known))
    missing = [name for name in needed if name not in header]
    if missing:
        raise SourceError(
            f"{path} has no column {', '.join(missing)}",
            f"its first line must name {', '.join(needed)}; it names "
            + (", ".join(name for name in header if name)[:300] or "nothing"),
        )
    return Table(path, header, separator, encoding, quoting)


def _header(path: Path, cells: Sequence[str], asked: Sequence[str]) -> tuple[str, ...]:
    names = [" ".join(cell.replace("\ufeff", "").split()) for cell in cells]
    while names and not names[-1]:
        names.pop()  # a spreadsheet's empty columns
    for wanted in asked:
        alike = [name for name in names if _folded(name) == _folded(wanted)]
        if wanted not in names and len(alike) == 1:
            names[names.index(alike[0])] = wanted
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise SourceError(
            f"{path} names the column {', '.join(twice)} more than once",
            "rename or drop all but one of them",
        )
    return tuple(names)


def _folded(name: str) -> str:
    return re.sub(r"[\s_-]", "", name).casefold()


def find_table(folder: Path, name: str) -> Path | None:
    """The file of that name in a folder: in any capitals, with `.gz` after it or not; for a `.csv`
    the `.tsv` too. The closest spelling first; None where there is none."""
    stem = name.lower().removesuffix(".csv")
    ends = (".csv", ".csv.gz", ".tsv", ".tsv.gz") if name.lower().endswith(".csv") else ("", ".gz")
    wanted = {f"{stem}{end}": place for place, end in enumerate(ends)}
    try:
        found = [p for p in folder.iterdir() if p.name.lower() in wanted and p.is_file()]
    except OSError:
        return None
    order = lambda p: (wanted[p.name.lower()], p.name != p.name.lower(), p.name)  # noqa: E731
    return min(found, key=order, default=None)


def read_text(path: Path) -> str:
    """A whole file as text, unpacked and decoded as a table is; SourceError where it is none."""
    with _plain_errors(path), _open_text(path, encoding_of(path)) as stream:
        return stream.read()


def read_json(path: Path) -> Any:
    """A JSON file, unpacked and decoded as a table is; SourceError where it is none."""
    text = read_text(path)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{path} is no JSON: {error}", "export it again") from None


def encoding_of(path: Path) -> str:
    """The encoding of a file's text; SourceError where it holds NUL bytes, or both UTF-8 and
    bytes that are not. Reads the file once."""
    with _plain_errors(path), _open_bytes(path) as stream:
        chunk = stream.read(CHUNK)
        for mark, name in MARKS:
            if chunk.startswith(mark):
                return name
        return _wide(chunk[:32]) or _narrow(path, chunk, stream)


def _wide(head: bytes) -> str | None:
    """UTF-32 and UTF-16 without their mark.

    Every letter of UTF-32 has two bytes of NUL at one end; of a header's plain letters in UTF-16
    every second byte is NUL.
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


def _narrow(path: Path, chunk: bytes, stream: IO[bytes]) -> str:
    """UTF-8, or the older encodings of one byte a letter.

    A file of the old ones is UTF-8 in hardly any of its letters; one that mostly is was damaged.
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


def _open_bytes(path: Path) -> IO[bytes]:
    """The file's bytes, unpacked where it is gzip."""
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


def _open_text(path: Path, encoding: str) -> IO[str]:
    return io.TextIOWrapper(_open_bytes(path), encoding=encoding, newline="")  # type: ignore[arg-type]


@contextmanager
def _plain_errors(path: Path) -> Iterator[None]:
    """Whatever goes wrong with the bytes of a file, in a sentence."""
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


def _cells(number: int) -> str:
    return f"{number} cell" if number == 1 else f"{number} cells"
