"""crawl_titles: fetch the pages of titles people rate, in a process of its own."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from marquee.artefacts.reading import dig
from marquee.clock import now
from marquee.errors import CrawlInterruptedError, CrawlStoppedError, MarqueeError, SourceError
from marquee.names import iso
from marquee.settings import REPOSITORY
from sources.ratings import write_candidates
from sources.title_snapshots import snapshots
from sources.titles_gather import CRAWL
from steps.claim_world import check
from steps.fetch_ratings import fetch_ratings
from steps.run import Run

WRONG_INPUT, STOPPED = 2, 3
"""Exit statuses of a crawl that trying again does not help: its own error, and the tripwire."""
ENDING_SECONDS = 20
"""How long a crawl that is told to end may take to deliver what it has."""
KEPT_SECONDS = 86_400
"""Output younger than this is left alone: its run may still be at work."""


def crawl_titles(run: Run) -> dict[str, Any]:
    """Run the spider; returns the folder of what it brought home.

    A run whose as-of lies an interval or more back fetches nothing, and says so. Raises
    CrawlStoppedError with the spider's own sentence where the site shut it out,
    CrawlInterruptedError where it was cut off: the next attempt goes on where it was.
    """
    check(run)
    if CRAWL not in run.form.sources:
        print("the crawl is not among this run's sources: nothing is fetched", flush=True)
        return {"folder": None}
    if not run.may_fetch(now()):
        print(run.too_late(), flush=True)
        return {"folder": None}
    out = crawl_folder(run)
    sweep_outputs(run)
    links = run.places.crawl / "candidates.csv"
    count = write_candidates(Path(fetch_ratings(run)["folder"]), links)
    if not count:
        print("the release links no title to IMDb (links.csv): there is nothing to crawl")
        return {"folder": None}
    print(f"{count} titles are linked; at most {run.form.max_pages} pages this time", flush=True)
    status, last = run_crawl(crawl_command(run, links, out))
    if status:
        raise how_it_ended(status, last)
    return {"folder": str(out)}


def run_crawl(command: list[str]) -> tuple[int, str]:
    """Run the spider, its lines in this task's log; its exit status and its last line.

    It ends with this process, and is told to end where this task is (a time-out, a signal).
    """
    last = ""
    environment = {**os.environ, "MARQUEE_PARENT": str(os.getpid())}
    with subprocess.Popen(
        command,
        cwd=REPOSITORY,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as crawl:
        assert crawl.stdout is not None
        try:
            for line in crawl.stdout:
                print(line, end="", flush=True)
                last = line.strip() or last
        except BaseException:
            _end(crawl)
            raise
    return crawl.returncode, last


def how_it_ended(status: int, last: str) -> MarqueeError:
    """The error of a crawl that ended with `status` and said `last`; only two are final.

    A negative status is a signal's, as one above 128 where a shell stood between.
    """
    number = -status if status < 0 else status - 128
    if status == STOPPED:
        return CrawlStoppedError(last.removeprefix("stopped: "), "see docs/guides/crawl.md")
    if status == WRONG_INPUT:
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
    """Remove what crawls of other runs left on this disk a day ago or more, and nobody needs.

    That is output which lies in the lake, output without a title, and what a crawl left that was
    killed as it delivered: the memory keeps its titles, and the next crawl delivers them. Output
    that was not loaded stays, for a person to look at. What cannot be swept stays too.
    """
    own, old = crawl_folder(run), time.time() - KEPT_SECONDS
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


def crawl_folder(run: Run) -> Path:
    """Where this run's crawl leaves its items."""
    return run.places.crawl / "out" / run.id


def crawl_command(run: Run, links: Path, out: Path) -> list[str]:
    """The spider's flags (a golden file shows them)."""
    crawl = run.settings.crawl
    command = [sys.executable, "-m", "scrapy_imdb", "crawl", "--site", crawl.site]
    command += ["--links", str(links), "--state", str(run.places.crawl / "state")]
    command += ["--out", str(out), "--max-pages", str(run.form.max_pages)]
    command += ["--as-of", iso(run.as_of), "--delay", str(crawl.delay)]
    command += ["--refresh-days", str(crawl.refresh_days)]
    return [*command, *(["--contact", crawl.contact] if crawl.contact else [])]


def _end(crawl: subprocess.Popen[str]) -> None:
    """Ask a crawl to end and deliver; make it, where it does not."""
    crawl.terminate()
    try:
        crawl.communicate(timeout=ENDING_SECONDS)
    except subprocess.TimeoutExpired:
        crawl.kill()
