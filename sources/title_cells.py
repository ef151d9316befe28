"""Cells of a table as fields of a title's record: numbers, minutes, codes, money, lists.

`titles_csv`, `titles_imdb5000` and `titles_imdb_tsv` read each row through a `RowReader`. An
unreadable cell becomes null with a note. Unreadable rows are set aside and counted;
`refuse_unreadable_file` refuses a file with too many of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from marquee.errors import SourceError
from marquee.normalise.amounts import read_amount, read_money
from marquee.normalise.dates import FIRST_FILM, LAST_YEAR
from marquee.normalise.text import Unreadable, clean, is_empty, is_null, unique
from marquee.prices import PriceIndex, RateTable, infer_currency
from sources.tables import RowsAside
from sources.title_record import note

RowsAsideByFile = dict[str, RowsAside]
"""File name to its unreadable rows."""
Value = TypeVar("Value")
MOST_DIGITS = 18
"""Most digits of a grouped whole number."""
FEW_UNREADABLE, UNREADABLE_SHARE = 10, 0.05
"""A file is refused where its unreadable rows exceed both this number and this share of all."""


def rows_aside_of(aside: RowsAsideByFile | None, path: Path) -> RowsAside:
    """The entry of `path` in `aside`, made at first use; a reader counts unreadable rows in it."""
    return RowsAside() if aside is None else aside.setdefault(path.name, RowsAside())


def refuse_unreadable_file(path: Path, aside: RowsAside, read: int) -> None:
    """Raise SourceError where too few rows of `path` can be read; `read` is their number."""
    most = max(FEW_UNREADABLE, UNREADABLE_SHARE * (read + aside.count))
    if aside.count and (not read or aside.count > most):
        raise SourceError(
            f"{path}: of {read + aside.count} rows {aside.count} cannot be read: {aside}",
            "mend these rows, or export the file again",
        )


class RowReader:
    """Reads the cells of one row into fields; `notes` holds a reason for each unreadable cell.

    Words like `None` and `N/A` are null, except in a title. `is_null` decides which words these
    are; the default is `marquee.normalise.text.is_null`.
    """

    def __init__(self, row: Mapping[str, str], is_null: Callable[[str], bool] = is_null) -> None:
        self.row, self.is_null = row, is_null
        self.notes: list[str] = []

    def text(self, name: str) -> str | None:
        """A cell's text with single spaces; None where the cell is null."""
        text = clean(self.row.get(name, ""))
        return None if self.is_null(text) else text

    def title(self, name: str) -> str | None:
        """A title's text; `None`, `?` and `N/A` are titles."""
        text = clean(self.row.get(name, ""))
        return None if is_empty(text) else text

    def texts(self, name: str, mark: str = "|") -> list[str]:
        """The distinct texts of a cell with several, separated by `mark`."""
        texts = map(clean, self.row.get(name, "").split(mark))
        return unique([text for text in texts if not self.is_null(text)])

    def codes(self, name: str, code_of: Callable[[str], str | None], field: str = "") -> list[str]:
        """The codes of the countries or languages in a cell; an unknown name gets a note."""
        found = {word: code_of(word) for word in self.texts(name)}
        unknown = [word for word, code in found.items() if not code]
        self.notes += [note(field or name, "is none we know", word) for word in unknown]
        return unique([code or "" for code in found.values()])

    def number(self, name: str, field: str = "") -> float | None:
        """A number with a decimal point or comma, perhaps an exponent: `7.5`, `7,5`, `1e3`."""
        return self._read(name, field, read_number, "is no number")

    def whole(self, name: str, field: str = "") -> int | None:
        """A whole number: `1234`, `1,234`, `1234.0`."""
        return self._read(name, field, read_whole_number, "is no whole number")

    def minutes(self, name: str, field: str = "") -> int | None:
        """A duration in minutes, in any form that `read_minutes` reads."""
        return self._read(name, field, read_minutes, "is no length in minutes")

    def budget(self, countries: list[str], year: int | None, until: int) -> dict[str, Any] | None:
        """The money of the column `budget`.

        The currency comes from a sign in the cell or the column `currency`. For a bare number the
        countries and the release year decide, with a confidence. `until`: years before it provide
        the exchange rates for that decision.
        """
        text, currency = self.text("budget"), self.text("currency")
        amount = None if text is None or currency else read_amount(text)
        if amount is None:
            return self.money("budget", countries, currency or "")
        known = year if year and FIRST_FILM <= year <= LAST_YEAR else None
        found = infer_currency(amount, countries, known, *_price_tables(until))
        if not found.is_certain:
            self.notes.append(note("budget", found.reason, text))
            return None
        confidence = round(found.confidence, 4)
        return {"amount": amount, "currency": found.currency, "confidence": confidence}

    def money(
        self, name: str, countries: Sequence[str] = (), currency: str = ""
    ) -> dict[str, Any] | None:
        """Amount and currency of a cell (`marquee.normalise.amounts.read_money`)."""
        text = self.text(name)
        if text is None:
            return None
        money = read_money(text, countries, currency)
        if not isinstance(money, Unreadable):
            return {"amount": money.amount, "currency": money.currency}
        is_one = (read_number(text) or 1) > 0 and not re.fullmatch(r"0[.,0]*", text)
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


def read_whole_number(text: str) -> int | None:
    """The whole number in a cell, or None.

    `12.0` is 12, `1.5E+3` is 1500, `1,234` is 1234, `1.234.567` is 1234567. `1.234` is None: it may
    be 1234 or a fraction.
    """
    plain = clean(text)
    if re.fullmatch(r"[+-]?\d{1,3}(?:([,.' ’_])\d{3})(?:\1\d{3})*", plain, re.ASCII):
        separators, digits = re.sub(r"[\d+-]", "", plain), re.sub(r"[^\d-]", "", plain)
        return None if separators == "." or len(digits) > MOST_DIGITS else int(digits)
    value = read_number(plain)
    return int(value) if value is not None and value == int(value) else None


def read_number(text: str) -> float | None:
    """The finite number in a cell, or None.

    `7.5` and `7,5` are 7.5, `0,234` is 0.234. `1,234` is None: it may be 1234 or a fraction.
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


def read_minutes(text: str) -> int | None:
    """The minutes of a duration, rounded down, or None.

    Read: `96`, `96 min`, `96'`, `1h 36m`, `1h36`, `1h 36`, `1 hr 36 min`, `1 Std. 36 Min.`,
    `1.6 hours`, `5760 s`, `1:36:00`, `1:36 h`, `0 days 01:36:00`, ISO 8601 (`PT1H36M`, `PT5760S`).
    `1:36` is None: it may be hours and minutes, or minutes and seconds.
    """
    word = clean(text).lower()
    found = next(filter(None, (form.fullmatch(word) for form in _DURATIONS)), None)
    if found is None:
        return read_whole_number(word)
    counts = {name: Decimal(n.replace(",", ".")) for name, n in found.groupdict().items() if n}
    return int(sum(n * _SECONDS[name] for name, n in counts.items())) // 60 if counts else None


_SECONDS = {"days": 86_400, "hours": 3_600, "minutes": 60, "seconds": 1}
_UNITS = {
    "days": "days?|d",
    "hours": "hours?|hrs?|h|stunden?|std|heures?|horas?|or[ae]",
    "minutes": "minutes?|minuten?|minut[io]s?|mins?|mn|m|['’′]",
    "seconds": "seconds?|secs?|s|sekunden?|sek|secondes?|segundos?|second[io]|[\"”″]|''",
}
"""Words for each unit in English, German, French, Spanish, Italian and Portuguese."""


def _count(name: str, unit: str = "") -> str:
    # Two decimals at most, except of seconds: `1.234 min` may be 1234 minutes.
    decimals = r"\d{1,9}" if name == "seconds" else r"\d\d?"
    return rf"(?P<{name}>\d{{1,6}}(?:[.,]{decimals})?)\s*(?:{unit or _UNITS[name]})\.?"


_AND = r"(?:\s*,)?\s*(?:(?:and|und|et|y|e)\s+)?"
_TIME = r"(?P<hours>\d{1,3}):(?P<minutes>[0-5]\d)"
_DURATIONS = [
    re.compile(form)
    for form in (
        "".join(rf"(?:{_count(name)}{_AND})?" for name in _UNITS),
        rf"{_count('hours')}{_AND}(?P<minutes>[0-5]?\d)",
        rf"{_TIME}\s*(?:{_UNITS['hours']})\.?",
        rf"(?:{_count('days')}{_AND})?{_TIME}:(?P<seconds>[0-5]\d)(?:[.,]\d+)?",
        rf"p(?:0+y)?(?:0+m)?(?:{_count('days', 'd')})?(?:\s*t\s*"
        rf"(?:{_count('hours', 'h')})?(?:{_count('minutes', 'm')})?(?:{_count('seconds', 's')})?)?",
    )
]
