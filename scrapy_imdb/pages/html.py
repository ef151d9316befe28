"""Bytes to markup: encodings, cutting out the sections that matter, and text of elements.

A saved page is up to two megabytes, most of it script. Parsing only the sections that hold
facts is what makes a page object several times faster than a whole-document selector.
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
LARGEST_TAG = 64 * 1024
"""Bytes between `<` and `>`; more is not a page of IMDb's but an attack on parsers."""

_SCRIPTS = re.compile(rb"<(script|style|svg)\b.*?</\1\s*>", re.DOTALL | re.IGNORECASE)
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
    """A page that is not UTF-8, as UTF-8: by its headers, its meta tags, or its looks."""
    return response.text.encode("utf-8", "replace")


def cut(body: bytes, sections: Iterable[Section]) -> list[bytes]:
    """Each section from the tag that holds its start to the first of its ends after it.

    Sections usually come in the order asked for, so each is looked for after the one before;
    one that is nowhere is left out.
    """
    found, after = [], 0
    for start, ends in sections:
        at = body.find(start, after)
        at = at if at >= 0 else body.find(start, 0, after)
        if at < 0:
            continue
        stop = len(body)
        for end in ends:  # each only up to the nearest end so far: few bytes are looked at
            nearer = body.find(end, at + len(start), stop)
            stop = nearer if nearer >= 0 else stop
        found.append(body[max(body.rfind(b"<", 0, at), 0) : stop])
        after = stop
    return found


def parse(sections: Sequence[bytes]) -> Element:
    """The sections as one tree, in order; ValueError where a tag is absurdly long."""
    joined = _SCRIPTS.sub(b"", b"\n".join(sections))
    if _LONG_TAG.search(joined):
        raise ValueError(f"a tag is longer than {LARGEST_TAG} bytes")
    parser = etree.HTMLParser(encoding="utf-8", remove_comments=True, no_network=True)
    root = etree.HTML(b"<html><body>" + joined + b"</body></html>", parser)
    return root if root is not None else etree.HTML("<html><body></body></html>")


def text_of(element: Element) -> str:
    """All text below an element, normalised; empty for None."""
    return "" if element is None else clean("".join(element.itertext()))


def first(found: Sequence[Any]) -> Any:
    return found[0] if found else None
