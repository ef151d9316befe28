"""crawl_titles: fetch the pages of rated titles.

The crawl is a separate process, `python -m scrapy_imdb crawl`. Its flags and its exit status are
the interface.
"""

from __future__ import annotations

import json
import re
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from marquee.artefacts.document import dig
from marquee.clock import iso, now
from marquee.errors import (
    BAD_INPUT,
    STOPPED,
    CrawlInterruptedError,
    CrawlStoppedError,
    MarqueeError,
    SourceError,
)
from sources.ratings_release import write_candidates
from sources.title_snapshots import snapshots
from sources.title_sources import CRAWL
from steps.child_process import run_child
from steps.load_sources import find_ratings
from steps.run import Run, check_lake

KEPT_SECONDS = 86_400
"""The sweep keeps output that is younger, because its run may still write it."""


def crawl_titles(run: Run) -> dict[str, Any]:
    """Run the spider; returns the folder of the fetched titles, None where no crawl runs.

    No crawl runs for a backfill, for an as-of that is an interval or more in the past, or where the
    crawl is not among the sources. Raises CrawlStoppedError with the spider's message where the
    tripwire stopped it. Raises CrawlInterruptedError for any other failure of the crawl; the next
    attempt continues it.
    """
    check_lake(run)
    if CRAWL not in run.form.sources:
        print("the crawl is not among this run's sources: nothing is fetched", flush=True)
        return {"folder": None}
    if not run.may_fetch(now()):
        print(run.why_no_fetch(), flush=True)
        return {"folder": None}
    out = run.crawl_folder
    sweep_outputs(run)
    links = run.folders.crawl / "candidates.csv"
    count = write_candidates(Path(find_ratings(run)["folder"]), links)
    if not count:
        print("the release links no title to IMDb (links.csv): there is nothing to crawl")
        return {"folder": None}
    print(f"{count} titles are linked; at most {run.form.max_pages} pages this time", flush=True)
    status, lines = run_child("crawl", crawl_command(run, links, out))
    if status:
        raise crawl_error(status, lines[-1] if lines else "")
    return {"folder": str(out)}


def crawl_error(status: int, last: str) -> MarqueeError:
    """The error for a crawl that ended with the exit status `status` and the last line `last`.

    `STOPPED` and `BAD_INPUT` give final errors, every other status a CrawlInterruptedError. A
    status of -N (from Python) or 128 + N (from a shell) means that signal N ended the crawl.
    """
    number = -status if status < 0 else status - 128
    if status == STOPPED:
        return CrawlStoppedError(last.removeprefix("stopped: "), "see docs/guides/crawl.md")
    if status == BAD_INPUT:
        return SourceError(last.removeprefix("error: "))
    if number in signal.valid_signals():
        name = signal.Signals(number).name
        why = "; the machine may be out of memory" if name == "SIGKILL" else ""
        what = f"the crawl was ended by a signal ({name}{why})"
    else:
        what = last.removeprefix("stopped: ").removeprefix("error: ")
        what = what or f"the crawl ended with status {status}"
    return CrawlInterruptedError(what, "the next attempt goes on where this one was")


def sweep_outputs(run: Run) -> None:
    """Remove the output of earlier crawls that is at least a day old and not needed.

    Output is not needed where the lake holds it, where it has no titles, or where it has no report.
    Without a report, the crawl was killed during delivery; the next crawl delivers the same titles
    from the crawl state. Output with titles that the lake lacks stays for a person. Errors are
    printed, not raised.
    """
    own, old = run.crawl_folder, time.time() - KEPT_SECONDS
    try:
        found = [p for p in own.parent.glob("*/") if p != own and p.stat().st_mtime < old]
        loaded = [path.rsplit("/run=", 1)[1] for path in snapshots(run.lake)] if found else []
        for folder in found:
            if _is_spent(folder, loaded):
                shutil.rmtree(folder)
                print(f"swept what an earlier crawl left: {folder}", flush=True)
    except (OSError, MarqueeError) as error:
        print(f"earlier crawls' output is not swept: {error}", flush=True)


def _is_spent(folder: Path, loaded: Sequence[str]) -> bool:
    report = folder / "report.json"
    if not report.exists():
        return True
    if any(re.fullmatch(re.escape(folder.name) + r"(-part\d+)?", name) for name in loaded):
        return True
    try:
        return not dig(json.loads(report.read_text("utf-8")), "titles")
    except (ValueError, RecursionError):
        return False


def crawl_command(run: Run, links: Path, out: Path) -> list[str]:
    """The spider's command line; a golden file of the tests holds it."""
    crawl = run.settings.crawl
    command = [sys.executable, "-m", "scrapy_imdb", "crawl", "--site", crawl.site]
    command += ["--links", str(links), "--state", str(run.folders.crawl / "state")]
    command += ["--out", str(out), "--max-pages", str(run.form.max_pages)]
    command += ["--as-of", iso(run.as_of), "--delay", str(crawl.delay)]
    command += ["--refresh-days", str(crawl.refresh_days)]
    return [*command, *(["--contact", crawl.contact] if crawl.contact else [])]
