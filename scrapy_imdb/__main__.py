"""The crawl's commands; their flags are a contract (ARCHITECTURE.md).

`crawl` fetches the titles of a site (`crawl_run`). `parse` reads pages that a person saved and
writes their items as JSON lines. An unreadable page is refused with its reason, and the next page
follows.
"""

from __future__ import annotations

import argparse
import gzip
import sys
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO

import orjson
from web_poet import HttpResponse

from marquee.clock import parse_moment
from marquee.errors import CrawlInterruptedError, CrawlStoppedError, MarqueeError, exit_status
from marquee.lifetimes import end_with_starter
from marquee.normalise.text import encodable
from scrapy_imdb.items import TitleItem, as_record
from scrapy_imdb.pages import RefusedPageError, read_page
from scrapy_imdb.pages.html_sections import LARGEST_PAGE

PAGE_NAMES = (".html", ".htm", ".xhtml", ".gz")
"""Endings of page names; `parse` ignores other files of a folder."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns 0, `marquee.errors.STOPPED` or `AWAY`, or 2 for wrong input."""
    options = _parser().parse_args(arguments)
    try:
        if options.command == "parse":
            return run_parse(options.paths, options.out)
        return _crawl(options)
    except (CrawlStoppedError, CrawlInterruptedError) as error:
        print(f"stopped: {error}", file=sys.stderr)
        return exit_status(error)
    except MarqueeError as error:
        print(f"error: {error}", file=sys.stderr)
        return exit_status(error)


def _parser() -> argparse.ArgumentParser:
    about = (__doc__ or "").partition("\n")[0]
    parser = argparse.ArgumentParser(prog="python -m scrapy_imdb", description=about)
    commands = parser.add_subparsers(dest="command", required=True)
    parse = commands.add_parser("parse", help="read pages you saved yourself")
    parse.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="file, folder or .gz")
    parse.add_argument("--out", type=Path, help="JSON lines; standard output without it")
    crawl = commands.add_parser("crawl", help="bring titles home from a site")
    crawl.add_argument("--site", required=True, help="http(s)://host of the site")
    crawl.add_argument("--links", required=True, type=Path, help="CSV: title_id,rated_count")
    crawl.add_argument("--state", required=True, type=Path, help="folder of the crawl's state")
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


def _crawl(options: argparse.Namespace) -> int:
    end_with_starter()  # two crawls may not share a state (ADR 4)
    from scrapy_imdb.crawl_plan import CrawlPlan
    from scrapy_imdb.crawl_run import run_crawl  # Scrapy is slow to import; `parse` needs none

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
    return run_crawl(plan, options.report)


# parse -----------------------------------------------------------------------------------------


def run_parse(paths: Sequence[Path], out: Path | None) -> int:
    """Exit status: 0 where at least one page was read, else 2."""
    try:
        with out.open("wb") if out else sys.stdout.buffer as stream:
            read, refused = parse_pages(paths, stream, sys.stderr)
            stream.flush()
    except OSError as error:
        if isinstance(error, BrokenPipeError):  # the reader of our output has seen enough
            return 0
        print(f"error: {out} cannot be written: {error.strerror}", file=sys.stderr)
        return 2
    if not read and not refused:
        print(f"error: no page there (names end in {', '.join(PAGE_NAMES)})", file=sys.stderr)
    if not read:
        return 2
    print(f"{read} pages read, {refused} refused", file=sys.stderr)
    return 0


def parse_pages(paths: Sequence[Path], out: IO[bytes], refusals: IO[str]) -> tuple[int, int]:
    """Write the item of each readable page as a line to `out`, and each refusal to `refusals`.

    Returns the numbers of read and of refused pages.
    """
    read = refused = 0
    for path in saved_files(paths):
        try:
            line = orjson.dumps(encodable({"source": str(path)}) | as_record(read_saved(path)))
        except RefusedPageError as error:
            print(f"refused {path}: {error.message}", file=refusals)
            refused += 1
        else:
            out.write(line + b"\n")
            read += 1
    return read, refused


def saved_files(paths: Iterable[Path]) -> Iterator[Path]:
    """Files as given, also missing ones, and the pages below each given folder, sorted."""
    for path in paths:
        if path.is_dir():
            found = (p for p in path.rglob("*") if p.name.lower().endswith(PAGE_NAMES))
            yield from sorted(p for p in found if p.is_file())
        else:
            yield path


def read_saved(path: Path) -> TitleItem:
    """The item of one saved page; RefusedPageError where the page is unreadable."""
    return read_page(HttpResponse(path.absolute().as_uri(), body=_bytes(path)))


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            packed = stream.read(2) == b"\x1f\x8b"
        with gzip.open(path) if packed else path.open("rb") as stream:
            return stream.read(LARGEST_PAGE + 1)  # one more, so that a larger page is noticed
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise RefusedPageError(f"the gzip file is damaged or cut off ({error})") from None
    except OSError as error:
        raise RefusedPageError(f"cannot be opened ({error.strerror or error})") from None


if __name__ == "__main__":
    sys.exit(main())
