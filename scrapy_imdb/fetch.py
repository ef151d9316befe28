"""Fetch pages as the site allows: obey robots.txt, back off after a failure, never leave the site.

The spider reads robots.txt with `read_robots`, then fetches pages through `Fetcher`. `SiteGuard`, a
downloader middleware of Scrapy, refuses every request to another site, also after a redirect.
"""

from __future__ import annotations

import asyncio
import random
import re
import zlib
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from urllib.parse import urlsplit

from protego import Protego
from scrapy.crawler import Crawler
from scrapy.exceptions import DownloadCancelledError, IgnoreRequest
from scrapy.http import Request, Response
from w3lib.encoding import read_bom

from marquee.errors import CrawlInterruptedError, CrawlStoppedError
from scrapy_imdb.pages import RefusedPageError
from scrapy_imdb.pages.html_sections import LARGEST_PAGE
from scrapy_imdb.pages.title_page import header_date

TRIES = 4
LONGEST_WAIT = 120.0
"""Seconds. The crawl stops where the site asks for a longer wait."""

Download = Callable[[Request], Awaitable[Response]]
Check = Callable[[int, bytes], str | None]
Address = tuple[str, str | None, int | None]
_TITLE_PATH = re.compile(r"/title/tt\d{7,10}(/|$)")


class UnreachableError(Exception):
    """Every try to fetch a page failed; the text is the last reason."""


@dataclass(frozen=True)
class Fetcher:
    """Downloads with retries; the wait before each retry, first `pause` seconds, doubles."""

    download: Download
    check: Check
    """The tripwire: (status, body) of a response to a cause to stop the crawl, or None."""
    count: Callable[[], None]
    """Called before each request leaves."""
    pause: float
    ending: asyncio.Event
    """Set when the crawl must end; it ends every wait."""

    async def fetch(self, url: str) -> Response:
        """The response, of any status that is not temporary (`is_temporary`).

        Raises CrawlStoppedError where the tripwire finds a cause in a response, RefusedPageError
        where the page is too large or redirects away from the site, UnreachableError where every
        try failed.
        """
        reason = ""
        for attempt in range(TRIES):
            self.count()
            wait = self.pause * 2**attempt * random.uniform(1.0, 1.25)
            try:
                response = await self.download(Request(url, dont_filter=True))
            except (IgnoreRequest, DownloadCancelledError) as error:
                raise RefusedPageError(_sentence(error)) from None
            except Exception as error:  # of the network: a time-out, a reset, no address
                reason = _sentence(error)
            else:
                cause = self.check(response.status, response.body)
                if cause:
                    raise CrawlStoppedError(cause, "look at the site yourself before going on")
                if not is_temporary(response.status):
                    return response
                reason = f"HTTP {response.status}"
                wait = max(wait, retry_after(response))
            if attempt + 1 < TRIES:
                await self.wait_or_end(wait)
        raise UnreachableError(f"{reason} ({TRIES} tries)")

    async def wait_or_end(self, seconds: float) -> None:
        """Wait before the next try; CrawlInterruptedError where the crawl ends during the wait."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self.ending.wait(), seconds)
            raise CrawlInterruptedError("the crawl ended while it waited", "run it again to go on")


def no_check(status: int, body: bytes) -> None:
    """The check for robots.txt: every response to it is accepted."""


def is_temporary(status: int) -> bool:
    """Whether a retry may help: after every 5xx, and after 408, 425 and 429."""
    return status >= 500 or status in (408, 425, 429)


def retry_after(response: Response) -> float:
    """Seconds of the Retry-After header, else 0; CrawlStoppedError above `LONGEST_WAIT`."""
    header = (response.headers.get("Retry-After") or b"").decode("latin-1").strip()
    moment = header_date(header)
    if header.isdecimal():
        seconds = float(header)
    elif moment is not None:
        # The real clock, as the site's: `marquee.clock` is offset in a drill.
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


class SiteGuard:
    """Refuses requests to another scheme, host or port than the site's.

    The site may redirect from http to https on the same host. A title's page may redirect only to
    the page of a title that `allows` (robots.txt) permits: the site merged the two titles.
    """

    def __init__(self, site: str, allows: Callable[[str], bool] = lambda url: True) -> None:
        self._site = _address(site)
        self._allows = allows

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> SiteGuard:
        return cls(crawler.settings["MARQUEE_SITE"], crawler.spider.allows)  # type: ignore[union-attr]

    def process_request(self, request: Request) -> None:
        """Called by Scrapy before each download; raises IgnoreRequest to refuse a request."""
        to = _address(request.url)
        is_upgrade = (self._site[0], to[0]) == ("http", "https") and to[1] == self._site[1]
        if to != self._site and not (is_upgrade and to[2] == 443):
            raise IgnoreRequest(f"it redirects away from the site, to {request.url[:100]}")
        before = request.meta.get("redirect_urls")
        if before and _is_title(before[0]):
            self._check_move(request.url)

    def _check_move(self, url: str) -> None:
        """Raise IgnoreRequest where a title's page may not redirect to this URL."""
        path = urlsplit(url).path[:100]
        if not _is_title(url):
            raise IgnoreRequest(f"it redirects to {path}, which is no page of a title")
        if not self._allows(url):
            raise IgnoreRequest(f"it redirects to {path}, which robots.txt forbids")


def _is_title(url: str) -> bool:
    return _TITLE_PATH.search(urlsplit(url).path) is not None


def _address(url: str) -> Address:
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    return parts.scheme, parts.hostname, port


# robots.txt -----------------------------------------------------------------------------------

LONGEST_DELAY = 30.0
"""Seconds. A site that asks for a longer delay refuses the crawl."""
GZIP = b"\x1f\x8b"
_INVISIBLE = re.compile(
    "\u00ef\u00bb\u00bf|[\x00-\x08\x0e-\x1b\x7f\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff\ufffe]"
)
"""Invisible characters: byte order marks (also one encoded twice), NULs, joiners."""
_AGENT = re.compile(r"^([^\S\n]*user[- ]?agent(?:[^\S\n]*:|[^\S\n]))([^#\n]*)", re.I | re.M)
_TOKEN = re.compile(r"[\w-]+")
OURS, OTHERS = "ours", "another"


@dataclass(frozen=True)
class Robots:
    """The rules of one site: the allowed URLs and the delay. Scrapy ignores Crawl-delay."""

    text: str | None
    """robots.txt; None where the site has no such file."""

    def allows(self, url: str, user_agent: str) -> bool:
        """Whether `user_agent` may fetch the URL; without a robots.txt it may."""
        rules = self._rules(user_agent)
        return rules is None or bool(rules.can_fetch(url, OURS))

    def delay(self, user_agent: str) -> float:
        """Seconds between requests that the site asks for, else 0.

        Raises CrawlStoppedError above `LONGEST_DELAY`.
        """
        rules = self._rules(user_agent)
        if rules is None:
            return 0.0
        delay = rules.crawl_delay(OURS) or 0.0
        rate = rules.request_rate(OURS)
        if rate and rate.start_time is None:
            delay = max(delay, rate.seconds / rate.requests)
        if delay > LONGEST_DELAY:
            raise CrawlStoppedError(
                f"robots.txt asks for {delay:.0f} seconds between requests",
                "ask the site's owner for leave",
            )
        return float(delay)

    def _rules(self, user_agent: str) -> Protego | None:
        name = _TOKEN.match(user_agent.strip())
        return None if self.text is None else _parsed(self.text, name[0].lower() if name else "")


@lru_cache(maxsize=4)
def _parsed(text: str, product: str) -> Protego:
    """The rules for a product token, matched whole and in any case (RFC 9309, 2.2.1).

    Protego matches a group's name anywhere in the user agent, also in the contact address. So each
    group is renamed first: to `ours` or `another`; `*` stays.
    """

    def renamed(line: re.Match[str]) -> str:
        value = line[2].strip()
        if value in ("", "*"):
            return line[0]
        name = _TOKEN.match(value)
        return f"{line[1]} {OURS if name and name[0].lower() == product else OTHERS}"

    return Protego.parse(_AGENT.sub(renamed, "\n".join(text.splitlines())))


def read_robots(response: Response) -> Robots:
    """The rules in a response (RFC 9309); 4xx means that the site has no robots.txt.

    The body is read as rules in any encoding. Raises CrawlInterruptedError for any other status
    than 2xx and 4xx.
    """
    if 400 <= response.status < 500:
        return Robots(None)
    if not 200 <= response.status < 300:
        raise CrawlInterruptedError(
            f"robots.txt answers HTTP {response.status}; until it is readable all is forbidden",
            "run the crawl again later",
        )
    return Robots(_text(response.body))


def _text(body: bytes) -> str:
    """The visible characters of a text in UTF-8, UTF-16 or UTF-32."""
    if body.startswith(GZIP):  # a gzip file without Content-Encoding
        body = _gunzipped(body)
    encoding, _ = read_bom(body)
    return _INVISIBLE.sub("", body.decode(encoding or _guessed_encoding(body), "replace"))


def _gunzipped(body: bytes) -> bytes:
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(body, LARGEST_PAGE)
    except zlib.error:
        return body


def _guessed_encoding(body: bytes) -> str:
    """The encoding of a text without a byte order mark, from the positions of its NULs."""
    places = [body[start::4].count(0) for start in range(4)]
    if sum(places) * 8 < len(body):  # a stray NUL, or none
        return "utf-8"
    if min(places[1:3]) * 2 > max(places):  # NULs in the middle of every four bytes
        return "utf-32-be" if places[0] >= places[3] else "utf-32-le"
    return "utf-16-be" if places[0] + places[2] > places[1] + places[3] else "utf-16-le"
