r"""Read tables from outside: CSV and TSV files of any program.

The header names the columns, or the caller does. Quotes follow RFC 4180: a quoted cell may hold
separators, line breaks and doubled quotes. Spaces before a cell are dropped. IMDb's own TSV has no
quotes (`quoting=False`).

An empty cell and `\N` are null and read as "". Blank lines are skipped. A row whose number of cells
differs from the header's is *torn*: it is counted in the caller's `RowsAside`, else it raises
SourceError. Errors name file, line and remedy. A few thousand rows are in memory at a time.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, islice
from pathlib import Path
from typing import IO

from marquee.errors import SourceError
from sources.text_files import encoding_of, file_errors, open_text

NULL = r"\N"
ROWS = 5_000  # read together
RowBatch = tuple[Sequence[int], list[list[str]]]
"""The line on which each row starts, and the rows."""
LINE_BREAK = re.compile(r"\r\n|\r|\n")
SEPARATORS = ",\t;"


@dataclass
class RowsAside:
    """Rows set aside: their number, and the first three as examples."""

    count: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, line: int, why: str, what: str = "line") -> None:
        """Count one row: `line` is its number, `why` the reason, `what` the word for the number."""
        self.count += 1
        if len(self.examples) < 3:
            self.examples.append(f"{what} {line} {why}")

    def __str__(self) -> str:
        more = "" if self.count <= len(self.examples) else ", …"
        return f"{self.count} ({', '.join(self.examples)}{more})" if self.count else "none"


@dataclass(frozen=True)
class Table:
    """A file with known columns and encoding; every reading opens the file again."""

    path: Path
    columns: tuple[str, ...]
    """Trimmed names, in the file's order."""
    separator: str
    encoding: str
    quoting: bool = True
    has_header: bool = True

    def rows(
        self, aside: RowsAside | None = None, wanted: Collection[str] | None = None
    ) -> Iterator[tuple[int, list[str]]]:
        """The line on which each row starts (from 1), and one cell for each of `columns`.

        Torn rows are counted in `aside`; without `aside` the first raises SourceError. `wanted`
        (only with `quoting=False`) selects rows by their first cell.
        """
        width = len(self.columns)
        for lines, rows in self._all_rows(wanted):
            if set(map(len, rows)) == {width}:
                yield from zip(lines, rows)
                continue
            for line, row in zip(lines, rows):
                if self._is_whole(line, row, aside):
                    yield line, row[:width]

    def batches(
        self, names: Sequence[str], aside: RowsAside | None = None
    ) -> Iterator[tuple[Sequence[int], list[tuple[str, ...]]]]:
        """Batches of rows: the line on which each starts, and the columns of these names."""
        positions, width = self.positions(names), len(self.columns)
        for every, rows in self._all_rows(None):
            lines, whole = every, rows
            if set(map(len, rows)) != {width}:
                kept = [pair for pair in zip(every, rows) if self._is_whole(*pair, aside)]
                lines, whole = [line for line, _ in kept], [row[:width] for _, row in kept]
            if whole:
                columns = list(zip(*whole))
                yield lines, [columns[n] for n in positions]

    def records(
        self, aside: RowsAside | None = None, wanted: Collection[str] | None = None
    ) -> Iterator[tuple[int, dict[str, str]]]:
        """The line on which each row starts, and its cells by column name, nulls as ""."""
        for line, row in self.rows(aside, wanted):
            cells = ["" if cell == NULL else cell for cell in row] if NULL in row else row
            yield line, dict(zip(self.columns, cells))

    def positions(self, names: Sequence[str]) -> list[int]:
        """The positions of these columns in a row."""
        return [self.columns.index(name) for name in names]

    def _is_whole(self, line: int, row: list[str], aside: RowsAside | None) -> bool:
        """Whether a row has a cell for each column; further cells must be empty."""
        width = len(self.columns)
        is_blank = not row or (len(row) == 1 < width and not row[0].strip())
        if is_blank or len(row) == width or (len(row) > width and not any(row[width:])):
            return not is_blank
        why = f"has {_cell_count(len(row))}, not {width}"
        if aside is None:
            raise SourceError(f"{self.path} line {line} {why}", "mend or drop that row")
        aside.add(line, why)
        return False

    def _all_rows(self, wanted: Collection[str] | None) -> Iterator[RowBatch]:
        """Batches of all rows below the header, torn and blank ones included."""
        with file_errors(self.path), open_text(self.path, self.encoding) as stream:
            batches = (
                self._rows_with_quotes(stream)
                if self.quoting
                else self._rows_without_quotes(stream, wanted)
            )
            for number, (lines, rows) in enumerate(batches):
                start = int(self.has_header and not number)
                yield lines[start:], rows[start:]

    def _rows_without_quotes(
        self, stream: IO[str], wanted: Collection[str] | None
    ) -> Iterator[RowBatch]:
        """Rows of a file without quotes."""
        separator = self.separator
        keys = None if wanted is None else frozenset(wanted)
        found = (
            (number, line.rstrip("\r\n").split(separator))
            for number, line in enumerate(stream, 1)
            if keys is None or number == 1 or line[: line.find(separator)] in keys
        )
        while batch := list(islice(found, ROWS)):
            yield [line for line, _ in batch], [row for _, row in batch]

    def _rows_with_quotes(self, stream: IO[str]) -> Iterator[RowBatch]:
        """Rows of a file with quotes (RFC 4180)."""
        reader = csv.reader(stream, delimiter=self.separator, strict=True, skipinitialspace=True)
        start = 1
        try:
            while rows := list(islice(reader, ROWS)):
                lines: Sequence[int] = range(start, start + len(rows))
                if reader.line_num + 1 != start + len(rows):
                    breaks = [sum(len(LINE_BREAK.findall(cell)) for cell in row) for row in rows]
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
        """The line of the quote that is at fault from `line` on, and whether it is closed."""
        opened, is_open, at_start = line, False, True
        with open_text(self.path, self.encoding) as stream:
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

    A header name equals a name of `needed` or `known` in any capitals, with or without underscores,
    and takes the caller's spelling. `columns` names the columns of a file without a header. Without
    `separator` the first line decides between comma, tab and semicolon. Raises SourceError where a
    needed column is missing or the file is no text.
    """
    with file_errors(path):
        encoding = encoding_of(path)
        if columns is not None:
            return Table(path, tuple(columns), separator or ",", encoding, quoting, False)
        with open_text(path, encoding) as stream:
            first = stream.readline()
    separator = separator or max(SEPARATORS, key=first.count)
    headless = Table(path, (), separator, encoding, quoting, has_header=False)
    _, rows = next(headless._all_rows(None), ((), [[]]))
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


def _header(path: Path, cells: Sequence[str], spellings: Sequence[str]) -> tuple[str, ...]:
    names = [" ".join(cell.replace("\ufeff", "").split()) for cell in cells]
    while names and not names[-1]:
        names.pop()  # a spreadsheet's empty columns
    for wanted in spellings:
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
    """The file of that name in a folder, or None.

    Any capitals match, `.gz` may follow, and `.tsv` may stand for `.csv`. The closest name wins.
    """
    stem = name.lower().removesuffix(".csv")
    ends = (".csv", ".csv.gz", ".tsv", ".tsv.gz") if name.lower().endswith(".csv") else ("", ".gz")
    wanted = {f"{stem}{end}": place for place, end in enumerate(ends)}
    try:
        found = [p for p in folder.iterdir() if p.name.lower() in wanted and p.is_file()]
    except OSError:
        return None
    order = lambda p: (wanted[p.name.lower()], p.name != p.name.lower(), p.name)  # noqa: E731
    return min(found, key=order, default=None)


def _cell_count(number: int) -> str:
    return f"{number} cell" if number == 1 else f"{number} cells"
