"""Cells of a ratings release in canonical spelling: ids, IMDb ids, stars, times.

In canonical spelling, equal values are equal texts in every file of a release: `007` and `7.0` are
`7`. A cell that cannot be used keeps its text and gets a reason.
`spark_apps/preparation/rating_dataset.py` applies the same rules to loaded ratings; a test compares
the two.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from math import inf, isinf, isnan, nan
from typing import Protocol

from marquee.normalise.text import clean

MISSING = "an id is missing"
NO_NUMBER = "an id is not a whole number"
NEGATIVE_MOVIE = "movie_id is negative"
NEGATIVE_USER = "user_id is negative"
NO_STARS = "the rating is not a number"
NO_TIME = "the time is not a whole number of seconds"
OUT_OF_TIME = "the time is not between 1970 and 2100"

YEAR_2100 = 4_102_444_800
"""UTC seconds; every rating is older."""
LEAST_MILLISECONDS = 100_000_000_000
"""A larger number counts milliseconds or finer: as seconds it is later than the year 5138."""
MOST_SPELLINGS = 500_000  # in memory at a time
LEAST_NO_IMDB_ID = 10**10  # IMDb's numbers have ten digits at most
LONGEST_NUMBER = 40  # characters
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,2})?", re.ASCII)
INFINITE = re.compile(r"[+-]?inf(inity)?", re.IGNORECASE)
WHOLE = re.compile(r"-?\d{1,19}", re.ASCII)
IMDB_ID = re.compile(r"tt0*([1-9]\d{0,9})", re.ASCII | re.IGNORECASE)
IMDB_NAME = re.compile(r"(?:\S*/title/)?tt\d{7,}/?(?:[?#]\S*)?", re.ASCII | re.IGNORECASE)
INVISIBLE = " \t\r\n\v\f\xa0\u200b\ufeff"


def trimmed(text: str) -> str:
    """A cell without invisible characters at its ends; line breaks and tabs become spaces."""
    text = text.strip(INVISIBLE)
    if text == r"\N":
        return ""
    return " ".join(text.split()) if not text.isprintable() else text


def whole_id(text: str) -> str | None:
    """A whole number of 64 bits in its shortest form, else None: `007`, `7.0`, `7e0` are `7`."""
    text = text.strip(INVISIBLE)
    if not WHOLE.fullmatch(text):
        if len(text) > LONGEST_NUMBER or not NUMBER.fullmatch(text):
            return None
        exact = Decimal(text)
        if exact != exact.to_integral_value():
            return None
        text = str(int(exact))
    number = int(text)
    return str(number) if -(2**63) <= number < 2**63 else None


def title_id_of(text: str) -> str | None:
    """The IMDb id of a title in IMDb's spelling, or None.

    A cell may hold the id (`tt0114709`, `TT114709`), its number (`114709`, `0114709`, `114709.0`),
    or an address with the id between two slashes. A bare number in an address gives None: it may be
    another site's.
    """
    word = clean(text).strip("<>")
    number = whole_id(word)
    if number is not None:
        return f"tt{number:0>7}" if 0 < int(number) < LEAST_NO_IMDB_ID else None
    steps = [] if " " in word else re.split(r"[?#]", word, maxsplit=1)[0].split("/")
    found = next(filter(None, map(IMDB_ID.fullmatch, steps)), None)
    return f"tt{found[1]:0>7}" if found else None


def imdb_id_of_name(name: str) -> str | None:
    """The IMDb id where a release uses IMDb ids or addresses as its own ids, else None.

    `tt` needs seven digits or more: `tt5` and `114709` may be the release's own ids.
    """
    return title_id_of(name) if IMDB_NAME.fullmatch(name) else None


class Spellings(Protocol):
    """The canonical spellings of one column's cells."""

    faults: dict[str, str]
    """Canonical spelling to the reason why the cell cannot be used."""

    def canonical(self, column: Sequence[str]) -> list[str]:
        """The column in canonical spelling."""


class IdSpellings(dict[str, str]):
    """Spelling of an id to its canonical spelling, filled at each first use.

    A whole number takes its shortest form. With `is_text` an id takes the spelling of the equal
    name in `listed`, else stays as it is.
    """

    def __init__(self, negative: str, is_text: bool, listed: Iterable[str] = ()) -> None:
        super().__init__()
        self.negative, self.is_text = negative, is_text
        self.words: set[str] = set()
        """Canonical spellings that are no whole number."""
        self.faults: dict[str, str] = {}
        """Canonical spelling to the reason why the cell cannot be used."""
        self.names, self.rows, self.word_rows = set(listed if is_text else ()), 0, 0
        sharing = Counter(map(comparable_name, self.names))
        self.by_comparable_name = {
            comparable_name(n): n for n in self.names if sharing[comparable_name(n)] == 1
        }

    def __missing__(self, text: str) -> str:
        name, number = trimmed(text), whole_id(text)
        spelling = self._spelled(name) if self.is_text else number or name
        if name and number is None:
            self.words.add(spelling)
        if not name:
            self.faults[spelling] = MISSING
        elif not self.is_text and number is None:
            self.faults[spelling] = NO_NUMBER
        elif not self.is_text and spelling.startswith("-"):
            self.faults[spelling] = self.negative
        self[text] = spelling
        return spelling

    def _spelled(self, name: str) -> str:
        return (
            name if name in self.names else self.by_comparable_name.get(comparable_name(name), name)
        )

    def canonical(self, column: Sequence[str]) -> list[str]:
        """The column in canonical spelling; counts rows with an id, and rows with a word as id."""
        if len(self) > MOST_SPELLINGS:
            self.clear()
            self.words.clear()
            self.faults.clear()
        spellings = list(map(self.__getitem__, column))
        self.rows += len(spellings) - (spellings.count("") if "" in self.faults else 0)
        if self.words:
            self.word_rows += sum(map(self.words.__contains__, spellings))
        return spellings

    @property
    def is_mostly_words(self) -> bool:
        """Whether more than half of the rows with an id hold no whole number."""
        return 2 * self.word_rows > self.rows


def comparable_name(name: str) -> str:
    """One form for all spellings of a name: `TT0114709` and `tt114709` share it."""
    return whole_id(name) or imdb_id_of_name(name) or clean(name).casefold()


class StarSpellings(dict[str, str]):
    """Spelling of a rating to its canonical spelling; `scale`: the lowest and highest stars."""

    def __init__(self, scale: tuple[float, float] = (-inf, inf)) -> None:
        super().__init__()
        self.scale = scale
        self.faults: dict[str, str] = {}

    def __missing__(self, text: str) -> str:
        spelling = trimmed(text)
        lowest, highest = self.scale
        is_number = NUMBER.fullmatch(spelling) or INFINITE.fullmatch(spelling)
        value = float(spelling) if is_number else nan
        if isnan(value):
            self.faults[spelling] = NO_STARS
        elif isinf(value) or not lowest <= value <= highest:
            self.faults[spelling] = outside(lowest, highest)
        self[text] = spelling
        return spelling

    def canonical(self, column: Sequence[str]) -> list[str]:
        """The column in canonical spelling."""
        if len(self) > MOST_SPELLINGS:
            self.clear()
            self.faults.clear()
        return list(map(self.__getitem__, column))


def outside(lowest: float, highest: float) -> str:
    """The reason of a rating outside the scale."""
    return f"the rating is outside {lowest:g} to {highest:g}"


class TimeSpellings:
    """Moments as whole UTC seconds since 1970; `last` is the latest valid one so far."""

    def __init__(self) -> None:
        self.last = 0
        self.faults: dict[str, str] = {}

    def canonical(self, column: Sequence[str]) -> list[str]:
        """The column in canonical spelling.

        A column of plain numbers, the usual case, is converted in one pass.
        """
        self.faults.clear()
        together = "".join(column)
        is_plain = together.isdecimal() and together.isascii() and all(column)
        if is_plain and max(map(len, column)) <= LONGEST_NUMBER:
            seconds = list(map(int, column))
            latest = max(seconds)
            if latest < YEAR_2100:
                self.last = max(self.last, latest)
                has_zeros = min(seconds) < 10 ** (len(str(latest)) - 1)
                return list(map(str, seconds)) if has_zeros else list(column)
        return list(map(self._one, column))

    def _one(self, text: str) -> str:
        moment = seconds_of(text)
        if moment is None:
            spelling = trimmed(text)
            self.faults[spelling] = NO_TIME
            return spelling
        if not 0 <= moment < YEAR_2100:
            self.faults[str(moment)] = OUT_OF_TIME
        else:
            self.last = max(self.last, moment)
        return str(moment)


def seconds_of(text: str) -> int | None:
    """The whole UTC seconds of a cell, rounded down; None where it holds no moment.

    A cell may hold a number or ISO 8601. A number too large for seconds counts milliseconds,
    microseconds or nanoseconds. ISO 8601 without a zone is UTC.
    """
    text = text.strip(INVISIBLE)
    if len(text) <= LONGEST_NUMBER and NUMBER.fullmatch(text):
        number = int(Decimal(text).to_integral_value("ROUND_FLOOR"))
        while LEAST_MILLISECONDS <= number < LEAST_MILLISECONDS * 1000**3:
            number //= 1000
        return number
    try:
        moment = datetime.fromisoformat(text)
        return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() // 1)
    except (ValueError, OverflowError):
        return None
