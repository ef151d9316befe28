"""Fetching one page: tried again where that may help, never where it may not."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from scrapy.exceptions import DownloadCancelledError, IgnoreRequest
from scrapy.http import Request, Response

from marquee.errors import CrawlInterruptedError, CrawlStoppedError
from scrapy_imdb.pages import RefusedPageError
from scrapy_imdb.pages.values import header_date

TRIES = 4
LONGEST_WAIT = 120.0
"""Seconds; a site that asks for more is left alone until the next run."""

Download = Callable[[Request], Awaitable[Response]]
Check = Callable[[int, bytes], str | None]


def may_pass(status: int) -> bool:
    """Whether an answer says that the site cannot now: every 5xx, the proxies' own ones too."""
    return status >= 500 or status in (408, 425, 429)


class UnreachableError(Exception):
    """A page that could not be fetched after every try; the reason is its text."""


def anything(status: int, body: bytes) -> None:
    """The check of what is no page: no answer is a cause to stop."""


@dataclass(frozen=True)
class Fetcher:
    """Downloads with back-off: `pause` doubles from try to try."""

    download: Download
    check: Check
    """A cause to stop the crawl in an answer (status, body), or None."""
    count: Callable[[], None]
    """Called before each request leaves."""
    pause: float
    ending: asyncio.Event
    """Set when the crawl is to end: nobody waits any longer."""

    async def fetch(self, url: str) -> Response:
        """The site's answer, whatever its status.

        Raises CrawlStoppedError where the tripwire finds a cause in an answer,
        RefusedPageError where the answer may not be read (too large, leaves the site),
        UnreachableError where there was none.
        """
        reason = ""
        for attempt in range(TRIES):
            self.count()
            wait = self.pause * 2**attempt * random.uniform(1.0, 1.25)
            try:
                response = await self.download(Request(url, dont_filter=True))
            except (IgnoreRequest, DownloadCancelledError) as error:
                raise RefusedPageError(_sentence(error)) from None
            except Exception as error:  # whatever the network raises: a time-out, a reset, no name
                reason = _sentence(error)
            else:
                cause = self.check(response.status, response.body)
                if cause:
                    raise CrawlStoppedError(cause, "look at the site yourself before going on")
                if not may_pass(response.status):
                    return response
                reason = f"HTTP {response.status}"
                wait = max(wait, asked_wait(response))
            if attempt + 1 < TRIES:
                await self.rest(wait)
        raise UnreachableError(f"{reason} ({TRIES} tries)")

    async def rest(self, seconds: float) -> None:
        """Wait before the next try; CrawlInterruptedError where the crawl ends meanwhile."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self.ending.wait(), seconds)
            raise CrawlInterruptedError("the crawl ended while it waited", "run it again to go on")


def asked_wait(response: Response) -> float:
    """Seconds of the Retry-After header; CrawlStoppedError where that is unreasonably long."""
    header = (response.headers.get("Retry-After") or b"").decode("latin-1").strip()
    moment = header_date(header)
    if header.isdecimal():
        seconds = float(header)
    elif moment is not None:
        # A wait, by the clock the site means: a drill does not offset it.
        seconds = (moment - datetime.now(UTC)).total_seconds()
    else:
        return 0.0
    if seconds > LONGEST_WAIT:
        raise CrawlStoppedError(
            f"the site asks us to stay away for {seconds:.0f} seconds (Retry-After)",
            "run the crawl again later",
        )
    return max(seconds, 0.0)


def _sentence(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text[:200]
