"""One crawl, killed (SIGKILL) at random moments, must change nothing."""

from __future__ import annotations

import tempfile
from pathlib import Path

from crawl_rig import Crawl, start_site, stop_site, titles
from killing import crawl_under_fire
from made_up_titles import title_id, write_world

from tests.drill.rounds import Drill, Figures

CONCURRENCY = 4
TITLES_A_KILL = 30
"""Enough that the crawl is never done before it can be killed."""


def run(seed: int, kills: int, folder: Path) -> Figures:
    """Kill one crawl `kills` times; its items must be those of an undisturbed one."""
    count = TITLES_A_KILL * kills
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        world = write_world(place / "world", count)
        process, site = start_site(world, "--fault", "slow,seconds=0.03")
        try:
            crawl = Crawl(site.url, place, count)
            command = crawl.command(pages=count)
            killed = crawl_under_fire(command, folder / "crawl", kills, site.pages_requested, seed)
            served = site.served()
        finally:
            stop_site(process)
        found = [title["title_id"] for title in titles(crawl.out)]
    wanted = [title_id(number) for number in range(count)]
    repeats = sum(served.values()) - len(served)
    return {
        "kills": killed.kills,
        "in_mid_crawl": killed.mid_crawl,
        "titles": len(found),
        "missing": len(set(wanted) - set(found)),
        "twice": len(found) - len(set(found)),
        "pages_asked_again": repeats,
        "of_at_most": kills * CONCURRENCY,
        "failures": int(found != wanted) + int(repeats > kills * CONCURRENCY),
    }


CRAWL_KILL = Drill(
    "the items equal an undisturbed crawl's; repeats are at most what was in flight",
    count=200,
    a_round=200,
    run=run,
)
