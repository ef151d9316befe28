"""A parser for dates, which gives ISO 8601 with a day, a month or only a year.

Accepted: `1999`, `1999-03`, `1999-03-31` (also with `/` or `.`, and IMDb's zeros: `1999-03-00`),
`19990331`, the day of an ISO moment, `31 March 1999`, `31st of March, 1999`, `Mar 31, 1999`,
`31-Mar-1999`, `March 1999`, `31.03.1999`, `03/1999`, and `31/03/1999` where only one order of day
and month is a date. The parser ignores a weekday before the date and a remark in parentheses. It
knows the months in English, German, French, Spanish, Italian and Portuguese.

Refused, with the reason: `03/04/1999` (March or April), `31/3/99` (unknown century), `1999-02-30`
(no such day), a year before 1874 or after 2100, and any other text (`Summer 1999`, `TBA`).
"""

from __future__ import annotations

import re
from datetime import date

from marquee.normalise.text import Unreadable, clean, fold

FIRST_FILM = 1874
"""Year of "Passage de Venus", the oldest title IMDb lists."""
LAST_YEAR = 2100
"""A later year is a parsing error."""

_LONGEST = 200
"""Characters; a longer text is no date."""

_MONTH_NAMES = """
january jan januar janner janv janvier enero ene gennaio gen janeiro
february feb februar fevr fevrier febrero febbraio fev fevereiro
march mar marz mrz mars marzo marco
april apr avril avr abril abr aprile
may mai mayo maggio mag maio
june jun juni juin junio giugno giu junho
july jul juli juillet juil julio luglio lug julho
august aug aout agosto ago
september sep sept septembre septiembre settembre set setembro
october oct oktober okt octobre octubre ottobre ott outubro out
november nov novembre noviembre novembro
december dec dezember dez decembre diciembre dic dicembre dezembro
"""
MONTHS = {
    name: number
    for number, line in enumerate(_MONTH_NAMES.strip().splitlines(), 1)
    for name in line.split()
}
_TIME = (
    r"(?:[T ](?:[01]?\d|2[0-4]):[0-5]\d(?::[0-5]\d(?:[.,]\d+)?)?"
    r"\s*(?:Z|UTC|GMT|[AP]M|[+-]\d\d:?\d\d)?)?"
)
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th|er|[.ºª])?"
_NAME = r"(?P<name>[^\W\d_]+)\.?"
_YEAR = r"(?P<year>\d{4})"
_OF = r"(?:(?:of|de|del|den)\s+)?"
_WEEKDAY = re.compile(
    r"(?:(?:mon|tues?|wed(?:nes)?|thu(?:rs?)?|fri|sat(?:ur)?|sun)(?:day)?"
    r"|mo|di|mi|do|fr|sa|so|(?:mon|diens|donners|frei|sams|sonn)tag|mittwoch|sonnabend"
    r"|lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche"
    r"|lunes|martes|miércoles|jueves|viernes|sábado|domingo)\.?,?\s+",
    re.IGNORECASE,
)
_FORMS = [
    re.compile(form + _TIME, re.ASCII | re.IGNORECASE)
    for form in (
        rf"{_YEAR}(?:\.0+)?",
        rf"{_YEAR}[-/](?P<month>\d\d?)",
        rf"{_YEAR}(?P<mark>[-/.])(?P<month>\d\d?)(?P=mark)(?P<day>\d\d?)",
        rf"{_YEAR}(?P<month>\d\d)(?P<day>\d\d)",
        rf"(?P<month>\d\d?)[-/.]{_YEAR}",
    )
]
_NAMED = [
    re.compile(form + _TIME, re.IGNORECASE)
    for form in (
        rf"(?:{_DAY}[\s-]*{_OF})?{_NAME},?[\s-]*{_OF}{_YEAR}",
        rf"{_NAME}\s*{_DAY}(?:\s*,\s*|\s+){_YEAR}",
        rf"{_YEAR}[\s,-]+{_NAME}(?:[\s-]+{_DAY})?",
    )
]
_EITHER_ORDER = re.compile(rf"(\d\d?)([-/. ])(\d\d?)\2(\d{{4}}){_TIME}", re.ASCII)
_SHORT_YEAR = re.compile(r"\d\d?[-/. ]+(?:\d\d?|[^\W\d_]+\.?)[-/., ]+'?\d\d")


def read_date(text: str) -> str | Unreadable:
    """`1999-03-31`, `1999-03` or `1999`, with the precision of `text`, or Unreadable."""
    if len(text) > _LONGEST:
        return Unreadable(text[:_LONGEST], "is longer than a date")
    plain = re.sub(r"\([^()]*\)", " ", clean(text)).strip(" ,;")
    if weekday := _WEEKDAY.match(plain):
        plain = plain[weekday.end() :]
    for form in _FORMS:
        if found := form.fullmatch(plain):
            part = {"month": None, "day": None} | found.groupdict()
            return date_of(part["year"], part["month"], part["day"], text)
    for form in _NAMED:
        found = form.fullmatch(plain)
        month = MONTHS.get(fold(found["name"])) if found else None
        if found and month:
            return date_of(found["year"], month, found["day"], text)
    if found := _EITHER_ORDER.fullmatch(plain):
        first, mark, second, year = found.groups()
        return _either_order(first, mark, second, year, text)
    if _SHORT_YEAR.fullmatch(plain):
        return Unreadable(text, "has a year of two digits")
    return Unreadable(text, "is no date in a form we read")


def date_of(
    year: int | str | None,
    month: int | str | None = None,
    day: int | str | None = None,
    text: str = "",
) -> str | Unreadable:
    """The date from its numbers, or Unreadable; None and zero stand for an unknown month or day.

    `text` is the text in the Unreadable, by default the numbers.
    """
    numbers = [int(part or 0) for part in (year, month, day)]
    text = text or "-".join(map(str, filter(None, numbers)))
    if not FIRST_FILM <= numbers[0] <= LAST_YEAR:
        return Unreadable(text, "is not in a film's year")
    known = numbers[: 1 if not numbers[1] else 2 if not numbers[2] else 3]
    try:
        return date(*(*known, 1, 1)[:3]).isoformat()[: (4, 7, 10)[len(known) - 1]]
    except ValueError:
        return Unreadable(text, "is a day of no calendar")


def _either_order(first: str, mark: str, second: str, year: str, text: str) -> str | Unreadable:
    """A date of a day and a month in unknown order, before a year.

    With dots the day comes first (`03.04.1999`). With any other mark the date is Unreadable where
    both orders are dates.
    """
    day_first, month_first = date_of(year, second, first, text), date_of(year, first, second, text)
    if isinstance(month_first, Unreadable) or (mark == "." and isinstance(day_first, str)):
        return day_first
    if isinstance(day_first, Unreadable) or day_first == month_first:
        return month_first
    return Unreadable(text, f"may be {day_first} or {month_first}")
