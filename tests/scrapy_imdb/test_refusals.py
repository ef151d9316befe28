"""Pages that are not read: each says why, none is half-read, none crashes."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_up_titles import made_up
from web_poet import HttpResponse

from replica.site_pages import LAYOUTS, redesigned, render
from replica.site_titles import record_from_json
from scrapy_imdb.items import TitleItem
from scrapy_imdb.pages import ChallengePageError, RefusedPageError, read_page
from scrapy_imdb.pages.html_sections import LARGEST_PAGE, LARGEST_TAG

PAGES = {layout: render(record_from_json(made_up(4)), layout) for layout in LAYOUTS}


SECONDS_TO_HANG = 30


def attempt(body: bytes, **headers: str) -> TitleItem | str:
    """The item, or the reason there is none."""
    try:
        return read_page(HttpResponse("http://site/x/", body=body, headers=headers))
    except RefusedPageError as error:
        return error.message


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "empty"),
        (b"  \n\t ", "empty"),
        (b"\x00\x01\x02" * 100, "binary"),
        (b"just words", "not HTML"),
        (b"<html><head><title>Find - IMDb</title></head></html>", "'Find - IMDb'"),
        (b"<html><div id='challenge-container'></div></html>", "challenge"),
        (b" " + b"x" * LARGEST_PAGE, "larger"),
        (redesigned(record_from_json(made_up(1))), "no layout"),
    ],
)
def test_what_is_no_title_page_is_refused(body, reason):
    assert reason in str(attempt(body))


SCRIPT = "<script src='https://x/recaptcha/api.js'></script><form class='g-recaptcha'></form>"
HEAD = "<link rel='canonical' href='https://site/title/tt1000001/'>"


@pytest.mark.parametrize(
    ("page", "is_test"),
    [
        (f"<html><body>{SCRIPT}</body></html>", True),
        ("<html><form action='/errors/validateCaptcha'></form></html>", True),
        ("<html><title> Robot check </title></html>", True),
        ("<html><script src='https://a.awswaf.com/challenge.js'></script></html>", True),
        ("<html><script src='/cdn-cgi/challenge-platform/h/b'></script></html>", True),
        (f"<html><head>{HEAD}</head>{SCRIPT}</html>", False),
        (f"<html><meta property='og:url' content='/title/tt1000001/'>{SCRIPT}</html>", False),
        (f"<html><meta content='tt1000001' property='imdb:pageConst'>{SCRIPT}</html>", False),
        (f"<html><link href='/title/tt1000001/' rel='canonical'/>{SCRIPT}</html>", False),
        (f"<html><link href='/title/tt1000001/' rel='next'><meta name='pageId'>{SCRIPT}", True),
        ("<html><title>Captcha (2011)</title><h1>Captcha</h1><p>A robot check.</p></html>", False),
        ("<html><title>Robot Check: The Movie</title></html>", False),
        (f"<html>{' ' * 300_000}{SCRIPT}</html>", False),
    ],
)
def test_a_challenge_is_told_by_what_a_page_is_and_not_by_its_words(page, is_test):
    with pytest.raises(RefusedPageError) as refusal:
        read_page(HttpResponse("http://site/x/", body=page.encode()))
    assert isinstance(refusal.value, ChallengePageError) == is_test


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_page_that_can_be_read_is_a_page_whatever_words_it_holds(layout):
    words = {"title": "Captcha", "plot": "A robot check: captcha, awswaf.", "keywords": ["captcha"]}
    page = render(record_from_json({**made_up(4), **words}), layout)
    page = page.replace(b"</head>", f"{SCRIPT}</head>".encode())
    item = attempt(page)
    assert isinstance(item, TitleItem)
    assert {name: getattr(item, name) for name in words} == words


@pytest.mark.parametrize("layout", [name for name in LAYOUTS if "react" in name or "next" in name])
def test_a_cut_state_is_refused(layout):
    page = PAGES[layout]
    middle = page.index(b"__NEXT_DATA__") + 900
    assert isinstance(attempt(page[:middle]), str)


def test_a_page_that_lies_about_its_encoding_is_read_as_what_it_is():
    for page in PAGES.values():
        lied = attempt(page, **{"Content-Type": "text/html; charset=iso-8859-1"})
        assert isinstance(lied, TitleItem)
        assert lied.directors[0].name == "Ada Müller 4"


def test_a_page_in_another_encoding_is_read():
    page = PAGES["title_wrapper_microdata"].decode().replace("₹", "INR ")
    page = page.replace("utf-8", "windows-1252")
    item = attempt(page.encode("cp1252"))
    assert isinstance(item, TitleItem) and item.directors[0].name == "Ada Müller 4"


def test_another_titles_answer_in_the_cache_is_not_taken():
    """In January 2022 the cache also held the title the reader came from."""
    state, other = (react_state(render(record_from_json(made_up(n)), "react_urql")) for n in (4, 9))
    cache = other["props"]["pageProps"]["urqlState"]
    state["props"]["pageProps"]["urqlState"] |= {f"0{key}": cache[key] for key in cache}
    script = f'<script id="__NEXT_DATA__" type="application/json">{json.dumps(state)}</script>'
    item = attempt(f"<html>{script}</html>".encode())
    assert isinstance(item, TitleItem)
    assert (item.title_id, item.year) == (made_up(4)["title_id"], made_up(4)["year"])


def test_the_only_title_in_the_cache_is_what_the_one_asked_for_became():
    page = render(record_from_json(made_up(4)), "react_urql")
    old, new = made_up(9)["title_id"].encode(), made_up(4)["title_id"].encode()
    page = page.replace(b'"tconst": "' + new, b'"tconst": "' + old)
    item = attempt(page)
    assert isinstance(item, TitleItem) and item.title_id == made_up(4)["title_id"]


def react_state(page: bytes) -> Any:
    found = re.search(rb'id="__NEXT_DATA__" type="application/json">(.*?)</script>', page)
    assert found
    return json.loads(found.group(1))


def test_a_rating_out_of_range_is_refused_by_the_contract():
    page = PAGES["next_data_v2"].replace(b'"aggregateRating": ', b'"aggregateRating": 7')
    assert "rating" in str(attempt(page))


def test_a_budget_nobody_can_read_is_a_note_and_not_a_zero():
    page = PAGES["title_wrapper_jsonld"]
    page = re.sub(rb"(Budget:</h4>)[^<]*", rb"\1 a lot of money", page)
    item = attempt(page)
    assert isinstance(item, TitleItem) and item.budget is None
    assert item.notes == ["budget: names no currency (a lot of money)"]


ATTACKS = {
    "deep nesting": b"<div>" * 180_000,
    "deeper nesting": b"<div>" * 3_000_000,
    "a million attributes": b"<b " + b" ".join(b"a%d=1" % i for i in range(1_000_000)) + b">",
    "many tags of many attributes": (b"<b " + b" ".join(b"a%d" % i for i in range(1_400)) + b">")
    * 120,
    "one long tag": b"<b " + b"a" * (LARGEST_TAG + 10) + b">",
    "scripts that never end": b"<script " * 110_000,
    "styles inside scripts": b"<script></style>" * 55_000,
    "labels": b"<h4>Budget:</h4>" * 55_000,
    "more markup than any page": b"<b>x</b>" * 1_500_000,
}
MARKUP_MARKS = {
    "overview_top": b'<td id="overview-top">',
    "title_wrapper_microdata": b'class="title_wrapper">',
    "title_wrapper_jsonld": b'class="title_wrapper">',
}


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("layout", MARKUP_MARKS)
def test_markup_made_to_hang_parsers_does_not(layout, attack):
    page, mark = PAGES[layout], MARKUP_MARKS[layout]
    assert mark in page
    assert_ends(page.replace(mark, mark + ATTACKS[attack]))


@pytest.mark.parametrize(
    "state",
    [
        b"[" * 3_000_000 + b"]" * 3_000_000,
        b'{"a":' * 200_000 + b"1" + b"}" * 200_000,
        b"[" + b"{}," * 2_000_000 + b"1]",
    ],
    ids=["deep lists", "deep objects", "many objects"],
)
def test_a_state_made_to_hang_parsers_does_not(state):
    page, mark = PAGES["next_data_v2"], b'"titleText"'
    assert mark in page
    assert_ends(page.replace(mark, b'"x": ' + state + b", " + mark))


def assert_ends(page: bytes) -> None:
    """Read or refused, far from hanging: a second of this core's time is usual.

    The bound stands between that and the minutes of quadratic growth.
    """
    started = time.process_time()
    assert attempt(page)
    assert time.process_time() - started < SECONDS_TO_HANG


def mutated(page: bytes, cuts: list[tuple[int, int, bytes]]) -> bytes:
    """The page with pieces replaced: (where, how many bytes, by what)."""
    for where, length, piece in cuts:
        start = where % (len(page) + 1)
        page = page[:start] + piece + page[start + length :]
    return page


pieces = st.sampled_from(
    [
        b"",
        b"<",
        b">",
        b'"',
        b"</div>",
        b"null",
        b"{}",
        b"[]",
        b"\xff",
        b"&amp;",
        b"0",
        b"-1",
        b"]]>",
    ]
)
cuts = st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 400), pieces), max_size=8)


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(LAYOUTS), cuts)
def test_a_damaged_page_is_read_or_refused(layout, cuts):
    found = attempt(mutated(PAGES[layout], cuts))
    assert isinstance(found, TitleItem) or found


@settings(max_examples=100)
@given(
    st.sampled_from(
        [
            "titleText",
            "releaseYear",
            "genres",
            "ratingsSummary",
            "productionBudget",
            "principalCreditsV2",
            "keywords",
            "runtime",
            "plot",
            "meta",
            "castV2",
        ]
    ),
    st.sampled_from(["null", "7", '"x"', "[]", "[[]]", '{"text": 5}', "true", "[null]"]),
)
def test_a_state_with_values_of_other_kinds_is_read_or_refused(key, value):
    page = PAGES["next_data_v2"].replace(f'"{key}": '.encode(), f'"{key}": {value}, "_": '.encode())
    found = attempt(page)
    assert isinstance(found, TitleItem) or found
