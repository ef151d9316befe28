"""crawl_titles: fetch the pages of titles people rate, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from marquee.clock import now
from marquee.errors import CrawlStoppedError, SourceError
from marquee.names import iso
from marquee.settings import REPOSITORY
from marquee.sources.ratings import write_candidates
from marquee.sources.titles_gather import CRAWL
from marquee.steps.claim_world import check
from marquee.steps.fetch_ratings import fetch_ratings
from marquee.steps.run import Run

STOPPED = 3  # exit status: the tripwire; what was gathered is kept


def crawl_titles(run: Run) -> dict[str, Any]:
    """Run the spider; returns the folder of what it brought home.

    A run whose as-of lies an interval or more back fetches nothing, and says so. Raises
    CrawlStoppedError with the spider's own sentence where the site shut it out.
    """
    check(run)
    if CRAWL not in run.form.sources:
        print("the crawl is not among this run's sources: nothing is fetched", flush=True)
        return {"folder": None}
    if not run.may_fetch(now()):
        print(run.too_late(), flush=True)
        return {"folder": None}
    out = crawl_folder(run)
    links = run.places.crawl / "candidates.csv"
    count = write_candidates(Path(fetch_ratings(run)["folder"]), links)
    if not count:
        print("the release links no title to IMDb (links.csv): there is nothing to crawl")
        return {"folder": None}
    print(f"{count} titles are linked; at most {run.form.max_pages} pages this time", flush=True)
    command = crawl_command(run, links, out)
    last = ""
    with subprocess.Popen(
        command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as crawl:
        assert crawl.stdout is not None
        for line in crawl.stdout:
            print(line, end="", flush=True)
            last = line.strip() or last
    if crawl.returncode == STOPPED:
        raise CrawlStoppedError(last.removeprefix("stopped: "), "see docs/guides/crawl.md")
    if crawl.returncode:
        raise SourceError(f"the crawl ended with status {crawl.returncode}: {last}")
    return {"folder": str(out)}


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
