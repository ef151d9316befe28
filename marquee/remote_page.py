"""One page of another host, read whole or not at all, by a deadline.

httpx is imported late: Airflow parses modules that import this one, and needs no HTTP client then.
"""

from __future__ import annotations

import time
from functools import partial

from marquee.deadlines import at_once

SECONDS_TO_CONNECT = 5.0
SECONDS_TO_READ = 15.0
"""For a whole page. httpx's own time-out is for one read, so a slow page would never end."""
MOST_BYTES = 16 * 2**20
"""Of a page; a NameNode's beans have about a kilobyte for each DataNode."""


def read_page(url: str, may_break_off: bool = False) -> tuple[str, str]:
    """The text of a page, and its moment (HTTP's Date, or "").

    An answer that `may_break_off` is what came until then. Raises httpx.HTTPError, also for a page
    that is too long or not whole in SECONDS_TO_READ, and ValueError for an address that cannot be
    asked.
    """
    import httpx

    # A host may send even its headers byte by byte, and a resolver may be silent.
    try:
        (found,) = at_once([partial(_read, url, may_break_off)], SECONDS_TO_READ)
    except httpx.InvalidURL as error:
        raise ValueError(str(error)) from None
    if found is None:
        raise httpx.ReadTimeout(f"not whole after {SECONDS_TO_READ:.0f} s")
    return found


def _read(url: str, may_break_off: bool) -> tuple[str, str]:
    import httpx

    until, body = time.monotonic() + SECONDS_TO_READ, bytearray()
    # Of a compressed answer that breaks off, nothing can be read.
    headers = {"accept-encoding": "identity"} if may_break_off else {}
    asked = httpx.stream("GET", url, timeout=SECONDS_TO_CONNECT, trust_env=False, headers=headers)
    with asked as page:
        page.raise_for_status()
        try:
            for part in page.iter_bytes():
                body += part
                if len(body) > MOST_BYTES:
                    raise httpx.DecodingError(f"more than {MOST_BYTES} bytes")
                if time.monotonic() > until:
                    raise httpx.ReadTimeout("too slow")
        except httpx.RemoteProtocolError:
            if not (may_break_off and body):
                raise
        return body.decode(errors="replace"), page.headers.get("date", "")
