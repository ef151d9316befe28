"""Mutated pages: every one is read or refused with a reason, within a second of CPU.

Half of the mutations are hypothesis' (it shrinks what fails), half are of bytes: bits flipped,
pieces cut, doubled, moved in from another page. Pages are made up, in all layouts and languages,
and saved ones where they are present.
"""

from __future__ import annotations

import gzip
import hashlib
import random
import signal
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from types import FrameType

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st
from made_up_titles import made_up
from web_poet import HttpResponse

from marquee.settings import REPOSITORY
from replica.site_pages import LAYOUTS, render
from replica.site_titles import record_from_json
from scrapy_imdb.pages import RefusedPageError, read_page
from tests.drill.rounds import Drill, Figures

SAVED = REPOSITORY.parent / "shared" / "data" / "imdb-pages"
SECONDS = 1.0
PIECES = (
    *(b"", b"<", b">", b'"', b"'", b"\\", b"\0", b"\xff\xfe", b"&#x110000;", b"<!--", b"]]>"),
    *(b"</script>", b"<script>", b"</div>", b"<table>", b"__NEXT_DATA__", b"tt9999999999"),
    *(b"null", b"{}", b"[]", b"[[]]", b"true", b"-1", b"1e999", b"9" * 400, b'{"text": []}'),
)


class TooSlowError(Exception):
    """A page took more than its second."""


@cache
def pages() -> list[bytes]:
    """What is mutated: small pages of our own first, then saved ones."""
    own = [
        render(record_from_json(made_up(number)), layout, language)
        for layout in LAYOUTS
        for language in ("en", "de")
        for number in (3, 4, 5, 7)
    ]
    files = sorted(SAVED.rglob("*.html.gz")) if SAVED.is_dir() else []
    return own + [gzip.decompress(path.read_bytes()) for path in files]


def run(seed: int, count: int, folder: Path) -> Figures:
    """Read `count` mutated pages; what fails is kept in `folder`."""
    found: Counter[str] = Counter(pages=0, read=0, refused=0, too_slow=0, crashes=0)

    def read(body: bytes) -> None:
        outcome = attempt(body)
        found.update(("pages", outcome))
        if outcome in ("too_slow", "crashes"):
            name = hashlib.sha256(body).hexdigest()[:12]
            (folder / f"{outcome}-{name}.html").write_bytes(body)

    by_bytes(seed, count // 2, read)
    by_hypothesis(seed, count - count // 2, read)
    return {**found, "failures": found["too_slow"] + found["crashes"]}


def attempt(body: bytes) -> str:
    """`read`, `refused`, `too_slow` or `crashes`."""
    before = signal.signal(signal.SIGVTALRM, _too_slow)
    signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)  # this process' CPU seconds, not the clock's
    try:
        read_page(HttpResponse("http://site/title/", body=body))
    except RefusedPageError:
        return "refused"
    except TooSlowError:
        return "too_slow"
    except Exception:
        return "crashes"
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
    return "read"


def by_bytes(seed: int, count: int, read: Callable[[bytes], None]) -> None:
    """Plain mutations from a seeded generator."""
    rng = random.Random(seed)
    for _ in range(count):
        body = rng.choice(pages())
        for _ in range(rng.choice((1, 1, 2, 5, 30))):
            body = mutated(rng, body)
        read(body)


def mutated(rng: random.Random, body: bytes) -> bytes:
    """One mutation: a bit, a cut, a doubling, a piece, a graft of another page, or the end off."""
    at = rng.randrange(len(body) + 1)
    to = min(len(body), at + int(2 ** rng.uniform(0, 14)))
    kind = rng.randrange(6)
    if kind == 0 and at < len(body):
        return body[:at] + bytes([body[at] ^ (1 << rng.randrange(8))]) + body[at + 1 :]
    if kind == 1:
        return body[:at] + body[to:]
    if kind == 2:
        return body[:at] + body[at:to] * rng.randrange(2, 20) + body[to:]
    if kind == 3:
        other = rng.choice(pages())
        start = rng.randrange(len(other))
        return body[:at] + other[start : start + to - at] + body[to:]
    if kind == 4 and rng.random() < 0.2:
        return body[:at]
    return body[:at] + rng.choice(PIECES) + body[at:]


def by_hypothesis(seed: int, count: int, read: Callable[[bytes], None]) -> None:
    """Mutations hypothesis chooses: pieces put over parts of a page."""
    cuts = st.lists(
        st.tuples(st.floats(0, 1), st.integers(0, 500), st.sampled_from(PIECES)), max_size=10
    )

    @seeded(seed)
    @settings(
        max_examples=max(count, 1),
        deadline=None,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(st.integers(0, len(pages()) - 1), cuts)
    def mutate(number: int, cuts: Sequence[tuple[float, int, bytes]]) -> None:
        body = pages()[number]
        for where, length, piece in cuts:
            at = int(where * len(body))
            body = body[:at] + piece + body[at + length :]
        read(body)

    mutate()


def _too_slow(number: int, frame: FrameType | None) -> None:
    raise TooSlowError


FUZZ_PAGES = Drill(
    "every mutated page is read or refused with a reason, within a second of CPU",
    count=20_000,
    a_round=1_000,
    run=run,
)
