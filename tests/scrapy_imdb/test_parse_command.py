"""`parse`: pages a person saved, good and bad, as JSON lines and one sentence each."""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from crawl_rig import REPOSITORY
from made_up_titles import made_up

from replica.site_pages import LAYOUTS, render
from replica.site_titles import record_from_json
from scrapy_imdb.__main__ import parse_pages
from scrapy_imdb.pages.html_sections import LARGEST_PAGE

PAGE = render(record_from_json(made_up(1)), "next_data_v2")


def parse(*paths: Path) -> tuple[list[dict], list[str]]:
    out, refusals = io.BytesIO(), io.StringIO()
    counts = parse_pages(paths, out, refusals)
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    reasons = refusals.getvalue().splitlines()
    assert counts == (len(lines), len(reasons))
    return lines, reasons


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, layout in enumerate(LAYOUTS):
        page = render(record_from_json(made_up(number)), layout)
        (tmp_path / f"{layout}.html").write_bytes(page)
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / "packed.html.gz").write_bytes(gzip.compress(PAGE))
    (tmp_path / "notes.txt").write_text("not a page")
    return tmp_path


def test_a_folder_is_read_whole_one_line_a_page(folder):
    lines, reasons = parse(folder)
    assert len(lines) == len(LAYOUTS) + 1 and reasons == []
    assert {line["layout"] for line in lines} == set(LAYOUTS)
    for line in lines:
        assert Path(line["source"]).is_file()
        assert set(line["directors"][0]) == {"name_id", "name"}
        assert line["budget"] is None or set(line["budget"]) == {"amount", "currency"}


BAD = {
    "empty.html": (b"", "empty"),
    "binary.html": (b"\x00\x07" * 500, "binary"),
    "other.html": (b"<html><title>Cats</title></html>", "calls itself 'Cats'"),
    "cut.html.gz": (gzip.compress(PAGE)[:-30], "damaged or cut off"),
    "none.html.gz": (b"\x1f\x8bnonsense", "damaged or cut off"),
    "bomb.html.gz": (gzip.compress(bytes(LARGEST_PAGE + 10)), "larger than"),
    "cut.html": (PAGE[: len(PAGE) * 2 // 3], "cut off"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_page_is_named_with_its_reason_and_the_rest_is_read(tmp_path, name):
    body, reason = BAD[name]
    (tmp_path / name).write_bytes(body)
    (tmp_path / "good.html").write_bytes(PAGE)
    lines, reasons = parse(tmp_path)
    assert len(lines) == 1
    assert reasons[0].startswith(f"refused {tmp_path / name}: ") and reason in reasons[0]


def test_a_huge_page_is_refused_without_being_read(tmp_path):
    with (tmp_path / "huge.html").open("wb") as stream:
        stream.truncate(500 * 1024 * 1024)
    _, reasons = parse(tmp_path)
    assert "larger than" in reasons[0]


def test_a_path_that_is_not_there_is_named(tmp_path):
    lines, reasons = parse(tmp_path / "nothing.html")
    assert lines == [] and "No such file" in reasons[0]


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    whole = [sys.executable, "-m", "scrapy_imdb", "parse", *arguments]
    return subprocess.run(whole, cwd=REPOSITORY, capture_output=True, text=True, timeout=60)


def test_the_status_tells_whether_anything_was_read(folder, tmp_path):
    (folder / "empty.html").write_bytes(b"")
    done = command(str(folder), "--out", str(tmp_path / "out.jsonl"))
    assert done.returncode == 0 and done.stdout == ""
    assert "7 pages read, 1 refused" in done.stderr
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 7
    done = command(str(folder / "empty.html"))
    assert done.returncode == 2 and "Traceback" not in done.stderr


def test_an_empty_folder_says_what_pages_are_called(tmp_path):
    done = command(str(tmp_path))
    assert done.returncode == 2 and "no page there" in done.stderr
