"""A crawl of a real site over HTTP: what comes home, what it costs, what it remembers."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import sqlite3
import subprocess
import sys

import pytest
from crawl_process import run
from crawl_rig import REPOSITORY, TITLES, titles
from made_up_titles import made_up, title_id, write_links

from marquee.clock import OFFSET
from marquee.dataset_contracts import TITLE_ITEM
from marquee.errors import AWAY, AwayError, SourceError
from marquee.progress import PROGRESS, read_progress
from scrapy_imdb.crawl_state import KEPT_RUNS, CrawlState, Outcome
from scrapy_imdb.state_database import DATABASE_NAME, database_error


def test_every_title_comes_home_once_and_the_counts_reconcile(crawl):
    crawl.count = TITLES + 5  # five that the site does not have
    done = crawl.run()
    assert done.returncode == 0, done.stderr
    found = titles(crawl.out)
    assert [t["title_id"] for t in found] == [title_id(n) for n in range(TITLES)]
    assert all(TITLE_ITEM.differences(t) == [] for t in found)
    assert {t["layout"] for t in found} >= {"overview_top", "next_data_v2"}
    assert all(t["budget"] == made_up(n)["budget"] for n, t in enumerate(found))
    report = crawl.report()
    assert report["fetched"] == report["titles"] + report["refused"] == TITLES
    assert (report["missing"], report["failed"], report["left"]) == (5, 0, 0)
    assert report["pages"] == TITLES + 5 and report["stopped"] is None
    assert report["coverage"]["directors"] == 1.0 and 0.6 < report["coverage"]["budget"] < 0.7


def test_a_second_crawl_fetches_nothing_and_succeeds(crawl, site):
    assert crawl.run().returncode == 0
    requested_before = site.served()
    again = crawl.run(out="next", day=11)
    assert again.returncode == 0, again.stderr
    assert site.served() == requested_before
    assert crawl.report("next")["titles"] == 0
    assert list((crawl.folder / "next").glob("*.gz")) == []


def test_the_same_crawl_again_gives_the_same_files(crawl, site):
    assert crawl.run(pages=20).returncode == 0
    before = {path.name: path.read_bytes() for path in crawl.out.iterdir()}
    requested_before = site.served()
    assert crawl.run(pages=20).returncode == 0
    assert {path.name: path.read_bytes() for path in crawl.out.iterdir()} == before
    assert site.served() == requested_before


def test_a_crawl_run_again_after_many_others_loses_nothing_it_brought(crawl, site):
    assert crawl.run(pages=3).returncode == 0
    before = {path.name: path.read_bytes() for path in crawl.out.iterdir()}
    with CrawlState(crawl.state) as state:
        for number in range(KEPT_RUNS):
            state.begin(f"r{number}", [])
            state.mark_delivered(f"r{number}")
    requested_before = site.pages_requested()
    done = crawl.run(pages=3)
    assert done.returncode == 0 and "stays as it is" in done.stdout
    assert {path.name: path.read_bytes() for path in crawl.out.iterdir()} == before
    assert site.pages_requested() == requested_before


def test_most_rated_first_then_what_is_left(crawl):
    assert crawl.run(pages=10).returncode == 0
    assert {t["title_id"] for t in titles(crawl.out)} == {title_id(n) for n in range(10)}
    assert crawl.report()["left"] == TITLES - 10
    assert crawl.run(out="next", pages=10, day=11).returncode == 0
    found = {t["title_id"] for t in titles(crawl.folder / "next")}
    assert found == {title_id(n) for n in range(10, 20)}


def test_stale_titles_are_fetched_again(crawl, site):
    crawl.flags = ["--refresh-days", "0"]
    assert crawl.run(pages=5).returncode == 0
    assert crawl.run(out="next", pages=TITLES, day=11).returncode == 0
    assert len(titles(crawl.folder / "next")) == TITLES


def test_a_crawl_that_is_told_nothing_new_says_so(crawl):
    assert crawl.run(pages=0).returncode == 0
    assert crawl.report()["pages"] == 0


def test_the_report_may_have_a_copy(crawl):
    crawl.flags = ["--report", str(crawl.folder / "copies" / "crawl.json")]
    assert crawl.run(pages=3).returncode == 0
    copy = json.loads((crawl.folder / "copies" / "crawl.json").read_text())
    assert copy == crawl.report()


@pytest.mark.parametrize(
    ("site_url", "says"),
    [
        ("ftp://127.0.0.1/", "is not a site"),
        ("https://8.8.8.8", "no contact address"),
    ],
)
def test_a_site_that_may_not_be_crawled_is_one_clear_line(crawl, site_url, says):
    crawl.site = site_url
    done = crawl.run()
    assert done.returncode == 2
    assert done.stderr.startswith("error: ") and says in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("id,count\ntt0000001,3\n", "has no column title_id, rated_count"),
        ("title_id,rated_count\n114709,215\n", "line 2"),
        ("title_id,rated_count\ntt0114709,many\n", "line 2"),
        ("\x00\x00", "NUL byte"),
        ('title_id,rated_count\ntt0114709,2\n"tt0114710,3\n', "line 3: a quote is opened"),
    ],
)
def test_a_wrong_links_file_is_one_clear_line(crawl, content, says):
    command = crawl.command()
    links = write_links(crawl.folder / "links.csv", 1)
    links.write_text(content)
    done = run(command)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ") and says in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_command_runs_as_users_run_it_and_tells_how_far_it_is(crawl, site, tmp_path):
    site.fault("half", titles=[title_id(1)])
    command = [sys.executable, "-m", "scrapy_imdb", *crawl.command(pages=4)]
    progress = tmp_path / "progress.json"
    done = subprocess.run(
        command,
        cwd=REPOSITORY,
        env={**os.environ, PROGRESS: str(progress)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "3 titles, 1 refused, 0 missing, 0 failed; 56 left" in done.stdout
    last = read_progress(progress)
    assert last and (last.what, last.done, last.of, last.note) == ("page", 4, 4, "1 refused")
    assert str(last) in done.stdout


def test_a_site_that_is_down_stops_the_crawl(crawl):
    crawl.site = "http://127.0.0.1:9"  # nobody listens on the discard port
    done = crawl.run()
    assert done.returncode == AWAY
    assert "stopped: robots.txt" in done.stderr and "cannot be read" in done.stderr


def test_two_crawls_never_share_a_memory(crawl):
    crawl.state.mkdir()
    with (crawl.state / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = crawl.run()
    assert done.returncode == AWAY and "another crawl owns" in done.stderr


def test_a_memory_that_is_damaged_inside_is_one_clear_line(crawl):
    assert crawl.run(pages=2).returncode == 0
    database = crawl.state / "crawl.sqlite"
    with database.open("r+b") as stream:
        stream.seek(4096)
        stream.write(b"\xff" * (database.stat().st_size - 4096))
    done = crawl.run(pages=4)
    assert done.returncode == 2 and "is damaged" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_disk_without_room_is_away_and_loses_nothing(crawl):
    crawl.limit = 200_000  # bytes a file may have: stands in for a full disk
    done = crawl.run()
    assert done.returncode == AWAY, done.stderr
    assert "cannot be" in done.stderr and "make room" in done.stderr
    assert done.stderr.count("\n") == 1
    crawl.limit = 0
    assert crawl.run().returncode == 0
    assert len(titles(crawl.out)) == TITLES


def test_a_damaged_memory_is_one_clear_line(crawl):
    crawl.state.mkdir()
    (crawl.state / "crawl.sqlite").write_bytes(b"this is no database" * 100)
    done = crawl.run()
    assert done.returncode == 2 and "is not a crawl's memory" in done.stderr


@pytest.mark.parametrize(
    ("prepare", "statement", "kind", "says"),
    [
        ("PRAGMA max_page_count = 2", "CREATE TABLE t2 (a)", AwayError, "full"),
        ("PRAGMA query_only = 1", "INSERT INTO t VALUES (1)", AwayError, "readonly"),
        ("SELECT 1", "ATTACH '/no/such/folder/x' AS other", AwayError, "unable to open"),
        ("SELECT 1", "SELECT b FROM t", SourceError, "is not a crawl's memory: no such column"),
    ],
)
def test_only_what_is_no_memory_is_to_be_moved_away(tmp_path, prepare, statement, kind, says):
    db = sqlite3.connect(tmp_path / DATABASE_NAME)
    db.execute("CREATE TABLE t (a)")
    db.execute(prepare)
    with pytest.raises(sqlite3.OperationalError) as raised:
        db.execute(statement)
    error = database_error(tmp_path, raised.value)
    assert type(error) is kind and says in str(error)
    assert ("move it away" in str(error)) == (kind is SourceError)


def test_a_memory_whose_disk_fails_as_it_is_opened_is_away(tmp_path, monkeypatch):
    def fails(*_: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(sqlite3, "connect", fails)
    with pytest.raises(AwayError, match="make room"):
        CrawlState(tmp_path)


@pytest.mark.parametrize(
    ("code", "kind"),
    [(code, AwayError) for code in (errno.ENOSPC, errno.EROFS, errno.EIO, errno.EACCES)]
    + [(code, SourceError) for code in (errno.ENOTDIR, errno.EEXIST, errno.ENAMETOOLONG)],
)
def test_a_folder_that_can_be_mended_is_away_and_a_wrong_path_is_not(
    tmp_path, monkeypatch, code, kind
):
    def fails(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("scrapy_imdb.crawl_state.lock_file", fails)
    with pytest.raises(kind, match="cannot be used") as error:
        CrawlState(tmp_path)
    assert "move it away" not in str(error.value)


def test_a_later_crawl_tries_again_what_failed_in_one_that_was_killed(tmp_path):
    with CrawlState(tmp_path) as state:
        links = [("tt0000001", 5), ("tt0000002", 4)]
        state.begin("r1", links)
        state.record("r1", Outcome("tt0000001", "failed", "HTTP 500"), "parser")
        state.begin("r2", links)
        assert state.titles_to_request("r2", 30, "parser", 9) == ["tt0000002", "tt0000001"]
        assert state.reasons("r2") == {}


def test_a_title_at_which_a_crawl_stopped_comes_after_the_stale_ones_too(tmp_path, monkeypatch):
    with CrawlState(tmp_path) as state:
        links = [(f"tt000000{n}", 9 - n) for n in range(4)]
        state.begin("r1", links)
        monkeypatch.setenv(OFFSET, "-9000000")
        state.record("r1", Outcome("tt0000003", "title", line=b"{}"), "parser")
        monkeypatch.delenv(OFFSET)
        state.record("r1", Outcome("tt0000000", "refused", "odd", b"{}"), "parser")
        state.forget_refusals("r1")
        state.postpone("tt0000001")
        expected = ["tt0000002", "tt0000003", "tt0000000", "tt0000001"]
        assert state.titles_to_request("r2", 30, "parser", 9) == expected


def test_a_visit_stamped_by_a_clock_that_was_ahead_counts_as_stale(tmp_path, monkeypatch):
    with CrawlState(tmp_path) as state:
        state.begin("r1", [("tt0000001", 5)])
        monkeypatch.setenv(OFFSET, "300000000")
        state.record("r1", Outcome("tt0000001", "title", "", b"{}"), "parser")
        assert state.titles_to_request("r2", 30, "parser", 9) == []
        monkeypatch.delenv(OFFSET)
        assert state.titles_to_request("r2", 30, "parser", 9) == ["tt0000001"]
        assert state.count_due(30) == 1
