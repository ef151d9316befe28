"""Titles into the lake: what one crawl (or another source) left in a folder, checked and whole.

The folder holds `titles-*.jsonl.gz` (one item a line), `refused-*.jsonl.gz` and `report.json`.
Every item is held against its contract: a bad optional field is left off with a note, and an item
without an id or a title is set aside with its reason, so that fetched = loaded + quarantined +
refused. Where fields are stated far less often than in the last
good crawl, nothing is loaded: the site changed, and a person has to look.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from marquee.clock import now
from marquee.digest import digest_bytes
from marquee.errors import ContractError, SourceError
from marquee.lake import Lake, Manifest
from marquee.names import iso
from sources.coverage import Coverage, Reasons, coverage_alarm
from sources.title_lines import line_of, read_lines, write_lines
from sources.title_moments import Span
from sources.title_record import Record, differences, lends_a_budget, settled
from sources.title_snapshots import digests_at, last_coverage, moment_of, parts, snapshots


@dataclass(frozen=True)
class Loaded:
    """Where the titles lie, and what is there."""

    path: str
    manifest: Manifest
    is_new: bool
    """False where the lake held all of it already."""
    left_off: Reasons = field(default_factory=Reasons)
    """Fields of the titles here that could not be used."""
    refused: Reasons = field(default_factory=Reasons)
    """Records and pages that were not loaded."""


@dataclass(frozen=True)
class _Sorted:
    """How many records went which way."""

    coverage: Coverage
    span: Span
    loaded: int
    aside: list[Record]
    already: int
    merged: int
    """Loaded under an id that the site merged into another."""
    left_off: Reasons


def load_titles(
    lake: Lake, folder: Path, path: str, as_of: datetime | None = None, **facts: Any
) -> Loaded | None:
    """Publish a crawl's folder at `path`; None where it brought no title home.

    Loading the same crawl again is a no-op; one that went on since adds the rest as a further
    part. An equal snapshot serves in its place where it was loaded before `as_of`. `facts` join
    the manifest's, which say when it was loaded, what the first and last page were fetched and
    the last release. Raises ContractError with the table of fields where coverage fell,
    SourceError where the folder is not a crawl's or does not add up.
    """
    report = _read_report(folder)
    if not report["titles"]:
        return None
    there = parts(lake, path)
    with tempfile.TemporaryDirectory(prefix="marquee-") as scratch:
        ready = Path(scratch)
        clock = now()
        found = _sort_out(folder, ready, digests_at(lake, there), Span(clock, clock))
        _reconcile(folder, report, found)
        if there and not found.loaded:
            return Loaded(there[-1], lake.manifest(there[-1]), is_new=False)
        source = str(report.get("site", report.get("source", "")))
        alarm = coverage_alarm(found.coverage, last_coverage(lake, path, source))
        if alarm:
            alarm = "\n".join([alarm, *found.left_off.lines()])
            raise ContractError(alarm, "look at the pages; load by hand what proves right")
        counts = _counts(report, found)
        report.pop("left", None)  # changes with the day, not with the crawl
        _write_report(ready / "report.json", {**report, **counts})
        same = _same_before(lake, path, ready, as_of or clock)
        if same:
            return same
        path = f"{path}-part{len(there) + 1}" if there else path
        facts |= {"coverage": found.coverage.shares, "counts": counts, "source": source}
        facts |= {"loaded_at": iso(clock), **found.span.facts}
        facts["left_off"] = dict(found.left_off.counts.most_common())
        manifest = lake.publish(ready, path, rows=found.loaded, **facts)
        refused = Reasons.of([*found.aside, *read_lines(_refusals(folder))])
        return Loaded(path, manifest, True, found.left_off, refused)


def _same_before(lake: Lake, path: str, ready: Path, as_of: datetime) -> Loaded | None:
    """The newest snapshot, where it holds the very same files: sources that say nothing new.

    One loaded at as-of or later is another run's own: this run could not know its records.
    """
    newest = snapshots(lake, path)[-1:]
    if not newest or moment_of(newest[0], manifest := lake.manifest(newest[0])) >= as_of:
        return None
    is_same = manifest.digest == Manifest.of_folder(ready).digest
    return Loaded(newest[0], manifest, is_new=False) if is_same else None


def _sort_out(folder: Path, ready: Path, there: Collection[str], span: Span) -> _Sorted:
    """Write loadable items, broken ones and refused pages into `ready`.

    `there` holds the digests of records the lake has already.
    """
    coverage, left_off, seen = Coverage(), Reasons(), set[str]()
    aside: list[Record] = []
    merged: list[str] = []

    def good() -> Iterator[Record]:
        for record in map(settled, read_lines(sorted(folder.glob("titles-*.jsonl.gz")))):
            wrong = differences(record)
            if record.get("title_id") in seen:
                wrong.append("title_id is there twice")
            if wrong:
                aside.append({"reason": "; ".join(wrong), "record": record})
                continue
            seen.add(record["title_id"])
            if there and digest_bytes(line_of(record)) in there:
                continue
            if not lends_a_budget(record):
                coverage.add(record)
            left_off.add_notes(record)
            span.add(record)
            if record.get("merged_into"):
                merged.append(record["title_id"])
            yield record

    loaded = write_lines(ready / "titles-00001.jsonl.gz", good())
    if aside:
        write_lines(ready / "quarantined-00001.jsonl.gz", aside)
    for path in _refusals(folder):
        (ready / path.name).write_bytes(path.read_bytes())
    return _Sorted(coverage, span, loaded, aside, len(seen) - loaded, len(merged), left_off)


def _refusals(folder: Path) -> list[Path]:
    return sorted(folder.glob("refused-*.jsonl.gz"))


def _reconcile(folder: Path, report: Record, found: _Sorted) -> None:
    """fetched = loaded (now or before) + quarantined + refused, or SourceError with the figures."""
    refused = sum(1 for _ in read_lines(_refusals(folder)))
    aside = len(found.aside)
    if report["fetched"] != found.loaded + found.already + aside + refused:
        raise SourceError(
            f"{folder} does not add up: {report['fetched']} fetched, but {found.loaded} to load, "
            f"{found.already} loaded before, {aside} quarantined and {refused} refused",
            "run the crawl task again; it writes its files anew",
        )


def _read_report(folder: Path) -> Record:
    path = folder / "report.json"
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        if not all(isinstance(report[key], int) for key in ("fetched", "titles", "refused")):
            raise ValueError("its counts are not numbers")
    except FileNotFoundError:
        raise SourceError(
            f"{folder} holds no report.json, so no crawl ended there", "run the crawl first"
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SourceError(
            f"{path} is not a crawl's report: {error}", "run the crawl again"
        ) from None
    return dict(report)


def _counts(report: Record, found: _Sorted) -> dict[str, int]:
    names = ("pages", "fetched", "refused", "missing", "failed")
    counts = {name: int(report[name]) for name in names if name in report}
    counts |= {"loaded": found.loaded, "quarantined": len(found.aside)}
    told = {"already": found.already, "merged": found.merged}
    return counts | {name: count for name, count in told.items() if count}


def _write_report(path: Path, report: Record) -> None:
    path.write_text(json.dumps(report, indent=2, sort_keys=True) + "\n", encoding="utf-8")
