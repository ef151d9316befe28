"""What one crawl is asked to do, checked before anything is fetched."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from marquee.errors import CrawlInterruptedError, SourceError
from marquee.names import iso
from sources.tables import open_table

POLITE_DELAY = 1.0
"""Seconds between requests on a public host, at least."""
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
    """The site is on this machine or this network: politeness may be relaxed."""

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
        """A plan that may start; SourceError where it may not."""
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
        """The crawl's name in its own memory: the same plan again goes on with the same crawl."""
        return f"{iso(self.as_of)} {self.out.absolute()}"

    @property
    def lanes(self) -> int:
        """Requests at a time."""
        return 4 if self.is_local else 1

    @property
    def user_agent(self) -> str:
        return f"Marquee/0.1 (+{self.contact})" if self.contact else "Marquee/0.1"

    def url(self, title_id: str) -> str:
        return f"{self.site}/title/{title_id}/"


def is_local_host(host: str) -> bool:
    """Whether every address of a host is private or loopback.

    Raises SourceError where it has none, CrawlInterruptedError where nobody answers who knows.
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
    """Title ids and how often each is rated, from the CSV the loaded ratings gave.

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
