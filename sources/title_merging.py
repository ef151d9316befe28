"""Merge sources of titles: each field comes from the first source that states it.

The step `load_titles` reads the chosen sources in their order of precedence and writes the merged
records as a crawl's folder. `provenance` names the source of each field. A conflict is reported
where a later source states another year, type, budget or runtime.

The source `crawl` holds the pages of all crawls. One crawl visits only some titles, and last week's
page must win over a source of lower precedence.
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
from sources.title_cells import RowsAsideByFile
from sources.title_record import (
    Record,
    is_stated,
    read_lines,
    refusal_reasons,
    states_only_a_budget,
    to_contract,
    write_lines,
)
from sources.title_snapshots import fetch_moment, load_moment, records_at, snapshots
from sources.title_sources import CRAWL, read_source

NO_PROVENANCE = (
    "title_id",
    "layout",
    "source_url",
    "fetched_at",
    "parser_version",
    "notes",
)
"""Fields without provenance. They come from a title's first source; `notes` come from all."""
CONFLICT_FIELDS = ("year", "type", "budget", "runtime")
"""Fields in which a difference between two sources is reported."""


@dataclass(frozen=True)
class Conflict:
    """Two sources state different values of a field."""

    title_id: str
    field: str
    kept: str
    """The source whose value is used."""
    other: str
    values: tuple[Any, Any]


@dataclass
class MergedTitles:
    """The merged records by title id, in order of first appearance, and the conflicts."""

    records: dict[str, Record] = field(default_factory=dict)
    conflicts: list[Conflict] = field(default_factory=list)
    aside: RowsAsideByFile = field(default_factory=dict)
    """Rows of the sources' files that could not be read."""

    @property
    def fields_by_source(self) -> dict[str, int]:
        """Source to its number of fields in the merged records."""
        sources = (s for r in self.records.values() for s in r["provenance"].values())
        return dict(sorted(Counter(sources).items()))

    @property
    def conflicts_by_field(self) -> dict[str, int]:
        """Field to the number of conflicts."""
        return dict(sorted(Counter(conflict.field for conflict in self.conflicts).items()))


def gather_titles(
    chosen: Sequence[str],
    paths: Mapping[str, str],
    crawled: Iterable[Record],
    wanted: Collection[str],
) -> MergedTitles:
    """Read and merge the chosen sources, by precedence; SourceError for an unreadable source.

    `paths`: source to its file or folder; `crawled`: the records of the crawl; `wanted`: the ids
    of rated titles.
    """
    aside: RowsAsideByFile = {}
    sources = [
        (name, crawled if name == CRAWL else read_source(name, paths, wanted, aside))
        for name in chosen
    ]
    return merge_titles(sources, aside)


def crawled_titles(lake: Lake, folder: Path, before: str) -> Iterator[Record]:
    """One record for each crawled title: from this run's crawl, else the latest of earlier crawls.

    `folder`: the folder of this run's crawl; `before`: the path of this run's snapshot.
    """
    known: dict[str, tuple[datetime, Record]] = {}
    for path in snapshots(lake, before):
        loaded = load_moment(path, lake.manifest(path))
        for record in filter(None, map(_of_crawl, records_at(lake, path))):
            fetched = fetch_moment(record.get("fetched_at"), loaded, now())
            if record["title_id"] not in known or known[record["title_id"]][0] <= fetched:
                known[record["title_id"]] = fetched, record
    pages = {title_id: record for title_id, (_, record) in known.items()}
    pages |= {r["title_id"]: r for r in read_lines(sorted(folder.glob("titles-*.jsonl.gz")))}
    return iter(pages.values())


def merge_titles(
    sources: Sequence[tuple[str, Iterable[Record]]], aside: RowsAsideByFile | None = None
) -> MergedTitles:
    """Merge named sources by precedence; `aside` holds the rows that their readers set aside."""
    merged = MergedTitles(aside={} if aside is None else aside)
    for name, records in sources:
        for record in map(to_contract, records):
            _add(merged, name, record)
    return merged


def write_merged(
    folder: Path, merged: MergedTitles, source: str, refused: Iterable[Record] = ()
) -> list[Record]:
    """Write the merged records as a crawl's folder, for `title_loading.load_titles`.

    `refused`: pages that the crawl could not read. Returns them and the incomplete records, each
    with its reason.
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
        "budget_lenders": sum(map(states_only_a_budget, merged.records.values())),
        "conflicts": conflicts,
        "rows_aside": {name: vars(rows) for name, rows in merged.aside.items() if rows.count},
    }
    text = json.dumps(report, indent=2, sort_keys=True, default=str)
    (folder / "report.json").write_text(text + "\n", encoding="utf-8")
    return refused


def _of_crawl(record: Record) -> Record | None:
    """The fields of a loaded record that came from the crawl; None without any."""
    given = record.get("provenance")
    if given is None:
        return record
    if CRAWL not in given.values():
        return None
    mine = {name for name, source in given.items() if source == CRAWL} | {
        *NO_PROVENANCE,
        "provenance",
    }
    blank: Record = {
        name: [] if isinstance(value, list) else None for name, value in record.items()
    }
    page = blank | {name: value for name, value in record.items() if name in mine}
    del page["provenance"]
    return page


def _add(merged: MergedTitles, source: str, record: Record) -> None:
    known = merged.records.get(record["title_id"])
    if known is None:
        stated = [
            name for name, value in record.items() if is_stated(value) and name not in NO_PROVENANCE
        ]
        merged.records[record["title_id"]] = {**record, "provenance": dict.fromkeys(stated, source)}
        return
    known["notes"] = unique([*known.get("notes", ()), *record.get("notes", ())])
    is_given = False
    for name, value in record.items():
        if name in NO_PROVENANCE or not is_stated(value):
            continue
        if not is_stated(known.get(name)):
            known[name] = value
            known["provenance"][name] = source
            is_given = True
        elif name in CONFLICT_FIELDS and _differs(known[name], value):
            kept = known["provenance"][name]
            found = Conflict(record["title_id"], name, kept, source, (known[name], value))
            merged.conflicts.append(found)
    if is_given:
        known["fetched_at"] = _later(known.get("fetched_at"), record.get("fetched_at"))


def _differs(kept: Any, other: Any) -> bool:
    """Whether two stated values differ; the confidence of a budget is not compared."""
    if isinstance(kept, dict) and isinstance(other, dict):
        return any(kept[key] != other[key] for key in ("amount", "currency"))
    return bool(kept != other)


def _later(one: str | None, other: str | None) -> str | None:
    """The later of two fetches; None, which stands for the load, where either is None."""
    return max(one, other) if one and other else None


def _complete(merged: MergedTitles, refused: list[Record]) -> Iterator[Record]:
    for title_id in sorted(merged.records):
        record = merged.records[title_id]
        wrong = refusal_reasons(record)
        if wrong:
            refused.append({"title_id": title_id, "reason": "; ".join(wrong), "record": record})
        else:
            yield record
