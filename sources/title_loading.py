"""Load a folder of titles, from one crawl or from merged sources, into the lake.

The folder holds `titles-*.jsonl.gz` (one record a line), `refused-*.jsonl.gz` and `report.json`. A
wrong optional field becomes null with a note. A record without an id or a title is quarantined with
its reason. The counts satisfy fetched = loaded + quarantined + refused. Nothing is loaded where the
coverage of fields falls far below the last good crawl's: the site has probably changed.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from marquee.clock import iso, now
from marquee.errors import ContractError, SourceError
from marquee.identifiers import digest_bytes
from marquee.lake import Lake, Manifest
from sources.title_record import (
    Reasons,
    Record,
    line_of,
    read_lines,
    refusal_reasons,
    states_only_a_budget,
    to_contract,
    write_lines,
    write_parts,
)
from sources.title_snapshots import FetchSpan, digests_at, load_moment, snapshots, snapshots_of_run

FEWEST_TITLES = 30
"""Coverage is compared from this number of titles on."""
BOUNDS: Mapping[str, float] = {
    "year": 0.7,
    "directors": 0.7,
    "genres": 0.7,
    "rating": 0.7,
    "vote_count": 0.7,
    "budget": 0.3,
}
"""Watched field to the least acceptable share of the last good crawl's coverage.

The bound for budgets is low: a crawl visits well-known titles first, and obscure ones state fewer
budgets.
"""
FLOORS: Mapping[str, float] = {"year": 0.5, "directors": 0.4, "genres": 0.5, "rating": 0.4}
"""Watched field to the least coverage of a first crawl."""


@dataclass(frozen=True)
class LoadedTitles:
    """The snapshot that holds the titles of a load; what was left off and refused."""

    path: str
    manifest: Manifest
    is_new: bool
    """Whether this load published the snapshot; False where the lake held all titles before."""
    left_off: Reasons = field(default_factory=Reasons)
    """Fields that were made null, by reason."""
    refused: Reasons = field(default_factory=Reasons)
    """Records and pages that were not loaded, by reason."""


@dataclass(frozen=True)
class _SortedRecords:
    """The records of a folder, counted by what became of them."""

    coverage: Coverage
    span: FetchSpan
    loaded: int
    aside: list[Record]
    already: int
    merged: int
    """Records loaded under an id that the site merged into another."""
    left_off: Reasons


def load_titles(
    lake: Lake, folder: Path, path: str, as_of: datetime | None = None, **facts: Any
) -> LoadedTitles | None:
    """Publish a crawl's folder at `path`; None where the folder holds no title.

    A second load of the same folder publishes nothing. Records that were added since the last load
    become a further snapshot. Where the newest snapshot is older than `as_of` and equal, it is
    returned and nothing is published. `facts` are added to the manifest. Raises ContractError with
    a table of fields where coverage fell, SourceError where the folder holds no crawl or its counts
    do not add up.
    """
    report = _read_report(folder)
    if not report["titles"]:
        return None
    loaded_before = snapshots_of_run(lake, path)
    with tempfile.TemporaryDirectory(prefix="marquee-") as scratch:
        ready = Path(scratch)
        clock = now()
        found = _sort_out(folder, ready, digests_at(lake, loaded_before), FetchSpan(clock, clock))
        _reconcile(folder, report, found)
        if loaded_before and not found.loaded:
            return LoadedTitles(loaded_before[-1], lake.manifest(loaded_before[-1]), is_new=False)
        source = str(report.get("site", report.get("source", "")))
        alarm = coverage_alarm(found.coverage, last_coverage(lake, path, source))
        if alarm:
            alarm = "\n".join([alarm, *found.left_off.lines()])
            raise ContractError(alarm, "look at the pages; load by hand what proves right")
        counts = _counts(report, found)
        report.pop("left", None)  # depends on the day, not on the crawl
        _write_report(ready / "report.json", {**report, **counts})
        same = _same_before(lake, path, ready, as_of or clock)
        if same:
            return same
        path = f"{path}-part{len(loaded_before) + 1}" if loaded_before else path
        facts |= {"coverage": found.coverage.shares, "counts": counts, "source": source}
        facts |= {"loaded_at": iso(clock), **found.span.facts}
        facts["left_off"] = dict(found.left_off.counts.most_common())
        manifest = lake.publish(ready, path, rows=found.loaded, **facts)
        refused = Reasons.of([*found.aside, *read_lines(_refusals(folder))])
        return LoadedTitles(path, manifest, True, found.left_off, refused)


def coverage_alarm(now: Coverage, before: Coverage | None) -> str:
    """A table of the fields whose coverage fell; "" where no coverage fell."""
    if now.titles < FEWEST_TITLES:
        return ""
    compared = before is not None and before.titles >= FEWEST_TITLES
    bounds = (
        {name: share * before.share(name) for name, share in BOUNDS.items()}
        if compared and before is not None
        else FLOORS
    )
    fallen = [name for name, bound in bounds.items() if now.share(name) < bound]
    if not fallen:
        return ""
    rows = [
        f"  {name:<12} {now.share(name):>6.1%}  at least {bounds[name]:.1%}"
        + (f"  (last good crawl {before.share(name):.1%})" if compared and before else "")
        for name in fallen
    ]
    return "field coverage fell, so nothing is loaded:\n" + "\n".join(rows)


def last_coverage(lake: Lake, before: str, source: str = "") -> Coverage | None:
    """The coverage of the newest snapshot before `before` from the same kind of source, or None.

    All crawls are one kind. Merged sources are of the same kind where their list of sources is the
    same: sources state different fields.
    """
    for path in reversed(snapshots(lake, before)):
        facts = lake.manifest(path).facts
        if _kind(str(facts.get("source", ""))) == _kind(source):
            loaded = int((facts.get("counts") or {}).get("loaded", 0))
            return Coverage.of_shares(facts.get("coverage") or {}, loaded)
    return None


class Coverage:
    """The number of titles, and of those that state each field."""

    def __init__(self) -> None:
        self.titles = 0
        self._stated: Counter[str] = Counter()

    @classmethod
    def of_shares(cls, shares: Mapping[str, float], titles: int) -> Coverage:
        """The coverage that a manifest holds as shares."""
        coverage = cls()
        coverage.titles = titles
        coverage._stated.update({name: round(share * titles) for name, share in shares.items()})
        return coverage

    def add(self, record: Mapping[str, Any]) -> None:
        self.titles += 1
        self._stated.update(name for name, value in record.items() if value not in (None, "", []))

    def share(self, field: str) -> float:
        return self._stated[field] / self.titles if self.titles else 0.0

    @property
    def shares(self) -> dict[str, float]:
        """Each stated field to its share of the titles, rounded."""
        return {name: round(self.share(name), 4) for name in sorted(self._stated)}


def _same_before(lake: Lake, path: str, ready: Path, as_of: datetime) -> LoadedTitles | None:
    """The newest snapshot, where its files equal those in `ready` and it is older than `as_of`.

    A run may not use records that were loaded at its as-of or later.
    """
    newest = snapshots(lake, path)[-1:]
    if not newest or load_moment(newest[0], manifest := lake.manifest(newest[0])) >= as_of:
        return None
    is_same = manifest.digest == Manifest.of_folder(ready).digest
    return LoadedTitles(newest[0], manifest, is_new=False) if is_same else None


def _sort_out(
    folder: Path, ready: Path, known_digests: Collection[str], span: FetchSpan
) -> _SortedRecords:
    """Write loadable items, quarantined ones and refused pages into `ready`.

    `known_digests`: the digests of records that the lake holds; these are not written again.
    """
    coverage, left_off, seen = Coverage(), Reasons(), set[str]()
    aside: list[Record] = []
    merged: list[str] = []

    def good() -> Iterator[Record]:
        for record in map(to_contract, read_lines(sorted(folder.glob("titles-*.jsonl.gz")))):
            wrong = refusal_reasons(record)
            if record.get("title_id") in seen:
                wrong.append("title_id is there twice")
            if wrong:
                aside.append({"reason": "; ".join(wrong), "record": record})
                continue
            seen.add(record["title_id"])
            if known_digests and digest_bytes(line_of(record)) in known_digests:
                continue
            if not states_only_a_budget(record):
                coverage.add(record)
            left_off.add_notes(record)
            span.add(record)
            if record.get("merged_into"):
                merged.append(record["title_id"])
            yield record

    loaded = write_parts(ready, "titles", good())
    if aside:
        write_lines(ready / "quarantined-00001.jsonl.gz", aside)
    for path in _refusals(folder):
        (ready / path.name).write_bytes(path.read_bytes())
    return _SortedRecords(coverage, span, loaded, aside, len(seen) - loaded, len(merged), left_off)


def _refusals(folder: Path) -> list[Path]:
    return sorted(folder.glob("refused-*.jsonl.gz"))


def _reconcile(folder: Path, report: Record, found: _SortedRecords) -> None:
    """Check that fetched = loaded (now or before) + quarantined + refused, else SourceError."""
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


def _counts(report: Record, found: _SortedRecords) -> dict[str, int]:
    names = ("pages", "fetched", "refused", "missing", "failed")
    counts = {name: int(report[name]) for name in names if name in report}
    counts |= {"loaded": found.loaded, "quarantined": len(found.aside)}
    rare = {"already": found.already, "merged": found.merged}
    return counts | {name: count for name, count in rare.items() if count}


def _write_report(path: Path, report: Record) -> None:
    path.write_text(json.dumps(report, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _kind(source: str) -> str:
    return "crawl" if not source or "://" in source else source
