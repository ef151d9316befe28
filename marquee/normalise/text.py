"""White space, empty cells and JSON in the text of files and pages.

The other parsers of `marquee.normalise` and the readers of sources call this module first.
"""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from typing import Any

# Zero-width and direction marks, which are invisible and make equal words differ.
_INVISIBLE = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u200e\u200f\u2060\ufeff\u00ad"))
_SPACES = re.compile(r"\s+")
_LONE = re.compile(r"[\ud800-\udfff]")
_ESCAPED = re.compile(r"\\u[dD][89a-fA-F]")
LONGEST_NUMBER = 18
"""Digits of a whole number; some readers of JSON refuse longer numbers."""
_NULLS = frozenset(
    [
        *("", r"\n", "nan", "none", "(none)", "null", "(null)", "<null>", "nat", "undefined"),
        *("n/a", r"n\a", "n.a.", "n.a", "na", "<na>", "#na", "#n/a", "#n/a n/a"),
    ]
)
"""Words for an empty cell in IMDb, OMDb, pandas, R, Java, databases and spreadsheets."""
_NULL_MARKS = re.compile(r"[-–—−]+|\?+")


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A text that a parser refused, and the reason."""

    text: str
    reason: str


def clean(text: str) -> str:
    """The text in Unicode's NFC, without invisible marks and with single spaces."""
    if text.isascii():
        return " ".join(text.split())
    plain = unicodedata.normalize("NFC", encodable(text)).translate(_INVISIBLE)
    return _SPACES.sub(" ", plain).strip()


def encodable(value: Any) -> Any:
    """A JSON value whose texts hold U+FFFD instead of half a surrogate pair.

    JSON can contain half a pair (`\\ud83d`), but UTF-8 cannot encode it.
    """
    if isinstance(value, str):
        if value.isascii() or not _LONE.search(value):
            return value
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {encodable(name): encodable(one) for name, one in value.items()}
    return [encodable(one) for one in value] if isinstance(value, list) else value


def read_json(text: str | bytes) -> Any:
    """The value of JSON that another program wrote, without values that our own JSON forbids.

    Texts may hold line breaks. Half a surrogate pair becomes U+FFFD. `NaN`, an infinite number and
    a whole number of more than `LONGEST_NUMBER` digits become texts; the contract of a numeric
    field then reports them. Raises ValueError for text that is not JSON, and RecursionError for
    deep nesting.
    """
    text = text if isinstance(text, str) else text.decode("utf-8-sig", "replace")
    value = json.loads(
        text, strict=False, parse_int=_whole, parse_float=_decimal, parse_constant=str
    )
    return encodable(value) if _ESCAPED.search(text) or _LONE.search(text) else value


def _whole(text: str) -> int | str:
    return int(text) if len(text.removeprefix("-")) <= LONGEST_NUMBER else text


def _decimal(text: str) -> float | str:
    value = float(text)
    return value if abs(value) < float("inf") else text


def is_null(text: str) -> bool:
    """Whether the text of a cell stands for null: empty, `\\N`, `N/A`, `nan`, `-`, `?` …

    The columns that `is_empty` names are exceptions.
    """
    word = clean(text).lower()
    return word in _NULLS or _NULL_MARKS.fullmatch(word) is not None


def is_empty(text: str) -> bool:
    """Whether the text of a cell is empty or `\\N`.

    The names of titles and the columns of IMDb's datasets use this function, because a title may be
    called "None".
    """
    return clean(text) in ("", r"\N")


def unique(values: list[str]) -> list[str]:
    """The non-empty values in order of first appearance."""
    return list(dict.fromkeys(value for value in values if value))


def fold(text: str) -> str:
    """A name in small letters, without accents and with single spaces, to compare names by."""
    return "".join(map(_folded, clean(text)))


@cache
def _folded(character: str) -> str:
    parts = unicodedata.normalize("NFD", character.lower())
    return "".join(part for part in parts if not unicodedata.combining(part))


def folding_table() -> tuple[str, str]:
    """The Latin, Greek and Cyrillic letters that `fold` changes, and their replacements.

    Spark's `translate` takes both strings. Letters that become several letters are left out.
    """
    letters = [chr(code) for code in (*range(0x41, 0x530), *range(0x1E00, 0x2000))]
    pairs = [(a, b) for a in letters if len(b := _folded(a)) == 1 and a != b]
    return "".join(a for a, _ in pairs), "".join(b for _, b in pairs)
