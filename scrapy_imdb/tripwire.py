"""When a crawl must stop by itself: the site shuts us out, or has changed.

Pure: the spider reports each outcome, and the tripwire returns a cause to stop or None. There is no
way around it; a person reads the cause and decides.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Collection, Mapping
from typing import Any

from scrapy_imdb.pages.layouts import is_challenge
from sources.title_record import is_stated

ACCEPTED = "the site answers 202 without a page, as it does to robots"
MOST_429 = 3
MOST_FAILED = 5
MOST_REFUSED = 5
MOST_INTO_ONE = 5
"""Titles that may have become one and the same, over all crawls of one state."""
MOST_MERGED, MERGED_SHARE = 10, 0.1
"""Titles that may have become others: so many, or this share of those visited, if that is more."""
WINDOW = 40
"""Items over which field coverage is watched."""
LARGEST_FALL = 0.5
"""Coverage may fall to this share of the reference before it is a cause."""
MOST_RECENTLY_MERGED = WINDOW // 2
"""Merged titles among the last `WINDOW` before a crawl stops; `excess_merges` counts all of them at
its end."""
MERGED_PAGES = "the site answers with other titles' pages"
WATCHED = ("year", "directors", "genres", "rating", "vote_count")
"""Fields that popular titles and obscure ones state alike (budgets they do not)."""
FLOOR = 0.5
"""Coverage before there is a reference: half of the titles state each watched field."""


class Tripwire:
    """Remembers the last few outcomes of one crawl."""

    def __init__(self, reference: Mapping[str, float]) -> None:
        self._reference = reference
        self._recent: deque[Mapping[str, Any]] = deque(maxlen=WINDOW)
        self._in_a_row = {"429": 0, "failed": 0, "refused": 0}

    def response(self, status: int, body: bytes) -> str | None:
        """The cause to stop in one HTTP response, before its body is read as a page.

        A response with 2xx and a body is a page: its reader decides whether it is a challenge.
        """
        if status == 429:
            return self._count_in_a_row("429", MOST_429, "the site answers 429, too many requests")
        if status in (403, 405, 503) and is_challenge(body):
            return challenge_cause(status)
        if status == 202 and not body.strip():
            return ACCEPTED
        if status in (401, 403, 405, 451):
            return f"the site refuses us (HTTP {status})"
        if status == 200 and not body.strip():
            return "the site answers with an empty page, as it does to robots"
        return None

    def title(self, record: Mapping[str, Any]) -> str | None:
        """The cause to stop in one more item: the fields it states."""
        self._in_a_row = dict.fromkeys(self._in_a_row, 0)
        self._recent.append(record)
        if sum(r.get("merged_into") is not None for r in self._recent) > MOST_RECENTLY_MERGED:
            return MERGED_PAGES
        if len(self._recent) < WINDOW:
            return None
        for name in WATCHED:
            share = sum(is_stated(r.get(name)) for r in self._recent) / WINDOW
            bound = LARGEST_FALL * self._reference.get(name, FLOOR / LARGEST_FALL)
            if share < bound:
                return (
                    f"field coverage fell: only {share:.0%} of the last {WINDOW} titles state "
                    f"'{name}', at least {bound:.0%} did before; the pages have changed"
                )
        return None

    def missing(self) -> None:
        """Report that the site has no such title, which is no failure."""
        self._in_a_row["failed"] = self._in_a_row["429"] = 0

    def refused(self, reason: str) -> str | None:
        """The cause to stop in one more page that cannot be read."""
        text = f"{MOST_REFUSED} pages in a row cannot be read, the last because: {reason}"
        return self._count_in_a_row("refused", MOST_REFUSED, text, full=text)

    def failed(self, reason: str) -> str | None:
        """The cause to stop in one more title that could not be fetched."""
        text = f"{MOST_FAILED} titles in a row could not be fetched, the last because: {reason}"
        return self._count_in_a_row("failed", MOST_FAILED, text, full=text)

    def _count_in_a_row(self, name: str, most: int, text: str, full: str = "") -> str | None:
        self._in_a_row[name] += 1
        if self._in_a_row[name] < most:
            return None
        return full or f"{text} ({most} times in a row)"


def excess_merges(merges: Mapping[str, str], recent: Collection[str]) -> tuple[set[str], str]:
    """The titles whose page is another's where there are too many for merges, and the cause.

    `merges` maps requested ids to what they became, over all crawls of one state; `recent` holds
    the ids visited lately. Few titles merge. Where many responses are other titles' pages, the site
    serves one page for all, the title of the day, or the wrong ones.
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
    """The cause where a test for robots came in place of a page."""
    return f"the site answers with a challenge for robots (HTTP {status})"
