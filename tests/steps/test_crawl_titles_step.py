"""The crawl as a task: how its process may end, what it leaves, and what dies with it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from marquee.clock import now
from marquee.errors import CrawlInterruptedError, CrawlStoppedError, SourceError, retry_helps
from sources.title_record import title_record
from sources.title_snapshots import records_at
from steps.child_process import run_child
from steps.crawl_titles import KEPT_SECONDS, crawl_error, sweep_outputs
from steps.load_sources import load_titles
from steps.run import Run
from tests.steps.test_load_titles_step import crawl_home

Make = Callable[..., Run]


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


@pytest.mark.parametrize(
    ("status", "last", "kind", "says"),
    [
        (-9, "page 3 of 9 since 03:00:00Z", CrawlInterruptedError, "SIGKILL; the machine may be"),
        (-15, "", CrawlInterruptedError, "SIGTERM"),
        (137, "", CrawlInterruptedError, "SIGKILL"),
        (143, "", CrawlInterruptedError, "SIGTERM"),
        (75, "stopped: interrupted by a signal", CrawlInterruptedError, "interrupted by a signal"),
        (75, "error: another crawl owns /x", CrawlInterruptedError, "another crawl owns"),
        (1, "MemoryError", CrawlInterruptedError, "MemoryError"),
        (255, "", CrawlInterruptedError, "status 255"),
        (2, "error: ftp://x is not a site", SourceError, "ftp://x is not a site"),
        (3, "stopped: the site refuses us", CrawlStoppedError, "the site refuses us"),
    ],
)
def test_only_the_tripwire_and_wrong_input_are_final(status, last, kind, says):
    error = crawl_error(status, last)
    assert type(error) is kind and says in error.message
    assert retry_helps(error) == (kind is CrawlInterruptedError)


def test_a_crawl_that_is_killed_is_told_from_one_that_ends(capfd):
    done = (0, ["page 1 of 2", "done"])
    assert run_child("crawl", python("print('page 1 of 2'); print('done')")) == done
    killed = "import os; print('page 1 of 2', flush=True); os.kill(os.getpid(), 9)"
    assert run_child("crawl", python(killed)) == (-9, ["page 1 of 2"])
    no_text = python("import sys; sys.stdout.buffer.write(b'\\xff\\n'); sys.exit(3)")
    assert run_child("crawl", no_text)[0] == 3
    assert capfd.readouterr().out.count("page 1 of 2") == 2


def test_a_task_that_is_ended_ends_its_crawl(monkeypatch, tmp_path):
    """A time-out of the task is an error raised wherever it is at that moment."""

    class TimedOutError(Exception):
        pass

    def time_out(*_: object, **__: object) -> None:
        raise TimedOutError

    code = """
import pathlib, signal, sys, time
def end(*_):
    pathlib.Path(sys.argv[1]).write_text("delivered")
    sys.exit(75)
signal.signal(signal.SIGTERM, end)
print("ready", flush=True)
time.sleep(60)
"""
    monkeypatch.setattr("builtins.print", time_out)
    with pytest.raises(TimedOutError):
        run_child("crawl", [*python(code), str(tmp_path / "out")])
    monkeypatch.undo()
    assert (tmp_path / "out").read_text() == "delivered"


def test_a_crawl_dies_with_the_process_that_started_it():
    """Both hold the pipe: it ends when the last of them is gone."""
    crawl = (
        "import time; from marquee.lifetimes import end_with_starter as d; d();"
        "print('crawls', flush=True); time.sleep(300)"
    )
    task = (
        "import os, subprocess, sys; e = {**os.environ, 'MARQUEE_PARENT': str(os.getpid())};"
        f"subprocess.run([sys.executable, '-c', {crawl!r}], env=e)"
    )
    parent = subprocess.Popen(python(task), stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None and parent.stdout.readline() == "crawls\n"
    parent.kill()
    assert parent.communicate(timeout=60)[0] == ""


def test_a_crawl_whose_parent_died_first_does_not_begin():
    code = "from marquee.lifetimes import end_with_starter as d; d(); print('crawls')"
    done = subprocess.run(
        python(code), env={**os.environ, "MARQUEE_PARENT": "1"}, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (-9, "")


def left_behind(run: Run, titles: int, is_loaded: bool = False) -> Path:
    """An earlier run's output, two days old."""
    records = [title_record("csv", f"tt{n:07d}", f"Film {n}") for n in range(titles)]
    crawl_home(run, records)
    if is_loaded:
        load_titles(run)
    return aged(run.crawl_folder)


def aged(folder: Path) -> Path:
    then = now().timestamp() - 2 * KEPT_SECONDS
    os.utime(folder, (then, then))
    return folder


def test_output_that_nobody_needs_is_swept_once_a_day_old(make_run: Make, capsys):
    here = make_run("here")
    own = left_behind(here, 0)
    loaded = left_behind(make_run("loaded"), 3, is_loaded=True)
    empty = left_behind(make_run("empty"), 0)
    unloaded = left_behind(make_run("unloaded"), 2)
    killed = left_behind(make_run("killed"), 1)
    (killed / "report.json").unlink()
    aged(killed)
    young = make_run("young").crawl_folder
    crawl_home(make_run("young"), [])
    odd = left_behind(make_run("odd"), 1)
    (odd / "report.json").write_text("{")
    aged(odd)
    sweep_outputs(here)
    assert [p.exists() for p in (loaded, empty, killed)] == [False] * 3
    assert all(p.exists() for p in (own, unloaded, young, odd))
    assert capsys.readouterr().out.count("swept what an earlier crawl left") == 3


def test_a_lake_that_is_away_keeps_nobody_from_crawling(make_run: Make, monkeypatch, capsys):
    folder = left_behind(make_run("before"), 1)

    def away(*_: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr("steps.crawl_titles.snapshots", away)
    sweep_outputs(make_run("here"))
    assert folder.exists() and "no route to host" in capsys.readouterr().out


@pytest.mark.parametrize("sources", [("crawl",), ("crawl", "csv")])
def test_a_merged_title_is_loaded_under_its_own_id_and_counted(make_run: Make, tmp_path, sources):
    run = make_run("merges", sources=list(sources))
    (tmp_path / "mine.csv").write_text("title_id,title\ntt0000009,B\n")
    titles = run.settings.titles.model_copy(update={"csv": str(tmp_path / "mine.csv")})
    run = replace(run, settings=run.settings.model_copy(update={"titles": titles}))
    crawl_home(run, [{**title_record("crawl", "tt0000007", "A"), "merged_into": "tt0000008"}])
    path = load_titles(run)["path"]
    assert run.lake.manifest(path).facts["counts"]["merged"] == 1
    found = {r["title_id"]: r.get("merged_into") for r in records_at(run.lake, path)}
    assert found.pop("tt0000007") == "tt0000008" and set(found.values()) <= {None}
