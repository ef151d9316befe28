"""Faults of the site: blocks, broken pages and redirects, each as real sites show it.

A fault is set with `POST /_faults` (JSON, the fields of `Fault`) or `--fault KIND[,key=value…]`,
read with GET and cleared with DELETE. It hits title pages after the first `after` of them, at
most `times` times (0: until cleared), and only the titles named, if any. `site` asks the
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
"""What the decompression bomb unpacks to; on the wire it is a thousandth of that."""
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
    """One fault and when it shows."""

    kind: str
    after: int = 0
    """How many title pages are served without the fault first."""
    times: int = 0
    """How often it shows; 0: until cleared."""
    titles: tuple[str, ...] = ()
    """Only these title ids; empty: all."""
    retry_after: str = ""
    """Value of the Retry-After header, for 429 and 5xx."""
    seconds: float = 30.0
    """How long `slow` waits."""
    to: str = "http://10.0.0.1/"
    """Where `redirect` sends; for `merged`: the title whose page comes instead."""
    code: int = 302
    """Status of `redirect`."""


def fault_of(value: Mapping[str, Any]) -> Fault:
    """A fault from JSON; SourceError names what is wrong with it."""
    try:
        fault = Fault(**{**value, "titles": tuple(value.get("titles", ()))})
    except TypeError as error:
        raise SourceError(f"that is not a fault: {error}", "send kind, after, times …") from None
    if fault.kind not in KINDS:
        raise SourceError(f"no fault is called '{fault.kind}'", f"choose of {', '.join(KINDS)}")
    return fault


def fault_from_flag(text: str) -> Fault:
    """`429,after=10,times=2,retry_after=1` as a fault."""
    kind, *pairs = text.split(",")
    value: dict[str, Any] = {"kind": kind}
    for pair in pairs:
        key, _, given = pair.partition("=")
        value[key] = given.split("+") if key == "titles" else _typed(key, given)
    return fault_of(value)


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
    """The faults that are set; of each, how many title pages it saw and how often it showed."""

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
        """The fault that this request of a title page shows, if any."""
        for key, fault in enumerate(self.faults):
            if fault.titles and title_id not in fault.titles:
                continue
            self.seen[key] = self.seen.get(key, 0) + 1
            spent = fault.times and self.shown.get(key, 0) >= fault.times
            if self.seen[key] > fault.after and not spent:
                self.shown[key] = self.shown.get(key, 0) + 1
                return fault
        return None


Show = Callable[[Fault, Record | None, bytes], Awaitable[Response]]


async def show(fault: Fault, record: Record | None, page: bytes) -> Response:
    """The response of a fault; `page` is what the site would have answered."""
    return await KINDS[fault.kind](fault, record, page)


def _status(code: int, body: str = "") -> Show:
    async def answer(fault: Fault, record: Record | None, page: bytes) -> Response:
        headers = {"Retry-After": fault.retry_after} if fault.retry_after else {}
        return Response(body, code, headers, "text/html; charset=utf-8")

    return answer


async def _slow(fault: Fault, record: Record | None, page: bytes) -> Response:
    await asyncio.sleep(fault.seconds)
    return Response(page, media_type="text/html")


async def _truncated(fault: Fault, record: Record | None, page: bytes) -> Response:
    """Half the page, then the connection is cut."""

    async def half() -> AsyncIterator[bytes]:
        yield page[: len(page) // 2]
        raise ConnectionAbortedError

    return StreamingResponse(half(), headers={"Content-Length": str(len(page))})


async def _half(fault: Fault, record: Record | None, page: bytes) -> Response:
    """Half the page, with the length of that half: a cut that HTTP cannot notice."""
    return Response(page[: len(page) // 2], media_type="text/html")


async def _redirect_loop(fault: Fault, record: Record | None, page: bytes) -> Response:
    return RedirectResponse(f"/title/{record.title_id if record else 'tt0000001'}/?again", 302)


async def _redirect(fault: Fault, record: Record | None, page: bytes) -> Response:
    return RedirectResponse(fault.to, fault.code)


async def _merged(fault: Fault, record: Record | None, page: bytes) -> Response:
    """Another title's page, without a redirect: `page` is that one's."""
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


KINDS: dict[str, Show] = {
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
