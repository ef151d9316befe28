"""Whom a crawl may ask, how often, and where a redirect may lead."""

from __future__ import annotations

import socket

import pytest
from crawl_rig import plan
from scrapy.exceptions import IgnoreRequest
from scrapy.http import Request

from marquee.errors import CrawlInterruptedError, SourceError, retry_helps
from scrapy_imdb.crawl_plan import scrapy_settings
from scrapy_imdb.fetch import SiteGuard

PUBLIC = "https://8.8.8.8"  # an address, so that no name is looked up


def test_a_public_host_needs_a_contact():
    for contact in ("", "me", "@", "x@y"):
        with pytest.raises(SourceError, match="no contact address"):
            plan(PUBLIC, contact=contact)
    assert plan(PUBLIC, contact="me@example.org").user_agent.endswith("(+me@example.org)")


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (socket.EAI_NONAME, SourceError),
        (socket.EAI_AGAIN, CrawlInterruptedError),
        (socket.EAI_FAIL, CrawlInterruptedError),
    ],
)
def test_a_name_server_that_is_away_is_told_from_a_name_that_is_none(monkeypatch, code, kind):
    def look_up(*_: object) -> None:
        raise socket.gaierror(code, "no answer")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with pytest.raises(kind, match="address") as error:
        plan("http://films.example")
    assert retry_helps(error.value) == (kind is CrawlInterruptedError)


def test_a_host_that_is_no_name_is_no_site():
    with pytest.raises(SourceError, match="has no address"):
        plan(f"http://{'x' * 70}.example")


@pytest.mark.parametrize("delay", [None, 0.0, 0.2, 5.0])
def test_a_public_host_is_asked_once_a_second_at_most(delay):
    polite = plan(PUBLIC, contact="https://example.org/me", delay=delay)
    settings = scrapy_settings(polite)
    assert polite.delay == max(delay or 0.0, 1.0) == settings["DOWNLOAD_DELAY"]
    assert polite.concurrency == settings["CONCURRENT_REQUESTS"] == 1
    assert settings["AUTOTHROTTLE_ENABLED"] and not settings["RANDOMIZE_DOWNLOAD_DELAY"]


def test_a_local_host_may_be_asked_faster():
    assert plan("http://127.0.0.1:8001", delay=1.0).delay == 0
    assert plan("http://10.1.2.3").is_local


def test_doors_that_scrapy_leaves_open_are_closed():
    settings = scrapy_settings(plan("http://127.0.0.1:1"))
    assert settings["DOWNLOAD_VERIFY_CERTIFICATES"]
    assert not settings["TELNETCONSOLE_ENABLED"]
    assert {k for k, v in settings["DOWNLOAD_HANDLERS"].items() if v is None} == {
        "data",
        "file",
        "ftp",
        "s3",
    }
    assert settings["DOWNLOAD_MAXSIZE"] <= 16 * 1024 * 1024
    assert settings["REDIRECT_MAX_TIMES"] <= 5


@pytest.mark.parametrize(
    ("url", "may"),
    [
        ("http://site.example/title/tt0000001/", True),
        ("https://site.example/title/tt0000001/", True),
        ("http://site.example:8080/", False),
        ("https://site.example:22/", False),
        ("http://other.example/", False),
        ("http://127.0.0.1/", False),
        ("http://10.0.0.1/", False),
        ("http://site.example.evil.org/", False),
        ("ftp://site.example/", False),
    ],
)
def test_no_request_leaves_the_site(url, may):
    guard = SiteGuard("http://site.example")
    if may:
        guard.process_request(Request(url))
    else:
        with pytest.raises(IgnoreRequest, match="away from the site"):
            guard.process_request(Request(url))


def test_https_is_never_left_for_http():
    with pytest.raises(IgnoreRequest):
        SiteGuard("https://site.example").process_request(Request("http://site.example/"))


TITLE = "http://site.example/title/tt0000002/"


def moved(url: str) -> Request:
    """What a title's page redirected to."""
    return Request(url, meta={"redirect_urls": ["http://site.example/title/tt0000001/"]})


@pytest.mark.parametrize("url", [TITLE, TITLE.rstrip("/"), TITLE + "?ref_=x", "https" + TITLE[4:]])
def test_a_titles_page_may_move_to_another_titles(url):
    SiteGuard("http://site.example").process_request(moved(url))


@pytest.mark.parametrize("path", ["/", "/login?u=/title/tt0000002/", "/name/nm0000002/", "/title/"])
def test_a_titles_page_moves_nowhere_else(path):
    guard = SiteGuard("http://site.example")
    with pytest.raises(IgnoreRequest, match="no page of a title"):
        guard.process_request(moved("http://site.example" + path))
    guard.process_request(Request("http://site.example/"))  # robots.txt may move, say


def test_a_redirect_is_no_way_around_robots_txt():
    with pytest.raises(IgnoreRequest, match=r"tt0000002/, which robots\.txt forbids"):
        SiteGuard("http://site.example", lambda url: url != TITLE).process_request(moved(TITLE))
