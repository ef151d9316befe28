"""How often each field is stated, and when that has fallen too far to be an accident."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
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
