"""A crawl that was stopped and loaded goes on: the rest is loaded too, and nothing twice."""

from __future__ import annotations

from pathlib import Path

import pytest
from crawl_rig import TITLES
from made_up_titles import title_id

from marquee.lake import Lake, open_lake
from sources.title_loading import load_titles
from sources.title_snapshots import records_at, snapshots

EVERY_TITLE = [title_id(number) for number in range(TITLES)]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return open_lake((tmp_path / "lake").as_uri())


def path_of(day: int) -> str:
    return f"raw/titles/as_of=202601{day:02d}T030000Z/run=r-{day}"


def ids_in(lake: Lake) -> list[str]:
    """Every title in the lake, once for each time it lies there."""
    paths = snapshots(lake, "raw/titles/~")
    return sorted(record["title_id"] for path in paths for record in records_at(lake, path))


def test_the_same_run_loads_what_came_home_after_its_first_load(crawl, site, lake):
    site.fault("challenge", after=20)
    assert crawl.run().returncode == 3
    first = load_titles(lake, crawl.out, path_of(4))
    assert first and 0 < first.manifest.rows < TITLES
    again = load_titles(lake, crawl.out, path_of(4))  # the load is retried with nothing more home
    assert again and not again.is_new and again.path == first.path
    site.heal()
    assert crawl.run().returncode == 0
    rest = load_titles(lake, crawl.out, path_of(4))
    assert rest and rest.is_new and rest.path == f"{path_of(4)}-part2"
    assert first.manifest.rows + rest.manifest.rows == TITLES
    assert ids_in(lake) == EVERY_TITLE
    last = load_titles(lake, crawl.out, path_of(4))
    assert last and not last.is_new and last.path == rest.path


def test_the_next_run_loads_only_what_it_brought_home_itself(crawl, site, lake):
    site.fault("challenge", after=20)
    assert crawl.run().returncode == 3
    assert load_titles(lake, crawl.out, path_of(4))
    site.heal()
    assert crawl.run(out="next", day=11).returncode == 0
    loaded = load_titles(lake, crawl.folder / "next", path_of(11))
    assert loaded and loaded.is_new and loaded.path == path_of(11)
    assert ids_in(lake) == EVERY_TITLE
