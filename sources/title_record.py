"""The record of a title (contract `title_item`), its files, and the reasons for missing fields.

Sources make records with `title_record`; the crawl's page objects use `to_contract`. A wrong
optional field becomes null, and `notes` names the reason. Files of titles are gzipped JSON lines,
one record a line.
"""

from __future__ import annotations

import gzip
import itertools
import json
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from marquee.dataset_contracts import TITLE_ITEM
from marquee.errors import SourceError
from marquee.normalise.dates import read_date
from marquee.normalise.text import Unreadable, encodable, unique

Record = dict[str, Any]
REQUIRED_FIELDS = ("title_id", "title")
"""Fields that every record needs; other fields may be null."""
LIST_FIELDS = (
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
SINGLE_FIELDS = (
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
TITLE_FIELDS = {"directors", "writers", "cast", "genres", "type", "rating", "plot"}
"""Fields that a record with nothing but a budget does not state."""
RECORDS_A_FILE = 250_000
EXAMPLES_PER_REASON = 3
"""Number of records that are named for each reason."""
MOST_REASONS = 12
"""Number of reasons with a line of their own."""


def title_record(source: str, title_id: str, title: str | None, **stated: Any) -> Record:
    """A record of the `title_item` contract, from the fields that a source states.

    Fields that the source does not state are null or an empty list. A wrong value becomes null with
    a note. `title` is None in a source of budgets, which adds to the records of other sources.
    """
    record: Record = {"title_id": title_id, "title": title, "type": None, "layout": source}
    record |= {name: [] for name in LIST_FIELDS} | dict.fromkeys(SINGLE_FIELDS)
    return to_contract(
        record | {k: value for k, value in stated.items() if value not in (None, [])}
    )


def to_contract(record: Mapping[str, Any]) -> Record:
    """The record with valid optional fields.

    A release date takes ISO form, a wrong value becomes null with a note, and half a surrogate
    pair in a text becomes U+FFFD.
    """
    mended: Record = encodable(dict(record))
    as_stated, noted = dict(mended), {}
    if (stated := mended.get("release_date")) is not None:
        found = read_date(str(stated))
        mended["release_date"] = None if isinstance(found, Unreadable) else found
        if isinstance(found, Unreadable):
            noted["release_date"] = found.reason
    values, reasons = TITLE_ITEM.repaired(mended, REQUIRED_FIELDS)
    notes = [note(n, why, as_stated[n]) for n, why in (noted | reasons).items()]
    if notes:
        values["notes"] = unique([*_texts(mended.get("notes")), *notes])
    return mended | values


def refusal_reasons(record: Mapping[str, Any]) -> list[str]:
    """Why a record cannot be loaded: differences from the contract, or neither title nor budget."""
    wrong = TITLE_ITEM.differences(record)
    if "title" in record and record["title"] is None and not states_only_a_budget(record):
        why = "; ".join(_texts(record.get("notes")))
        wrong.append(f"title is null ({why})" if why else "title is null")
    return wrong


def note(field: str, reason: str, value: object) -> str:
    """A note on a field that was left off: `rating: is not between 1 and 10 (76)`."""
    return f"{field}: {reason} ({str(value)[:80]})"


def is_stated(value: Any) -> bool:
    """Whether a field holds a value; False for null, "" and []."""
    return value not in (None, "", [])


def states_only_a_budget(record: Mapping[str, Any]) -> bool:
    """Whether a record states a budget but no title, as those of `titles_wikidata` do.

    Such a record adds its budget to the record of another source.
    """
    stated = {name for name, value in record.items() if is_stated(value)}
    return record.get("title") is None and "budget" in stated and not stated & TITLE_FIELDS


def read_lines(paths: Iterable[Path]) -> Iterator[Record]:
    """The records of gzipped JSON lines; SourceError names the file and the damaged line."""
    for path in paths:
        number = 0
        try:
            with gzip.open(path, "rt", encoding="utf-8") as stream:
                for line in stream:
                    record = json.loads(line)
                    if not isinstance(record, dict):
                        raise ValueError("not an object")
                    yield record
                    number += 1
        except (OSError, EOFError, zlib.error, ValueError) as error:
            raise SourceError(
                f"{path} is damaged after line {number}: {error}", "run the crawl task again"
            ) from None


def write_lines(path: Path, records: Iterable[Mapping[str, Any]]) -> int:
    """Write records as gzipped JSON lines; returns their number. Equal records give equal bytes."""
    count = 0
    with path.open("wb") as raw, gzip.GzipFile("", "wb", 6, raw, mtime=0) as stream:
        for record in records:
            stream.write(line_of(record))
            count += 1
    return count


def write_parts(folder: Path, kind: str, records: Iterable[Mapping[str, Any]]) -> int:
    """Write records into `<kind>-00001.jsonl.gz` and so on, RECORDS_A_FILE each; their number.

    A gzipped file is read by one task, so a large snapshot has several. There is at least one file.
    """
    left, total = iter(records), 0
    for number in itertools.count(1):
        path = folder / f"{kind}-{number:05d}.jsonl.gz"
        written = write_lines(path, itertools.islice(left, RECORDS_A_FILE))
        total += written
        if written < RECORDS_A_FILE:
            break
    if number > 1 and not written:
        path.unlink()
    return total


def line_of(record: Mapping[str, Any]) -> bytes:
    """The record's line in a file of titles, keys sorted: its digest identifies the record."""
    text = json.dumps(record, ensure_ascii=False, sort_keys=True)
    return bytes(encodable(text).encode()) + b"\n"


class Reasons:
    """Counts of records by reason, with the names of the first few."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._named: dict[str, list[str]] = {}

    def add(self, reason: str, name: str) -> None:
        """Count the record `name` under `reason`; the value in the reason is dropped."""
        kind = _kind(reason)
        self.counts[kind] += 1
        named = self._named.setdefault(kind, [])
        if len(named) < EXAMPLES_PER_REASON:
            named.append(name)

    def add_notes(self, record: Mapping[str, Any]) -> None:
        """Count the notes on null fields and on lists."""
        for note in record.get("notes") or ():
            value = record.get(str(note).partition(":")[0])
            if value in (None, "") or isinstance(value, list):
                self.add(str(note), str(record["title_id"]))

    @property
    def total(self) -> int:
        return self.counts.total()

    def lines(self) -> Iterator[str]:
        """One line for each reason, the commonest first, with its count and three records."""
        for kind, count in self.counts.most_common(MOST_REASONS):
            more = ", …" if count > len(self._named[kind]) else ""
            yield f"  {count} × {kind} ({', '.join(self._named[kind])}{more})"
        others = self.counts.most_common()[MOST_REASONS:]
        if others:
            yield f"  {sum(count for _, count in others)} × {len(others)} other reasons"

    @classmethod
    def of(cls, refused: Iterable[Mapping[str, Any]]) -> Reasons:
        """The counts of refused records or pages by their `reason`."""
        found = cls()
        for one in refused:
            name = one.get("title_id") or (one.get("record") or {}).get("title_id")
            found.add(str(one.get("reason", "no reason given")), str(name or "no id"))
        return found


def _kind(reason: str) -> str:
    """A reason without its value: `rating: is not between 1 and 10 (76)` loses `(76)`.

    Quoted texts and long numbers become `…`.
    """
    plain = re.sub(r"\s*\((?:[^()]|\([^()]*\))*\)$", "", reason.strip())
    plain = re.sub(r"'[^']*'", "'…'", plain)
    return re.sub(r"(?<![\w-])(?:\d[\d.,:-]{2,}|\d+%)%?", "…", plain)[:160]


def _texts(notes: Any) -> list[str]:
    return [one for one in notes if isinstance(one, str)] if isinstance(notes, list) else []
