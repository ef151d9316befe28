"""What a cell of a ratings release means: an id, an IMDb id, stars, a moment.

Each cell gets one canonical spelling, so that the same thing is the same text in every file of the
release. A cell without a meaning stays as it is and gets a reason. `spark_apps` applies the same
rules again to what was loaded (`preparation/rating_dataset.py`; a test holds the two equal).
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
"""UTC seconds; no rating comes from then or later."""
FINER_THAN_SECONDS = 100_000_000_000
"""Seconds reach this number in the year 5138: from here on it counts milliseconds or finer."""
MOST_SPELLINGS = 500_000  # in memory at a time
LEAST_NO_IMDB_ID = 10**10  # IMDb's numbers have ten digits at most
LONGEST_NUMBER = 40  # characters; a longer one is none
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,2})?", re.ASCII)
INFINITE = re.compile(r"[+-]?inf(inity)?", re.IGNORECASE)
WHOLE = re.compile(r"-?\d{1,19}", re.ASCII)
IMDB_ID = re.compile(r"tt0*([1-9]\d{0,9})", re.ASCII | re.IGNORECASE)
LIKE_AN_IMDB_ID = re.compile(r"(?:\S*/title/)?tt\d{7,}/?(?:[?#]\S*)?", re.ASCII | re.IGNORECASE)
INVISIBLE = " \t\r\n\v\f\xa0\u200b\ufeff"


def plain(text: str) -> str:
    """A cell without invisible characters around it, and without line breaks and tabs inside."""
    text = text.strip(INVISIBLE)
    if text == r"\N":
        return ""
    return " ".join(text.split()) if not text.isprintable() else text


def whole_id(text: str) -> str | None:
    """An id as a whole number of 64 bits in its shortest form, or None where it is no such number.

    `007`, `7.0` and `7e0` are `7`.
    """
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
    """The IMDb id of a title in IMDb's spelling, or None where a cell has none.

    A cell may hold the id (`tt0114709`, in any capitals, with any number of leading zeros), its
    number (`114709`, `0114709`, `114709.0`), or an address with the id between two slashes. A
    number in an address belongs to another site.
    """
    word = clean(text).strip("<>")
    number = whole_id(word)
    if number is not None:
        return f"tt{number:0>7}" if 0 < int(number) < LEAST_NO_IMDB_ID else None
    steps = [] if " " in word else re.split(r"[?#]", word, maxsplit=1)[0].split("/")
    found = next(filter(None, map(IMDB_ID.fullmatch, steps)), None)
    return f"tt{found[1]:0>7}" if found else None


def named_by_imdb(name: str) -> str | None:
    """The IMDb id in a release's own name for a title, or None where that name is none of IMDb's.

    IMDb's names are `tt` with seven digits or more, and the address of a title's page. `tt5` and
    `114709` may be anybody's.
    """
    return title_id_of(name) if LIKE_AN_IMDB_ID.fullmatch(name) else None


class Spellings(Protocol):
    """The canonical spellings of one column's cells."""

    faults: dict[str, str]
    """Canonical spelling to the reason why it cannot be used."""

    def canonical(self, column: Sequence[str]) -> list[str]:
        """The column in canonical spelling."""


class IdSpellings(dict[str, str]):
    """Each spelling of an id to the canonical one, found at its first use.

    Whole numbers take their shortest form. With `is_text`, ids are names and stay as they are, or
    take the spelling of `listed` where it lists the same name in another spelling.
    """

    def __init__(self, negative: str, is_text: bool, listed: Iterable[str] = ()) -> None:
        super().__init__()
        self.negative, self.is_text = negative, is_text
        self.words: set[str] = set()
        """Canonical spellings that are no whole number."""
        self.faults: dict[str, str] = {}
        """Canonical spelling to the reason why it cannot be used."""
        self.names, self.rows, self.word_rows = set(listed if is_text else ()), 0, 0
        sharing = Counter(map(folded, self.names))
        self.by_folded_name = {folded(n): n for n in self.names if sharing[folded(n)] == 1}

    def __missing__(self, text: str) -> str:
        name, number = plain(text), whole_id(text)
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
        return name if name in self.names else self.by_folded_name.get(folded(name), name)

    def canonical(self, column: Sequence[str]) -> list[str]:
        """The column in canonical spelling; counts the rows with an id, and those of words."""
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


def folded(name: str) -> str:
    """The form that all spellings of one name share."""
    return whole_id(name) or named_by_imdb(name) or clean(name).casefold()


class StarSpellings(dict[str, str]):
    """Each spelling of a rating to the canonical one; `scale`: the lowest and highest stars."""

    def __init__(self, scale: tuple[float, float] = (-inf, inf)) -> None:
        super().__init__()
        self.scale = scale
        self.faults: dict[str, str] = {}

    def __missing__(self, text: str) -> str:
        spelling = plain(text)
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
    """The reason why a rating beyond the scale is none."""
    return f"the rating is outside {lowest:g} to {highest:g}"


class TimeSpellings:
    """Moments as whole UTC seconds since 1970; `last` is the latest valid one so far."""

    def __init__(self) -> None:
        self.last = 0
        self.faults: dict[str, str] = {}

    def canonical(self, column: Sequence[str]) -> list[str]:
        """The column in canonical spelling.

        Most columns hold plain numbers only, which one pass converts together.
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
            spelling = plain(text)
            self.faults[spelling] = NO_TIME
            return spelling
        if not 0 <= moment < YEAR_2100:
            self.faults[str(moment)] = OUT_OF_TIME
        else:
            self.last = max(self.last, moment)
        return str(moment)


def seconds_of(text: str) -> int | None:
    """The UTC seconds of a cell, or None where it holds no moment.

    A cell holds a number, which counts milliseconds or finer where it is too large for seconds, or
    ISO 8601, in UTC unless it names a zone. A fraction of a second is cut off.
    """
    text = text.strip(INVISIBLE)
    if len(text) <= LONGEST_NUMBER and NUMBER.fullmatch(text):
        number = int(Decimal(text).to_integral_value("ROUND_FLOOR"))
        while FINER_THAN_SECONDS <= number < FINER_THAN_SECONDS * 1000**3:
            number //= 1000
        return number
    try:
        moment = datetime.fromisoformat(text)
        return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() // 1)
    except (ValueError, OverflowError):
        return None
