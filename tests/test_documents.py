"""Documents name only what is there: files, folders, and pages that they link to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from marquee.settings import REPOSITORY

PAGES = sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")])
ROOMS = "|".join(path.parent.name for path in sorted(REPOSITORY.glob("*/__init__.py")))
NAMED = re.compile(rf"`((?:{ROOMS}|dags|plugins|config|tests|docs|docker)/[\w./-]*?)`")
LINKED = re.compile(r"\]\(([^)#:\s]+)(?:#[\w-]+)?\)")
HISTORY = ("CHANGELOG.md",)
"""Pages that speak of what was."""


def missing(page: Path) -> Iterator[str]:
    """What a page names or links to and is not there."""
    text = page.read_text(encoding="utf-8")
    for name in NAMED.findall(text):
        if page.name not in HISTORY and not (REPOSITORY / name).exists():
            yield name
    for link in LINKED.findall(text):
        if not (page.parent / link).exists():
            yield link


def test_there_are_pages() -> None:
    assert len(PAGES) > 30


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(REPOSITORY).as_posix())
def test_what_a_page_names_is_there(page: Path) -> None:
    assert list(missing(page)) == []
