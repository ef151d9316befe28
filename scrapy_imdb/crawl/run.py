"""One crawl from start to report. One process a crawl: Twisted's reactor starts only once."""

from __future__ import annotations

import sqlite3
import zlib
from pathlib import Path
from typing import Any

from marquee.errors import CrawlInterruptedError, CrawlStoppedError, SourceError
from scrapy_imdb.crawl.delivery import deliver, has_titles, write_report
from scrapy_imdb.crawl.memory import cannot_use, memory_trouble
from scrapy_imdb.crawl.plan import CrawlPlan, read_links
from scrapy_imdb.crawl.store import CrawlStore
from scrapy_imdb.crawl.tripwire import not_merged
from scrapy_imdb.items import PARSER_VERSION

LATELY = 100
"""Titles, also of crawls before, over which merges are counted: some crawls are short."""
SHOWN = 5
"""Merged titles that are told one by one; report.json holds them all."""


def run(plan: CrawlPlan, report_copy: Path | None = None) -> int:
    """Crawl, deliver, report; the exit status.

    Raises CrawlStoppedError where the tripwire went off, CrawlInterruptedError where a signal or a
    site that is down cut it off: what was gathered until then is delivered all the same.
    """
    try:
        return _run(plan, report_copy)
    except sqlite3.Error as error:
        raise memory_trouble(plan.state, error) from None
    except zlib.error as error:
        raise SourceError(
            f"the crawl's memory in {plan.state} is damaged: {error}",
            "move it away; the crawl starts a new one",
        ) from None


def _run(plan: CrawlPlan, report_copy: Path | None) -> int:
    links = list(read_links(plan.links))
    with CrawlStore(plan.state) as store:
        if store.is_let_go(plan.run) and has_titles(plan.out):
            print(f"crawl: delivered long ago; what lies in {plan.out} stays as it is", flush=True)
            return 0
        store.begin(plan.run, links)
        error = _crawl(plan, store)
        if error and not isinstance(error, CrawlStoppedError | CrawlInterruptedError):
            raise error
        error = _check_merges(plan, store, error)
        if error:
            store.forget_refusals(plan.run)
        report = deliver(plan, store, str(error.args[0]) if error else None)
        store.delivered(plan.run)
        if not error and report["titles"]:
            store.set_reference(report["coverage"])
    if report_copy:
        _copy(report_copy, report)
    print(_sentence(report), flush=True)
    if error:
        raise error
    return 0


def _check_merges(
    plan: CrawlPlan, store: CrawlStore, error: BaseException | None
) -> BaseException | None:
    """Drop the pages of other titles where they are too many for merges; what ended the crawl."""
    lately = store.visited_lately(plan.run, LATELY)
    wrong, cause = not_merged(store.merges(), lately)
    read = wrong & store.merged(plan.run).keys()
    if not read:
        return error
    store.forget_merges(plan.run, read)
    stopped = CrawlStoppedError(
        f"{cause}; {len(read)} pages are not kept", "look at the site yourself before going on"
    )
    return error if isinstance(error, CrawlStoppedError) else stopped


def _crawl(plan: CrawlPlan, store: CrawlStore) -> BaseException | None:
    """Visit what is wanted and not yet visited in this crawl; what ended it early, if anything."""
    visited = sum(store.counts(plan.run).values())
    room = plan.max_pages - visited
    wanted = store.wanted(plan.run, plan.refresh_days, PARSER_VERSION, room)
    print(f"crawl: {len(wanted)} pages to fetch from {plan.site}", flush=True)
    return _start(plan, store, wanted) if wanted else None


def _start(plan: CrawlPlan, store: CrawlStore, wanted: list[str]) -> BaseException | None:
    from scrapy.crawler import AsyncCrawlerProcess  # a second to import: only where it is needed

    from scrapy_imdb.crawl.scrapy_settings import scrapy_settings
    from scrapy_imdb.crawl.spider import TitleSpider

    process = AsyncCrawlerProcess(scrapy_settings(plan))
    crawler = process.create_crawler(TitleSpider)
    process.crawl(crawler, plan=plan, store=store, wanted=wanted)
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
        raise cannot_use(f"{path} cannot be written", error) from None


def _sentence(report: dict[str, Any]) -> str:
    counted = ", ".join(f"{report[k]} {k}" for k in ("titles", "refused", "missing", "failed"))
    merged = [f"{old} is {new} by now" for old, new in report["merged"].items()]
    return "\n".join(
        [
            *(
                f"crawl: merged on the site, kept under its own id: {text}"
                for text in merged[:SHOWN]
            ),
            *([f"crawl: … {len(merged)} merged in all"] if len(merged) > SHOWN else []),
            f"crawl: {report['pages']} pages: {counted}; {report['left']} left to visit",
        ]
    )
