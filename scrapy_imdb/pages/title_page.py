"""What every layout's page object shares: the item it answers with, and where it came from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from web_poet import WebPage, field

from marquee.names import iso
from marquee.normalise.currencies import CODES
from marquee.normalise.dates import read_date
from marquee.normalise.money import Money
from marquee.normalise.text import Unreadable, is_null
from scrapy_imdb.items import PARSER_VERSION, TitleItem
from scrapy_imdb.pages import values
from scrapy_imdb.pages.refusal import RefusedPageError
from sources.title_record import minutes, note

MoneyReading = Money | Unreadable | None


class TitlePage(WebPage[TitleItem]):
    """A title page of one layout. Built from the response alone; it never fetches."""

    LAYOUT: ClassVar[str] = ""

    @field
    def source_url(self) -> str:
        return str(self.response.url)

    @field
    def fetched_at(self) -> str | None:
        sent = values.header_date(self.response.headers.get("Date"))
        return iso(sent) if sent else None

    @field
    def layout(self) -> str:
        return self.LAYOUT

    @field
    def parser_version(self) -> str:
        return PARSER_VERSION

    def budget_reading(self) -> MoneyReading:
        """The budget, or why it cannot be read, or None where the page states none."""
        raise NotImplementedError

    def gross_reading(self) -> tuple[MoneyReading, str | None]:
        """The gross as `budget_reading`, and the area it covers."""
        raise NotImplementedError

    def release_reading(self) -> str | Unreadable | None:
        """The release date in ISO form, or why it is none, or None where the page states none."""
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
        """Why further fields cannot be read, by field."""
        return {}

    def unknown_codes(self) -> dict[str, list[str]]:
        """Countries and languages that are none we know, by field."""
        return {}

    @field
    def runtime(self) -> int | None:
        return minutes(self.stated_runtime() or "")

    @field
    def release_date(self) -> str | None:
        reading = self.release_reading()
        return reading if isinstance(reading, str) else None

    @field
    def rating(self) -> float | None:
        return values.score(self.stated_rating())

    @field
    def vote_count(self) -> int | None:
        return values.whole(self.stated_votes())

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
        readings: dict[str, Any] = {
            **self.other_readings(),
            "budget": self.budget_reading(),
            "gross": self.gross_reading()[0],
            "release_date": self.release_reading(),
            "runtime": unread(self.stated_runtime(), minutes, "is no length in minutes"),
            "rating": unread(self.stated_rating(), values.score, "is no rating"),
            "vote_count": unread(self.stated_votes(), values.whole, "is no count"),
        }
        failed = {k: reading for k, reading in readings.items() if isinstance(reading, Unreadable)}
        unknown = self.unknown_codes().items()
        return [
            *(note(name, reading.reason, reading.text) for name, reading in failed.items()),
            *(note(name, "is none we know", code) for name, codes in unknown for code in codes),
        ]


def date_reading(text: str | None) -> str | Unreadable | None:
    """A date that a page spells; None where it spells none."""
    return read_date(text) if text and not is_null(text) else None


def unread(stated: Any, read: Callable[[Any], Any], why: str) -> Unreadable | None:
    """Why a value that the page states cannot be read; None where it can, or there is none."""
    is_absent = stated is None or is_null(str(stated))
    return None if is_absent or read(stated) is not None else Unreadable(str(stated), why)


def stated_money(amount: object, currency: object) -> Money | Unreadable:
    """Money that a page's own data states as a number and a code."""
    text = f"{amount} {currency}"
    if isinstance(amount, bool) or not isinstance(amount, int | float) or not amount > 0:
        return Unreadable(text, "is not a positive amount")
    if not isinstance(currency, str) or currency.upper() not in CODES:
        return Unreadable(text, "names no currency we know")
    return Money(amount, currency.upper())


def required(value: str | None, name: str) -> str:
    """A value no item can do without; RefusedPageError where the page lacks it."""
    if not value:
        raise RefusedPageError(f"the page states no {name}")
    return value


def _readable(reading: MoneyReading) -> Money | None:
    return reading if isinstance(reading, Money) else None
