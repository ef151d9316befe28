"""When a crawl must stop by itself: the site shuts us out, or its pages have changed.

The spider reports each response and outcome. The tripwire returns a cause to stop, or None. No flag
turns it off; a person reads the cause and decides.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Collection, Mapping
from typing import Any

from scrapy_imdb.pages.layouts import is_challenge
from sources.title_record import is_stated

ACCEPTED_WITHOUT_PAGE = "the site answers 202 without a page, as it does to robots"
MOST_429 = 3
MOST_FAILED = 5
MOST_REFUSED = 5
MOST_INTO_ONE = 5
"""The crawl stops where more titles than this became the same title, over all crawls of a state."""
MOST_MERGED, MERGED_SHARE = 10, 0.1
"""Most merged titles among those visited: the larger of this number and this share."""
WINDOW = 40
"""Field coverage is watched over this number of items."""
LEAST_SHARE_OF_REFERENCE = 0.5
"""Coverage below this share of the reference is a cause."""
MOST_RECENTLY_MERGED = WINDOW // 2
"""The crawl stops where more of the last `WINDOW` items were merged titles. `excess_merges` counts
all merged titles once more at the crawl's end."""
MERGED_PAGES = "the site answers with other titles' pages"
WATCHED = ("year", "directors", "genres", "rating", "vote_count")
"""Fields that popular and obscure titles state equally often; budgets are not among them."""
LEAST_COVERAGE = 0.5
"""Least coverage of each watched field in a crawl without a reference."""


class Tripwire:
    """Remembers the last few outcomes of one crawl."""

    def __init__(self, reference: Mapping[str, float]) -> None:
        self._reference = reference
        self._recent: deque[Mapping[str, Any]] = deque(maxlen=WINDOW)
        self._in_a_row = {"429": 0, "failed": 0, "refused": 0}

    def response(self, status: int, body: bytes) -> str | None:
        """The cause to stop in one HTTP response, before its body is read as a page.

        `read_page` finds a challenge in a 2xx response with a body.
        """
        if status == 429:
            return self._count_in_a_row("429", MOST_429, "the site answers 429, too many requests")
        if status in (403, 405, 503) and is_challenge(body):
            return challenge_cause(status)
        if status == 202 and not body.strip():
            return ACCEPTED_WITHOUT_PAGE
        if status in (401, 403, 405, 451):
            return f"the site refuses us (HTTP {status})"
        if status == 200 and not body.strip():
            return "the site answers with an empty page, as it does to robots"
        return None

    def title(self, record: Mapping[str, Any]) -> str | None:
        """The cause to stop after one more item: merged titles, or coverage that fell."""
        self._in_a_row = dict.fromkeys(self._in_a_row, 0)
        self._recent.append(record)
        if sum(r.get("merged_into") is not None for r in self._recent) > MOST_RECENTLY_MERGED:
            return MERGED_PAGES
        if len(self._recent) < WINDOW:
            return None
        for name in WATCHED:
            share = sum(is_stated(r.get(name)) for r in self._recent) / WINDOW
            known = self._reference.get(name)
            bound = LEAST_COVERAGE if known is None else LEAST_SHARE_OF_REFERENCE * known
            if share < bound:
                return (
                    f"field coverage fell: only {share:.0%} of the last {WINDOW} titles state "
                    f"'{name}', at least {bound:.0%} did before; the pages have changed"
                )
        return None

    def missing(self) -> None:
        """Report a title that the site does not have; this is no failure."""
        self._in_a_row["failed"] = self._in_a_row["429"] = 0

    def refused(self, reason: str) -> str | None:
        """The cause to stop after one more unreadable page."""
        text = f"{MOST_REFUSED} pages in a row cannot be read, the last because: {reason}"
        return self._count_in_a_row("refused", MOST_REFUSED, text, full=text)

    def failed(self, reason: str) -> str | None:
        """The cause to stop after one more title that could not be fetched."""
        text = f"{MOST_FAILED} titles in a row could not be fetched, the last because: {reason}"
        return self._count_in_a_row("failed", MOST_FAILED, text, full=text)

    def _count_in_a_row(self, name: str, most: int, text: str, full: str = "") -> str | None:
        self._in_a_row[name] += 1
        if self._in_a_row[name] < most:
            return None
        return full or f"{text} ({most} times in a row)"


def excess_merges(merges: Mapping[str, str], recent: Collection[str]) -> tuple[set[str], str]:
    """The titles that were answered with another title's page, where these are too many, and why.

    `merges`: requested id to the page's id, over all crawls of one state; `recent`: the ids visited
    lately. Sites merge few titles. Many such pages mean that the site serves one page for all
    requests, or wrong pages.
    """
    into = Counter(merges.values())
    name, most = max(into.items(), key=lambda item: item[1], default=("", 0))
    lately = merges.keys() & set(recent)
    if len(lately) > max(MOST_MERGED, MERGED_SHARE * len(recent)):
        cause = f"{MERGED_PAGES}: for {len(lately)} of the last {len(recent)}"
        return set(lately), cause
    if most > MOST_INTO_ONE:
        cause = f"{MERGED_PAGES}: {most} titles were answered with the page of {name}"
        return {old for old, new in merges.items() if into[new] > MOST_INTO_ONE}, cause
    return set(), ""


def challenge_cause(status: int) -> str:
    """The cause to stop where a challenge for robots came in place of a page."""
    return f"the site answers with a challenge for robots (HTTP {status})"
