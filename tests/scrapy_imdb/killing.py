"""Kill a crawl at random moments, start it again, until it ends; shared by test and drill."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import crawl_process

LONGEST = 0.15
"""Seconds from a crawl's first page to its end, at most."""
EARLY = 4
"""One kill in so many comes while the crawl still starts."""


@dataclass(frozen=True)
class Killed:
    """How it went."""

    kills: int
    mid_crawl: int
    """Kills that came after the crawl had requested pages."""


def crawl_under_fire(
    command: list[str], output: Path, kills: int, pages_requested: Callable[[], int], seed: int
) -> Killed:
    """Kill `command` (SIGKILL) `kills` times at random moments, then let it end.

    `pages_requested` returns how many page requests the site got so far. The crawl must have more
    to do than fits between the kills: one that ends by itself too soon is an error.
    """
    chance = random.Random(seed)
    mid_crawl = 0
    for number in range(kills):
        before = pages_requested()
        process = crawl_process.start(command, output)
        while number % EARLY and pages_requested() == before and process.exitcode is None:
            process.join(0.01)
        process.join(chance.uniform(0, LONGEST))
        assert process.exitcode is None, "the crawl ended before it could be killed"
        process.kill()
        process.join(60)
        mid_crawl += pages_requested() > before
    process = crawl_process.start(command, output)
    process.join(600)
    assert process.exitcode == 0, output.with_suffix(".err").read_text()
    return Killed(kills, mid_crawl)
