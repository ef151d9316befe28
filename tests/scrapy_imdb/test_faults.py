"""Every fault of the site, over real HTTP: the crawl stops, waits or goes on, and says why."""

from __future__ import annotations

import gzip
import json

import pytest
from crawl_rig import TITLES, start_site, stop_site
from made_up_titles import title_id, write_world


def stopped_because(done) -> str:
    """The sentence after `stopped: `, which is the last line."""
    assert done.returncode == 3, done.stdout + done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("stopped: ")
    assert "Traceback" not in done.stderr
    return last


@pytest.mark.parametrize(
    ("kind", "cause"),
    [
        ("challenge", "challenge for robots (HTTP 202)"),
        ("captcha", "challenge for robots (HTTP 200)"),
        ("403", "refuses us (HTTP 403)"),
        ("405", "challenge for robots (HTTP 405)"),
        ("empty", "empty page"),
    ],
)
def test_being_shut_out_stops_at_once_and_keeps_what_came_before(crawl, site, kind, cause):
    site.fault(kind, after=20)
    asked = sum(site.served().values())
    assert cause in stopped_because(crawl.run())
    report = crawl.report()
    assert report["titles"] >= 17 and cause in report["stopped"]
    assert sum(site.served().values()) - asked <= 20 + 4  # no more than was on its way
    site.heal()
    again = crawl.run()  # the same crawl goes on where it stopped
    assert again.returncode == 0, again.stderr
    assert crawl.report()["titles"] == TITLES


def test_repeated_429_stops(crawl, site):
    site.fault("429", after=10)
    assert "429" in stopped_because(crawl.run())
    assert crawl.report()["titles"] >= 7


def test_a_429_now_and_then_is_waited_out(crawl, site):
    site.fault("429", after=10, times=2, retry_after="1")
    done = crawl.run()
    assert done.returncode == 0, done.stderr
    assert crawl.report()["titles"] == TITLES
    assert crawl.report()["requests"] >= TITLES + 2


def test_a_site_that_asks_for_an_hour_is_left_alone(crawl, site):
    site.fault("503", after=5, retry_after="3600")
    assert "stay away for 3600 seconds" in stopped_because(crawl.run())


def test_server_errors_are_tried_again(crawl, site):
    site.fault("500", after=3, times=6)
    done = crawl.run()
    assert done.returncode == 0, done.stderr
    assert crawl.report()["titles"] == TITLES


def test_a_server_that_stays_broken_stops_the_crawl(crawl, site):
    site.fault("503", after=10)
    assert "could not be fetched" in stopped_because(crawl.run())
    site.heal()
    assert crawl.run().returncode == 0
    assert crawl.report()["titles"] == TITLES


def test_one_title_that_always_fails_does_not_end_the_crawl(crawl, site):
    site.fault("500", titles=[title_id(7)])
    done = crawl.run()
    assert done.returncode == 0, done.stderr
    report = crawl.report()
    assert (report["titles"], report["failed"]) == (TITLES - 1, 1)
    assert report["reasons"] == {"HTTP 500 (4 tries)": 1}


@pytest.mark.parametrize("kind", ["truncated", "redirect_loop", "bomb"])
def test_a_page_that_cannot_be_had_whole_is_left_out(crawl, site, kind):
    site.fault(kind, titles=[title_id(3)])
    done = crawl.run(pages=12)
    assert done.returncode == 0, done.stderr
    report = crawl.report()
    assert report["titles"] == 11
    assert report["failed"] + report["refused"] == 1


@pytest.mark.parametrize(
    "to", ["http://10.0.0.1/", "http://169.254.169.254/latest/", "file:///etc/passwd", "/"]
)
def test_no_redirect_leaves_the_site(crawl, site, to):
    site.fault("redirect", titles=[title_id(2)], to=to)
    done = crawl.run(pages=8)
    assert done.returncode == 0, done.stderr
    report = crawl.report()
    assert report["titles"] == 7
    assert report["refused"] + report["failed"] == 1


def test_half_a_page_is_refused_and_kept_with_its_reason(crawl, site):
    site.fault("half", titles=[title_id(n) for n in range(0, 40, 10)])
    done = crawl.run()
    assert done.returncode == 0, done.stderr
    report = crawl.report()
    assert report["titles"] + report["refused"] == report["fetched"] == TITLES
    assert report["refused"] > 0
    with gzip.open(next(crawl.out.glob("refused-*.jsonl.gz"))) as stream:
        kept = [json.loads(line) for line in stream]
    assert len(kept) == report["refused"]
    assert all(line["reason"] and line["page"] for line in kept)


def test_a_redesign_stops_the_crawl_and_its_titles_are_asked_for_again(crawl, site):
    site.fault("redesign", after=15)
    assert "cannot be read" in stopped_because(crawl.run())
    assert crawl.report()["refused"] >= 5
    site.heal()
    assert crawl.run(out="next", day=11).returncode == 0
    both = crawl.report()["titles"] + crawl.report("next")["titles"]
    assert both == TITLES


def test_robots_txt_is_obeyed(crawl, tmp_path):
    process, closed = start_site(
        write_world(tmp_path / "w", 3), "--robots", "User-agent: *\nDisallow: /title/\n"
    )
    try:
        crawl.site = closed.url
        assert "robots.txt forbids" in stopped_because(crawl.run())
        assert closed.served() == {}
    finally:
        stop_site(process)
