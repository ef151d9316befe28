"""A title item as sources other than pages make it: every field there, most of them empty.

Whatever the source, one bad field costs that field and never the record (`settled`): it becomes
null, and `notes` says why. Cells of a table are read by `Cells`, which keeps such notes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from marquee.contracts import TITLE_ITEM
from marquee.errors import SourceError
from marquee.money import PriceIndex, RateTable, read_unlabelled
from marquee.normalise.dates import FIRST_FILM, LAST_YEAR, read_date
from marquee.normalise.money import read_amount, read_money
from marquee.normalise.text import Unreadable, clean, encodable, is_empty, is_null, unique
from sources.tables import Aside

Record = dict[str, Any]
SetAside = dict[str, Aside]
"""File to the rows of it that could not be read."""
Value = TypeVar("Value")
ESSENTIAL = ("title_id", "title")
"""What no record can do without; everything else may be left off."""
LONGEST = 18
"""Digits; a longer number is none of ours."""
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
    null, with a note, in place of a value that is none, and texts that can be written."""
    mended: Record = encodable(dict(record))
    as_stated, noted = dict(mended), {}
    if (stated := mended.get("release_date")) is not None:
        found = read_date(str(stated))
        mended["release_date"] = None if isinstance(found, Unreadable) else found
        if isinstance(found, Unreadable):
            noted["release_date"] = found.reason
    values, reasons = TITLE_ITEM.mended(mended, ESSENTIAL)
    notes = [note(n, why, as_stated[n]) for n, why in (noted | reasons).items()]
    if notes:
        values["notes"] = unique([*_texts(mended.get("notes")), *notes])
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
    """The cells of one row, read into fields; `notes` says what could not be read and why.

    A word for nothing (`marquee.normalise.text.is_null`) is null in every column but a title's;
    `is_null` may be another rule.
    """

    def __init__(self, row: Mapping[str, str], is_null: Callable[[str], bool] = is_null) -> None:
        self.row, self.is_null = row, is_null
        self.notes: list[str] = []

    def text(self, name: str) -> str | None:
        """A cell's text with single spaces; None where it states nothing."""
        text = clean(self.row.get(name, ""))
        return None if self.is_null(text) else text

    def title(self, name: str) -> str | None:
        """A title's text: films are called `None`, `?` and `N/A`."""
        text = clean(self.row.get(name, ""))
        return None if is_empty(text) else text

    def parts(self, name: str, mark: str = "|") -> list[str]:
        """A cell's texts between marks, each once."""
        parts = map(clean, self.row.get(name, "").split(mark))
        return unique([part for part in parts if not self.is_null(part)])

    def codes(self, name: str, code_of: Callable[[str], str | None], field: str = "") -> list[str]:
        """Codes of the countries or languages in a cell; a name we do not know is noted."""
        found = {word: code_of(word) for word in self.parts(name)}
        unknown = [word for word, code in found.items() if not code]
        self.notes += [note(field or name, "is none we know", word) for word in unknown]
        return unique([code or "" for code in found.values()])

    def number(self, name: str, field: str = "") -> float | None:
        """A number with a point or a comma, in digits or with an exponent; never money."""
        return self._read(name, field, number, "is no number")

    def whole(self, name: str, field: str = "") -> int | None:
        """A whole number; its digits may be grouped, and it may end in `.0`."""
        return self._read(name, field, whole, "is no whole number")

    def minutes(self, name: str, field: str = "") -> int | None:
        """A length in minutes, in any form of `minutes`."""
        return self._read(name, field, minutes, "is no length in minutes")

    def budget(self, countries: list[str], year: int | None, until: int) -> dict[str, Any] | None:
        """Money of the column `budget`; its currency from its sign, the column `currency`, or else
        the countries and the release year, with the confidence.

        `until`: only exchange rates of the years before may tell currencies apart.
        """
        text, currency = self.text("budget"), self.text("currency")
        amount = None if text is None or currency else read_amount(text)
        if amount is None:
            return self.money("budget", countries, currency or "")
        known = year if year and FIRST_FILM <= year <= LAST_YEAR else None
        found = read_unlabelled(amount, countries, known, *_price_tables(until))
        if not found.is_certain:
            self.notes.append(note("budget", found.reason, text))
            return None
        confidence = round(found.confidence, 4)
        return {"amount": amount, "currency": found.currency, "confidence": confidence}

    def money(
        self, name: str, countries: Sequence[str] = (), currency: str = ""
    ) -> dict[str, Any] | None:
        """Amount and currency of a cell, as `marquee.normalise.money.read_money` reads them."""
        text = self.text(name)
        if text is None:
            return None
        money = read_money(text, countries, currency)
        if not isinstance(money, Unreadable):
            return {"amount": money.amount, "currency": money.currency}
        is_one = (number(text) or 1) > 0 and not re.fullmatch(r"0[.,0]*", text)
        self.notes.append(note(name, money.reason if is_one else "is no amount of money", text))
        return None

    def _read(
        self, name: str, field: str, read: Callable[[str], Value | None], why: str
    ) -> Value | None:
        text = self.text(name)
        value = None if text is None else read(text)
        if text is not None and value is None:
            self.notes.append(note(field or name, why, text))
        return value


@cache
def _price_tables(until: int) -> tuple[RateTable, PriceIndex]:
    return RateTable.load(until), PriceIndex.load(until)


def whole(text: str) -> int | None:
    """A whole number of a cell; None where it is empty or none.

    `12.0` is 12, `1.5E+3` is 1500, `1,234` and `1.234.567` are grouped; `1.234` may be either.
    """
    plain = clean(text)
    if re.fullmatch(r"[+-]?\d{1,3}(?:([,.' ’_])\d{3})(?:\1\d{3})*", plain, re.ASCII):
        separators, digits = re.sub(r"[\d+-]", "", plain), re.sub(r"[^\d-]", "", plain)
        return None if separators == "." or len(digits) > LONGEST else int(digits)
    value = number(plain)
    return int(value) if value is not None and value == int(value) else None


def number(text: str) -> float | None:
    """A finite number of a cell, with a point or a comma; None where it is empty or none.

    `1,234` may be grouped or not and is none; `0,234` is a number.
    """
    plain = clean(text)
    if re.fullmatch(r"[+-]?[1-9]\d{0,2},\d{3}", plain, re.ASCII):
        return None
    if re.fullmatch(r"[+-]?\d+,\d+", plain, re.ASCII):
        plain = plain.replace(",", ".")
    if not re.fullmatch(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?", plain, re.ASCII):
        return None
    value = float(plain)
    return value if abs(value) < 1e18 else None


def minutes(text: str) -> int | None:
    """Minutes of a duration, begun ones not counted; None where it is none.

    Read: `96`, `96 min`, `96'`, `1h 36m`, `1h36`, `1 hr 36 min`, `1 Std. 36 Min.`, `1.6 hours`,
    `5760 s`, `1:36:00`, `1:36 h`, `0 days 01:36:00`, ISO 8601 (`PT1H36M`, `PT5760S`). `1:36` may be
    hours and minutes or minutes and seconds and is none.
    """
    word = clean(text).lower()
    found = next(filter(None, (form.fullmatch(word) for form in _DURATIONS)), None)
    if found is None:
        return whole(word)
    parts = {name: Decimal(n.replace(",", ".")) for name, n in found.groupdict().items() if n}
    return int(sum(n * _SECONDS[name] for name, n in parts.items())) // 60 if parts else None


_SECONDS = {"days": 86_400, "hours": 3_600, "minutes": 60, "seconds": 1}
_UNITS = {
    "days": "days?|d",
    "hours": "hours?|hrs?|h|stunden?|std|heures?|horas?|or[ae]",
    "minutes": "minutes?|minuten?|minut[io]s?|mins?|mn|m|['’′]",
    "seconds": "seconds?|secs?|s|sekunden?|sek|secondes?|segundos?|second[io]|[\"”″]|''",
}
"""In English, German, French, Spanish, Italian and Portuguese."""


def _part(name: str, unit: str = "") -> str:
    # Three decimals of a minute or an hour could as well be thousands.
    decimals = r"\d{1,9}" if name == "seconds" else r"\d\d?"
    return rf"(?P<{name}>\d{{1,6}}(?:[.,]{decimals})?)\s*(?:{unit or _UNITS[name]})\.?"


_AND = r"(?:\s*,)?\s*(?:(?:and|und|et|y|e)\s+)?"
_TIME = r"(?P<hours>\d{1,3}):(?P<minutes>[0-5]\d)"
_DURATIONS = [
    re.compile(form)
    for form in (
        "".join(rf"(?:{_part(name)}{_AND})?" for name in _UNITS),
        rf"{_part('hours')}{_AND}(?P<minutes>[0-5]?\d)",
        rf"{_TIME}\s*(?:{_UNITS['hours']})\.?",
        rf"(?:{_part('days')}{_AND})?{_TIME}:(?P<seconds>[0-5]\d)(?:[.,]\d+)?",
        rf"p(?:0+y)?(?:0+m)?(?:{_part('days', 'd')})?(?:\s*t\s*"
        rf"(?:{_part('hours', 'h')})?(?:{_part('minutes', 'm')})?(?:{_part('seconds', 's')})?)?",
    )
]
