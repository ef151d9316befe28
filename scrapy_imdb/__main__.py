"""The crawl's commands; their flags are a contract (ARCHITECTURE.md)."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from marquee.errors import CrawlInterruptedError, CrawlStoppedError, MarqueeError, retry_helps
from marquee.lifetimes import end_with
from marquee.names import parse_moment

STOPPED = 3
"""Exit status of a crawl whose tripwire went off."""
AWAY = os.EX_TEMPFAIL
"""Exit status of a crawl that can go on where it was: cut off by a signal, the site down, a disk
full, another crawl at work."""
PARENT = "MARQUEE_PARENT"
"""Environment variable with the process that a crawl dies with; unset, it lives by itself."""


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        return _parse(options) if options.command == "parse" else _crawl(options)
    except CrawlStoppedError as error:
        print(f"stopped: {error}", file=sys.stderr)
        return STOPPED
    except CrawlInterruptedError as error:
        print(f"stopped: {error}", file=sys.stderr)
        return AWAY
    except MarqueeError as error:
        print(f"error: {error}", file=sys.stderr)
        return AWAY if retry_helps(error) else 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m scrapy_imdb", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    parse = commands.add_parser("parse", help="read pages you saved yourself")
    parse.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="file, folder or .gz")
    parse.add_argument("--out", type=Path, help="JSON lines; standard output without it")
    crawl = commands.add_parser("crawl", help="bring titles home from a site")
    crawl.add_argument("--site", required=True, help="http(s)://host of the site")
    crawl.add_argument("--links", required=True, type=Path, help="CSV: title_id,rated_count")
    crawl.add_argument("--state", required=True, type=Path, help="folder of the crawl's memory")
    crawl.add_argument("--out", required=True, type=Path, help="folder for titles and report")
    crawl.add_argument("--max-pages", required=True, type=int, help="fetch at most so many")
    crawl.add_argument("--as-of", required=True, help="the run's moment, UTC")
    crawl.add_argument("--contact", default="", help="e-mail or page that reaches you")
    crawl.add_argument("--report", type=Path, help="a second copy of report.json")
    crawl.add_argument(
        "--delay", type=float, help="seconds between requests of a public host, at least 1"
    )
    crawl.add_argument("--refresh-days", type=int, default=28, help="age that is still fresh")
    return parser


def _parse(options: argparse.Namespace) -> int:
    from scrapy_imdb.parse import run

    return run(options.paths, options.out)


def end_with_task() -> None:
    """Two crawls never share a memory: none may outlive the task that started it (ADR 4)."""
    if parent := os.environ.get(PARENT):
        end_with(int(parent))


def _crawl(options: argparse.Namespace) -> int:
    end_with_task()
    from scrapy_imdb.crawl import CrawlPlan, run  # Scrapy is slow to import; parsing needs none

    plan = CrawlPlan.checked(
        site=options.site,
        links=options.links,
        state=options.state,
        out=options.out,
        max_pages=options.max_pages,
        as_of=parse_moment(options.as_of),
        contact=options.contact,
        delay=options.delay,
        refresh_days=options.refresh_days,
    )
    return run(plan, options.report)


if __name__ == "__main__":
    sys.exit(main())
