"""How often each field is stated, and when that has fallen too far to be an accident; and what was
left off or refused, by reason."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

FEWEST = 30
"""Titles below which a share says nothing."""
BOUNDS: Mapping[str, float] = {
    "year": 0.7,
    "directors": 0.7,
    "genres": 0.7,
    "rating": 0.7,
    "vote_count": 0.7,
    "budget": 0.3,
}
"""Watched field to the share of the last good crawl's coverage that is still acceptable.

Budgets thin out by themselves: a crawl goes from the best-known titles to the obscure.
"""
FLOORS: Mapping[str, float] = {"year": 0.5, "directors": 0.4, "genres": 0.5, "rating": 0.4}
"""What a very first crawl must state at least."""

EXAMPLES = 3
"""Records named for each reason."""
SHOWN = 12
"""Reasons told one by one."""


class Coverage:
    """Counts of items and of the fields they state."""

    def __init__(self) -> None:
        self.titles = 0
        self._stated: Counter[str] = Counter()

    @classmethod
    def of_shares(cls, shares: Mapping[str, float], titles: int) -> Coverage:
        """Coverage as a manifest keeps it."""
        coverage = cls()
        coverage.titles = titles
        coverage._stated.update({name: round(share * titles) for name, share in shares.items()})
        return coverage

    def add(self, record: Mapping[str, Any]) -> None:
        self.titles += 1
        self._stated.update(name for name, value in record.items() if value not in (None, "", []))

    def share(self, field: str) -> float:
        return self._stated[field] / self.titles if self.titles else 0.0

    @property
    def shares(self) -> dict[str, float]:
        """Every field seen to its share, rounded."""
        return {name: round(self.share(name), 4) for name in sorted(self._stated)}


def coverage_alarm(now: Coverage, before: Coverage | None) -> str:
    """The alarm as a table of the fields that fell, or nothing where all is well."""
    if now.titles < FEWEST:
        return ""
    compared = before is not None and before.titles >= FEWEST
    bounds = (
        {name: share * before.share(name) for name, share in BOUNDS.items()}
        if compared and before is not None
        else FLOORS
    )
    fallen = [name for name, bound in bounds.items() if now.share(name) < bound]
    if not fallen:
        return ""
    rows = [
        f"  {name:<12} {now.share(name):>6.1%}  at least {bounds[name]:.1%}"
        + (f"  (last good crawl {before.share(name):.1%})" if compared and before else "")
        for name in fallen
    ]
    return "field coverage fell, so nothing is loaded:\n" + "\n".join(rows)


class Reasons:
    """How many records share a reason, and the first of them by name."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._named: dict[str, list[str]] = {}

    def add(self, reason: str, name: str) -> None:
        """Count one record, `name`; what differs from record to record is taken off the reason."""
        kind = _kind(reason)
        self.counts[kind] += 1
        named = self._named.setdefault(kind, [])
        if len(named) < EXAMPLES:
            named.append(name)

    def add_notes(self, record: Mapping[str, Any]) -> None:
        """Count the notes of the fields that a record lacks, or of lists that lack an entry."""
        for note in record.get("notes") or ():
            value = record.get(str(note).partition(":")[0])
            if value in (None, "") or isinstance(value, list):
                self.add(str(note), str(record["title_id"]))

    @property
    def total(self) -> int:
        return self.counts.total()

    def lines(self) -> Iterator[str]:
        """A line a reason, the commonest first: how many, and three of them by name."""
        for kind, count in self.counts.most_common(SHOWN):
            more = ", …" if count > len(self._named[kind]) else ""
            yield f"  {count} × {kind} ({', '.join(self._named[kind])}{more})"
        others = self.counts.most_common()[SHOWN:]
        if others:
            yield f"  {sum(count for _, count in others)} × {len(others)} other reasons"

    @classmethod
    def of(cls, refused: Iterable[Mapping[str, Any]]) -> Reasons:
        """Of refused records or pages, each with its `reason` and, where it is known, its id."""
        found = cls()
        for one in refused:
            name = one.get("title_id") or (one.get("record") or {}).get("title_id")
            found.add(str(one.get("reason", "no reason given")), str(name or "no id"))
        return found


def _kind(reason: str) -> str:
    """A reason without the value it is about: the remark at its end, what is quoted, numbers."""
    plain = re.sub(r"\s*\((?:[^()]|\([^()]*\))*\)$", "", reason.strip())
    plain = re.sub(r"'[^']*'", "'…'", plain)
    return re.sub(r"(?<![\w-])(?:\d[\d.,:-]{2,}|\d+%)%?", "…", plain)[:160]
