"""Which layout a page has, told by marks that no other layout carries.

A page whose marks we do not know is refused with what it looks like: never half-read.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from inspect import getattr_static
from typing import Any

from web_poet import HttpResponse
from web_poet.fields import get_fields_dict

from marquee.contracts import TITLE_ITEM
from scrapy_imdb.items import TitleItem, as_record, with_fields
from scrapy_imdb.pages.html import LARGEST_PAGE
from scrapy_imdb.pages.jsonld import TitleWrapperJsonldPage
from scrapy_imdb.pages.microdata import OverviewTopPage, TitleWrapperPage
from scrapy_imdb.pages.react import NextDataPage, NextDataV2Page, ReactUrqlPage, react_page
from scrapy_imdb.pages.refusal import ChallengePageError, RefusedPageError
from scrapy_imdb.pages.state import STATE_MARK
from scrapy_imdb.pages.title_page import TitlePage
from sources.title_record import settled

LAYOUTS: dict[str, type[TitlePage]] = {
    page.LAYOUT: page
    for page in (
        OverviewTopPage,
        TitleWrapperPage,
        TitleWrapperJsonldPage,
        ReactUrqlPage,
        NextDataPage,
        NextDataV2Page,
    )
}
_CHALLENGE = re.compile(
    rb"awswaf|challenge-container|challenge-platform|datadome|<[^<>]{0,500}captcha"
    rb"|<title>\s*robot check\s*</title>",
    re.I,
)
_OF_A_TITLE = re.compile(
    rb"<(?:link|meta)\b(?=[^<>]{0,400}(?:canonical|og:url|twitter:url|pageId|title:id|pageConst))"
    rb"(?=[^<>]{0,400}\btt\d{7,10}\b)",
    re.I,
)
"""A tag of the head that says which title a page is of, its attributes in any order."""
LARGEST_CHALLENGE = 200_000
"""Bytes; a test for robots is short, a title's page is not."""


def page_for(response: HttpResponse) -> TitlePage:
    """The page object of the response's layout; RefusedPageError where it is none we know."""
    body = bytes(response.body)
    if not body or body.isspace():
        raise RefusedPageError("the page is empty")
    if len(body) > LARGEST_PAGE:
        raise RefusedPageError(f"the page is larger than {LARGEST_PAGE} bytes")
    if b"\0" in body[:4096] and not body.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise RefusedPageError("this is binary data, not a page")
    page = _page(body, response)
    if page is None and is_challenge(body):
        raise ChallengePageError("this is a challenge page, not a title")
    if page is None:
        raise RefusedPageError(_looks_like(body))
    return page


def read_page(response: HttpResponse) -> TitleItem:
    """The item of a page as its contract has it; RefusedPageError says why there is none.

    A bad optional field is left off with a note; a page without an id or a title is refused.
    """
    item = _item(page_for(response))
    record = as_record(item)
    mended = settled(record)
    differences = TITLE_ITEM.differences(mended)
    if differences:
        raise RefusedPageError("the page breaks the contract: " + "; ".join(differences))
    changed = {name: value for name, value in mended.items() if value != record[name]}
    return with_fields(item, changed) if changed else item


def _page(body: bytes, response: HttpResponse) -> TitlePage | None:
    state = body.find(STATE_MARK)  # first: React pages are the longest to look through
    if state >= 0 and (page := react_page(response, state)):
        return page
    if b'id="overview-top"' in body:
        return OverviewTopPage(response)
    if b'class="title_wrapper"' in body:
        has_data = b"application/ld+json" in body
        return (TitleWrapperJsonldPage if has_data else TitleWrapperPage)(response)
    return None


def _looks_like(body: bytes) -> str:
    if b"<" not in body[:65536]:
        return "this is not HTML"
    found = re.search(rb"<title[^<>]*>([^<]{1,200})", body)
    name = found.group(1).decode("utf-8", "replace").strip() if found else ""
    return "no layout of a title page that we know" + (
        f" (it calls itself '{name}')" if name else ""
    )


def is_challenge(body: bytes) -> bool:
    """Whether a page that no layout reads is a test for robots: short, with the marks of one.

    The marks stand in tags and scripts; words that people read are none. A page whose head says
    which title it is of is no such test.
    """
    return (
        len(body) < LARGEST_CHALLENGE
        and _CHALLENGE.search(body) is not None
        and _OF_A_TITLE.search(body) is None
    )


def _item(page: TitlePage) -> TitleItem:
    """What `page.to_item()` answers, a third faster on small pages.

    web-poet wraps every field for validators, processors and coroutines; ours have none of them,
    so their methods are called as they were written. A test holds the two equal.
    """
    return TitleItem(**{name: method(page) for name, method in _methods(type(page))})


@cache
def _methods(page: type[TitlePage]) -> list[tuple[str, Callable[[TitlePage], Any]]]:
    """The fields of a page class with the methods below them."""
    return [(name, getattr_static(page, name).original_method) for name in get_fields_dict(page)]
