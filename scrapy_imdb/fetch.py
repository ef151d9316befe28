"""Fetch pages as the site allows: obey robots.txt, back off after a failure, never leave the site.

The spider fetches through `Fetcher`, and reads robots.txt with `read_robots` before any page.
`SiteGuard` is Scrapy's downloader middleware: it refuses a request that leaves the configured site,
wherever a redirect points.
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
"""Seconds; a site that asks for more is not visited again until the next run."""

Download = Callable[[Request], Awaitable[Response]]
Check = Callable[[int, bytes], str | None]
Address = tuple[str, str | None, int | None]
_TITLE_PATH = re.compile(r"/title/tt\d{7,10}(/|$)")


class UnreachableError(Exception):
    """A page that could not be fetched after every try; the reason is its text."""


@dataclass(frozen=True)
class Fetcher:
    """Downloads with back-off: `pause` (seconds) doubles from try to try."""

    download: Download
    check: Check
    """The tripwire: a cause to stop the crawl in a response (status, body), or None."""
    count: Callable[[], None]
    """Called before each request leaves."""
    pause: float
    ending: asyncio.Event
    """Set when the crawl is to end: nobody waits any longer."""

    async def fetch(self, url: str) -> Response:
        """The site's response, whatever its status.

        Raises CrawlStoppedError where the tripwire finds a cause in a response,
        RefusedPageError where the response may not be read (too large, leaves the site),
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
                if not is_temporary(response.status):
                    return response
                reason = f"HTTP {response.status}"
                wait = max(wait, retry_after(response))
            if attempt + 1 < TRIES:
                await self.rest(wait)
        raise UnreachableError(f"{reason} ({TRIES} tries)")

    async def rest(self, seconds: float) -> None:
        """Wait before the next try; CrawlInterruptedError where the crawl ends meanwhile."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self.ending.wait(), seconds)
            raise CrawlInterruptedError("the crawl ended while it waited", "run it again to go on")


def no_check(status: int, body: bytes) -> None:
    """The check of robots.txt, which is no page: no response to it is a cause to stop."""


def is_temporary(status: int) -> bool:
    """Whether a failure may pass: every 5xx, also a proxy's own, and a few 4xx."""
    return status >= 500 or status in (408, 425, 429)


def retry_after(response: Response) -> float:
    """Seconds of the Retry-After header; CrawlStoppedError where that is unreasonably long."""
    header = (response.headers.get("Retry-After") or b"").decode("latin-1").strip()
    moment = header_date(header)
    if header.isdecimal():
        seconds = float(header)
    elif moment is not None:
        # The site means the real clock; a drill does not offset it.
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
    """Refuses other schemes, hosts and ports: private addresses, other sites, files.

    One change is let through: the same host moving from http to https. A title's page may move to
    another title's (the site merged them), where `allows` (robots.txt) lets it, and nowhere else.
    """

    def __init__(self, site: str, allows: Callable[[str], bool] = lambda url: True) -> None:
        self._site = _address(site)
        self._allows = allows

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> SiteGuard:
        return cls(crawler.settings["MARQUEE_SITE"], crawler.spider.allows)  # type: ignore[union-attr]

    def process_request(self, request: Request) -> None:
        """Called by Scrapy before each download; raises IgnoreRequest for a request to refuse."""
        to = _address(request.url)
        is_upgrade = (self._site[0], to[0]) == ("http", "https") and to[1] == self._site[1]
        if to != self._site and not (is_upgrade and to[2] == 443):
            raise IgnoreRequest(f"it redirects away from the site, to {request.url[:100]}")
        before = request.meta.get("redirect_urls")
        if before and _is_title(before[0]):
            self._check_move(request.url)

    def _check_move(self, url: str) -> None:
        """Raises IgnoreRequest where a title's page may not redirect to."""
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
"""Seconds; no sane crawl of hundreds of pages goes slower, so a longer delay is a refusal."""
GZIP = b"\x1f\x8b"
_INVISIBLE = re.compile(
    "\u00ef\u00bb\u00bf|[\x00-\x08\x0e-\x1b\x7f\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff\ufffe]"
)
"""Characters that nobody sees: byte order marks (also one saved twice over), NULs, joiners."""
_AGENT = re.compile(r"^([^\S\n]*user[- ]?agent(?:[^\S\n]*:|[^\S\n]))([^#\n]*)", re.I | re.M)
_TOKEN = re.compile(r"[\w-]+")
OURS, OTHERS = "ours", "another"


@dataclass(frozen=True)
class Robots:
    """The rules of one site: what may be fetched, and how slowly (Scrapy ignores Crawl-delay)."""

    text: str | None
    """robots.txt; None: the site has none."""

    def allows(self, url: str, user_agent: str) -> bool:
        """Whether `user_agent` may fetch the URL; without rules every URL is allowed."""
        rules = self._rules(user_agent)
        return rules is None or bool(rules.can_fetch(url, OURS))

    def delay(self, user_agent: str) -> float:
        """Seconds the site asks for between requests; 0 where it does not ask."""
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

    Protego would find a group's name anywhere in the user agent, also in the contact address. So
    each group gets a new name first: ours, everybody's, another's.
    """

    def renamed(line: re.Match[str]) -> str:
        value = line[2].strip()
        if value in ("", "*"):
            return line[0]
        name = _TOKEN.match(value)
        return f"{line[1]} {OURS if name and name[0].lower() == product else OTHERS}"

    return Protego.parse(_AGENT.sub(renamed, "\n".join(text.splitlines())))


def read_robots(response: Response) -> Robots:
    """The rules in a response (RFC 9309): none where the site has no such file (4xx).

    Whatever the file holds, in whatever encoding, is read as rules. It is no page, so the
    tripwire's causes for pages do not apply to it.

    Raises CrawlInterruptedError where the file cannot be had now (5xx, a redirect to nowhere).
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
    """The text in UTF-8, or as its byte order mark or NULs say; only visible characters."""
    if body.startswith(GZIP):  # the server sends a gzip file without saying so
        body = _gunzipped(body)
    encoding, _ = read_bom(body)
    return _INVISIBLE.sub("", body.decode(encoding or _guessed_encoding(body), "replace"))


def _gunzipped(body: bytes) -> bytes:
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(body, LARGEST_PAGE)
    except zlib.error:
        return body


def _guessed_encoding(body: bytes) -> str:
    """The encoding without a byte order mark: where most NULs stand tells UTF-16 and UTF-32."""
    places = [body[start::4].count(0) for start in range(4)]
    if sum(places) * 8 < len(body):  # a stray NUL, or none
        return "utf-8"
    if min(places[1:3]) * 2 > max(places):  # the middle of every four
        return "utf-32-be" if places[0] >= places[3] else "utf-32-le"
    return "utf-16-be" if places[0] + places[2] > places[1] + places[3] else "utf-16-le"
