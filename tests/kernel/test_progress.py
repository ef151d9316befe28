"""How far a task is: every few seconds in its log, always in the file that a watcher reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from marquee import progress
from marquee.progress import PROGRESS, current_stage, read_progress, report_progress, stage


class Stopwatch:
    """The machine's stopwatch, moved by hand."""

    at = 100.0

    def monotonic(self) -> float:
        return self.at


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Stopwatch:
    stopwatch = Stopwatch()
    monkeypatch.setattr(progress, "time", stopwatch)
    monkeypatch.setattr(progress, "_latest", {})
    return stopwatch


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "progress.json"
    monkeypatch.setenv(PROGRESS, str(path))
    return path


def test_the_file_holds_the_latest_word_and_nothing_else_lies_beside_it(watch, file):
    report_progress("page", 1, 40)
    watch.at += 1
    report_progress("page", 7, 40, "2 refused")
    found = read_progress(file)
    assert found and (found.what, found.done, found.of) == ("page", 7, 40)
    assert str(found) == f"page 7 of 40 since {found.since[11:]}; 2 refused"
    assert [p.name for p in file.parent.iterdir()] == [file.name]


def test_lines_are_spaced_and_the_last_always_comes(watch, file, capsys):
    for done in range(1, 31):
        report_progress("sweep", done, 30)
        watch.at += 1
    lines = [line.split(" since")[0] for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == "sweep 6 of 30" and lines[-1] == "sweep 30 of 30"
    assert len(lines) == 6
    assert "30" in str(read_progress(file))


def test_counting_that_starts_again_counts_from_then(watch, file):
    report_progress("sweep", 10, 10)
    first = read_progress(file)
    report_progress("sweep", 1, 10)
    again = read_progress(file)
    assert first and again and again.done == 1 and again.since >= first.since


def test_the_stage_under_way_is_known_and_a_failed_one_is_over():
    with stage("fit"), stage("fit forecast"):
        assert current_stage() == "fit forecast"
    with pytest.raises(ValueError, match="bad"), stage("fit"):
        raise ValueError("bad")
    assert current_stage() == ""


def test_no_place_or_a_lost_one_never_ends_a_task(watch, tmp_path, monkeypatch):
    monkeypatch.delenv(PROGRESS, raising=False)
    report_progress("page", 1, 2)
    (tmp_path / "file").touch()
    for place in (tmp_path / "nowhere" / "p.json", tmp_path / "file" / "p.json", tmp_path):
        monkeypatch.setenv(PROGRESS, str(place))
        report_progress("page", 2, 2)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"what": "page"}', '{"done": 1, "x": 2}'])
def test_a_file_that_is_no_progress_is_none(text, tmp_path):
    path = tmp_path / "p.json"
    path.write_text(text)
    assert read_progress(path) is None
    assert read_progress(tmp_path / "absent") is None
