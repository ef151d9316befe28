"""Scrapy's settings for one crawl: what its defaults leave open is closed here."""

from __future__ import annotations

from typing import Any

from scrapy_imdb.crawl.plan import CrawlPlan
from scrapy_imdb.pages.html import LARGEST_PAGE


def scrapy_settings(plan: CrawlPlan) -> dict[str, Any]:
    """Polite, bounded and closed: see each line."""
    return {
        "MARQUEE_SITE": plan.site,
        "USER_AGENT": plan.user_agent,
        "CONCURRENT_REQUESTS": plan.lanes,
        "CONCURRENT_REQUESTS_PER_DOMAIN": plan.lanes,
        "DOWNLOAD_DELAY": plan.delay,
        "RANDOMIZE_DOWNLOAD_DELAY": False,  # it would undercut the delay by half
        "AUTOTHROTTLE_ENABLED": not plan.is_local,
        "AUTOTHROTTLE_START_DELAY": plan.delay,
        "AUTOTHROTTLE_MAX_DELAY": 60.0,
        "AUTOTHROTTLE_TARGET_CONCURRENCY": 1.0,
        "DOWNLOAD_TIMEOUT": 10 if plan.is_local else 30,
        "DOWNLOAD_MAXSIZE": LARGEST_PAGE,  # also what a compressed answer may unpack to
        "DOWNLOAD_WARNSIZE": 0,
        "DOWNLOAD_FAIL_ON_DATALOSS": True,
        "DOWNLOAD_VERIFY_CERTIFICATES": True,
        "DOWNLOAD_HANDLERS": {"data": None, "file": None, "ftp": None, "s3": None},
        "DOWNLOADER_MIDDLEWARES": {
            "scrapy_imdb.crawl.site_guard.SiteGuard": 50,
            "scrapy.downloadermiddlewares.offsite.OffsiteMiddleware": None,
            # robots.txt is read in `robots.py`, which also honours its Crawl-delay.
            "scrapy.downloadermiddlewares.robotstxt.RobotsTxtMiddleware": None,
            # Tries and waits are `fetch.py`'s, which honours Retry-After.
            "scrapy.downloadermiddlewares.retry.RetryMiddleware": None,
            "scrapy.downloadermiddlewares.redirect.MetaRefreshMiddleware": None,
            "scrapy.downloadermiddlewares.httpproxy.HttpProxyMiddleware": 750,
        },
        "REDIRECT_MAX_TIMES": 5,  # as many as RFC 9309 asks to follow for robots.txt
        "COOKIES_ENABLED": False,
        "TELNETCONSOLE_ENABLED": False,
        "REFERER_ENABLED": False,
        "EXTENSIONS": {"scrapy.extensions.remote_control.RemoteControl": None},
        "DEFAULT_REQUEST_HEADERS": {
            "Accept": "text/html",
            "Accept-Language": "en-US,en;q=0.9",
        },
        "LOG_LEVEL": "CRITICAL",
        "LOGSTATS_INTERVAL": 0,
    }
