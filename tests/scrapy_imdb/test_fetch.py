"""What a response means: wait, try again, read it, or stop; a crawl that ends waits for none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
from crawl_rig import plan
from made_up_titles import made_up
from scrapy.http import Request, Response
from web_poet import HttpResponse

from marquee.errors import CrawlInterruptedError, CrawlStoppedError
from replica.site_pages import render
from replica.site_titles import record_from_json
from scrapy_imdb.crawl_state import Outcome
from scrapy_imdb.fetch import Fetcher, retry_after
from scrapy_imdb.pages import read_page
from scrapy_imdb.pages.title_page import header_date
from scrapy_imdb.spider import TitleSpider


def answer(**headers: str) -> Response:
    return Response("http://site/", status=429, headers=headers)


def test_retry_after_is_honoured_in_both_spellings():
    assert retry_after(answer(**{"Retry-After": "7"})) == 7
    assert retry_after(answer()) == retry_after(answer(**{"Retry-After": "soon"})) == 0
    past = "Wed, 21 Oct 2015 07:28:00 GMT"
    assert retry_after(answer(**{"Retry-After": past})) == 0
    for long in ("9999", "Wed, 21 Oct 2065 07:28:00 GMT"):
        with pytest.raises(CrawlStoppedError, match="stay away"):
            retry_after(answer(**{"Retry-After": long}))


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
    assert retry_after(answer(**{"Retry-After": text})) == 0
    headers = {"Date": text, "Last-Modified": text}
    page = render(record_from_json(made_up(3)), "next_data_v2")
    assert read_page(HttpResponse("http://site/", body=page, headers=headers)).fetched_at is None


def test_a_crawl_delay_reaches_the_downloader_also_where_its_slot_is_made_anew():
    slot = SimpleNamespace(delay=0.0)
    downloader = SimpleNamespace(slots={"127.0.0.1": slot}, per_slot_settings={})
    spider = TitleSpider(plan("http://127.0.0.1:1"), SimpleNamespace(reference_coverage=dict), [])
    spider.crawler = SimpleNamespace(
        engine=SimpleNamespace(downloader=downloader), get_extension=lambda kind: None
    )
    spider._slow_down(3.0)
    assert slot.delay == downloader.per_slot_settings["127.0.0.1"]["delay"] == 3.0
    spider._slow_down(1.0)
    assert slot.delay == 3.0


def spider_of(answers: list[Response], **more: Any) -> TitleSpider:
    """A spider whose site gives these answers, the last one over and over; it never pauses."""
    count = SimpleNamespace(reference_coverage=dict, count_request=lambda run: None)
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

    monkeypatch.setattr(Fetcher, "wait_or_end", no_time)


def page_of(number: int, status: int = 200) -> Response:
    body = render(record_from_json(made_up(number)), "next_data_v2")
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
        requested = asyncio.Event()

        async def download(request: Request) -> Response:
            if request.url.endswith("robots.txt"):
                return Response(request.url, status=404)
            requested.set()
            if not headers:
                await asyncio.Event().wait()
            return Response(request.url, status=503, headers=headers)

        spider.crawler.engine.download_async = download
        work = asyncio.create_task(all_of(spider.start()))
        await requested.wait()
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
