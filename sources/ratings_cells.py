"""What a cell of a ratings release means: an id, IMDb's id, stars, a moment.

Each is *kept* in one spelling, whatever the file spelled it like, so that the same thing is the
same text in every file of the release. What means nothing is kept as it came, with the reason; the
reasons are those of `spark_apps.ratings.judging`, which judges the same rows again (a test holds
the two equal).
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

YEAR_2100 = 4_102_444_800  # a later moment is nonsense
FINER_FROM = 100_000_000_000
"""Seconds reach this in the year 5138: a larger number counts milliseconds or finer."""
LONGEST_MEMORY = 500_000  # spellings remembered at a time
LEAST_NO_IMDB_ID = 10**10  # IMDb's numbers have ten digits at most
LONGEST_NUMBER = 40  # characters; a longer one is none
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,2})?", re.ASCII)
INFINITE = re.compile(r"[+-]?inf(inity)?", re.IGNORECASE)
WHOLE = re.compile(r"-?\d{1,19}", re.ASCII)
IMDB_ID = re.compile(r"tt0*([1-9]\d{0,9})", re.ASCII | re.IGNORECASE)
LIKE_IMDBS = re.compile(r"(?:\S*/title/)?tt\d{7,}/?(?:[?#]\S*)?", re.ASCII | re.IGNORECASE)
UNSEEN = " \t\r\n\v\f\xa0\u200b\ufeff"


def plain(text: str) -> str:
    """A cell without what nobody sees around it, and without line breaks and tabs inside."""
    text = text.strip(UNSEEN)
    if text == r"\N":
        return ""
    return " ".join(text.split()) if not text.isprintable() else text


def whole_id(text: str) -> str | None:
    """An id as a whole number of 64 bits without needless digits (`007`, `7.0`, `7e0` are `7`);
    None where it names none."""
    text = text.strip(UNSEEN)
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
    """IMDb's id of a title, in IMDb's spelling; None where a cell holds none.

    A cell holds the id (`tt0114709`, in any capitals and with any zeros before it), its number
    (`114709`, `0114709`, `114709.0`), or an address with the id between two slashes. A number in
    an address is another site's.
    """
    word = clean(text).strip("<>")
    number = whole_id(word)
    if number is not None:
        return f"tt{number:0>7}" if 0 < int(number) < LEAST_NO_IMDB_ID else None
    parts = [] if " " in word else re.split(r"[?#]", word, maxsplit=1)[0].split("/")
    found = next(filter(None, map(IMDB_ID.fullmatch, parts)), None)
    return f"tt{found[1]:0>7}" if found else None


def named_by_imdb(name: str) -> str | None:
    """IMDb's id that a release names a title by; None where the name is the release's own.

    Such a name is the `tt` with seven digits or more, as all of IMDb's, or the address of its
    page: `tt5` and `114709` may be anybody's.
    """
    return title_id_of(name) if LIKE_IMDBS.fullmatch(name) else None


class Keeper(Protocol):
    """What keeps the cells of a column."""

    faults: dict[str, str]
    """Why a kept cell cannot be used."""

    def keep(self, column: Sequence[str]) -> list[str]:
        """A column as it is kept."""


class Ids(dict[str, str]):
    """Each spelling of an id to the one that is kept, made where it is first met.

    Whole numbers are kept without needless digits, unless `is_text`: then ids are names and kept
    as they are, or as `listed` spells them where it lists one that only differs in spelling.
    """

    def __init__(self, negative: str, is_text: bool, listed: Iterable[str] = ()) -> None:
        super().__init__()
        self.negative, self.is_text = negative, is_text
        self.words: set[str] = set()
        """The kept ones that name no whole number."""
        self.faults: dict[str, str] = {}
        """Why a kept one cannot be used."""
        self.names, self.rows, self.word_rows = set(listed if is_text else ()), 0, 0
        alike = Counter(map(folded, self.names))
        self.alike = {folded(n): n for n in self.names if alike[folded(n)] == 1}

    def __missing__(self, text: str) -> str:
        name, number = plain(text), whole_id(text)
        kept = self._spelled(name) if self.is_text else number or name
        if name and number is None:
            self.words.add(kept)
        if not name:
            self.faults[kept] = MISSING
        elif not self.is_text and number is None:
            self.faults[kept] = NO_NUMBER
        elif not self.is_text and kept.startswith("-"):
            self.faults[kept] = self.negative
        self[text] = kept
        return kept

    def _spelled(self, name: str) -> str:
        return name if name in self.names else self.alike.get(folded(name), name)

    def keep(self, column: Sequence[str]) -> list[str]:
        """A column as it is kept; rows with an id are counted, and those that name no number."""
        if len(self) > LONGEST_MEMORY:
            self.clear()
            self.words.clear()
            self.faults.clear()
        kept = list(map(self.__getitem__, column))
        self.rows += len(kept) - (kept.count("") if "" in self.faults else 0)
        if self.words:
            self.word_rows += sum(map(self.words.__contains__, kept))
        return kept

    @property
    def is_mostly_words(self) -> bool:
        """Whether more than half of the rows with an id name no whole number."""
        return 2 * self.word_rows > self.rows


def folded(name: str) -> str:
    """What two spellings of one name have in common."""
    return whole_id(name) or named_by_imdb(name) or clean(name).casefold()


class Stars(dict[str, str]):
    """Each spelling of a rating to the one that is kept; `scale` is the lowest and the highest."""

    def __init__(self, scale: tuple[float, float] = (-inf, inf)) -> None:
        super().__init__()
        self.scale = scale
        self.faults: dict[str, str] = {}

    def __missing__(self, text: str) -> str:
        kept = plain(text)
        lowest, highest = self.scale
        is_number = NUMBER.fullmatch(kept) or INFINITE.fullmatch(kept)
        value = float(kept) if is_number else nan
        if isnan(value):
            self.faults[kept] = NO_STARS
        elif isinf(value) or not lowest <= value <= highest:
            self.faults[kept] = outside(lowest, highest)
        self[text] = kept
        return kept

    def keep(self, column: Sequence[str]) -> list[str]:
        """A column as it is kept."""
        if len(self) > LONGEST_MEMORY:
            self.clear()
            self.faults.clear()
        return list(map(self.__getitem__, column))


def outside(lowest: float, highest: float) -> str:
    """Why a rating beyond the scale is none."""
    return f"the rating is outside {lowest:g} to {highest:g}"


class Times:
    """Moments as whole UTC seconds since 1970; `last` is the latest sound one so far."""

    def __init__(self) -> None:
        self.last = 0
        self.faults: dict[str, str] = {}

    def keep(self, column: Sequence[str]) -> list[str]:
        """A column as it is kept. Most files hold nothing but plain numbers."""
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
            kept = plain(text)
            self.faults[kept] = NO_TIME
            return kept
        if not 0 <= moment < YEAR_2100:
            self.faults[str(moment)] = OUT_OF_TIME
        else:
            self.last = max(self.last, moment)
        return str(moment)


def seconds_of(text: str) -> int | None:
    """UTC seconds of a cell: a number (of milliseconds or finer by its size, a fraction of a
    second cut off) or ISO 8601, in UTC unless it names a zone; None where it is neither."""
    text = text.strip(UNSEEN)
    if len(text) <= LONGEST_NUMBER and NUMBER.fullmatch(text):
        number = int(Decimal(text).to_integral_value("ROUND_FLOOR"))
        while FINER_FROM <= number < FINER_FROM * 1000**3:
            number //= 1000
        return number
    try:
        moment = datetime.fromisoformat(text)
        return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() // 1)
    except (ValueError, OverflowError):
        return None
