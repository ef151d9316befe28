"""The spider: visits titles one after another and records the outcome of each.

`crawl_run` starts it. Page objects read the pages, and `CrawlState` stores each outcome at once.
"""

from __future__ import annotations

import asyncio
import base64
import signal
import sqlite3
from collections import Counter, deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

import orjson
from scrapy import Spider
from scrapy.extensions.throttle import AutoThrottle
from scrapy.http import Response
from web_poet import HttpResponse, HttpResponseHeaders

from marquee.clock import iso, now
from marquee.errors import CrawlInterruptedError, CrawlStoppedError
from marquee.normalise.text import encodable
from marquee.progress import report_progress
from scrapy_imdb.crawl_plan import CrawlPlan
from scrapy_imdb.crawl_state import OUTCOME_KINDS, CrawlState, Outcome
from scrapy_imdb.fetch import Fetcher, Robots, UnreachableError, no_check, read_robots
from scrapy_imdb.items import PARSER_VERSION, TitleItem, as_record
from scrapy_imdb.pages import ChallengePageError, RefusedPageError, read_page
from scrapy_imdb.tripwire import ACCEPTED_WITHOUT_PAGE, Tripwire, challenge_cause

FORBIDDEN = "robots.txt forbids it"
ADVICE = "look at the site yourself before going on"
PAGES = (200, 201, 202, 203)
"""Statuses of a response that may hold a page. A 202 may also be a challenge for robots."""
LARGEST_KEPT = 2 * 1024 * 1024
"""Most bytes of a refused page that are stored with its reason."""


class TitleSpider(Spider):
    """Visits titles in the given order, a few at a time."""

    name = "titles"

    def __init__(
        self, plan: CrawlPlan, state: CrawlState, wanted: Sequence[str], **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.plan, self.crawl_state = plan, state
        self.waiting = deque(wanted)
        self.total = len(wanted)
        self.tripwire = Tripwire(state.reference_coverage())
        self.robots = Robots(None)
        self.error: BaseException | None = None
        """The error that ended the crawl early, else None."""
        self.ending = asyncio.Event()
        self._work: asyncio.Task[None] | None = None
        self._outcomes: Counter[str] = Counter()

    async def start(self) -> AsyncIterator[Any]:
        """Run the crawl. Scrapy expects a generator; this one yields no items."""
        loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, self._interrupt)
        self._work = asyncio.create_task(self._crawl())
        try:
            await self._work
        except BaseException as error:
            self.end(error)
        return
        yield

    async def _crawl(self) -> None:
        await self._read_robots()
        await asyncio.gather(*(self._visit_titles() for _ in range(self.plan.concurrency)))

    def end(self, error: BaseException) -> None:
        """End the crawl: no more requests and waits. The first error is the one reported."""
        self.error = self.error or error
        self.ending.set()

    async def visit(self, title_id: str) -> Outcome:
        """Fetch and read one title; CrawlStoppedError where the tripwire finds a cause."""
        url = self.plan.url(title_id)
        if not self.allows(url):
            return _refusal(title_id, url, FORBIDDEN, b"")
        try:
            response = await self.fetcher.fetch(url)
            if response.status in (404, 410):
                self.tripwire.missing()
                return Outcome(title_id, "missing", f"HTTP {response.status}")
            if response.status not in PAGES:
                refuses_us = 400 <= response.status < 500
                why = f"HTTP {response.status}"
                return Outcome(title_id, "failed", why, is_away=not refuses_us)
            return self._read(title_id, response)
        except UnreachableError as error:
            return Outcome(title_id, "failed", str(error), is_away=True)
        except RefusedPageError as error:
            return _refusal(title_id, url, error.message, b"")

    def allows(self, url: str) -> bool:
        """Whether robots.txt allows the URL."""
        return self.robots.allows(url, self.plan.user_agent)

    @property
    def fetcher(self) -> Fetcher:
        """Downloads through Scrapy's engine; the tripwire checks every response."""
        engine = self.crawler.engine
        assert engine is not None
        return Fetcher(
            download=engine.download_async,
            check=self.tripwire.response,
            count=lambda: self.crawl_state.count_request(self.plan.run),
            pause=0.1 if self.plan.is_local else 2.0,
            ending=self.ending,
        )

    async def _visit_titles(self) -> None:
        """Visit waiting titles; `CrawlPlan.concurrency` of these loops run together."""
        while self.waiting and self.error is None:
            title_id = self.waiting.popleft()
            try:
                outcome = await self._visit_or_postpone(title_id)
                self.crawl_state.record(self.plan.run, outcome, PARSER_VERSION)
                self._report_progress(outcome)
                self._report_to_tripwire(outcome)
            except BaseException as error:
                self.end(error)
                return

    async def _visit_or_postpone(self, title_id: str) -> Outcome:
        """Visit a title; where the crawl stops at it, the next crawl requests it last.

        Otherwise one odd page could stop every crawl at its start.
        """
        try:
            return await self.visit(title_id)
        except (CrawlInterruptedError, sqlite3.Error):
            raise  # the title is not the cause
        except Exception:
            self.crawl_state.postpone(title_id)
            raise

    def _read(self, title_id: str, response: Response) -> Outcome:
        page = HttpResponse(
            response.url,
            body=response.body,
            status=response.status,
            headers=HttpResponseHeaders.from_bytes_dict(response.headers),
        )
        try:
            item = _under_requested_id(title_id, replace(read_page(page), fetched_at=iso(now())))
            line = orjson.dumps(as_record(item))
        except ChallengePageError:
            raise CrawlStoppedError(challenge_cause(response.status), ADVICE) from None
        except RefusedPageError as error:
            if response.status == 202:
                raise CrawlStoppedError(ACCEPTED_WITHOUT_PAGE, ADVICE) from None
            return _refusal(title_id, response.url, error.message, response.body)
        except Exception as error:  # a fault in a page object costs this page, not the crawl
            reason = f"the page object failed: {type(error).__name__}: {error}"
            return _refusal(title_id, response.url, reason, response.body)
        return Outcome(title_id, "title", line=line, merged_into=item.merged_into)

    def _report_to_tripwire(self, outcome: Outcome) -> None:
        """Report an outcome to the tripwire.

        Raises CrawlInterruptedError where the site does not answer, CrawlStoppedError for every
        other cause.
        """
        cause = None
        if outcome.kind == "title":
            cause = self.tripwire.title(orjson.loads(outcome.line or b"{}"))
        elif outcome.kind == "refused" and outcome.reason != FORBIDDEN:
            cause = self.tripwire.refused(outcome.reason)
        elif outcome.kind == "failed":
            cause = self.tripwire.failed(outcome.reason)
        if cause and outcome.is_away:
            raise CrawlInterruptedError(cause, "look whether the site is up, and run it again")
        if cause:
            raise CrawlStoppedError(cause, ADVICE)

    async def _read_robots(self) -> None:
        fetcher = replace(self.fetcher, check=no_check)
        try:
            self.robots = read_robots(await fetcher.fetch(f"{self.plan.site}/robots.txt"))
        except UnreachableError as error:
            raise CrawlInterruptedError(
                f"robots.txt of {self.plan.site} cannot be read: {error}",
                "check that the site is up",
            ) from None
        except RefusedPageError as error:
            raise CrawlStoppedError(
                f"robots.txt of {self.plan.site} cannot be read: {error.message}",
                "look at it yourself; where the site has moved, set crawl.site to its new address",
            ) from None
        if not any(self.allows(self.plan.url(title_id)) for title_id in self.waiting):
            raise CrawlStoppedError(
                "robots.txt forbids title pages", "ask the site's owner for leave"
            )
        self._slow_down(self.robots.delay(self.plan.user_agent))

    def _slow_down(self, seconds: float) -> None:
        """Use the delay of robots.txt where it is longer than the plan's."""
        if seconds > self.plan.delay:
            self.plan = replace(self.plan, delay=seconds)
            engine = self.crawler.engine
            assert engine is not None
            for host, slot in engine.downloader.slots.items():
                slot.delay = seconds
                # Scrapy makes a new slot from these settings after a minute without requests.
                engine.downloader.per_slot_settings[host] = {"delay": seconds}
            throttle = self.crawler.get_extension(AutoThrottle)
            if throttle is not None:
                throttle.mindelay = seconds

    def _interrupt(self) -> None:
        """End the crawl on a signal; open requests are cancelled."""
        self.end(
            CrawlInterruptedError("interrupted by a signal", "run the same command again to go on")
        )
        if self._work:
            self._work.cancel()

    def _report_progress(self, outcome: Outcome) -> None:
        self._outcomes[outcome.kind] += 1
        bad = [f"{self._outcomes[k]} {k}" for k in OUTCOME_KINDS[1:] if self._outcomes[k]]
        report_progress("page", self._outcomes.total(), self.total, ", ".join(bad))


def _under_requested_id(title_id: str, item: TitleItem) -> TitleItem:
    """The item under the requested id; the page's own id becomes `merged_into`."""
    if item.title_id == title_id:
        return item
    return replace(item, title_id=title_id, merged_into=item.title_id)


def _refusal(title_id: str, url: str, reason: str, body: bytes) -> Outcome:
    """The outcome of a refused page: its reason and its bytes in base64."""
    line = orjson.dumps(
        {
            "title_id": title_id,
            "reason": encodable(reason),
            "source_url": url,
            "fetched_at": iso(now()),
            "bytes": len(body),
            "page": base64.b64encode(body[:LARGEST_KEPT]).decode(),
        }
    )
    return Outcome(title_id, "refused", encodable(reason), line)
