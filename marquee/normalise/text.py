"""Text as people wrote it, with one spelling for every space, and JSON as others write it."""

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
"""Digits of a whole number; a longer one is none of ours, and other readers of JSON refuse it."""
_NULLS = frozenset(
    [
        *("", r"\n", "nan", "none", "(none)", "null", "(null)", "<null>", "nat", "undefined"),
        *("n/a", r"n\a", "n.a.", "n.a", "na", "<na>", "#na", "#n/a", "#n/a n/a"),
    ]
)
"""What IMDb, OMDb, pandas, R, Java, databases and spreadsheets write for an empty cell."""
_NULL_MARKS = re.compile(r"[-–—−]+|\?+")


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A text that is not what its place asks for, and why: a reason, never a zero."""

    text: str
    reason: str


def clean(text: str) -> str:
    """NFC, no invisible marks, every run of white space (non-breaking too) one plain space."""
    if text.isascii():
        return " ".join(text.split())
    plain = unicodedata.normalize("NFC", encodable(text)).translate(_INVISIBLE)
    return _SPACES.sub(" ", plain).strip()


def encodable(value: Any) -> Any:
    """A text, or every text of a JSON value, with U+FFFD for half a surrogate pair: JSON can write
    one (`\\ud83d`), and no encoding can."""
    if isinstance(value, str):
        if value.isascii() or not _LONE.search(value):
            return value
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {encodable(name): encodable(one) for name, one in value.items()}
    return [encodable(one) for one in value] if isinstance(value, list) else value


def read_json(text: str | bytes) -> Any:
    """JSON of others, that every reader and writer of ours takes.

    Line breaks may stand in texts. Half a surrogate pair becomes U+FFFD; a number beyond
    `LONGEST_NUMBER` digits or a double's range, and `NaN`, become the text that spells them, so
    that the field which asks for a number says what it found. ValueError where it is no JSON,
    RecursionError where it is nested too deeply.
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
    """Whether a cell's text says that there is nothing: empty, `\\N`, `N/A`, `nan`, `-`, `?` …

    The one place that decides it, for every column of every source but those of `is_empty`.
    """
    word = clean(text).lower()
    return word in _NULLS or _NULL_MARKS.fullmatch(word) is not None


def is_empty(text: str) -> bool:
    """Whether a cell is empty or `\\N`: all that is null where words for nothing are words, in
    titles (there is a film "None") and in IMDb's own datasets."""
    return clean(text) in ("", r"\N")


def unique(values: list[str]) -> list[str]:
    """The non-empty values in order of first appearance."""
    return list(dict.fromkeys(value for value in values if value))


def fold(text: str) -> str:
    """A name's one spelling to compare by: no case, no accents, single spaces."""
    return "".join(map(_folded, clean(text)))


@cache
def _folded(character: str) -> str:
    parts = unicodedata.normalize("NFD", character.lower())
    return "".join(part for part in parts if not unicodedata.combining(part))


def folding_table() -> tuple[str, str]:
    """The Latin, Greek and Cyrillic letters `fold` changes, and what each becomes, for engines
    that translate letter by letter; letters that become several are left out."""
    letters = [chr(code) for code in (*range(0x41, 0x530), *range(0x1E00, 0x2000))]
    pairs = [(a, b) for a in letters if len(b := _folded(a)) == 1 and a != b]
    return "".join(a for a, _ in pairs), "".join(b for _, b in pairs)
