"""The size of the house: how many modules, how long they are, and that file names are unique."""

from __future__ import annotations

import statistics
from collections import defaultdict
from pathlib import Path

from tests.test_architecture import modules, place

MOST_MODULES = 344
LEAST_MEDIAN = 100
MOST_LINES = 300
LONG: dict[str, str] = {}
"""Modules above MOST_LINES, each with the reason."""
MOST_PLACES = 2
REPEATED = {
    "__init__": "Python's name of a package's own module",
    "__main__": "Python's name of the module that `python -m` runs",
}
"""File stems in more than MOST_PLACES places, each with the reason."""


def lines(path: Path) -> int:
    """Lines of a module, empty ones included."""
    return len(path.read_text(encoding="utf-8").splitlines())


def test_modules_are_few() -> None:
    assert len(modules()) <= MOST_MODULES, f"{len(modules())} modules; join what is read together"


def test_half_of_the_modules_hold_a_whole_idea() -> None:
    median = statistics.median(map(lines, modules()))
    assert median >= LEAST_MEDIAN, f"the median module has {median} lines"


def test_no_module_is_too_long_to_read() -> None:
    found = {place(path): lines(path) for path in modules()}
    long = {name: count for name, count in found.items() if count > MOST_LINES}
    assert long.keys() - LONG.keys() == set(), long
    assert LONG.keys() - long.keys() == set(), "named as long, and is not"


def test_a_file_stem_names_one_thing() -> None:
    places = defaultdict(list)
    for path in modules():
        places[path.stem].append(place(path))
    repeated = {stem: found for stem, found in places.items() if len(found) > MOST_PLACES}
    assert repeated.keys() - REPEATED.keys() == set(), repeated
    assert REPEATED.keys() - repeated.keys() == set(), "named as repeated, and is not"
