"""Bytes to markup: encodings, cutting out the sections that matter, and text of elements.

A saved page has up to two megabytes, most of it script. Page objects parse only the sections that
hold facts, which is several times faster than a selector over the whole document.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from lxml import etree  # type: ignore[import-untyped]
from web_poet import HttpResponse

from marquee.normalise.text import clean

Element = Any  # lxml's element; it ships no types
xpath = etree.XPath
"""Compiles a query, to be called with an element."""

Section = tuple[bytes, tuple[bytes, ...]]
"""Bytes that a section's first tag holds, and bytes that come after it, the likeliest first."""

LARGEST_PAGE = 16 * 1024 * 1024
"""Bytes; eight times the largest title page we have seen."""
LARGEST_MARKUP = 1024 * 1024
"""Bytes of the sections we read; eighteen times the most seen (57 kB)."""
LARGEST_TAG = 8 * 1024
"""Bytes between `<` and `>`; six times the longest seen. libxml2 takes time quadratic in a tag's
attributes: both bounds together hold the worst page under a second, and nothing but an attack on
parsers comes near them."""

_UNREAD = re.compile(rb"<(script|style|svg)\b", re.IGNORECASE)
_ENDS = {
    name: re.compile(rb"</" + name + rb"\s*>", re.IGNORECASE)
    for name in (b"script", b"style", b"svg")
}
_LONG_TAG = re.compile(rb"<[^<>]{%d}" % LARGEST_TAG)


def utf8_body(response: HttpResponse) -> bytes:
    """The page as UTF-8, whatever it declares: pages that are valid UTF-8 are UTF-8."""
    body = bytes(response.body)
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return transcoded(response)
    return body


def transcoded(response: HttpResponse) -> bytes:
    """A page that is not UTF-8, as UTF-8: by its headers, its meta tags, or its bytes."""
    return response.text.encode("utf-8", "replace")


def cut(body: bytes, sections: Iterable[Section]) -> list[bytes]:
    """Each section from the tag that holds its start to the first of its ends after it.

    Sections usually stand in the given order, so the search for each begins after the one before.
    A section that the page lacks is absent from the result.
    """
    found, after = [], 0
    for start, ends in sections:
        at = body.find(start, after)
        at = at if at >= 0 else body.find(start, 0, after)
        if at < 0:
            continue
        stop = len(body)
        for end in ends:  # each only up to the nearest end so far: few bytes are read
            nearer = body.find(end, at + len(start), stop)
            stop = nearer if nearer >= 0 else stop
        found.append(body[max(body.rfind(b"<", 0, at), 0) : stop])
        after = stop
    return found


def parse(sections: Sequence[bytes]) -> Element:
    """The sections as one tree, in order; ValueError where they are absurdly long."""
    joined = b"\n".join(sections)
    if len(joined) > LARGEST_MARKUP:
        raise ValueError(f"its markup is longer than {LARGEST_MARKUP} bytes")
    joined = _without_scripts(joined)
    if _LONG_TAG.search(joined):
        raise ValueError(f"a tag is longer than {LARGEST_TAG} bytes")
    parser = etree.HTMLParser(encoding="utf-8", remove_comments=True, no_network=True)
    root = etree.HTML(b"<html><body>" + joined + b"</body></html>", parser)
    return root if root is not None else etree.HTML("<html><body></body></html>")


def _without_scripts(markup: bytes) -> bytes:
    """The markup without scripts, styles and drawings, in one pass however they are nested."""
    kept, after, endless = [], 0, set[bytes]()
    for opening in _UNREAD.finditer(markup):
        name = opening.group(1).lower()
        if opening.start() < after or name in endless:
            continue
        end = _ENDS[name].search(markup, opening.end())
        if end is None:
            endless.add(name)  # search once: a search at every opening is quadratic
            continue
        kept.append(markup[after : opening.start()])
        after = end.end()
    return b"".join([*kept, markup[after:]])


def text_of(element: Element) -> str:
    """All text below an element, normalised; empty for None."""
    return "" if element is None else clean("".join(element.itertext()))


def first(found: Sequence[Any]) -> Any:
    """The first of what a query found; None where it found nothing."""
    return found[0] if found else None
