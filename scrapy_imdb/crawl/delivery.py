"""What a crawl brought home, as files: few, whole, and the same however often they are written."""

from __future__ import annotations

import gzip
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from marquee.errors import SourceError
from marquee.names import iso
from scrapy_imdb.crawl.memory import cannot_use
from scrapy_imdb.crawl.plan import CrawlPlan
from scrapy_imdb.crawl.store import CrawlStore
from scrapy_imdb.items import PARSER_VERSION, TitleItem
from sources.title_record import is_stated

LINES_A_FILE = 20_000
UNCOUNTED = ("notes", "parser_version", "merged_into")
FIELDS = tuple(name for name in TitleItem.__slots__ if name not in UNCOUNTED)


class Coverage:
    """Counts, line by line, how many items state each field, and their layouts."""

    def __init__(self) -> None:
        self.titles = 0
        self.stated: Counter[str] = Counter()
        self.layouts: Counter[str] = Counter()

    def watch(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        for line in lines:
            record = orjson.loads(line)
            self.titles += 1
            self.layouts[record["layout"]] += 1
            self.stated.update(name for name in FIELDS if is_stated(record.get(name)))
            yield line

    @property
    def shares(self) -> dict[str, float]:
        """Field to the share of items that state it; empty without items."""
        if not self.titles:
            return {}
        return {name: round(self.stated[name] / self.titles, 4) for name in FIELDS}


def deliver(plan: CrawlPlan, store: CrawlStore, stopped: str | None) -> dict[str, Any]:
    """Write the crawl's files into `plan.out` and return its report."""
    coverage = Coverage()
    try:
        plan.out.mkdir(parents=True, exist_ok=True)
        files = _write_lines(plan.out, "titles", coverage.watch(store.lines(plan.run, "title")))
        files += _write_lines(plan.out, "refused", store.lines(plan.run, "refused"))
        report = _report(plan, store, coverage, stopped) | {"files": files}
        write_report(plan.out / "report.json", report)
    except OSError as error:
        raise cannot_use(f"{plan.out} cannot be written", error) from None
    return report


def write_report(path: Path, report: dict[str, Any]) -> None:
    _replace(path, orjson.dumps(report, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS))


def has_titles(folder: Path) -> bool:
    """Whether a crawl's titles lie here, delivered."""
    return (folder / "report.json").exists() and any(folder.glob("titles-*.jsonl.gz"))


def _report(
    plan: CrawlPlan, store: CrawlStore, coverage: Coverage, stopped: str | None
) -> dict[str, Any]:
    counts = store.counts(plan.run)
    fetched = counts["title"] + counts["refused"]
    if fetched != coverage.titles + counts["refused"]:
        raise SourceError(
            f"{counts['title']} titles were read but {coverage.titles} delivered",
            f"the memory in {plan.state} is damaged; move it away",
        )
    return {
        "format": 1,
        "site": plan.site,
        "as_of": iso(plan.as_of),
        "parser_version": PARSER_VERSION,
        "requests": store.requests(plan.run),
        "pages": sum(counts.values()),
        "fetched": fetched,
        "titles": counts["title"],
        "refused": counts["refused"],
        "missing": counts["missing"],
        "failed": counts["failed"],
        "merged": store.merged(plan.run),
        "left": store.left(plan.refresh_days),
        "stopped": stopped,
        "coverage": coverage.shares,
        "layouts": dict(coverage.layouts),
        "reasons": store.reasons(plan.run),
    }


def _write_lines(folder: Path, name: str, lines: Iterator[bytes]) -> list[str]:
    """`<name>-00001.jsonl.gz` and on; none where there are no lines. Older ones are removed."""
    names: list[str] = []
    while batch := list(islice(lines, LINES_A_FILE)):
        names.append(f"{name}-{len(names) + 1:05d}.jsonl.gz")
        _replace(folder / names[-1], gzip.compress(b"\n".join(batch) + b"\n", 6, mtime=0))
    for old in folder.glob(f"{name}-*.jsonl.gz"):
        if old.name not in names:
            old.unlink()
    return names


def _replace(path: Path, data: bytes) -> None:
    """Write beside, then take the place: nobody ever sees half a file."""
    beside = path.with_name(f".{path.name}.part")
    with beside.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    beside.replace(path)
