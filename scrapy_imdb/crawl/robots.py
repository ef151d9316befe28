"""robots.txt, obeyed: what may be fetched, and how slowly (Crawl-delay, which Scrapy ignores)."""

from __future__ import annotations

from dataclasses import dataclass

from protego import Protego
from scrapy.http import Response

from marquee.errors import CrawlStoppedError

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
        asked = None if self.rules is None else self.rules.crawl_delay(user_agent)
        if asked and asked > LONGEST_DELAY:
            raise CrawlStoppedError(
                f"robots.txt asks for {asked:.0f} seconds between requests",
                "ask the site's owner for leave",
            )
        return float(asked or 0.0)


def read_robots(response: Response) -> Robots:
    """The rules in an answer (RFC 9309): none where there is no file, a stop where it fails."""
    if response.status >= 500:
        raise CrawlStoppedError(
            f"robots.txt answers HTTP {response.status}; until it is readable all is forbidden",
            "run the crawl again later",
        )
    if response.status >= 400:
        return Robots(None)
    return Robots(Protego.parse(response.body.decode("utf-8", "replace")))
