"""robots.txt is obeyed as it was saved, whatever wrote it."""

from __future__ import annotations

import gzip

import pytest
from scrapy.http import Response

from marquee.errors import CrawlInterruptedError, CrawlStoppedError
from scrapy_imdb.fetch import Robots, read_robots


def robots(text: str | bytes, status: int = 200) -> Robots:
    body = text if isinstance(text, bytes) else text.encode()
    return read_robots(Response("http://site/robots.txt", status=status, body=body))


def test_robots_rules_and_their_delay_are_obeyed():
    rules = robots("User-agent: *\nCrawl-delay: 7\nDisallow: /title/tt1\n")
    assert not rules.allows("http://site/title/tt1234567/", "Marquee/0.1")
    assert rules.allows("http://site/title/tt7654321/", "Marquee/0.1")
    assert rules.delay("Marquee/0.1") == 7
    assert robots("").delay("Marquee/0.1") == 0


RULES = "User-agent: *\nCrawl-delay: 4\nDisallow: /title/tt9\n"
ALLOWED, FORBIDDEN = "http://site/title/tt1234567/", "http://site/title/tt9234567/"
MARK = "\ufeff"


@pytest.mark.parametrize("lines", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        ("", "utf-8"),
        (MARK, "utf-8"),
        (MARK * 2, "utf-8"),
        (MARK, "utf-16-le"),
        (MARK, "utf-16-be"),
        ("", "utf-16-le"),
        ("", "utf-16-be"),
        (MARK, "utf-32-le"),
        (MARK, "utf-32-be"),
        ("", "utf-32-le"),
        ("", "utf-32-be"),
    ],
)
def test_robots_txt_is_read_in_whatever_encoding_it_was_saved(mark, encoding, lines):
    rules = robots((mark + RULES.replace("\n", lines)).encode(encoding))
    assert rules.allows(ALLOWED, "Marquee/0.1") and not rules.allows(FORBIDDEN, "Marquee/0.1")
    assert rules.delay("Marquee/0.1") == 4


def test_a_mark_between_two_files_put_together_hides_no_group():
    rules = robots(f"User-agent: Other\nDisallow: /x\n{MARK}{RULES}")
    assert not rules.allows(FORBIDDEN, "Marquee/0.1")


@pytest.mark.parametrize(
    "body",
    [
        f"\u00ef\u00bb\u00bf{RULES}".encode(),
        f"\u200b{RULES}".encode(),
        b"\0" + RULES.encode(),
        RULES.replace("-agent", "-\u2060agent").encode(),
        f"\u041f\u0440\u0430\u0432\u0438\u043b\u0430\n{RULES}".encode("utf-16-le"),
        f"\u4f60\u597d\n{RULES}".encode("utf-16-be"),
        f"\u4f60\u597d\n{RULES}".encode("utf-32-le"),
        gzip.compress(RULES.encode(), mtime=0),
        gzip.compress(f"{MARK}{RULES}".encode("utf-16"), mtime=0),
    ],
)
def test_marks_that_nobody_sees_and_packing_hide_no_rule(body):
    rules = robots(body)
    assert rules.allows(ALLOWED, "Marquee/0.1") and not rules.allows(FORBIDDEN, "Marquee/0.1")
    assert rules.delay("Marquee/0.1") == 4


CLOSED, OPEN = "Disallow: /title/\n", "Allow: /\n"


@pytest.mark.parametrize(
    ("text", "may"),
    [
        (f"User-agent: *\n{CLOSED}\nUser-agent: films\n{OPEN}", False),
        (f"User-agent: marquee\n{CLOSED}\nUser-agent: films.example\n{OPEN}", False),
        (f"User-agent: bot\nUser-agent: https\nUser-agent: 0\n{CLOSED}", True),
        (f"User-agent: Marq\nUser-agent: m\nUser-agent: MarqueeBot\n{CLOSED}", True),
        (f"User-agent: MARQUEE/2.0 # us\n{CLOSED}\nUser-agent: *\n{OPEN}", False),
        (f"User-agent: x\nuseragent:marquee\n{CLOSED}\nUser-agent: *\n{OPEN}", False),
        (f"User-agent: marquee\n{OPEN}\nUser-agent: *\n{CLOSED}", True),
        (f"User-agent: another\nUser-agent: ours\n{CLOSED}", True),
    ],
)
def test_only_our_product_token_is_our_name_in_robots_txt(text, may):
    contact = "Marquee/0.1 (+https://films.example.org/bot)"
    assert robots(text).allows(ALLOWED, contact) == may


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        " \r\n\t",
        MARK,
        "User-agent: *\nDisallow: /captcha/\nDisallow: /awswaf\n# Robot Check\n",
        "<html><head><title>Robot Check</title></head><body>captcha</body></html>",
        b"\x00\x01\x02\xff" * 9,
    ],
)
def test_robots_txt_that_forbids_no_title_allows_every_one(text):
    rules = robots(text)
    assert rules.allows(ALLOWED, "Marquee/0.1") and rules.allows(FORBIDDEN, "Marquee/0.1")
    assert rules.delay("Marquee/0.1") == 0


def test_a_long_robots_txt_is_obeyed_to_its_end():
    filler = "".join(f"Disallow: /archive/{number}/\n" for number in range(40_000))
    assert len(filler) > 500 * 1024
    assert not robots(f"User-agent: *\n{filler}Disallow: /title/\n").allows(ALLOWED, "Marquee/0.1")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 410, 451])
def test_robots_txt_that_is_not_there_forbids_nothing(status):
    assert robots("User-agent: *\nDisallow: /\n", status).allows(ALLOWED, "Marquee/0.1")


@pytest.mark.parametrize("status", [302, 500, 503])
def test_robots_txt_that_cannot_be_had_forbids_all_until_it_can(status):
    with pytest.raises(CrawlInterruptedError, match=f"HTTP {status}"):
        robots("", status)


def test_the_slower_of_delay_and_rate_is_kept_unless_it_holds_at_some_hours_only():
    assert robots("User-agent: *\nRequest-rate: 1/9s\nCrawl-delay: 2\n").delay("M") == 9
    assert robots("User-agent: *\nRequest-rate: 10/5s\nCrawl-delay: 2\n").delay("M") == 2
    assert robots("User-agent: *\nRequest-rate: 1/20m 0100-0200\n").delay("M") == 0


@pytest.mark.parametrize("delay", ["nan", "inf", "-7", "soon", ""])
def test_a_delay_that_is_no_time_is_none(delay):
    assert robots(f"User-agent: *\nCrawl-delay: {delay}\n").delay("Marquee/0.1") == 0


def test_a_site_that_wants_no_crawl_is_not_crawled():
    with pytest.raises(CrawlStoppedError, match="3600 seconds between"):
        robots("User-agent: *\nCrawl-delay: 3600\n").delay("Marquee/0.1")
