"""Text as people wrote it, with one spelling for every space."""

from __future__ import annotations

import re
import unicodedata

# Zero-width and direction marks: invisible, and they make equal words differ.
_INVISIBLE = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u200e\u200f\u2060\ufeff\u00ad"))
_SPACES = re.compile(r"\s+")


def clean(text: str) -> str:
    """NFC, no invisible marks, every run of white space (non-breaking too) one plain space."""
    if text.isascii():
        return " ".join(text.split())
    plain = unicodedata.normalize("NFC", text).translate(_INVISIBLE)
    return _SPACES.sub(" ", plain).strip()


def unique(values: list[str]) -> list[str]:
    """The non-empty values in order of first appearance."""
    return list(dict.fromkeys(value for value in values if value))
