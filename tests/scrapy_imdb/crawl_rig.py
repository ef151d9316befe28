"""A real site on loopback, and the crawl's command run as a process of its own."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from crawl_process import Done, run
from made_up_titles import write_links

from replica.site import ROBOTS
from scrapy_imdb.crawl_plan import CrawlPlan

REPOSITORY = Path(__file__).resolve().parents[2]
TITLES = 60


@dataclass
class RunningSite:
    """A replica process and its address."""

    url: str

    def fault(self, kind: str, **more: Any) -> None:
        httpx.post(f"{self.url}/_faults", json={"kind": kind, **more}).raise_for_status()

    def heal(self) -> None:
        httpx.delete(f"{self.url}/_faults").raise_for_status()
        self.robots(ROBOTS.encode())

    def robots(self, body: bytes, status: int = 200) -> None:
        """What robots.txt is from now on."""
        httpx.put(f"{self.url}/_robots?status={status}", content=body).raise_for_status()

    def served(self) -> dict[str, int]:
        """Requests by title since the site started."""
        found: dict[str, int] = httpx.get(f"{self.url}/_served").json()
        return found

    def pages_requested(self) -> int:
        """How many pages were requested since the site started, repeats included."""
        return sum(self.served().values())


@dataclass
class Crawl:
    """One crawl's places and how to run it."""

    site: str
    folder: Path
    count: int
    flags: list[str] = field(default_factory=list)
    limit: int = 0
    """Bytes a file of it may have; 0: any."""

    @property
    def out(self) -> Path:
        return self.folder / "out"

    @property
    def state(self) -> Path:
        return self.folder / "state"

    def command(self, out: str = "out", pages: int = 1000, day: int = 4) -> list[str]:
        links = write_links(self.folder / "links.csv", self.count)
        command = ["crawl", "--site", self.site]
        command += ["--links", str(links), "--state", str(self.state)]
        command += ["--out", str(self.folder / out), "--max-pages", str(pages)]
        return [*command, "--as-of", f"2026-01-{day:02d}T03:00:00Z", *self.flags]

    def run(self, **more: Any) -> Done:
        return run(self.command(**more), self.limit)

    def report(self, out: str = "out") -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / out / "report.json").read_text())
        return found


def start_site(world: Path, *flags: str) -> tuple[subprocess.Popen[str], RunningSite]:
    """A replica of a world folder on a free port; returns when it answers."""
    command = [sys.executable, "-m", "replica", "serve", "--world", str(world), "--port", "0"]
    process = subprocess.Popen(
        [*command, *flags], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    url = process.stdout.readline().removeprefix("replica: ").strip()
    with httpx.Client(transport=httpx.HTTPTransport(retries=20)) as client:
        client.get(f"{url}/healthz").raise_for_status()
    return process, RunningSite(url)


def stop_site(process: subprocess.Popen[str]) -> None:
    process.terminate()
    process.wait(20)
    assert process.stdout is not None
    process.stdout.close()


def titles(folder: Path) -> list[dict[str, Any]]:
    """Every item in a crawl's folder, in file order."""
    paths = sorted(folder.glob("titles-*.jsonl.gz"))
    lines = b"".join(gzip.decompress(path.read_bytes()) for path in paths)
    return [json.loads(line) for line in lines.splitlines()]


def plan(site: str, **more: Any) -> CrawlPlan:
    """A plan of five pages whose files are nowhere."""
    places = {name: Path("/nowhere") for name in ("links", "state", "out")}
    moment = datetime(2026, 1, 4, tzinfo=UTC)
    return CrawlPlan.checked(site=site, max_pages=5, as_of=moment, **places, **more)
