"""Several sources of titles as one: merged by title id, each field from the first that states it.

The order of the sources is the precedence. `provenance` says which source gave each field;
where a later source states another value of a field that should agree, that is a conflict, and
it is reported, not hidden.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from marquee.normalise.text import unique
from sources.title_lines import write_lines
from sources.title_record import Record, SetAside, differences, is_stated, lends_a_budget, settled

OWN = ("title_id", "layout", "source_url", "fetched_at", "parser_version", "notes")
"""Fields that describe a source's own record; they come with its first source, notes with all."""
COMPARED = ("year", "type", "budget", "runtime")
"""Fields in which two sources must not differ without being told of."""


@dataclass(frozen=True)
class Conflict:
    """Two sources that state different values."""

    title_id: str
    field: str
    kept: str
    """Source whose value was kept."""
    other: str
    values: tuple[Any, Any]


@dataclass
class Merged:
    """Records by title id, in order of first appearance, and what did not agree."""

    records: dict[str, Record] = field(default_factory=dict)
    conflicts: list[Conflict] = field(default_factory=list)
    aside: SetAside = field(default_factory=dict)
    """Rows of the sources' files that could not be read."""

    @property
    def given(self) -> dict[str, int]:
        """Source to how many fields it gave."""
        sources = (s for r in self.records.values() for s in r["provenance"].values())
        return dict(sorted(Counter(sources).items()))

    @property
    def disputed(self) -> dict[str, int]:
        """Field to how often two sources stated different values."""
        return dict(sorted(Counter(conflict.field for conflict in self.conflicts).items()))


def merge_titles(
    sources: Sequence[tuple[str, Iterable[Record]]], aside: SetAside | None = None
) -> Merged:
    """Merge named sources; the first named wins wherever it states a field. `aside` is what their
    readers count."""
    merged = Merged(aside={} if aside is None else aside)
    for name, records in sources:
        for record in map(settled, records):
            _add(merged, name, record)
    return merged


def write_merged(
    folder: Path, merged: Merged, source: str, refused: Iterable[Record] = ()
) -> list[Record]:
    """Leave the records as a crawl would, ready for `load_titles`; incomplete ones are refused,
    and given back with their reasons.

    `refused` is what a source refused itself: pages that could not be read.
    """
    folder.mkdir(parents=True, exist_ok=True)
    refused = list(refused)
    titles = write_lines(folder / "titles-00001.jsonl.gz", _complete(merged, refused))
    if refused:
        write_lines(folder / "refused-00001.jsonl.gz", refused)
    conflicts = [vars(conflict) for conflict in merged.conflicts]
    report = {
        "source": source,
        "fetched": titles + len(refused),
        "titles": titles,
        "refused": len(refused),
        "budget_lenders": sum(map(lends_a_budget, merged.records.values())),
        "conflicts": conflicts,
        "rows_aside": {name: vars(rows) for name, rows in merged.aside.items() if rows.count},
    }
    text = json.dumps(report, indent=2, sort_keys=True, default=str)
    (folder / "report.json").write_text(text + "\n", encoding="utf-8")
    return refused


def _complete(merged: Merged, refused: list[Record]) -> Iterator[Record]:
    for title_id in sorted(merged.records):
        record = merged.records[title_id]
        wrong = differences(record)
        if wrong:
            refused.append({"title_id": title_id, "reason": "; ".join(wrong), "record": record})
        else:
            yield record


def _differs(kept: Any, other: Any) -> bool:
    """How sure a source is of a currency is its own affair."""
    if isinstance(kept, dict) and isinstance(other, dict):
        return any(kept[key] != other[key] for key in ("amount", "currency"))
    return bool(kept != other)


def _add(merged: Merged, source: str, record: Record) -> None:
    known = merged.records.get(record["title_id"])
    if known is None:
        stated = [name for name, value in record.items() if is_stated(value) and name not in OWN]
        merged.records[record["title_id"]] = {**record, "provenance": dict.fromkeys(stated, source)}
        return
    known["notes"] = unique([*known.get("notes", ()), *record.get("notes", ())])
    is_given = False
    for name, value in record.items():
        if name in OWN or not is_stated(value):
            continue
        if not is_stated(known.get(name)):
            known[name] = value
            known["provenance"][name] = source
            is_given = True
        elif name in COMPARED and _differs(known[name], value):
            kept = known["provenance"][name]
            found = Conflict(record["title_id"], name, kept, source, (known[name], value))
            merged.conflicts.append(found)
    if is_given:
        known["fetched_at"] = _later(known.get("fetched_at"), record.get("fetched_at"))


def _later(one: str | None, other: str | None) -> str | None:
    """When both were known: the later fetch, or None (the load's moment) where one says none."""
    return max(one, other) if one and other else None
