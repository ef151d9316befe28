"""Text as people wrote it, with one spelling for every space."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache

# Zero-width and direction marks: invisible, and they make equal words differ.
_INVISIBLE = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u200e\u200f\u2060\ufeff\u00ad"))
_SPACES = re.compile(r"\s+")
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
    plain = unicodedata.normalize("NFC", text).translate(_INVISIBLE)
    return _SPACES.sub(" ", plain).strip()


def is_null(text: str) -> bool:
    """Whether a cell's text says that there is nothing: empty, `\\N`, `N/A`, `nan`, `-`, `?` …

    The one place that decides it, for every column of every source.
    """
    word = clean(text).lower()
    return word in _NULLS or _NULL_MARKS.fullmatch(word) is not None


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
