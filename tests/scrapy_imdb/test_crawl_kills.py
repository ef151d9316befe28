"""`kill -9` at any moment: nothing lost, nothing twice, repeats no more than was in flight."""

from __future__ import annotations

from pathlib import Path

import pytest
from crawl_process import start
from crawl_rig import Crawl, start_site, stop_site, titles
from killing import crawl_under_fire
from made_up_titles import title_id, write_world

from marquee.errors import AWAY

COUNT = 300
KILLS = 20
CONCURRENCY = 4


@pytest.fixture
def slow_site(tmp_path: Path):
    """A site of its own whose every page takes a moment, so that kills land in the middle."""
    world = write_world(tmp_path / "world", COUNT)
    process, site = start_site(world, "--fault", "slow,seconds=0.05")
    yield site
    stop_site(process)


def test_twenty_kills_change_nothing(slow_site, tmp_path):
    crawl = Crawl(slow_site.url, tmp_path, COUNT)
    killed = crawl_under_fire(
        crawl.command(), tmp_path / "log", KILLS, slow_site.pages_requested, seed=7
    )
    assert killed.mid_crawl >= KILLS // 2
    found = titles(crawl.out)
    assert [t["title_id"] for t in found] == [title_id(n) for n in range(COUNT)]
    served = slow_site.served()
    repeats = sum(served.values()) - len(served)
    assert len(served) == COUNT
    assert 0 < repeats <= KILLS * CONCURRENCY
    report = crawl.report()
    assert (report["titles"], report["fetched"], report["left"]) == (COUNT, COUNT, 0)
    assert report["requests"] >= sum(served.values())


def test_a_terminated_crawl_delivers_and_is_tried_again(slow_site, tmp_path):
    crawl = Crawl(slow_site.url, tmp_path, COUNT)
    process = start(crawl.command(pages=150), tmp_path / "log")
    # The crawl drops open requests; at least one page has arrived before them.
    while slow_site.pages_requested() <= CONCURRENCY:
        process.join(0.02)
    process.terminate()
    process.join(60)
    assert process.exitcode == AWAY
    assert "interrupted by a signal" in crawl.report()["stopped"]
    assert 0 < crawl.report()["titles"] == len(titles(crawl.out)) < 150
    assert crawl.run(pages=150).returncode == 0
    assert [t["title_id"] for t in titles(crawl.out)] == [title_id(n) for n in range(150)]
    assert slow_site.pages_requested() <= 150 + CONCURRENCY


def test_what_a_killed_crawl_gathered_comes_home_with_the_next(slow_site, tmp_path):
    crawl = Crawl(slow_site.url, tmp_path, COUNT)
    process = start(crawl.command(), tmp_path / "log")
    while not slow_site.served():
        process.join(0.02)
    process.kill()
    process.join(60)
    assert not crawl.out.exists()
    requested_before = slow_site.pages_requested()
    assert crawl.run(out="next", day=11).returncode == 0
    found = titles(tmp_path / "next")
    assert [t["title_id"] for t in found] == [title_id(n) for n in range(COUNT)]
    assert slow_site.pages_requested() <= COUNT + CONCURRENCY
    assert requested_before > 0
