"""Titles into the lake: what one crawl (or another source) left in a folder, checked and whole.

The folder holds `titles-*.jsonl.gz` (one item a line), `refused-*.jsonl.gz` and `report.json`.
Every item is held against its contract; one that breaks it is set aside with its reason, so that
fetched = loaded + quarantined + refused. Where fields are stated far less often than in the last
good crawl, nothing is loaded: the site changed, and a person has to look.
"""

from __future__ import annotations

import gzip
import json
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from marquee.contracts import TITLE_ITEM
from marquee.errors import ContractError, SourceError
from marquee.lake import Lake, Manifest
from marquee.sources.coverage import Coverage, coverage_alarm

Record = dict[str, Any]
TITLES = "raw/titles"


def load_titles(lake: Lake, folder: Path, path: str) -> Manifest | None:
    """Publish a crawl's folder at `path`; None where it brought no title home.

    Loading the same crawl again is a no-op. Raises ContractError with the table of fields where
    coverage fell, SourceError where the folder is not a crawl's or does not add up.
    """
    report = _read_report(folder)
    if not report["titles"]:
        return None
    with tempfile.TemporaryDirectory() as scratch:
        ready = Path(scratch)
        coverage, loaded, aside = _sort_out(folder, ready)
        _reconcile(folder, report, loaded, aside)
        alarm = coverage_alarm(coverage, last_coverage(lake, path))
        if alarm:
            raise ContractError(alarm, "look at the pages; load by hand what proves right")
        counts = {**_counts(report), "loaded": loaded, "quarantined": aside}
        report.pop("left", None)  # changes with the day, not with the crawl
        _write_report(ready / "report.json", {**report, **counts})
        return lake.publish(
            ready,
            path,
            rows=loaded,
            coverage=coverage.shares,
            counts=counts,
            source=report.get("site", report.get("source", "")),
        )


def last_coverage(lake: Lake, before: str) -> Coverage | None:
    """Field coverage of the newest titles loaded before `before` (a path); None: there are none."""
    found = [
        f"{TITLES}/{moment}/{run}"
        for moment in lake.names(TITLES)
        for run in lake.names(f"{TITLES}/{moment}")
    ]
    earlier = [path for path in found if path < before]
    if not earlier:
        return None
    facts = lake.manifest(max(earlier)).facts
    shares = facts.get("coverage") or {}
    return Coverage.of_shares(shares, int((facts.get("counts") or {}).get("loaded", 0)))


def read_lines(paths: Iterable[Path]) -> Iterator[Record]:
    """Objects of gzipped JSON lines; SourceError names the file and line that is none."""
    for path in paths:
        number = 0
        try:
            with gzip.open(path, "rt", encoding="utf-8") as stream:
                for line in stream:
                    record = json.loads(line)
                    if not isinstance(record, dict):
                        raise ValueError("not an object")
                    yield record
                    number += 1
        except (OSError, EOFError, zlib.error, ValueError) as error:
            raise SourceError(
                f"{path} is damaged after line {number}: {error}", "run the crawl task again"
            ) from None


def write_lines(path: Path, records: Iterable[Mapping[str, Any]]) -> int:
    """Gzipped JSON lines, the same bytes for the same records; how many there were."""
    count = 0
    with path.open("wb") as raw, gzip.GzipFile("", "wb", 6, raw, mtime=0) as stream:
        for record in records:
            stream.write(json.dumps(record, ensure_ascii=False, sort_keys=True).encode() + b"\n")
            count += 1
    return count


def _sort_out(folder: Path, ready: Path) -> tuple[Coverage, int, int]:
    """Write loadable items, broken ones and refused pages into `ready`."""
    coverage, seen = Coverage(), set[str]()
    aside: list[Record] = []

    def good() -> Iterator[Record]:
        for record in read_lines(sorted(folder.glob("titles-*.jsonl.gz"))):
            wrong = TITLE_ITEM.differences(record)
            if record.get("title_id") in seen:
                wrong.append("title_id is there twice")
            if wrong:
                aside.append({"reason": "; ".join(wrong), "record": record})
                continue
            seen.add(record["title_id"])
            coverage.add(record)
            yield record

    loaded = write_lines(ready / "titles-00001.jsonl.gz", good())
    if aside:
        write_lines(ready / "quarantined-00001.jsonl.gz", aside)
    for path in sorted(folder.glob("refused-*.jsonl.gz")):
        (ready / path.name).write_bytes(path.read_bytes())
    return coverage, loaded, len(aside)


def _reconcile(folder: Path, report: Record, loaded: int, aside: int) -> None:
    """fetched = loaded + quarantined + refused, or SourceError with the figures."""
    refused = sum(1 for _ in read_lines(sorted(folder.glob("refused-*.jsonl.gz"))))
    if report["fetched"] != loaded + aside + refused:
        raise SourceError(
            f"{folder} does not add up: {report['fetched']} fetched, but {loaded} to load, "
            f"{aside} quarantined and {refused} refused",
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


def _counts(report: Record) -> dict[str, int]:
    names = ("pages", "fetched", "refused", "missing", "failed")
    return {name: int(report[name]) for name in names if name in report}


def _write_report(path: Path, report: Record) -> None:
    path.write_text(json.dumps(report, indent=2, sort_keys=True) + "\n", encoding="utf-8")
