"""Every fault of the site, over real HTTP: the crawl stops, waits or goes on, and says why."""

from __future__ import annotations

import gzip
import json

import pytest
from crawl_rig import TITLES, titles
from made_up_titles import made_up, title_id

from marquee.errors import AWAY, STOPPED


def stopped_because(done, status: int = STOPPED) -> str:
    """The sentence after `stopped: `, which is the last line."""
    assert done.returncode == status, done.stdout + done.stderr
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
    requested_before = sum(site.served().values())
    assert cause in stopped_because(crawl.run())
    report = crawl.report()
    assert report["titles"] >= 17 and cause in report["stopped"]
    assert sum(site.served().values()) - requested_before <= 20 + 4  # no more than was on its way
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
    assert "could not be fetched" in stopped_because(crawl.run(), AWAY)
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


FORBIDS = "User-agent: *\nDisallow: /title/\n"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_robots_txt_is_obeyed(crawl, site, encoding):
    requested_before = site.pages_requested()
    site.robots(FORBIDS.encode(encoding))
    assert "robots.txt forbids" in stopped_because(crawl.run())
    assert site.pages_requested() == requested_before


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"", 200), (b"\n", 200), (b"User-agent: *\nDisallow: /captcha\n", 200)]
    + [(FORBIDS.encode(), status) for status in (401, 403, 405)],
)
def test_robots_txt_that_forbids_no_title_stops_nothing(crawl, site, body, status):
    site.robots(body, status)
    done = crawl.run(pages=2)
    assert done.returncode == 0, done.stderr
    assert crawl.report()["titles"] == 2


def test_titles_that_robots_txt_forbids_are_left_out_however_many(crawl, site):
    site.robots(b"User-agent: *\n" + b"".join(b"Disallow: /title/%s\n" % i for i in FIRST))
    done = crawl.run(pages=12)
    assert done.returncode == 0, done.stderr
    report = crawl.report()
    assert (report["titles"], report["refused"]) == (2, 10)
    assert report["reasons"] == {"robots.txt forbids it": 10}


FIRST = [title_id(number).encode() for number in range(10)]


def test_one_odd_page_keeps_no_later_crawl_from_the_others(crawl, site):
    site.fault("captcha", titles=[title_id(0)])
    assert "challenge" in stopped_because(crawl.run())
    assert "challenge" in stopped_because(crawl.run())
    assert crawl.report()["titles"] == TITLES - 1
    site.heal()
    assert crawl.run().returncode == 0
    assert crawl.report()["titles"] == TITLES


@pytest.mark.parametrize("kind", ["redesign", "merged"])
def test_odd_pages_in_a_row_keep_no_later_crawl_from_the_others(crawl, site, kind):
    odd = [title_id(n) for n in range(11)]
    site.fault(kind, titles=odd, **({"to": title_id(40)} if kind == "merged" else {}))
    cause = "in a row" if kind == "redesign" else "other titles' pages: for 11 of the last"
    assert cause in stopped_because(crawl.run(pages=25))
    assert cause in stopped_because(crawl.run(out="next", day=11))
    both = [t["title_id"] for out in ("out", "next") for t in titles(crawl.folder / out)]
    assert sorted(both) == [title_id(n) for n in range(11, TITLES)]


def test_merged_titles_are_kept_under_the_id_asked_for(crawl, site):
    """By redirects of every kind, in a chain, two into one, and without a redirect."""
    old, new = [title_id(n) for n in range(6)], title_id(50)
    for number, code in enumerate((301, 302, 308)):
        site.fault("redirect", titles=[old[number]], to=f"/title/{new}/?ref_=x", code=code)
    site.fault("redirect", titles=[old[3]], to=f"/title/{old[4]}", code=301)
    site.fault("redirect", titles=[old[4]], to=f"{site.url}/title/{title_id(51)}/", code=301)
    site.fault("merged", titles=[old[5]], to=title_id(52))
    done = crawl.run()
    assert done.returncode == 0, done.stderr
    report = crawl.report()
    into = dict(zip(old, [new, new, new, title_id(51), title_id(51), title_id(52)]))
    assert (report["titles"], report["refused"], report["merged"]) == (TITLES, 0, into)
    assert report["reasons"] == {}
    found = {t["title_id"]: t for t in titles(crawl.out)}
    assert {i: t["merged_into"] for i, t in found.items() if t["merged_into"]} == into
    assert [found[i]["budget"] for i in old[3:]] == [made_up(n)["budget"] for n in (51, 51, 52)]
    assert f"kept under its own id: {old[0]} is {new} by now" in done.stdout


@pytest.mark.parametrize(
    "to", ["/", "/login?next=/title/tt1000009/", "http://127.0.0.1:9/title/tt1/"]
)
def test_a_page_that_moves_to_no_title_is_refused(crawl, site, to):
    site.fault("redirect", titles=[title_id(1)], to=to, code=301)
    done = crawl.run(pages=4)
    assert done.returncode == 0, done.stderr
    assert (crawl.report()["titles"], crawl.report()["refused"]) == (3, 1)
    assert "it redirects" in str(crawl.report()["reasons"])


def test_titles_that_move_in_a_circle_are_refused(crawl, site):
    for here, there in ((1, 2), (2, 1)):
        site.fault("redirect", titles=[title_id(here)], to=f"/title/{title_id(there)}/", code=308)
    done = crawl.run(pages=4)
    assert done.returncode == 0, done.stderr
    assert (crawl.report()["titles"], crawl.report()["refused"]) == (2, 2)


@pytest.mark.parametrize("count", [1, 2, 13])
def test_a_site_that_answers_with_others_pages_stops_and_nothing_wrong_comes_home(
    crawl, site, count
):
    """With one page for all, with one of two, and with pages shuffled among titles."""
    answered = [title_id(n) for n in range(13)]
    for number in range(count):
        site.fault("merged", titles=answered[number::count], to=title_id(30 + number))
    assert "other titles' pages: " in stopped_because(crawl.run())
    report = crawl.report()
    assert (report["merged"], report["titles"], report["left"]) == ({}, TITLES - 13, 13)
    assert not {t["title_id"] for t in titles(crawl.out)} & set(answered)
    site.heal()
    assert crawl.run().returncode == 0
    assert [t["merged_into"] for t in titles(crawl.out)] == [None] * TITLES


def test_one_page_for_all_is_seen_over_small_crawls_too(crawl, site):
    site.fault("merged", titles=[title_id(n) for n in range(20)], to=title_id(30))
    assert crawl.run(pages=4).returncode == 0
    assert "8 titles were answered with the page of" in stopped_because(
        crawl.run(out="next", pages=4, day=11)
    )
    assert titles(crawl.folder / "next") == []
