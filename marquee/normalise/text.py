"""Text with one spelling of white space, empty cells in all their spellings, and JSON of others.

Every reader of files and pages starts here.
"""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from typing import Any

# Zero-width and direction marks: invisible, and they make equal words differ.
_INVISIBLE = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u200e\u200f\u2060\ufeff\u00ad"))
_SPACES = re.compile(r"\s+")
_LONE = re.compile(r"[\ud800-\udfff]")
_ESCAPED = re.compile(r"\\u[dD][89a-fA-F]")
LONGEST_NUMBER = 18
"""Digits of a whole number; a longer one is not ours, and other readers of JSON refuse it."""
_NULLS = frozenset(
    [
        *("", r"\n", "nan", "none", "(none)", "null", "(null)", "<null>", "nat", "undefined"),
        *("n/a", r"n\a", "n.a.", "n.a", "na", "<na>", "#na", "#n/a", "#n/a n/a"),
    ]
)
"""The words of IMDb, OMDb, pandas, R, Java, databases and spreadsheets for an empty cell."""
_NULL_MARKS = re.compile(r"[-–—−]+|\?+")


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A text that is not what its field needs, and the reason."""

    text: str
    reason: str


def clean(text: str) -> str:
    """The text in NFC without invisible marks, each run of white space as one plain space."""
    if text.isascii():
        return " ".join(text.split())
    plain = unicodedata.normalize("NFC", encodable(text)).translate(_INVISIBLE)
    return _SPACES.sub(" ", plain).strip()


def encodable(value: Any) -> Any:
    """A text, or every text of a JSON value, with U+FFFD for half a surrogate pair.

    JSON can write half a pair (`\\ud83d`); no encoding can.
    """
    if isinstance(value, str):
        if value.isascii() or not _LONE.search(value):
            return value
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {encodable(name): encodable(one) for name, one in value.items()}
    return [encodable(one) for one in value] if isinstance(value, list) else value


def read_json(text: str | bytes) -> Any:
    """The value of JSON that others wrote, in a form that every reader and writer of ours takes.

    Texts may hold line breaks. Half a surrogate pair becomes U+FFFD. `NaN`, and a number beyond
    `LONGEST_NUMBER` digits or a double's range, become the text that spells them, so a numeric
    field can report it. Raises ValueError where it is not JSON, and RecursionError where it is
    nested too deeply.
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
    """Whether a cell's text means that there is no value: empty, `\\N`, `N/A`, `nan`, `-`, `?` …

    It decides for every column of every source but those of `is_empty`.
    """
    word = clean(text).lower()
    return word in _NULLS or _NULL_MARKS.fullmatch(word) is not None


def is_empty(text: str) -> bool:
    """Whether a cell is empty or `\\N`.

    For titles (there is one called "None") and for IMDb's own datasets, where the other words of
    `is_null` are values.
    """
    return clean(text) in ("", r"\N")


def unique(values: list[str]) -> list[str]:
    """The non-empty values in order of first appearance."""
    return list(dict.fromkeys(value for value in values if value))


def fold(text: str) -> str:
    """A name in the spelling that names are compared by: no case, no accents, single spaces."""
    return "".join(map(_folded, clean(text)))


@cache
def _folded(character: str) -> str:
    parts = unicodedata.normalize("NFD", character.lower())
    return "".join(part for part in parts if not unicodedata.combining(part))


def folding_table() -> tuple[str, str]:
    """The Latin, Greek and Cyrillic letters that `fold` changes, and what each becomes.

    For engines that translate letter by letter; letters that become several are not in it.
    """
    letters = [chr(code) for code in (*range(0x41, 0x530), *range(0x1E00, 0x2000))]
    pairs = [(a, b) for a in letters if len(b := _folded(a)) == 1 and a != b]
    return "".join(a for a, _ in pairs), "".join(b for _, b in pairs)
