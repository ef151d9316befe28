"""Faults of the website: blocks, broken pages and redirects, in the forms of real websites.

`POST /_faults` (JSON, the fields of `Fault`) or `--fault KIND[,key=value…]` sets a fault, GET lists
the faults, and DELETE clears them. A fault changes pages of titles only. `site` asks the
`FaultBoard` on every request of a title page.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from starlette.responses import RedirectResponse, Response, StreamingResponse

from marquee.errors import SourceError
from replica.site_pages import redesigned
from replica.site_titles import Record

BOMB_BYTES = 256 * 1024 * 1024
"""Unpacked size of the decompression bomb; its packed size is about a thousandth of it."""
_CHALLENGE = (
    "<!DOCTYPE html><html><head><title></title><script>window.awsWafCookieDomainList = [];"
    "</script></head><body><div id='challenge-container'></div><script>"
    "AwsWafIntegration.checkForceRefresh();</script><noscript><h1>JavaScript is disabled</h1>"
    "</noscript></body></html>"
)
_CAPTCHA = (
    "<html><head><title>Robot Check</title></head><body><form action='/errors/validateCaptcha'>"
    "Enter the characters you see below</form></body></html>"
)


@dataclass(frozen=True)
class Fault:
    """One fault: its kind, and the requests that show it."""

    kind: str
    after: int = 0
    """How many requests of title pages are answered without the fault at first."""
    times: int = 0
    """How many requests show the fault; 0: all, until it is cleared."""
    titles: tuple[str, ...] = ()
    """The title ids that show the fault; empty: all."""
    retry_after: str = ""
    """Value of the `Retry-After` header, for 429 and 5xx."""
    seconds: float = 30.0
    """How many seconds `slow` waits."""
    to: str = "http://10.0.0.1/"
    """For `redirect`: the target. For `merged`: the title id whose page is served instead."""
    code: int = 302
    """HTTP status of `redirect`."""


def fault_from_json(value: Mapping[str, Any]) -> Fault:
    """Raises SourceError, with a reason, for an object that is no fault."""
    try:
        fault = Fault(**{**value, "titles": tuple(value.get("titles", ()))})
    except TypeError as error:
        raise SourceError(f"that is not a fault: {error}", "send kind, after, times …") from None
    if fault.kind not in FAULT_RESPONSES:
        raise SourceError(
            f"no fault is called '{fault.kind}'", f"choose of {', '.join(FAULT_RESPONSES)}"
        )
    return fault


def fault_from_flag(text: str) -> Fault:
    """Parse a flag like `429,after=10,times=2,retry_after=1`; SourceError for a wrong one."""
    kind, *pairs = text.split(",")
    value: dict[str, Any] = {"kind": kind}
    for pair in pairs:
        key, _, text_value = pair.partition("=")
        value[key] = text_value.split("+") if key == "titles" else _typed(key, text_value)
    return fault_from_json(value)


def _typed(key: str, text: str) -> Any:
    try:
        return (
            int(text)
            if key in ("after", "times", "code")
            else float(text)
            if key == "seconds"
            else text
        )
    except ValueError:
        raise SourceError(f"{key} is a number, not '{text}'") from None


@dataclass
class FaultBoard:
    """The faults that are set, and counts of requests by the number of a fault in the list.

    `seen` counts the requests of title pages that a fault could change, `shown` those it changed.
    """

    faults: list[Fault] = field(default_factory=list)
    seen: dict[int, int] = field(default_factory=dict)
    shown: dict[int, int] = field(default_factory=dict)

    def set(self, fault: Fault) -> None:
        self.faults.append(fault)

    def clear(self) -> None:
        self.faults.clear()
        self.seen.clear()
        self.shown.clear()

    def next_for(self, title_id: str) -> Fault | None:
        """The fault that the next request of this title's page shows; None for none."""
        for key, fault in enumerate(self.faults):
            if fault.titles and title_id not in fault.titles:
                continue
            self.seen[key] = self.seen.get(key, 0) + 1
            spent = fault.times and self.shown.get(key, 0) >= fault.times
            if self.seen[key] > fault.after and not spent:
                self.shown[key] = self.shown.get(key, 0) + 1
                return fault
        return None


FaultResponse = Callable[[Fault, Record | None, bytes], Awaitable[Response]]


async def fault_response(fault: Fault, record: Record | None, page: bytes) -> Response:
    """The response of a fault; `page` is the page without the fault."""
    return await FAULT_RESPONSES[fault.kind](fault, record, page)


def _status(code: int, body: str = "") -> FaultResponse:
    async def answer(fault: Fault, record: Record | None, page: bytes) -> Response:
        headers = {"Retry-After": fault.retry_after} if fault.retry_after else {}
        return Response(body, code, headers, "text/html; charset=utf-8")

    return answer


async def _slow(fault: Fault, record: Record | None, page: bytes) -> Response:
    await asyncio.sleep(fault.seconds)
    return Response(page, media_type="text/html")


async def _truncated(fault: Fault, record: Record | None, page: bytes) -> Response:
    """Half the page under the length of the whole one: the connection is cut."""

    async def half() -> AsyncIterator[bytes]:
        yield page[: len(page) // 2]
        raise ConnectionAbortedError

    return StreamingResponse(half(), headers={"Content-Length": str(len(page))})


async def _half(fault: Fault, record: Record | None, page: bytes) -> Response:
    """Half the page under its own length: HTTP cannot notice the cut."""
    return Response(page[: len(page) // 2], media_type="text/html")


async def _redirect_loop(fault: Fault, record: Record | None, page: bytes) -> Response:
    return RedirectResponse(f"/title/{record.title_id if record else 'tt0000001'}/?again", 302)


async def _redirect(fault: Fault, record: Record | None, page: bytes) -> Response:
    return RedirectResponse(fault.to, fault.code)


async def _merged(fault: Fault, record: Record | None, page: bytes) -> Response:
    """The page of another title (`to`), without a redirect; `page` is already that page."""
    return Response(page, media_type="text/html")


async def _bomb(fault: Fault, record: Record | None, page: bytes) -> Response:
    return Response(_packed_zeros(), headers={"Content-Encoding": "gzip"}, media_type="text/html")


async def _redesign(fault: Fault, record: Record | None, page: bytes) -> Response:
    return Response(redesigned(record) if record else page, media_type="text/html")


@cache
def _packed_zeros() -> bytes:
    packer, block = zlib.compressobj(9, zlib.DEFLATED, 31), bytes(1024 * 1024)
    blocks = [packer.compress(block) for _ in range(BOMB_BYTES // len(block))]
    return b"".join(blocks) + packer.flush()


FAULT_RESPONSES: dict[str, FaultResponse] = {
    "challenge": _status(202, _CHALLENGE),
    "captcha": _status(200, _CAPTCHA),
    "403": _status(403, "<html><title>403 Forbidden</title></html>"),
    "405": _status(405, _CHALLENGE),
    "429": _status(429),
    "500": _status(500),
    "503": _status(503),
    "empty": _status(200),
    "slow": _slow,
    "truncated": _truncated,
    "half": _half,
    "redirect_loop": _redirect_loop,
    "redirect": _redirect,
    "merged": _merged,
    "bomb": _bomb,
    "redesign": _redesign,
}
