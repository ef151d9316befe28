"""IMDB 5000 as the site's records; what is known of it is the kernel's (`titles_imdb5000`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from replica.records import Record, record_of
from sources.titles_imdb5000 import read_imdb5000

ROLES = ("directors", "cast")


def load_imdb5000(path: Path) -> dict[str, Record]:
    """Titles by id; a budget only where its currency is beyond doubt."""
    found = list(read_imdb5000(path))
    ids = _name_ids(found)
    for item in found:
        for role in ROLES:
            item[role] = [{**p, "name_id": ids[p["name"]]} for p in item[role]]
        item["gross_is_world"] = False
    return {item["title_id"]: record_of(item) for item in found}


def _name_ids(items: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """The CSV has no name ids: each name gets one of its own, the same on every page."""
    names = sorted({person["name"] for item in items for role in ROLES for person in item[role]})
    return {name: f"nm9{number:07d}" for number, name in enumerate(names)}
