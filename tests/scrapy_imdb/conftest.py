"""Fixtures of the crawl's tests: one shared site, one crawl a test, the saved pages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from crawl_rig import REPOSITORY, TITLES, Crawl, RunningSite, start_site, stop_site
from made_up_titles import write_world


@pytest.fixture(scope="session")
def shared_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSite]:
    world = write_world(tmp_path_factory.mktemp("world"), TITLES)
    process, site = start_site(world, "--layout", "mixed")
    yield site
    stop_site(process)


@pytest.fixture
def site(shared_site: RunningSite) -> Iterator[RunningSite]:
    """The shared site, healthy again after each test."""
    yield shared_site
    shared_site.heal()


@pytest.fixture
def crawl(site: RunningSite, tmp_path: Path) -> Crawl:
    return Crawl(site.url, tmp_path, TITLES)


@pytest.fixture(scope="session")
def saved_pages() -> Path:
    """The folder of saved pages beside the repository; skips where it is absent."""
    folder = REPOSITORY.parent / "shared" / "data" / "imdb-pages"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there: real pages are not in the repository")
    return folder
