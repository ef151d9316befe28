"""Feedback segments: nothing acknowledged is lost, nothing is published twice."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from serving_bundles import write_recommender

from marquee.dataset_contracts import FEEDBACK
from marquee.errors import SourceError
from marquee.lake import Lake
from scoring.recommender.model import Recommender
from serving.feedback_log import FeedbackLog, current_ratings
from sources.feedback_in_lake import publish_feedback
from sources.feedback_lines import Feedback, parse_line
from sources.feedback_segments import append_feedback, read_feedback, seal_feedback


def line(movie_id: int, rating: float | None = 4.0, person: str = "p-ada") -> Feedback:
    return Feedback(person, movie_id, rating, 1_767_000_000 + movie_id)


def published(lake: Lake) -> list[dict]:
    """Every line of every published segment."""
    found: list[dict] = []
    for name in lake.names("raw/feedback"):
        data = lake.read_bytes(f"raw/feedback/{name}/feedback.jsonl")
        found += [json.loads(row) for row in data.splitlines()]
        assert lake.manifest(f"raw/feedback/{name}").rows == len(data.splitlines())
    return found


def test_what_is_appended_is_published_in_the_contracts_form(lake: Lake, tmp_path: Path) -> None:
    folder = tmp_path / "feedback"
    append_feedback(folder, "local", [line(1), line(2, None)])
    paths = publish_feedback(lake, folder, "local")
    mark = (folder / "mark").read_text()
    assert len(paths) == 1 and paths[0].startswith(f"raw/feedback/local{mark}-000001-")
    rows = published(lake)
    assert [(r["movie_id"], r["rating"]) for r in rows] == [(1, 4.0), (2, None)]
    assert [FEEDBACK.differences(r) for r in rows] == [[], []]


def test_publishing_twice_is_a_no_op_and_new_lines_make_a_new_segment(
    lake: Lake, tmp_path: Path
) -> None:
    folder = tmp_path / "feedback"
    append_feedback(folder, "local", [line(1)])
    first = publish_feedback(lake, folder, "local")
    assert publish_feedback(lake, folder, "local") == first
    append_feedback(folder, "local", [line(2)])
    assert publish_feedback(lake, folder, "local") == [*first, lake_path(lake, "-000002-")]
    assert [r["movie_id"] for r in published(lake)] == [1, 2]
    assert [f.movie_id for f in read_feedback(folder)] == [1, 2]


def lake_path(lake: Lake, part: str) -> str:
    (name,) = [n for n in lake.names("raw/feedback") if part in n]
    return f"raw/feedback/{name}"


def test_nothing_said_is_nothing_published(lake: Lake, tmp_path: Path) -> None:
    assert publish_feedback(lake, tmp_path / "missing", "local") == []
    (tmp_path / "empty").mkdir()
    assert publish_feedback(lake, tmp_path / "empty", "local") == []
    assert lake.names("raw/feedback") == []


def test_a_torn_last_line_is_dropped_counted_and_does_not_swallow_the_next(
    lake: Lake, tmp_path: Path
) -> None:
    append_feedback(tmp_path, "local", [line(1)])
    segment = tmp_path / "local-000001.open.jsonl"
    segment.write_bytes(segment.read_bytes() + b'{"person": "p-ada", "movie_i')
    append_feedback(tmp_path, "local", [line(2)])
    assert [f.movie_id for f in read_feedback(tmp_path)] == [1, 2]
    (path,) = publish_feedback(lake, tmp_path, "local")
    assert [r["movie_id"] for r in published(lake)] == [1, 2]
    assert lake.manifest(path).facts["torn_lines"] == 1


def test_servers_keep_to_their_own_segments(lake: Lake, tmp_path: Path) -> None:
    for server in ("left", "right"):
        append_feedback(tmp_path, server, [line(1, person=f"p-{server}")])
    assert len(publish_feedback(lake, tmp_path, "left")) == 1
    assert [r["person"] for r in published(lake)] == ["p-left"]
    assert (tmp_path / "right-000001.open.jsonl").exists()


def test_sealing_beside_appending_loses_and_doubles_nothing(lake: Lake, tmp_path: Path) -> None:
    count = 60

    def talk(person: str) -> None:
        for movie_id in range(count):
            append_feedback(tmp_path, "local", [line(movie_id, person=person)])

    talkers = [threading.Thread(target=talk, args=(f"p-{k}",)) for k in range(3)]
    for talker in talkers:
        talker.start()
    while any(t.is_alive() for t in talkers):
        publish_feedback(lake, tmp_path, "local")
    paths = publish_feedback(lake, tmp_path, "local")
    found = sorted((r["person"], r["movie_id"]) for r in published(lake))
    assert found == sorted((f"p-{k}", m) for k in range(3) for m in range(count))
    assert len(paths) == len(lake.names("raw/feedback"))


def test_kill_loses_nothing_that_was_acknowledged(lake: Lake, tmp_path: Path) -> None:
    script = (
        "import itertools, sys\n"
        "from pathlib import Path\n"
        "from sources.feedback_lines import Feedback\n"
        "from sources.feedback_segments import append_feedback\n"
        "for k in itertools.count():\n"
        f"    append_feedback(Path({str(tmp_path)!r}), 'local', [Feedback('p-a', k, 3.0, k)])\n"
        "    print(k, flush=True)\n"
    )
    acknowledged = 0
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for line in process.stdout:
            acknowledged = int(line)
            if acknowledged == 40:
                process.send_signal(signal.SIGKILL)
    publish_feedback(lake, tmp_path, "local")
    found = [r["movie_id"] for r in published(lake)]
    assert found == list(range(len(found))) and len(found) > acknowledged >= 40


def test_a_feedback_log_remembers_across_restarts_and_segments(tmp_path: Path) -> None:
    log = FeedbackLog(tmp_path, "local", clock=lambda: 5.0)
    log.write("p-ada", {1: 4.0, 2: 3.0})
    seal_feedback(tmp_path, "local")
    log.write("p-ada", {2: None, 3: 1.5})
    for one in (log, FeedbackLog(tmp_path, "local")):
        assert one.feedback_of("p-ada") == {1: 4.0, 2: None, 3: 1.5}
        assert one.feedback_of("p-bo") == {} and one.lines == 4


def test_a_folder_that_cannot_be_is_refused_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SourceError, match="--feedback"):
        append_feedback(tmp_path / "file", "local", [line(1)])


@settings(max_examples=200)
@given(st.binary(max_size=80))
def test_no_line_whatever_it_holds_breaks_the_reader(data: bytes) -> None:
    found = parse_line(data)
    assert found is None or isinstance(found, Feedback)


def test_a_person_once_trained_on_is_corrected_by_what_they_said_since(tmp_path: Path) -> None:
    model = Recommender.load(write_recommender(tmp_path / "made"))
    trained = model.ratings_of(10)
    assert len(trained) >= 2
    first = next(iter(trained))
    new = next(m for m in model.movie_ids.tolist() if m not in trained)
    now = current_ratings(model, 10, {first: None, new: 2.5})
    assert now == {m: s for m, s in trained.items() if m != first} | {new: 2.5}
