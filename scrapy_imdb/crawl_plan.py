"""The flags of `python -m scrapy_imdb crawl`, checked before a request, and Scrapy's settings."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from marquee.clock import iso
from marquee.errors import CrawlInterruptedError, SourceError
from scrapy_imdb.pages.html_sections import LARGEST_PAGE
from sources.tables import open_table

POLITE_DELAY = 1.0
"""Least seconds between requests of a public host."""
LINKS_HEADER = ("title_id", "rated_count")


@dataclass(frozen=True, kw_only=True)
class CrawlPlan:
    """The flags of `crawl`, checked."""

    site: str
    """`http(s)://host[:port]`, without a path."""
    links: Path
    state: Path
    out: Path
    max_pages: int
    as_of: datetime
    contact: str = ""
    delay: float = POLITE_DELAY
    """Seconds between requests: at least one on a public host, none on a local one."""
    refresh_days: int = 28
    is_local: bool = False
    """Whether the site is on this machine or a private network: no delay is needed."""

    @classmethod
    def checked(
        cls,
        *,
        site: str,
        links: Path,
        state: Path,
        out: Path,
        max_pages: int,
        as_of: datetime,
        contact: str = "",
        delay: float | None = None,
        refresh_days: int = 28,
    ) -> CrawlPlan:
        """A valid plan; SourceError where a flag is wrong or a public site gets no contact."""
        address = urlsplit(site)
        if address.scheme not in ("http", "https") or not address.hostname:
            raise SourceError(f"'{site}' is not a site", "write it like https://host")
        if max_pages < 0 or refresh_days < 0 or (delay or 0) < 0:
            raise SourceError("--max-pages, --refresh-days and --delay are not negative")
        is_local = is_local_host(address.hostname)
        if not is_local and not re.search(r"[^@\s]+@[^@\s]+\.\w+|https?://\S+", contact):
            raise SourceError(
                f"{address.hostname} is a public host and no contact address is given",
                "pass --contact with an e-mail or web address that reaches you",
            )
        pause = 0.0 if is_local else max(delay or 0.0, POLITE_DELAY)
        return cls(
            site=f"{address.scheme}://{address.netloc}",
            links=links,
            state=state,
            out=out,
            max_pages=max_pages,
            as_of=as_of,
            contact=contact,
            delay=pause,
            refresh_days=refresh_days,
            is_local=is_local,
        )

    @property
    def run(self) -> str:
        """The crawl's key in its state: a second crawl with the same key continues the first."""
        return f"{iso(self.as_of)} {self.out.absolute()}"

    @property
    def concurrency(self) -> int:
        """Requests at a time."""
        return 4 if self.is_local else 1

    @property
    def user_agent(self) -> str:
        return f"Marquee/0.1 (+{self.contact})" if self.contact else "Marquee/0.1"

    def url(self, title_id: str) -> str:
        return f"{self.site}/title/{title_id}/"


def is_local_host(host: str) -> bool:
    """Whether every address of a host is private or loopback.

    Raises SourceError for a host without an address, CrawlInterruptedError where no name server
    answers.
    """
    try:
        found = {entry[4][0] for entry in socket.getaddrinfo(host, None)}
    except socket.gaierror as error:
        if error.errno in (socket.EAI_AGAIN, socket.EAI_FAIL, socket.EAI_SYSTEM):
            raise CrawlInterruptedError(
                f"the address of {host} cannot be looked up: {error.strerror}",
                "look whether the network and its name server are up",
            ) from None
        raise SourceError(f"{host} has no address", "check the site and the network") from None
    except (OSError, UnicodeError):
        raise SourceError(f"{host} has no address", "check the site and the network") from None
    return all(ipaddress.ip_address(str(a).split("%")[0]).is_private for a in found)


def read_links(path: Path) -> Iterator[tuple[str, int]]:
    """Title ids and their numbers of ratings, from the CSV that the task `crawl_titles` wrote.

    Raises SourceError with file, line and reason.
    """
    for line, row in open_table(path, LINKS_HEADER).records():
        title_id, count = row["title_id"].strip(), row["rated_count"].strip()
        if not re.fullmatch(r"tt\d{7,10}", title_id) or not count.isdecimal():
            raise SourceError(
                f"{path} line {line}: '{title_id},{count}' is not a title id and a count",
                "write it like tt0114709,215",
            )
        yield title_id, int(count)


def scrapy_settings(plan: CrawlPlan) -> dict[str, Any]:
    """Scrapy's settings: slow on public hosts, bounded in size and time, without extra services."""
    return {
        "MARQUEE_SITE": plan.site,
        "USER_AGENT": plan.user_agent,
        "CONCURRENT_REQUESTS": plan.concurrency,
        "CONCURRENT_REQUESTS_PER_DOMAIN": plan.concurrency,
        "DOWNLOAD_DELAY": plan.delay,
        "RANDOMIZE_DOWNLOAD_DELAY": False,  # it may halve the delay
        "AUTOTHROTTLE_ENABLED": not plan.is_local,
        "AUTOTHROTTLE_START_DELAY": plan.delay,
        "AUTOTHROTTLE_MAX_DELAY": 60.0,
        "AUTOTHROTTLE_TARGET_CONCURRENCY": 1.0,
        "DOWNLOAD_TIMEOUT": 10 if plan.is_local else 30,
        "DOWNLOAD_MAXSIZE": LARGEST_PAGE,  # also of an unpacked response
        "DOWNLOAD_WARNSIZE": 0,
        "DOWNLOAD_FAIL_ON_DATALOSS": True,
        "DOWNLOAD_VERIFY_CERTIFICATES": True,
        "DOWNLOAD_HANDLERS": {"data": None, "file": None, "ftp": None, "s3": None},
        "DOWNLOADER_MIDDLEWARES": {
            "scrapy_imdb.fetch.SiteGuard": 50,
            "scrapy.downloadermiddlewares.offsite.OffsiteMiddleware": None,
            # `fetch.py` reads robots.txt, and obeys Crawl-delay too.
            "scrapy.downloadermiddlewares.robotstxt.RobotsTxtMiddleware": None,
            # `fetch.py` retries, and obeys Retry-After too.
            "scrapy.downloadermiddlewares.retry.RetryMiddleware": None,
            "scrapy.downloadermiddlewares.redirect.MetaRefreshMiddleware": None,
            "scrapy.downloadermiddlewares.httpproxy.HttpProxyMiddleware": 750,
        },
        "REDIRECT_MAX_TIMES": 5,  # RFC 9309: five redirects of robots.txt
        "COOKIES_ENABLED": False,
        "TELNETCONSOLE_ENABLED": False,
        "REFERER_ENABLED": False,
        "EXTENSIONS": {"scrapy.extensions.remote_control.RemoteControl": None},
        "DEFAULT_REQUEST_HEADERS": {
            "Accept": "text/html",
            "Accept-Language": "en-US,en;q=0.9",
        },
        "LOG_LEVEL": "CRITICAL",
        "LOGSTATS_INTERVAL": 0,
    }
