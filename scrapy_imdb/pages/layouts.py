"""Choose the layout of a page, and read the page (`read_page`).

Each layout has a mark in its bytes that no other layout has. A page without such a mark is refused.
The spider, `parse` and the benchmarks read pages through this module.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from inspect import getattr_static
from typing import Any

from web_poet import HttpResponse
from web_poet.fields import get_fields_dict

from marquee.dataset_contracts import TITLE_ITEM
from scrapy_imdb.items import TitleItem, as_record, with_fields
from scrapy_imdb.pages.html_sections import LARGEST_PAGE
from scrapy_imdb.pages.markup_layouts import (
    OverviewTopPage,
    TitleWrapperJsonldPage,
    TitleWrapperPage,
)
from scrapy_imdb.pages.next_data import STATE_MARK
from scrapy_imdb.pages.react_layouts import NextDataPage, NextDataV2Page, ReactUrqlPage, react_page
from scrapy_imdb.pages.title_page import ChallengePageError, RefusedPageError, TitlePage
from sources.title_record import to_contract

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
"""A `link` or `meta` tag with the page's title id, attributes in any order."""
LARGEST_CHALLENGE = 200_000
"""Bytes; a larger page is no challenge."""


def page_for(response: HttpResponse) -> TitlePage:
    """The page object of the response's layout; RefusedPageError for an unknown layout."""
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
    """The item of a page; RefusedPageError for an unknown layout, or without an id or a title.

    An optional field that breaks the contract `title_item` becomes null with a note.
    """
    item = _item(page_for(response))
    record = as_record(item)
    corrected = to_contract(record)
    differences = TITLE_ITEM.differences(corrected)
    if differences:
        raise RefusedPageError("the page breaks the contract: " + "; ".join(differences))
    changed = {name: value for name, value in corrected.items() if value != record[name]}
    return with_fields(item, changed) if changed else item


def _page(body: bytes, response: HttpResponse) -> TitlePage | None:
    state = body.find(STATE_MARK)  # first, because the other marks take longer to find
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
    """Whether a page without a known layout is a challenge for robots.

    A challenge is short, has the marks of one in tags or scripts, and no tag with a title id.
    """
    return (
        len(body) < LARGEST_CHALLENGE
        and _CHALLENGE.search(body) is not None
        and _OF_A_TITLE.search(body) is None
    )


def _item(page: TitlePage) -> TitleItem:
    """The item of `page.to_item()`, a third faster on small pages.

    web-poet wraps every field method for validators, processors and coroutines. Our fields use
    none of these, so the unwrapped methods are called. A test compares both items.
    """
    return TitleItem(**{name: method(page) for name, method in _methods(type(page))})


@cache
def _methods(page: type[TitlePage]) -> list[tuple[str, Callable[[TitlePage], Any]]]:
    """The fields of a page class with their unwrapped methods."""
    return [(name, getattr_static(page, name).original_method) for name in get_fields_dict(page)]
