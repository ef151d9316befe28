"""The spider: it decides only which URLs; pages are read by page objects, outcomes kept at once."""

from __future__ import annotations

import asyncio
import base64
import signal
from collections import Counter, deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

import orjson
from scrapy import Spider
from scrapy.extensions.throttle import AutoThrottle
from scrapy.http import Response
from web_poet import HttpResponse, HttpResponseHeaders

from marquee.clock import now
from marquee.errors import CrawlStoppedError
from marquee.names import iso
from marquee.progress import report_progress
from scrapy_imdb.crawl.fetch import Fetcher, UnreachableError
from scrapy_imdb.crawl.plan import CrawlPlan
from scrapy_imdb.crawl.robots import Robots, read_robots
from scrapy_imdb.crawl.store import KINDS, CrawlStore, Outcome
from scrapy_imdb.crawl.tripwire import Tripwire
from scrapy_imdb.items import PARSER_VERSION, as_record
from scrapy_imdb.pages import RefusedPageError, read_page

LARGEST_KEPT = 2 * 1024 * 1024
"""Bytes of a refused page that are kept beside its reason."""


class TitleSpider(Spider):
    """Visits titles in the order given, a few at a time, until done or stopped."""

    name = "titles"

    def __init__(
        self, plan: CrawlPlan, store: CrawlStore, wanted: Sequence[str], **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.plan, self.store = plan, store
        self.waiting = deque(wanted)
        self.asked_for = len(wanted)
        self.tripwire = Tripwire(store.reference())
        self.robots = Robots(None)
        self.error: BaseException | None = None
        """What ended the crawl early, for the command to report."""
        self._outcomes: Counter[str] = Counter()

    async def start(self) -> AsyncIterator[Any]:
        """Drive the crawl; it yields nothing, for outcomes go straight into the memory."""
        loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, self._interrupt)
        try:
            await self._read_robots()
            await asyncio.gather(*(self._lane() for _ in range(self.plan.lanes)))
        except BaseException as error:
            self.error = self.error or error
        return
        yield

    async def visit(self, title_id: str) -> Outcome:
        """Fetch and read one title; CrawlStoppedError where the tripwire goes off."""
        url = self.plan.url(title_id)
        try:
            if not self.robots.allows(url, self.plan.user_agent):
                raise RefusedPageError("robots.txt forbids it")
            response = await self.fetcher.fetch(url)
            if response.status in (404, 410):
                self.tripwire.missing()
                return Outcome(title_id, "missing", f"HTTP {response.status}")
            if response.status != 200:
                return Outcome(title_id, "failed", f"HTTP {response.status}")
            return self._read(title_id, response)
        except UnreachableError as error:
            return Outcome(title_id, "failed", str(error))
        except RefusedPageError as error:
            return _refusal(title_id, url, error.message, b"")

    @property
    def fetcher(self) -> Fetcher:
        engine = self.crawler.engine
        assert engine is not None
        return Fetcher(
            download=engine.download_async,
            check=self.tripwire.answer,
            count=lambda: self.store.count_request(self.plan.run),
            pause=0.1 if self.plan.is_local else 2.0,
        )

    async def _lane(self) -> None:
        while self.waiting and self.error is None:
            try:
                outcome = await self.visit(self.waiting.popleft())
                self.store.record(self.plan.run, outcome, PARSER_VERSION)
                self._tell(outcome)
                self._watch(outcome)
            except BaseException as error:
                self.error = self.error or error
                return

    def _read(self, title_id: str, response: Response) -> Outcome:
        page = HttpResponse(
            response.url,
            body=response.body,
            status=response.status,
            headers=HttpResponseHeaders.from_bytes_dict(response.headers),
        )
        try:
            item = replace(read_page(page), fetched_at=iso(now()))
            if item.title_id != title_id:
                raise RefusedPageError(f"the site answered with {item.title_id}")
        except RefusedPageError as error:
            return _refusal(title_id, response.url, error.message, response.body)
        except Exception as error:  # a page must never end a crawl; it is kept, with the reason
            reason = f"the page object failed: {type(error).__name__}: {error}"
            return _refusal(title_id, response.url, reason, response.body)
        return Outcome(title_id, "title", "", orjson.dumps(as_record(item)))

    def _watch(self, outcome: Outcome) -> None:
        """Tell the tripwire; CrawlStoppedError where it finds a cause."""
        cause = None
        if outcome.kind == "title":
            cause = self.tripwire.title(orjson.loads(outcome.line or b"{}"))
        elif outcome.kind == "refused":
            cause = self.tripwire.refused(outcome.reason)
        elif outcome.kind == "failed":
            cause = self.tripwire.failed(outcome.reason)
        if cause:
            raise CrawlStoppedError(cause, "look at the site yourself before going on")

    async def _read_robots(self) -> None:
        try:
            self.robots = read_robots(await self.fetcher.fetch(f"{self.plan.site}/robots.txt"))
        except (UnreachableError, RefusedPageError) as error:
            raise CrawlStoppedError(
                f"robots.txt of {self.plan.site} cannot be read: {error}",
                "check that the site is up",
            ) from None
        if not self.robots.allows(self.plan.url(self.waiting[0]), self.plan.user_agent):
            raise CrawlStoppedError(
                "robots.txt forbids title pages", "ask the site's owner for leave"
            )
        self._slow_down(self.robots.delay(self.plan.user_agent))

    def _slow_down(self, asked: float) -> None:
        """Space requests by what robots.txt asks for, where that is more than the plan's."""
        if asked > self.plan.delay:
            self.plan = replace(self.plan, delay=asked)
            engine = self.crawler.engine
            assert engine is not None
            for slot in engine.downloader.slots.values():
                slot.delay = asked
            throttle = self.crawler.get_extension(AutoThrottle)
            if throttle is not None:
                throttle.mindelay = asked

    def _interrupt(self) -> None:
        self.error = self.error or CrawlStoppedError(
            "interrupted by a signal", "run the same command again to go on"
        )

    def _tell(self, outcome: Outcome) -> None:
        self._outcomes[outcome.kind] += 1
        bad = [f"{self._outcomes[k]} {k}" for k in KINDS[1:] if self._outcomes[k]]
        report_progress("page", self._outcomes.total(), self.asked_for, ", ".join(bad))


def _refusal(title_id: str, url: str, reason: str, body: bytes) -> Outcome:
    """A page in quarantine: why, and the page itself (base64, for it may be anything)."""
    line = orjson.dumps(
        {
            "title_id": title_id,
            "reason": reason,
            "source_url": url,
            "fetched_at": iso(now()),
            "bytes": len(body),
            "page": base64.b64encode(body[:LARGEST_KEPT]).decode(),
        }
    )
    return Outcome(title_id, "refused", reason, line)
