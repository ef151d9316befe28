"""Decode a page, cut out the sections that hold facts, and parse them.

A saved page has up to two megabytes, most of it script. Parsing only the sections with facts is
several times faster than parsing the whole document.
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
"""Compiles an XPath query, which is called with an element."""

Section = tuple[bytes, tuple[bytes, ...]]
"""Bytes in a section's first tag, and bytes that mark its end, the likeliest first."""

LARGEST_PAGE = 16 * 1024 * 1024
"""Bytes: eight times the largest known title page."""
LARGEST_MARKUP = 1024 * 1024
"""Bytes of all sections: eighteen times the largest known (57 kB)."""
LARGEST_TAG = 8 * 1024
"""Bytes between `<` and `>`: six times the longest known tag. libxml2 takes time quadratic in a
tag's attributes. With both bounds the slowest page takes less than a second."""

_UNREAD = re.compile(rb"<(script|style|svg)\b", re.IGNORECASE)
_ENDS = {
    name: re.compile(rb"</" + name + rb"\s*>", re.IGNORECASE)
    for name in (b"script", b"style", b"svg")
}
_LONG_TAG = re.compile(rb"<[^<>]{%d}" % LARGEST_TAG)


def utf8_body(response: HttpResponse) -> bytes:
    """The page as UTF-8; a body of valid UTF-8 is used as it is, whatever the page declares."""
    body = bytes(response.body)
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return transcoded(response)
    return body


def transcoded(response: HttpResponse) -> bytes:
    """The page as UTF-8; headers, meta tags or bytes show the page's encoding."""
    return response.text.encode("utf-8", "replace")


def cut(body: bytes, sections: Iterable[Section]) -> list[bytes]:
    """The bytes of each section, from the tag with its start to the nearest of its ends.

    Sections usually follow each other in the given order: the search for each starts after the one
    before. A section that the page lacks is left out.
    """
    found, after = [], 0
    for start, ends in sections:
        at = body.find(start, after)
        at = at if at >= 0 else body.find(start, 0, after)
        if at < 0:
            continue
        stop = len(body)
        for end in ends:  # only up to the nearest end so far, for speed
            nearer = body.find(end, at + len(start), stop)
            stop = nearer if nearer >= 0 else stop
        found.append(body[max(body.rfind(b"<", 0, at), 0) : stop])
        after = stop
    return found


def parse(sections: Sequence[bytes]) -> Element:
    """The sections as one tree; ValueError above `LARGEST_MARKUP` or `LARGEST_TAG`."""
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
    """The markup without `script`, `style` and `svg` elements, in one pass."""
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
    """The text below an element with single spaces; "" for None."""
    return "" if element is None else clean("".join(element.itertext()))


def first(found: Sequence[Any]) -> Any:
    """The first result of a query, or None."""
    return found[0] if found else None
