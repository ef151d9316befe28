"""No request leaves the site that was configured, wherever a redirect points."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import urlsplit

from scrapy.crawler import Crawler
from scrapy.exceptions import IgnoreRequest
from scrapy.http import Request

Address = tuple[str, str | None, int | None]
_TITLE_PATH = re.compile(r"/title/tt\d{7,10}(/|$)")


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
        to = _address(request.url)
        moved_up = (self._site[0], to[0]) == ("http", "https") and to[1] == self._site[1]
        if to != self._site and not (moved_up and to[2] == 443):
            raise IgnoreRequest(f"it redirects away from the site, to {request.url[:100]}")
        before = request.meta.get("redirect_urls")
        if before and _is_title(before[0]):
            self._check_move(request.url)

    def _check_move(self, url: str) -> None:
        """Where a title's page may not go, IgnoreRequest says so."""
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
