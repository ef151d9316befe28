"""Feedback between two hosts and a lake, on a folder and on HDFS."""

from __future__ import annotations

from pathlib import Path

from marquee.lake import Lake
from sources.feedback_in_lake import fetch_feedback, publish_feedback
from sources.feedback_lines import Feedback
from sources.feedback_segments import append_feedback, read_feedback


def test_a_segment_crosses_the_lake_with_its_lines_and_its_moments(
    lake: Lake, tmp_path: Path
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    append_feedback(here, "local", [Feedback("p-ada", 1, 4.0, 1_767_000_000)])
    first = publish_feedback(lake, here, "local")
    append_feedback(here, "local", [Feedback("p-ada", None, None, 1_767_000_009)])
    append_feedback(there, "local", [Feedback("p-ada", 2, 3.0, 1_767_000_005)])
    paths = publish_feedback(lake, here, "local")
    assert paths[:1] == first and len(paths) == 2
    assert fetch_feedback(lake, there, "local") == 2
    found = [(line.movie_id, line.rating, line.time) for line in read_feedback(there)]
    assert found == [(1, 4.0, 1_767_000_000), (2, 3.0, 1_767_000_005), (None, None, 1_767_000_009)]
    assert fetch_feedback(lake, there, "local") == 0
    assert fetch_feedback(lake, here, "local") == 0, "its own, and the other has published nothing"
