"""The worlds that were promoted since a person last accepted one: a slow leak shows against them.

The champion's world moves with every promotion, so what each week loses a little of is never far
from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from marquee.artefacts.ledger_entry import Entry
from marquee.lake import Lake
from release.promotion import standing_promotions
from release.world import World, world_of_entry

AT_ONCE = 8
"""Reads of the lake: each is a round trip."""


def worlds_since(lake: Lake, model: str, entries: Sequence[Entry]) -> tuple[World, ...]:
    """The worlds of the standing promotions after the last accepted world, oldest first, with the
    accepted one before them."""
    start = max((e.number for e in entries if e.kind == "accept_world"), default=0)
    asked = [e for e in standing_promotions(entries) if e.number > start]
    if start and asked:
        asked.insert(0, next(e for e in entries if e.number == start))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return tuple(pool.map(lambda entry: world_of_entry(lake, model, entry), asked))
