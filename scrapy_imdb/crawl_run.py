"""One crawl from start to report, and the files that it writes.

`python -m scrapy_imdb crawl` calls `run_crawl`. A process can run one crawl, because Twisted's
reactor starts only once. A file is replaced whole, and the same state gives the same bytes.
"""

from __future__ import annotations

import gzip
import os
import sqlite3
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from marquee.clock import iso
from marquee.errors import CrawlInterruptedError, CrawlStoppedError, SourceError
from scrapy_imdb.crawl_plan import CrawlPlan, read_links, scrapy_settings
from scrapy_imdb.crawl_state import CrawlState
from scrapy_imdb.items import PARSER_VERSION, TitleItem
from scrapy_imdb.state_database import database_error, file_error
from scrapy_imdb.tripwire import excess_merges
from sources.title_record import is_stated

LINES_A_FILE = 20_000
NOT_CONTENT = ("notes", "parser_version", "merged_into")
FIELDS = tuple(name for name in TitleItem.__slots__ if name not in NOT_CONTENT)
MERGE_WINDOW = 100
"""Merges are counted over this number of titles; a short crawl adds titles of earlier ones."""
MERGES_SHOWN = 5
"""Number of merged titles that are printed; report.json holds all."""


def run_crawl(plan: CrawlPlan, report_copy: Path | None = None) -> int:
    """Crawl, write the files and the report; returns 0.

    Raises CrawlStoppedError where the tripwire stopped the crawl, CrawlInterruptedError where a
    signal came or the site is down. The files are written before either error is raised.
    """
    try:
        return _run(plan, report_copy)
    except sqlite3.Error as error:
        raise database_error(plan.state, error) from None
    except zlib.error as error:
        raise SourceError(
            f"the crawl's memory in {plan.state} is damaged: {error}",
            "move it away; the crawl starts a new one",
        ) from None


def _run(plan: CrawlPlan, report_copy: Path | None) -> int:
    links = list(read_links(plan.links))
    with CrawlState(plan.state) as state:
        if state.is_dropped(plan.run) and has_titles(plan.out):
            print(f"crawl: delivered long ago; what lies in {plan.out} stays as it is", flush=True)
            return 0
        state.begin(plan.run, links)
        error = _crawl(plan, state)
        if error and not isinstance(error, CrawlStoppedError | CrawlInterruptedError):
            raise error
        error = _check_merges(plan, state, error)
        if error:
            state.forget_refusals(plan.run)
        report = deliver(plan, state, str(error.args[0]) if error else None)
        state.mark_delivered(plan.run)
        if not error and report["titles"]:
            state.set_reference_coverage(report["coverage"])
    if report_copy:
        _copy(report_copy, report)
    print(_sentence(report), flush=True)
    if error:
        raise error
    return 0


def _check_merges(
    plan: CrawlPlan, state: CrawlState, error: BaseException | None
) -> BaseException | None:
    """Drop pages of other titles than the requested ones where these are too many for merges.

    Returns the error that ends the crawl, or None.
    """
    visited = state.visited_lately(plan.run, MERGE_WINDOW)
    wrong, cause = excess_merges(state.merges(), visited)
    read_now = wrong & state.merged(plan.run).keys()
    if not read_now:
        return error
    state.forget_merges(plan.run, read_now)
    stopped = CrawlStoppedError(
        f"{cause}; {len(read_now)} pages are not kept", "look at the site yourself before going on"
    )
    return error if isinstance(error, CrawlStoppedError) else stopped


def _crawl(plan: CrawlPlan, state: CrawlState) -> BaseException | None:
    """Visit the titles that are due; returns the error that ended the crawl early, or None."""
    visited = sum(state.counts(plan.run).values())
    wanted = state.titles_to_request(
        plan.run, plan.refresh_days, PARSER_VERSION, plan.max_pages - visited
    )
    print(f"crawl: {len(wanted)} pages to fetch from {plan.site}", flush=True)
    return _start(plan, state, wanted) if wanted else None


def _start(plan: CrawlPlan, state: CrawlState, wanted: list[str]) -> BaseException | None:
    from scrapy.crawler import AsyncCrawlerProcess  # takes a second to import

    from scrapy_imdb.spider import TitleSpider

    process = AsyncCrawlerProcess(scrapy_settings(plan))
    crawler = process.create_crawler(TitleSpider)
    process.crawl(crawler, plan=plan, state=state, wanted=wanted)
    process.start(install_signal_handlers=False)
    spider = crawler.spider
    if not isinstance(spider, TitleSpider):
        return SourceError("the crawl could not start", "run it again with Scrapy's log shown")
    return spider.error


def _copy(path: Path, report: dict[str, Any]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_report(path, report)
    except OSError as error:
        raise file_error(f"{path} cannot be written", error) from None


def _sentence(report: dict[str, Any]) -> str:
    counted = ", ".join(f"{report[k]} {k}" for k in ("titles", "refused", "missing", "failed"))
    merged = [f"{old} is {new} by now" for old, new in report["merged"].items()]
    return "\n".join(
        [
            *(
                f"crawl: merged on the site, kept under its own id: {text}"
                for text in merged[:MERGES_SHOWN]
            ),
            *([f"crawl: … {len(merged)} merged in all"] if len(merged) > MERGES_SHOWN else []),
            f"crawl: {report['pages']} pages: {counted}; {report['left']} left to visit",
        ]
    )


# The files --------------------------------------------------------------------------------------


class FieldCoverage:
    """Counts items, the items that state each field, and the items of each layout."""

    def __init__(self) -> None:
        self.titles = 0
        self.stated: Counter[str] = Counter()
        self.layouts: Counter[str] = Counter()

    def counted(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        """The same JSON lines; each is counted when it is read."""
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


def deliver(plan: CrawlPlan, state: CrawlState, stopped: str | None) -> dict[str, Any]:
    """Write the crawl's files into `plan.out` and return its report."""
    coverage = FieldCoverage()
    try:
        plan.out.mkdir(parents=True, exist_ok=True)
        files = _write_lines(plan.out, "titles", coverage.counted(state.lines(plan.run, "title")))
        files += _write_lines(plan.out, "refused", state.lines(plan.run, "refused"))
        report = _report(plan, state, coverage, stopped) | {"files": files}
        write_report(plan.out / "report.json", report)
    except OSError as error:
        raise file_error(f"{plan.out} cannot be written", error) from None
    return report


def write_report(path: Path, report: dict[str, Any]) -> None:
    """Write the report as JSON with sorted keys, whole or not at all."""
    _replace(path, orjson.dumps(report, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS))


def has_titles(folder: Path) -> bool:
    """Whether the folder holds a crawl's report and titles."""
    return (folder / "report.json").exists() and any(folder.glob("titles-*.jsonl.gz"))


def _report(
    plan: CrawlPlan, state: CrawlState, coverage: FieldCoverage, stopped: str | None
) -> dict[str, Any]:
    counts = state.counts(plan.run)
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
        "requests": state.requests(plan.run),
        "pages": sum(counts.values()),
        "fetched": fetched,
        "titles": counts["title"],
        "refused": counts["refused"],
        "missing": counts["missing"],
        "failed": counts["failed"],
        "merged": state.merged(plan.run),
        "left": state.count_due(plan.refresh_days),
        "stopped": stopped,
        "coverage": coverage.shares,
        "layouts": dict(coverage.layouts),
        "reasons": state.reasons(plan.run),
    }


def _write_lines(folder: Path, name: str, lines: Iterator[bytes]) -> list[str]:
    """Write `<name>-00001.jsonl.gz` and so on; return the names and remove older files."""
    names: list[str] = []
    while batch := list(islice(lines, LINES_A_FILE)):
        names.append(f"{name}-{len(names) + 1:05d}.jsonl.gz")
        _replace(folder / names[-1], gzip.compress(b"\n".join(batch) + b"\n", 6, mtime=0))
    for old in folder.glob(f"{name}-*.jsonl.gz"):
        if old.name not in names:
            old.unlink()
    return names


def _replace(path: Path, data: bytes) -> None:
    """Replace a file by renaming a complete one: no reader sees half a file."""
    beside = path.with_name(f".{path.name}.part")
    with beside.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    beside.replace(path)
