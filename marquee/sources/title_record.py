"""A title item as sources other than pages make it: every field there, most of them empty.

Whatever the source, one bad field costs that field and never the record (`settled`): it becomes
null, and `notes` says why. Cells of a table are read by `Cells`, which keeps such notes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from marquee.contracts import TITLE_ITEM
from marquee.errors import SourceError
from marquee.normalise.dates import read_date
from marquee.normalise.text import Unreadable, clean, unique
from marquee.sources.tables import Aside

Record = dict[str, Any]
SetAside = dict[str, Aside]
"""File to the rows of it that could not be read."""
Value = TypeVar("Value")
ESSENTIAL = ("title_id", "title")
"""What no record can do without; everything else may be left off."""
ABSENT = frozenset(("", "nan", "none", "null", "n/a", "na", "nat", "-", "–", "—", "?"))
"""Words that other programs write for an empty cell of numbers or dates."""
FEW, SHARE = 10, 0.05
"""A source is refused where more rows than these, and more of all its rows, cannot be read."""

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
    """A record of the `title_item` contract; what is not stated is null or an empty list, and
    what is stated wrongly is left off with a note.

    `title` may be None for a source that only adds to others' records.
    """
    record: Record = {"title_id": title_id, "title": title, "type": None, "layout": source}
    record |= {name: [] for name in LISTS} | dict.fromkeys(SINGLES)
    return settled(record | {k: value for k, value in stated.items() if value not in (None, [])})


def settled(record: Mapping[str, Any]) -> Record:
    """The record with every optional field as its contract has it: a release date in ISO form,
    and null, with a note, in place of a value that is none."""
    mended, noted = dict(record), {}
    if (stated := record.get("release_date")) is not None:
        found = read_date(str(stated))
        mended["release_date"] = None if isinstance(found, Unreadable) else found
        if isinstance(found, Unreadable):
            noted["release_date"] = found.reason
    values, reasons = TITLE_ITEM.mended(mended, ESSENTIAL)
    notes = [note(n, why, record[n]) for n, why in (noted | reasons).items()]
    if notes:
        values["notes"] = unique([*_texts(record.get("notes")), *notes])
    return mended | values


def note(field: str, reason: str, value: object) -> str:
    """Why a field was left off, as `notes` holds it: `rating: is not between 1 and 10 (76)`."""
    return f"{field}: {reason} ({str(value)[:80]})"


def _texts(notes: Any) -> list[str]:
    return [one for one in notes if isinstance(one, str)] if isinstance(notes, list) else []


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
        why = "; ".join(_texts(record.get("notes")))
        wrong.append(f"title is null ({why})" if why else "title is null")
    return wrong


def set_aside(aside: SetAside | None, path: Path) -> Aside:
    """Where a reader counts the rows of `path` that it cannot read."""
    return Aside() if aside is None else aside.setdefault(path.name, Aside())


def check_aside(path: Path, aside: Aside, read: int) -> None:
    """SourceError where no row of `path`, or too few, could be read: it is another kind of file."""
    if aside.count and (not read or aside.count > max(FEW, SHARE * (read + aside.count))):
        raise SourceError(
            f"{path}: of {read + aside.count} rows {aside.count} cannot be read: {aside}",
            "mend these rows, or export the file again",
        )


class Cells:
    """The cells of one row, read into fields; `notes` says what could not be read and why."""

    def __init__(self, row: Mapping[str, str]) -> None:
        self.row = row
        self.notes: list[str] = []

    def text(self, name: str) -> str | None:
        """A cell's text with single spaces; None where it is empty."""
        return clean(self.row.get(name, "")) or None

    def parts(self, name: str, mark: str = "|") -> list[str]:
        """A cell's texts between marks, each once."""
        return unique([clean(part) for part in self.row.get(name, "").split(mark)])

    def codes(self, name: str, code_of: Callable[[str], str | None], field: str = "") -> list[str]:
        """Codes of the countries or languages in a cell; a name we do not know is noted."""
        found = {word: code_of(word) for word in self.parts(name) if word.lower() not in ABSENT}
        unknown = [word for word, code in found.items() if not code]
        self.notes += [note(field or name, "is none we know", word) for word in unknown]
        return unique([code or "" for code in found.values()])

    def number(self, name: str, field: str = "") -> float | None:
        """A number with a point or a comma, in digits or with an exponent."""
        return self._read(name, field, number, "is no number")

    def whole(self, name: str, field: str = "") -> int | None:
        """A whole number; its digits may be grouped, and it may end in `.0`."""
        return self._read(name, field, whole, "is no whole number")

    def date(self, name: str) -> str | None:
        """A date's text, for `title_record` to read; None where it is empty."""
        text = self.text(name)
        return None if text is None or text.lower() in ABSENT else text

    def minutes(self, name: str, field: str = "") -> int | None:
        """A length in minutes: `96`, `96 min`, `1h 36m` or `PT96M`."""
        return self._read(name, field, minutes, "is no length in minutes")

    def _read(
        self, name: str, field: str, read: Callable[[str], Value | None], why: str
    ) -> Value | None:
        text = clean(self.row.get(name, ""))
        if text.lower() in ABSENT:
            return None
        value = read(text)
        if value is None:
            self.notes.append(note(field or name, why, text))
        return value


def whole(text: str) -> int | None:
    """A whole number of a cell; None where it is empty or none.

    `12.0` is 12, `1.5E+3` is 1500, `1,234` and `1.234.567` are grouped; `1.234` may be either.
    """
    plain = clean(text)
    if re.fullmatch(r"[+-]?\d{1,3}(?:([,.' ’_])\d{3})(?:\1\d{3})*", plain, re.ASCII):
        separators = re.sub(r"[\d+-]", "", plain)
        return None if separators == "." else int(re.sub(r"[^\d-]", "", plain))
    value = number(plain)
    return int(value) if value is not None and value == int(value) else None


def number(text: str) -> float | None:
    """A finite number of a cell, with a point or a comma; None where it is empty or none."""
    plain = clean(text)
    if re.fullmatch(r"[+-]?\d+,\d+", plain, re.ASCII):
        plain = plain.replace(",", ".")
    if not re.fullmatch(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?", plain, re.ASCII):
        return None
    value = float(plain)
    return value if abs(value) < 1e18 else None


def minutes(text: str) -> int | None:
    """Minutes of `96`, `96 min`, `1h 36m`, `1:36:00` or an ISO 8601 duration; None where none."""
    word = clean(text).lower()
    if found := re.fullmatch(r"(?:pt)?(?:(\d+)\s*h\w*)?\s*(?:(\d+)\s*m\w*\.?)?", word, re.ASCII):
        hours, rest = found.groups()
        return int(hours or 0) * 60 + int(rest or 0) if hours or rest else None
    if found := re.fullmatch(r"(\d{1,2}):([0-5]\d):[0-5]\d", word, re.ASCII):
        return int(found.group(1)) * 60 + int(found.group(2))
    return whole(word)
