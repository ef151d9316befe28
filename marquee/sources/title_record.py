"""A title item as sources other than pages make it: every field there, most of them empty."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from marquee.contracts import TITLE_ITEM
from marquee.errors import SourceError

Record = dict[str, Any]

LISTS = (
    "directors",
    "writers",
    "cast",
    "genres",
    "countries",
    "languages",
    "companies",
    "keywords",
    "notes",
)
SINGLES = (
    "original_title",
    "year",
    "end_year",
    "release_date",
    "runtime",
    "rating",
    "vote_count",
    "budget",
    "gross",
    "gross_area",
    "certificate",
    "plot",
    "source_url",
    "fetched_at",
)


NAMED = {"directors", "writers", "cast", "genres", "type", "rating", "plot"}
"""What only a record of a title itself states."""


def title_record(source: str, title_id: str, title: str | None, **stated: Any) -> Record:
    """A record of the `title_item` contract; what is not stated is null or an empty list.

    `title` may be None for a source that only adds to others' records.
    """
    record: Record = {"title_id": title_id, "title": title, "type": None, "layout": source}
    record |= {name: [] for name in LISTS} | dict.fromkeys(SINGLES)
    return record | {name: value for name, value in stated.items() if value not in (None, [])}


def is_stated(value: Any) -> bool:
    """Whether a field holds something."""
    return value not in (None, "", [])


def lends_a_budget(record: Mapping[str, Any]) -> bool:
    """Whether a record without a title says what a title named elsewhere cost, and nothing else."""
    stated = {name for name, value in record.items() if is_stated(value)}
    return record.get("title") is None and "budget" in stated and not stated & NAMED


def differences(record: Mapping[str, Any]) -> list[str]:
    """What keeps a record out of the lake: the contract's faults, or no title nor a mere budget."""
    wrong = TITLE_ITEM.differences(record)
    if "title" in record and record["title"] is None and not lends_a_budget(record):
        wrong.append("title is null")
    return wrong


def rows_of(path: Path, needed: Sequence[str]) -> Iterator[dict[str, str]]:
    """Rows of a CSV, gzipped or not, one at a time; SourceError names what is wrong."""
    line = 0
    try:
        with _open(path) as stream:
            reader = csv.DictReader(stream)
            missing = [name for name in needed if name not in (reader.fieldnames or ())]
            if missing:
                raise SourceError(
                    f"{path} lacks the column {', '.join(missing)}",
                    f"its header must hold {', '.join(needed)}",
                )
            for row in reader:
                line = reader.line_num
                yield {name: value or "" for name, value in row.items() if isinstance(name, str)}
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error) as error:
        raise SourceError(
            f"{path} cannot be read after line {line}: {error}", "fetch the file again"
        ) from None


def _open(path: Path) -> IO[str]:
    with path.open("rb") as stream:
        is_packed = stream.read(2) == b"\x1f\x8b"
    if is_packed:
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def whole(text: str) -> int | None:
    """A whole number of a CSV cell; None where it is empty or none (`12.0` is 12)."""
    value = number(text)
    return int(value) if value is not None and value == int(value) else None


def number(text: str) -> float | None:
    """A finite number of a CSV cell; None where it is empty or none."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if abs(value) < 1e18 else None
