"""robots.txt, obeyed: what may be fetched, and how slowly (Crawl-delay, which Scrapy ignores).

It is no page: whatever it says, in whatever encoding, is taken as rules (RFC 9309), and none of the
tripwire's causes for pages applies to it.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from functools import lru_cache

from protego import Protego
from scrapy.http import Response
from w3lib.encoding import read_bom

from marquee.errors import CrawlInterruptedError, CrawlStoppedError
from scrapy_imdb.pages.html import LARGEST_PAGE

LONGEST_DELAY = 30.0
"""Seconds; no sane crawl of hundreds of pages goes slower, so a larger value is a no."""
GZIP = b"\x1f\x8b"
_MARKS = re.compile(
    "\u00ef\u00bb\u00bf|[\x00-\x08\x0e-\x1b\x7f\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff\ufffe]"
)
"""Characters that nobody sees: byte order marks (also one saved twice over), NULs, joiners."""
_AGENT = re.compile(r"^([^\S\n]*user[- ]?agent(?:[^\S\n]*:|[^\S\n]))([^#\n]*)", re.I | re.M)
_TOKEN = re.compile(r"[\w-]+")
OURS, OTHERS = "ours", "another"


@dataclass(frozen=True)
class Robots:
    """The rules of one site."""

    text: str | None
    """robots.txt; None: the site has none."""

    def allows(self, url: str, user_agent: str) -> bool:
        rules = self._rules(user_agent)
        return rules is None or bool(rules.can_fetch(url, OURS))

    def delay(self, user_agent: str) -> float:
        """Seconds the site asks for between requests; 0 where it does not ask."""
        rules = self._rules(user_agent)
        if rules is None:
            return 0.0
        asked = rules.crawl_delay(OURS) or 0.0
        rate = rules.request_rate(OURS)
        if rate and rate.start_time is None:
            asked = max(asked, rate.seconds / rate.requests)
        if asked > LONGEST_DELAY:
            raise CrawlStoppedError(
                f"robots.txt asks for {asked:.0f} seconds between requests",
                "ask the site's owner for leave",
            )
        return float(asked)

    def _rules(self, user_agent: str) -> Protego | None:
        name = _TOKEN.match(user_agent.strip())
        return None if self.text is None else _parsed(self.text, name[0].lower() if name else "")


@lru_cache(maxsize=4)
def _parsed(text: str, product: str) -> Protego:
    """The rules as they hold for a product token, whole and in any capitals (RFC 9309, 2.2.1).

    Protego looks for a group's name anywhere in the user agent, the contact address too, so the
    groups are named anew: ours, everybody's, another's.
    """

    def renamed(line: re.Match[str]) -> str:
        value = line[2].strip()
        if value in ("", "*"):
            return line[0]
        name = _TOKEN.match(value)
        return f"{line[1]} {OURS if name and name[0].lower() == product else OTHERS}"

    return Protego.parse(_AGENT.sub(renamed, "\n".join(text.splitlines())))


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
    return Robots(_text(response.body))


def _text(body: bytes) -> str:
    """UTF-8 as the RFC asks, or what a mark or its NULs say; marks are no part of any rule."""
    if body.startswith(GZIP):  # saved packed, and sent without saying so
        body = _unpacked(body)
    encoding, _ = read_bom(body)
    return _MARKS.sub("", body.decode(encoding or _unmarked(body), "replace"))


def _unpacked(body: bytes) -> bytes:
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(body, LARGEST_PAGE)
    except zlib.error:
        return body


def _unmarked(body: bytes) -> str:
    """UTF-16 or 32 without a mark, by where most NULs of its ASCII characters stand."""
    places = [body[start::4].count(0) for start in range(4)]
    if sum(places) * 8 < len(body):  # a stray NUL, or none
        return "utf-8"
    if min(places[1:3]) * 2 > max(places):  # the middle of every four
        return "utf-32-be" if places[0] >= places[3] else "utf-32-le"
    return "utf-16-be" if places[0] + places[2] > places[1] + places[3] else "utf-16-le"
