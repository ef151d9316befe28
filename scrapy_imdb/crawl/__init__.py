"""One polite crawl: a plan, a memory that survives anything, a tripwire, and what it brought."""

from scrapy_imdb.crawl.plan import CrawlPlan
from scrapy_imdb.crawl.run import run

__all__ = ["CrawlPlan", "run"]
