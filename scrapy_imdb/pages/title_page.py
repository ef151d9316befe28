"""The base class of all layouts, and the readers of single values.

A layout's class finds a value in the page. This module converts it to the item's form: numbers,
dates, ids, money. An unreadable value is None, and a note in the item gives the reason. `layouts`
chooses the class for a page.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, ClassVar

from web_poet import WebPage, field

from marquee.clock import iso
from marquee.errors import SourceError
from marquee.normalise.amounts import Money
from marquee.normalise.currencies import CODES
from marquee.normalise.dates import read_date
from marquee.normalise.text import Unreadable, clean, is_null
from scrapy_imdb.items import PARSER_VERSION, Person, TitleItem
from sources.title_cells import read_minutes
from sources.title_record import note

MoneyReading = Money | Unreadable | None
_TITLE_ID = re.compile(r"tt\d{7,10}")
_COUNT = re.compile(
    r"(?P<whole>\d{1,3}(?P<mark>[.,'’ _])\d{3}(?:(?P=mark)\d{3})*|\d{1,2}(?:,\d\d)+,\d{3}|\d+)"
    r"(?:(?P<decimal>[.,])0+)?"
)
_LARGEST = 1e18
"""Numbers from here on are neither counts nor ratings."""
_YEAR_ZERO = re.compile(r"(?<![-+\d])0\d{3,}")


class RefusedPageError(SourceError):
    """The page cannot be read; `message` is the reason."""


class ChallengePageError(RefusedPageError):
    """The page is a challenge for robots, not a title's page."""


class TitlePage(WebPage[TitleItem]):
    """A title page of one layout, built from a response; it never fetches."""

    LAYOUT: ClassVar[str] = ""

    @field
    def source_url(self) -> str:
        return str(self.response.url)

    @field
    def fetched_at(self) -> str | None:
        sent = header_date(self.response.headers.get("Date"))
        return iso(sent) if sent else None

    @field
    def layout(self) -> str:
        return self.LAYOUT

    @field
    def parser_version(self) -> str:
        return PARSER_VERSION

    def budget_reading(self) -> MoneyReading:
        """The budget; Unreadable with a reason; None where the page states no budget."""
        raise NotImplementedError

    def gross_reading(self) -> tuple[MoneyReading, str | None]:
        """The gross, with the values of `budget_reading`, and its area."""
        raise NotImplementedError

    def release_reading(self) -> str | Unreadable | None:
        """The release date in ISO form; Unreadable with a reason; None where the page has none."""
        raise NotImplementedError

    def stated_rating(self) -> Any:
        """The mean of the votes as the page spells it."""
        raise NotImplementedError

    def stated_votes(self) -> Any:
        """The number of votes as the page spells it."""
        raise NotImplementedError

    def stated_runtime(self) -> str | None:
        """The runtime as the page spells it."""
        raise NotImplementedError

    def other_readings(self) -> dict[str, Unreadable | None]:
        """Further fields of the layout, each with its Unreadable, or None where it is readable."""
        return {}

    def unknown_codes(self) -> dict[str, list[str]]:
        """Field (`countries`, `languages`) to its unknown names or codes."""
        return {}

    @field
    def runtime(self) -> int | None:
        return read_minutes(self.stated_runtime() or "")

    @field
    def release_date(self) -> str | None:
        reading = self.release_reading()
        return reading if isinstance(reading, str) else None

    @field
    def rating(self) -> float | None:
        return read_rating(self.stated_rating())

    @field
    def vote_count(self) -> int | None:
        return read_count(self.stated_votes())

    @field
    def budget(self) -> Money | None:
        return _readable(self.budget_reading())

    @field
    def gross(self) -> Money | None:
        return _readable(self.gross_reading()[0])

    @field
    def gross_area(self) -> str | None:
        reading, area = self.gross_reading()
        return area if isinstance(reading, Money) else None

    @field
    def notes(self) -> list[str]:
        """One note for each field that the page states and that cannot be read."""
        readings: dict[str, Any] = {
            **self.other_readings(),
            "budget": self.budget_reading(),
            "gross": self.gross_reading()[0],
            "release_date": self.release_reading(),
            "runtime": unreadable(self.stated_runtime(), read_minutes, "is no length in minutes"),
            "rating": unreadable(self.stated_rating(), read_rating, "is no rating"),
            "vote_count": unreadable(self.stated_votes(), read_count, "is no count"),
        }
        failed = {k: reading for k, reading in readings.items() if isinstance(reading, Unreadable)}
        unknown = self.unknown_codes().items()
        return [
            *(note(name, reading.reason, reading.text) for name, reading in failed.items()),
            *(note(name, "is none we know", code) for name, codes in unknown for code in codes),
        ]


def date_reading(text: str | None) -> str | Unreadable | None:
    """A date in ISO form; Unreadable with a reason; None for no text."""
    return read_date(text) if text and not is_null(text) else None


def unreadable(stated: Any, read: Callable[[Any], Any], why: str) -> Unreadable | None:
    """The value with the reason `why` where `read` gives None; None for a readable or no value."""
    is_absent = stated is None or is_null(str(stated))
    return None if is_absent or read(stated) is not None else Unreadable(str(stated), why)


def stated_money(amount: object, currency: object) -> Money | Unreadable:
    """Money from a number and a currency code in a page's JSON data."""
    text = f"{amount} {currency}"
    if isinstance(amount, bool) or not isinstance(amount, int | float) or not amount > 0:
        return Unreadable(text, "is not a positive amount")
    if not isinstance(currency, str) or currency.upper() not in CODES:
        return Unreadable(text, "names no currency we know")
    return Money(amount, currency.upper())


def required(value: str | None, name: str) -> str:
    """The value; RefusedPageError where it is None or empty."""
    if not value:
        raise RefusedPageError(f"the page states no {name}")
    return value


def title_id_in(text: str) -> str | None:
    """The first title id in a text, such as a URL."""
    found = _TITLE_ID.search(text)
    return found.group() if found else None


def header_date(text: str | None) -> datetime | None:
    """The moment in an HTTP header (RFC 9110, 5.6.7), in UTC; None where it holds no date."""
    if text and _YEAR_ZERO.search(text):  # the parser reads year 0 as 2000
        return None
    try:
        moment = parsedate_to_datetime(text or "")
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (TypeError, ValueError, OverflowError, IndexError):
        return None


def read_count(value: Any) -> int | None:
    """The whole number in a value, or None.

    Read: numbers, digits (`1234`), groups of three (`1,234`, `1.234`), Indian groups (`1,23,456`),
    and decimals that are zeros (`1234.0`).
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if not isinstance(value, str):
        return int(value) if abs(value) < _LARGEST and value == int(value) else None
    found = _COUNT.fullmatch(clean(value))
    if found is None or (found["mark"] and found["mark"] == found["decimal"]):
        return None
    digits = re.sub(r"\D", "", found["whole"])
    return int(digits) if len(digits) < 16 else None


def read_rating(value: Any) -> float | None:
    """The rating in a number or a text (`8.4`, `8,4`), or None."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if not isinstance(value, str):
        return float(value) if abs(value) < _LARGEST else None
    found = re.fullmatch(r"\d{1,2}(?:[.,]\d+)?", value.strip())
    return float(found.group().replace(",", ".")) if found else None


def distinct_people(people: Iterable[Person | None]) -> list[Person]:
    """People in order, each once: equal ids, or equal names without an id, are one person."""
    found = {p.name_id or p.name: p for p in reversed(list(people)) if p}
    return list(reversed(found.values()))


def _readable(reading: MoneyReading) -> Money | None:
    return reading if isinstance(reading, Money) else None
