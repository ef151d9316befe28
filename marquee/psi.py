"""The population stability index (PSI): how far two distributions over named classes lie apart."""

from __future__ import annotations

import math
from collections.abc import Mapping

LEAST_SHARE = 0.01
"""What a rarer class counts as: that one is nearly empty or begins is no other world."""
Counts = Mapping[str, float]
"""How many in each class, or their shares."""


def psi(now: Counts, then: Counts) -> float:
    """Population stability index: the sum of (p - q) ln(p / q) over the classes of either."""
    classes = {*now, *then}
    ours, theirs = _shares(now, classes), _shares(then, classes)
    return sum((ours[c] - theirs[c]) * math.log(ours[c] / theirs[c]) for c in classes)


def kept_psi(now: Counts, then: Counts) -> float:
    """The same, of what was there and is there still.

    A crawl adds titles of other kinds than it began with; it takes none away.
    """
    return psi({c: min(count, now.get(c, 0)) for c, count in then.items()}, then)


def expected_psi(now: Counts, then: Counts) -> float:
    """What two samples of one world differ by: about (k - 1)(1 / n + 1 / m) for k classes."""
    sizes = sum(now.values()), sum(then.values())
    classes = {c for counts in (now, then) for c, count in counts.items() if count}
    return math.inf if 0 in sizes else (len(classes) - 1) * sum(1 / size for size in sizes)


def _shares(counts: Counts, classes: set[str]) -> dict[str, float]:
    total = sum(counts.values()) or 1
    return {c: max(counts.get(c, 0) / total, LEAST_SHARE) for c in classes}
