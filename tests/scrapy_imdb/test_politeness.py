"""Who may be crawled, how fast, and what a crawl never does."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from scrapy.exceptions import IgnoreRequest
from scrapy.http import Request, Response

from marquee.errors import CrawlStoppedError, SourceError
from scrapy_imdb.crawl.fetch import asked_wait
from scrapy_imdb.crawl.plan import CrawlPlan
from scrapy_imdb.crawl.robots import Robots, read_robots
from scrapy_imdb.crawl.scrapy_settings import scrapy_settings
from scrapy_imdb.crawl.site_guard import SiteGuard

PUBLIC = "https://8.8.8.8"  # an address, so that no name is looked up


def plan(site: str, **more) -> CrawlPlan:
    places = {name: Path("/nowhere") for name in ("links", "state", "out")}
    moment = datetime(2026, 1, 4, tzinfo=UTC)
    return CrawlPlan.checked(site=site, max_pages=5, as_of=moment, **places, **more)


def test_a_public_host_needs_a_contact():
    for contact in ("", "me", "@", "x@y"):
        with pytest.raises(SourceError, match="no contact address"):
            plan(PUBLIC, contact=contact)
    assert plan(PUBLIC, contact="me@example.org").user_agent.endswith("(+me@example.org)")


@pytest.mark.parametrize("delay", [None, 0.0, 0.2, 5.0])
def test_a_public_host_is_asked_once_a_second_at_most(delay):
    polite = plan(PUBLIC, contact="https://example.org/me", delay=delay)
    settings = scrapy_settings(polite)
    assert polite.delay == max(delay or 0.0, 1.0) == settings["DOWNLOAD_DELAY"]
    assert polite.lanes == settings["CONCURRENT_REQUESTS"] == 1
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


def robots(text: str, status: int = 200) -> Robots:
    return read_robots(Response("http://site/robots.txt", status=status, body=text.encode()))


def test_robots_rules_and_their_delay_are_obeyed():
    rules = robots("User-agent: *\nCrawl-delay: 7\nDisallow: /title/tt1\n")
    assert not rules.allows("http://site/title/tt1234567/", "Marquee/0.1")
    assert rules.allows("http://site/title/tt7654321/", "Marquee/0.1")
    assert rules.delay("Marquee/0.1") == 7
    assert robots("").delay("Marquee/0.1") == 0


def test_robots_that_are_not_there_forbid_nothing_and_broken_ones_all():
    assert robots("", 404).allows("http://site/title/tt1234567/", "Marquee/0.1")
    with pytest.raises(CrawlStoppedError, match="HTTP 503"):
        robots("", 503)
    with pytest.raises(CrawlStoppedError, match="3600 seconds between"):
        robots("User-agent: *\nCrawl-delay: 3600\n").delay("Marquee/0.1")


def answer(**headers: str) -> Response:
    return Response("http://site/", status=429, headers=headers)


def test_retry_after_is_honoured_in_both_spellings():
    assert asked_wait(answer(**{"Retry-After": "7"})) == 7
    assert asked_wait(answer()) == asked_wait(answer(**{"Retry-After": "soon"})) == 0
    past = "Wed, 21 Oct 2015 07:28:00 GMT"
    assert asked_wait(answer(**{"Retry-After": past})) == 0
    for long in ("9999", "Wed, 21 Oct 2065 07:28:00 GMT"):
        with pytest.raises(CrawlStoppedError, match="stay away"):
            asked_wait(answer(**{"Retry-After": long}))
