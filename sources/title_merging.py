"""Several sources of titles as one: each field of a title from the first source that states it.

`load_titles` gathers the sources of a run in their order, which is their precedence, and writes
them as one crawl would. `provenance` names the source of each field. Where a later source states
another value of a field that should agree, that is a conflict, and it is reported.

The crawl counts with all pages of all crawls: this week's crawl visits some titles only, and a
source of lower precedence must not win over a page of last week.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from marquee.clock import now
from marquee.lake import Lake
from marquee.normalise.text import unique
from sources.title_cells import SetAside
from sources.title_record import (
    Record,
    is_stated,
    lends_a_budget,
    read_lines,
    refusal_reasons,
    to_contract,
    write_lines,
)
from sources.title_snapshots import fetch_moment, moment_of, records_at, snapshots
from sources.title_sources import CRAWL, read_source

OWN = ("title_id", "layout", "source_url", "fetched_at", "parser_version", "notes")
"""Fields of a source's own record: they come with a title's first source, notes with all."""
COMPARED = ("year", "type", "budget", "runtime")
"""Fields in which a difference between two sources is reported."""


@dataclass(frozen=True)
class Conflict:
    """Two sources that state different values."""

    title_id: str
    field: str
    kept: str
    """The source whose value stands."""
    other: str
    values: tuple[Any, Any]


@dataclass
class Merged:
    """The merged records by title id, in order of first appearance, and the conflicts."""

    records: dict[str, Record] = field(default_factory=dict)
    conflicts: list[Conflict] = field(default_factory=list)
    aside: SetAside = field(default_factory=dict)
    """Rows of the sources' files that could not be read."""

    @property
    def given(self) -> dict[str, int]:
        """Source to the number of fields that it gave."""
        sources = (s for r in self.records.values() for s in r["provenance"].values())
        return dict(sorted(Counter(sources).items()))

    @property
    def disputed(self) -> dict[str, int]:
        """Field to the number of conflicts."""
        return dict(sorted(Counter(conflict.field for conflict in self.conflicts).items()))


def gather_titles(
    chosen: Sequence[str],
    places: Mapping[str, str],
    crawled: Iterable[Record],
    wanted: Collection[str],
) -> Merged:
    """Read and merge the chosen sources, by precedence; SourceError where one cannot be read.

    `places`: source to its file or folder; `crawled`: the records of the crawl; `wanted`: the title
    ids that ratings know.
    """
    aside: SetAside = {}
    sources = [
        (name, crawled if name == CRAWL else read_source(name, places, wanted, aside))
        for name in chosen
    ]
    return merge_titles(sources, aside)


def crawled_titles(lake: Lake, folder: Path, before: str) -> Iterator[Record]:
    """The records of all crawls until now, one a title: this run's, else the latest fetched.

    `folder`: this run's crawl; `before`: the path of this run's snapshot.
    """
    known: dict[str, tuple[datetime, Record]] = {}
    for path in snapshots(lake, before):
        loaded = moment_of(path, lake.manifest(path))
        for record in filter(None, map(_of_crawl, records_at(lake, path))):
            fetched = fetch_moment(record.get("fetched_at"), loaded, now())
            if record["title_id"] not in known or known[record["title_id"]][0] <= fetched:
                known[record["title_id"]] = fetched, record
    pages = {title_id: record for title_id, (_, record) in known.items()}
    pages |= {r["title_id"]: r for r in read_lines(sorted(folder.glob("titles-*.jsonl.gz")))}
    return iter(pages.values())


def merge_titles(
    sources: Sequence[tuple[str, Iterable[Record]]], aside: SetAside | None = None
) -> Merged:
    """Merge named sources by precedence; `aside`: the rows that their readers set aside."""
    merged = Merged(aside={} if aside is None else aside)
    for name, records in sources:
        for record in map(to_contract, records):
            _add(merged, name, record)
    return merged


def write_merged(
    folder: Path, merged: Merged, source: str, refused: Iterable[Record] = ()
) -> list[Record]:
    """Write the records as a crawl would, ready for `load_titles`.

    Returns the refused ones with their reasons: incomplete records, and those in `refused`, the
    pages that the crawl could not read.
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


def _of_crawl(record: Record) -> Record | None:
    """The crawl's own fields of a loaded record; None where the crawl gave none."""
    given = record.get("provenance")
    if given is None:
        return record
    if CRAWL not in given.values():
        return None
    mine = {name for name, source in given.items() if source == CRAWL} | {*OWN, "provenance"}
    blank: Record = {
        name: [] if isinstance(value, list) else None for name, value in record.items()
    }
    page = blank | {name: value for name, value in record.items() if name in mine}
    del page["provenance"]
    return page


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


def _differs(kept: Any, other: Any) -> bool:
    """Whether two stated values differ; the confidence in a currency is no difference."""
    if isinstance(kept, dict) and isinstance(other, dict):
        return any(kept[key] != other[key] for key in ("amount", "currency"))
    return bool(kept != other)


def _later(one: str | None, other: str | None) -> str | None:
    """The moment when both were known: the later fetch; None (the load) where one states none."""
    return max(one, other) if one and other else None


def _complete(merged: Merged, refused: list[Record]) -> Iterator[Record]:
    for title_id in sorted(merged.records):
        record = merged.records[title_id]
        wrong = refusal_reasons(record)
        if wrong:
            refused.append({"title_id": title_id, "reason": "; ".join(wrong), "record": record})
        else:
            yield record
