"""The yardstick for crawling: a spider as Scrapy's tutorial would write it, reading with parsel."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from scrapy import Request, Spider
from scrapy.crawler import AsyncCrawlerProcess
from scrapy.http import Response

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.parsel_pages import read_with_parsel


class StockSpider(Spider):
    name = "stock"

    def __init__(self, site: str, links: str, out: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        with Path(links).open() as stream:
            self.urls = [f"{site}/title/{row['title_id']}/" for row in csv.DictReader(stream)]
        self.out = Path(out).open("w")  # noqa: SIM115 (open as long as the spider)

    async def start(self) -> AsyncIterator[Any]:
        for url in self.urls:
            yield Request(url, callback=self.parse)

    def parse(self, response: Response, **kwargs: Any) -> None:
        self.out.write(json.dumps(read_with_parsel(response.text)) + "\n")

    def closed(self, reason: str) -> None:
        self.out.close()


if __name__ == "__main__":
    process = AsyncCrawlerProcess(
        {"LOG_LEVEL": "ERROR", "CONCURRENT_REQUESTS_PER_DOMAIN": 4, "DOWNLOAD_DELAY": 0}
    )
    process.crawl(StockSpider, *sys.argv[1:4])
    process.start()
