"""robots.txt, obeyed: what may be fetched, and how slowly (Crawl-delay, which Scrapy ignores).

It is no page: whatever it says, in whatever encoding, is taken as rules (RFC 9309), and none of the
tripwire's causes for pages applies to it.
"""

from __future__ import annotations

from dataclasses import dataclass

from protego import Protego
from scrapy.http import Response
from w3lib.encoding import read_bom

from marquee.errors import CrawlInterruptedError, CrawlStoppedError

LONGEST_DELAY = 30.0
"""Seconds; no sane crawl of hundreds of pages goes slower, so a larger value is a no."""


@dataclass(frozen=True)
class Robots:
    """The rules of one site."""

    rules: Protego | None

    def allows(self, url: str, user_agent: str) -> bool:
        return self.rules is None or bool(self.rules.can_fetch(url, user_agent))

    def delay(self, user_agent: str) -> float:
        """Seconds the site asks for between requests; 0 where it does not ask."""
        if self.rules is None:
            return 0.0
        asked = self.rules.crawl_delay(user_agent) or 0.0
        rate = self.rules.request_rate(user_agent)
        if rate and rate.start_time is None:
            asked = max(asked, rate.seconds / rate.requests)
        if asked > LONGEST_DELAY:
            raise CrawlStoppedError(
                f"robots.txt asks for {asked:.0f} seconds between requests",
                "ask the site's owner for leave",
            )
        return float(asked)


def read_robots(response: Response) -> Robots:
    """The rules in an answer (RFC 9309): none where the site has no such file (4xx).

    Raises CrawlInterruptedError where the file cannot be had now (5xx, a redirect to nowhere).
    """
    if 400 <= response.status < 500:
        return Robots(None)
    if not 200 <= response.status < 300:
        raise CrawlInterruptedError(
            f"robots.txt answers HTTP {response.status}; until it is readable all is forbidden",
            "run the crawl again later",
        )
    return Robots(Protego.parse(_text(response.body)))


def _text(body: bytes) -> str:
    """UTF-8 as the RFC asks, or what a mark or its NULs say; marks are no part of any rule."""
    encoding, _ = read_bom(body)
    if encoding is None and b"\0" in body[:4]:
        encoding = _unmarked(body[:4])
    return body.decode(encoding or "utf-8", "replace").replace("\ufeff", "")


def _unmarked(start: bytes) -> str:
    """UTF-16 or 32 without a mark, by where the NULs of its first ASCII characters stand."""
    if start[:3] == b"\0\0\0":
        return "utf-32-be"
    if start[1:] == b"\0\0\0":
        return "utf-32-le"
    return "utf-16-be" if start[:1] == b"\0" else "utf-16-le"
