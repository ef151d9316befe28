"""How fast pages are read and crawled, as ratios within one run, and how much memory a crawl needs.

    python bench/crawl.py [--pages FOLDER] [--crawl N] [--hdfs N] [--repeats 3] [--out FILE]

Reading: our page objects against `parsel_pages.py` (whole documents, the same fields), page for
page equal, CPU seconds of one core, medians. Crawling: our command against a plain Scrapy spider
with parsel on the same replica; ours also keeps its memory after every page. Memory: the largest
resident set of the crawl's process. Loading: a crawl of N titles into a real HDFS of its own,
through the lake and by one `hdfs dfs -put` a file.
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "tests" / "scrapy_imdb")]

from made_up_titles import made_up, write_links, write_world  # noqa: E402
from web_poet import HttpResponse  # noqa: E402

from bench.hdfs_load import measure_hdfs_load  # noqa: E402
from bench.parsel_pages import FIELDS, read_with_parsel  # noqa: E402
from replica.site_pages import LAYOUTS, render  # noqa: E402
from replica.site_titles import record_from_json  # noqa: E402
from scrapy_imdb.items import TitleItem  # noqa: E402
from scrapy_imdb.pages import read_page  # noqa: E402


def main() -> None:
    options = _options()
    result: dict[str, Any] = {"reading": measure_reading(options.pages, options.repeats)}
    if options.crawl:
        result["crawling"] = measure_crawling(options.crawl)
    if options.hdfs:
        result["loading"] = measure_hdfs_load(options.hdfs, options.repeats)
    _print(result)
    if options.out:
        options.out.write_text(json.dumps(result, indent=2) + "\n")


def measure_reading(folder: Path | None, repeats: int) -> dict[str, dict[str, float]]:
    """Layout to pages, milliseconds of CPU a page for both readers, and their ratio."""
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for body in _saved(folder) if folder else _rendered():
        ours, item = _fastest(lambda b=body: read_page(HttpResponse("http://x/", body=b)), repeats)
        theirs, fields = _fastest(
            lambda b=body: read_with_parsel(b.decode("utf-8", "replace")), repeats
        )
        assert _plain(item) == fields, f"the readers differ on {item.title_id}"
        found[item.layout].append((ours, theirs))
    found["all"] = [pair for pairs in list(found.values()) for pair in pairs]
    return {layout: _summary(pairs) for layout, pairs in sorted(found.items())}


def measure_crawling(count: int) -> dict[str, Any]:
    """Seconds and pages a second of both crawlers over the same titles, and our memory."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        site, url = _site(write_world(folder / "world", count))
        try:
            links = write_links(folder / "links.csv", count)
            command = [sys.executable, "-m", "scrapy_imdb", "crawl", "--site", url]
            command += ["--links", str(links), "--state", str(folder / "state")]
            command += ["--out", str(folder / "out"), "--max-pages", str(count)]
            ours = _run([*command, "--as-of", "2026-01-04T03:00:00Z"])
            report = json.loads((folder / "out" / "report.json").read_text())
            stock = [sys.executable, str(REPOSITORY / "bench" / "stock_spider.py"), url]
            theirs = _run([*stock, str(links), str(folder / "stock.jsonl")])
        finally:
            site.terminate()
            site.wait()
        assert report["titles"] == count
        assert len((folder / "stock.jsonl").read_text().splitlines()) == count
    return {"pages": count, "marquee": ours, "scrapy with parsel": theirs}


def _run(command: list[str]) -> dict[str, float]:
    """Run to the end; seconds, and the largest resident set as the kernel counts it."""
    started, largest = time.perf_counter(), 0
    process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.DEVNULL)
    status = Path(f"/proc/{process.pid}/status")
    while process.poll() is None:
        found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
        largest = max(largest, int(found.group(1)) if found else 0)
        time.sleep(0.05)
    assert process.returncode == 0, command
    seconds = time.perf_counter() - started
    return {"seconds": round(seconds, 2), "resident_mb": round(largest / 1024, 1)}


def _site(world: Path) -> tuple[subprocess.Popen[str], str]:
    command = [sys.executable, "-m", "replica", "serve", "--world", str(world)]
    process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    return process, process.stdout.readline().removeprefix("replica: ").strip()


def _fastest(call: Any, repeats: int) -> tuple[float, Any]:
    seconds, value = [], None
    for _ in range(repeats):
        started = time.process_time()
        value = call()
        seconds.append(time.process_time() - started)
    return min(seconds), value


def _summary(pairs: list[tuple[float, float]]) -> dict[str, float]:
    ours, theirs = (statistics.median(column) * 1000 for column in zip(*pairs, strict=True))
    ratio = sum(t for _, t in pairs) / sum(o for o, _ in pairs)
    return {
        "pages": len(pairs),
        "ms": round(ours, 2),
        "parsel_ms": round(theirs, 2),
        "ratio": round(ratio, 1),
    }


def _plain(item: TitleItem) -> dict[str, Any]:
    fields = {name: getattr(item, name) for name in FIELDS}
    for role in ("directors", "cast"):
        fields[role] = [(p.name_id, p.name) for p in fields[role]]
    fields["budget"] = item.budget and (item.budget.amount, item.budget.currency)
    return fields


def _saved(folder: Path) -> Iterator[bytes]:
    for line in (folder / "manifest.jsonl").read_text("utf-8").splitlines():
        fact = json.loads(line)
        if fact["kind"] == "title":
            yield gzip.decompress((folder / fact["file"]).read_bytes())


def _rendered() -> Iterator[bytes]:
    return (render(record_from_json(made_up(n)), layout) for layout in LAYOUTS for n in range(20))


def _print(result: dict[str, Any]) -> None:
    print(f"{'layout':<24}{'pages':>6}{'ms':>8}{'parsel ms':>11}{'ratio':>7}")
    for layout, row in result["reading"].items():
        print(f"{layout:<24}{row['pages']:>6}{row['ms']:>8}{row['parsel_ms']:>11}{row['ratio']:>7}")
    for name, row in [*result.get("crawling", {}).items(), *result.get("loading", {}).items()]:
        print(f"{name:<24}", row)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=Path, help="folder of saved pages with manifest.jsonl")
    parser.add_argument("--crawl", type=int, default=0, metavar="N", help="also crawl N pages")
    parser.add_argument("--hdfs", type=int, default=0, metavar="N", help="also load N titles")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, help="keep the figures as JSON")
    return parser.parse_args()


if __name__ == "__main__":
    main()
