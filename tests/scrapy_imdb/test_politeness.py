"""Who may be crawled, how fast, and what a crawl never does."""

from __future__ import annotations

import asyncio
import gzip
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from made_up_titles import made_up
from scrapy.exceptions import IgnoreRequest
from scrapy.http import Request, Response
from web_poet import HttpResponse

from marquee.errors import CrawlInterruptedError, CrawlStoppedError, SourceError, retry_helps
from replica.records import record_of
from replica.site_pages import render
from scrapy_imdb.crawl.fetch import Fetcher, asked_wait
from scrapy_imdb.crawl.plan import CrawlPlan
from scrapy_imdb.crawl.robots import Robots, read_robots
from scrapy_imdb.crawl.scrapy_settings import scrapy_settings
from scrapy_imdb.crawl.site_guard import SiteGuard
from scrapy_imdb.crawl.spider import TitleSpider
from scrapy_imdb.crawl.store import Outcome
from scrapy_imdb.pages import read_page
from scrapy_imdb.pages.values import header_date

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


def robots(text: str | bytes, status: int = 200) -> Robots:
    body = text if isinstance(text, bytes) else text.encode()
    return read_robots(Response("http://site/robots.txt", status=status, body=body))


def test_robots_rules_and_their_delay_are_obeyed():
    rules = robots("User-agent: *\nCrawl-delay: 7\nDisallow: /title/tt1\n")
    assert not rules.allows("http://site/title/tt1234567/", "Marquee/0.1")
    assert rules.allows("http://site/title/tt7654321/", "Marquee/0.1")
    assert rules.delay("Marquee/0.1") == 7
    assert robots("").delay("Marquee/0.1") == 0


RULES = "User-agent: *\nCrawl-delay: 4\nDisallow: /title/tt9\n"
ALLOWED, FORBIDDEN = "http://site/title/tt1234567/", "http://site/title/tt9234567/"
MARK = "\ufeff"


@pytest.mark.parametrize("lines", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        ("", "utf-8"),
        (MARK, "utf-8"),
        (MARK * 2, "utf-8"),
        (MARK, "utf-16-le"),
        (MARK, "utf-16-be"),
        ("", "utf-16-le"),
        ("", "utf-16-be"),
        (MARK, "utf-32-le"),
        (MARK, "utf-32-be"),
        ("", "utf-32-le"),
        ("", "utf-32-be"),
    ],
)
def test_robots_txt_is_read_in_whatever_encoding_it_was_saved(mark, encoding, lines):
    rules = robots((mark + RULES.replace("\n", lines)).encode(encoding))
    assert rules.allows(ALLOWED, "Marquee/0.1") and not rules.allows(FORBIDDEN, "Marquee/0.1")
    assert rules.delay("Marquee/0.1") == 4


def test_a_mark_between_two_files_put_together_hides_no_group():
    rules = robots(f"User-agent: Other\nDisallow: /x\n{MARK}{RULES}")
    assert not rules.allows(FORBIDDEN, "Marquee/0.1")


@pytest.mark.parametrize(
    "body",
    [
        f"\u00ef\u00bb\u00bf{RULES}".encode(),
        f"\u200b{RULES}".encode(),
        b"\0" + RULES.encode(),
        RULES.replace("-agent", "-\u2060agent").encode(),
        f"\u041f\u0440\u0430\u0432\u0438\u043b\u0430\n{RULES}".encode("utf-16-le"),
        f"\u4f60\u597d\n{RULES}".encode("utf-16-be"),
        f"\u4f60\u597d\n{RULES}".encode("utf-32-le"),
        gzip.compress(RULES.encode()),
        gzip.compress(f"{MARK}{RULES}".encode("utf-16")),
    ],
)
def test_marks_that_nobody_sees_and_packing_hide_no_rule(body):
    rules = robots(body)
    assert rules.allows(ALLOWED, "Marquee/0.1") and not rules.allows(FORBIDDEN, "Marquee/0.1")
    assert rules.delay("Marquee/0.1") == 4


CLOSED, OPEN = "Disallow: /title/\n", "Allow: /\n"


@pytest.mark.parametrize(
    ("text", "may"),
    [
        (f"User-agent: *\n{CLOSED}\nUser-agent: films\n{OPEN}", False),
        (f"User-agent: marquee\n{CLOSED}\nUser-agent: films.example\n{OPEN}", False),
        (f"User-agent: bot\nUser-agent: https\nUser-agent: 0\n{CLOSED}", True),
        (f"User-agent: Marq\nUser-agent: m\nUser-agent: MarqueeBot\n{CLOSED}", True),
        (f"User-agent: MARQUEE/2.0 # us\n{CLOSED}\nUser-agent: *\n{OPEN}", False),
        (f"User-agent: x\nuseragent:marquee\n{CLOSED}\nUser-agent: *\n{OPEN}", False),
        (f"User-agent: marquee\n{OPEN}\nUser-agent: *\n{CLOSED}", True),
        (f"User-agent: another\nUser-agent: ours\n{CLOSED}", True),
    ],
)
def test_only_our_product_token_is_our_name_in_robots_txt(text, may):
    contact = "Marquee/0.1 (+https://films.example.org/bot)"
    assert robots(text).allows(ALLOWED, contact) == may


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        " \r\n\t",
        MARK,
        "User-agent: *\nDisallow: /captcha/\nDisallow: /awswaf\n# Robot Check\n",
        "<html><head><title>Robot Check</title></head><body>captcha</body></html>",
        b"\x00\x01\x02\xff" * 9,
    ],
)
def test_robots_txt_that_forbids_no_title_allows_every_one(text):
    rules = robots(text)
    assert rules.allows(ALLOWED, "Marquee/0.1") and rules.allows(FORBIDDEN, "Marquee/0.1")
    assert rules.delay("Marquee/0.1") == 0


def test_a_long_robots_txt_is_obeyed_to_its_end():
    filler = "".join(f"Disallow: /archive/{number}/\n" for number in range(40_000))
    assert len(filler) > 500 * 1024
    assert not robots(f"User-agent: *\n{filler}Disallow: /title/\n").allows(ALLOWED, "Marquee/0.1")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 410, 451])
def test_robots_txt_that_is_not_there_forbids_nothing(status):
    assert robots("User-agent: *\nDisallow: /\n", status).allows(ALLOWED, "Marquee/0.1")


@pytest.mark.parametrize("status", [302, 500, 503])
def test_robots_txt_that_cannot_be_had_forbids_all_until_it_can(status):
    with pytest.raises(CrawlInterruptedError, match=f"HTTP {status}"):
        robots("", status)


def test_the_slower_of_delay_and_rate_is_kept_unless_it_holds_at_some_hours_only():
    assert robots("User-agent: *\nRequest-rate: 1/9s\nCrawl-delay: 2\n").delay("M") == 9
    assert robots("User-agent: *\nRequest-rate: 10/5s\nCrawl-delay: 2\n").delay("M") == 2
    assert robots("User-agent: *\nRequest-rate: 1/20m 0100-0200\n").delay("M") == 0


@pytest.mark.parametrize("asked", ["nan", "inf", "-7", "soon", ""])
def test_a_delay_that_is_no_time_is_none(asked):
    assert robots(f"User-agent: *\nCrawl-delay: {asked}\n").delay("Marquee/0.1") == 0


def test_a_site_that_wants_no_crawl_is_not_crawled():
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


NO_DATES = [
    "Wed, 21 Oct 99999 07:28:00 GMT",
    "Wed, 21 Oct 0000 07:28:00 GMT",
    "Mon, 01 Jan 0001 00:00:00 +1400",
    "Fri, 31 Dec 9999 23:59:59 -1400",
    "Wed, 21 Oct -015 07:28:00 GMT",
    "Wed, 99 Oct 2035 07:28:00 GMT",
    "Wed, 21 Oct 2035 25:61:61 GMT",
    "Wed, 21 Oct 2035 07:28:00 +9999",
    "-120",
    "1e9",
    ",",
    "",
]


@pytest.mark.parametrize("text", NO_DATES)
def test_a_header_date_out_of_range_is_no_date(text):
    assert header_date(text) is None
    assert asked_wait(answer(**{"Retry-After": text})) == 0
    headers = {"Date": text, "Last-Modified": text}
    page = render(record_of(made_up(3)), "next_data_v2")
    assert read_page(HttpResponse("http://site/", body=page, headers=headers)).fetched_at is None


def test_a_crawl_delay_reaches_the_downloader_also_where_its_slot_is_made_anew():
    slot = SimpleNamespace(delay=0.0)
    downloader = SimpleNamespace(slots={"127.0.0.1": slot}, per_slot_settings={})
    spider = TitleSpider(plan("http://127.0.0.1:1"), SimpleNamespace(reference=dict), [])
    spider.crawler = SimpleNamespace(
        engine=SimpleNamespace(downloader=downloader), get_extension=lambda kind: None
    )
    spider._slow_down(3.0)
    assert slot.delay == downloader.per_slot_settings["127.0.0.1"]["delay"] == 3.0
    spider._slow_down(1.0)
    assert slot.delay == 3.0


def spider_of(answers: list[Response], **more: Any) -> TitleSpider:
    """A spider whose site gives these answers, the last one over and over; it never pauses."""
    count = SimpleNamespace(reference=dict, count_request=lambda run: None)
    spider = TitleSpider(plan("http://127.0.0.1:1"), count, [], **more)

    async def download(_: Request) -> Response:
        return answers.pop(0) if len(answers) > 1 else answers[0]

    engine = SimpleNamespace(download_async=download)
    spider.crawler = SimpleNamespace(engine=engine)
    return spider


def visited(*answers: Response) -> Outcome:
    return asyncio.run(spider_of(list(answers)).visit(made_up(3)["title_id"]))


@pytest.fixture
def unhurried(monkeypatch):
    """Waits between tries take no time."""

    async def no_time(self: Fetcher, seconds: float) -> None: ...

    monkeypatch.setattr(Fetcher, "rest", no_time)


def page_of(number: int, status: int = 200) -> Response:
    body = render(record_of(made_up(number)), "next_data_v2")
    return Response("http://127.0.0.1:1/", status=status, body=body)


@pytest.mark.parametrize("status", [500, 501, 505, 511, 525, 526, 527, 530, 598])
def test_every_5xx_is_tried_again_and_away(unhurried, status):
    failing = Response("http://127.0.0.1:1/", status=status)
    assert visited(failing, failing, page_of(3)).kind == "title"
    outcome = visited(failing)
    assert (outcome.kind, outcome.is_away) == ("failed", True)
    assert outcome.reason == f"HTTP {status} (4 tries)"


@pytest.mark.parametrize(("status", "is_away"), [(302, True), (206, True), (400, False)])
def test_an_odd_answer_is_final_only_where_it_says_that_we_are_wrong(status, is_away):
    outcome = visited(Response("http://127.0.0.1:1/", status=status, body=b"x"))
    assert (outcome.kind, outcome.is_away) == ("failed", is_away)


@pytest.mark.parametrize("status", [201, 202, 203])
def test_a_whole_page_is_read_whatever_2xx_it_comes_with(status):
    assert visited(page_of(3, status)).kind == "title"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"<html>Please wait</html>", "202 without a page"),
        (b"<html><script src='//x/captcha.js'></script></html>", "challenge for robots"),
    ],
)
def test_202_with_what_is_no_page_stops_the_crawl(body, says):
    with pytest.raises(CrawlStoppedError, match=says):
        visited(Response("http://127.0.0.1:1/", status=202, body=body))


@pytest.mark.parametrize("headers", [{}, {"Retry-After": "110"}])
def test_a_signal_ends_a_wait_and_a_slow_page_at_once(headers):
    """The first try is answered 503, or never: nothing here waits for a clock."""

    async def crawl() -> TitleSpider:
        spider = spider_of([])
        spider.waiting.extend(["tt0000001"])
        asked = asyncio.Event()

        async def download(request: Request) -> Response:
            if request.url.endswith("robots.txt"):
                return Response(request.url, status=404)
            asked.set()
            if not headers:
                await asyncio.Event().wait()
            return Response(request.url, status=503, headers=headers)

        spider.crawler.engine.download_async = download
        work = asyncio.create_task(all_of(spider.start()))
        await asked.wait()
        await asyncio.sleep(0)
        spider._interrupt()
        await asyncio.wait_for(work, 20)
        return spider

    spider = asyncio.run(crawl())
    assert isinstance(spider.error, CrawlInterruptedError)
    assert "by a signal" in str(spider.error)


async def all_of(found: AsyncIterator[Any]) -> None:
    async for _ in found:
        pass


def test_where_a_crawl_stops_nobody_waits_for_a_next_try():
    spider = spider_of([Response("http://127.0.0.1:1/", status=503)])
    spider.end(CrawlStoppedError("shut out", "look"))
    with pytest.raises(CrawlInterruptedError, match="while it waited"):
        asyncio.run(spider.visit("tt0000001"))
