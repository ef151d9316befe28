"""No request leaves the site that was configured, wherever a redirect points."""

from __future__ import annotations

from urllib.parse import urlsplit

from scrapy.crawler import Crawler
from scrapy.exceptions import IgnoreRequest
from scrapy.http import Request

Address = tuple[str, str | None, int | None]


class SiteGuard:
    """Refuses other schemes, hosts and ports: private addresses, other sites, files.

    One change is let through: the same host moving from http to https.
    """

    def __init__(self, site: str) -> None:
        self._site = _address(site)

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> SiteGuard:
        return cls(crawler.settings["MARQUEE_SITE"])

    def process_request(self, request: Request) -> None:
        to = _address(request.url)
        moved_up = (self._site[0], to[0]) == ("http", "https") and to[1] == self._site[1]
        if to != self._site and not (moved_up and to[2] == 443):
            raise IgnoreRequest(f"it redirects away from the site, to {request.url[:100]}")


def _address(url: str) -> Address:
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    return parts.scheme, parts.hostname, port
