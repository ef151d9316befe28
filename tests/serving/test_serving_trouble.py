"""A server whose disk or lake fails follows on, answers, and says what is wrong."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import shutil
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from serving_bundles import promote_budget, promote_recommender

from marquee.errors import AwayError, LakeUnavailableError, SourceError
from marquee.lake import FolderLake, Lake
from marquee.names import person_id
from marquee.sources.feedback import Feedback, append_feedback, publish_feedback, read_feedback
from serving import journal as journals
from serving import source as sources
from serving.cache import LAST, BundleCache
from serving.follower import SECONDS_TO_LOOK, Follower
from serving.journal import EVERYTHING, Journal, ratings_now
from serving.loading import load_recommender
from serving.problems import ProblemError
from serving.source import Source, Threads, open_source

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
NAMES = ["remember", "prune", "recall", "local", "fetch"]


def fails(error: Exception) -> Callable[..., Any]:
    def fail(*_: Any, **__: Any) -> Any:
        raise error

    return fail


def number(source: Source) -> int | None:
    champion = source.recommender.view.champion
    return champion.entry.number if champion else None


def until(holds: Callable[[], bool]) -> None:
    """Wait for what another thread is about to do."""
    pause, patience = threading.Event(), time.monotonic() + 60
    while not holds():
        assert time.monotonic() < patience
        pause.wait(0.001)


@pytest.fixture
def two(lake: Lake, source: Source, tmp_path: Path) -> Source:
    """Both models serve; the journal is empty."""
    promote_recommender(lake, tmp_path / "one")
    promote_budget(lake, tmp_path / "two")
    source.recommender.look()
    source.budget.look()
    return source


# The follower ---------------------------------------------------------------------------


@pytest.mark.parametrize("error", [FULL, ValueError("rubbish"), MemoryError()], ids=repr)
@pytest.mark.parametrize("step", NAMES)
def test_whatever_the_cache_does_the_next_look_follows(
    two: Source,
    lake: Lake,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
    error: Exception,
) -> None:
    follower = two.recommender
    promote_recommender(lake, tmp_path / "three", seed=3)
    with monkeypatch.context() as broken:
        broken.setattr(BundleCache, step, fails(error))
        follower.recall()
        follower.look()
        assert number(two) in (1, 2), "what served, serves on"
        if step not in ("recall", "local"):  # not asked where the ledger has been read already
            assert follower.trouble
    follower._not_before.clear()
    follower.look()
    assert (number(two), follower.trouble) == (2, "")


def test_a_start_with_a_cache_that_cannot_be_written_follows_and_says_so(
    two: Source, lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = open_source(lake, tmp_path / "cache", tmp_path / "feedback")
    monkeypatch.setattr(BundleCache, "remember", fails(FULL))
    again.recommender.recall()
    again.recommender.look()
    assert number(again) == 1 and "No space left on device" in again.recommender.trouble
    assert "--cache" in again.recommender.trouble
    promote_recommender(lake, tmp_path / "three", seed=3)
    again.recommender.look()
    assert number(again) == 2, "only the note could not be written"


def test_a_cache_that_is_no_folder_is_said(lake: Lake, tmp_path: Path) -> None:
    promote_recommender(lake, tmp_path / "one")
    (tmp_path / "cache").write_text("a file")
    follower = Follower(lake, "recommender", load_recommender, tmp_path / "cache")
    follower.recall()
    follower.look()
    assert str(tmp_path / "cache") in follower.trouble
    assert "Traceback" not in follower.trouble and follower.view.champion is None


@pytest.mark.parametrize("note", [b"", b"{", b"\xff\xfe", b"[]", b'{"number": 1}', b"[" * 100_000])
def test_a_torn_note_of_what_served_is_said_and_written_anew(
    two: Source, lake: Lake, tmp_path: Path, note: bytes
) -> None:
    path = tmp_path / "cache" / "recommender" / LAST
    path.write_bytes(note)
    again = open_source(lake, tmp_path / "cache", tmp_path / "feedback")
    again.recommender.recall()
    assert number(again) is None and again.recommender.trouble
    again.recommender.look()
    assert (number(again), again.recommender.trouble) == (1, "")
    assert path.read_bytes() != note


def test_a_torn_copy_is_said_and_fetched_anew(two: Source, lake: Lake, tmp_path: Path) -> None:
    copies = [p for p in (tmp_path / "cache" / "recommender").iterdir() if p.is_dir()]
    (copies[0] / "titles.jsonl").write_text("")
    again = open_source(lake, tmp_path / "cache", tmp_path / "feedback")
    again.recommender.recall()
    assert number(again) is None and copies[0].name in again.recommender.trouble
    again.recommender.look()
    assert (number(again), again.recommender.trouble) == (1, "")


@pytest.mark.parametrize(
    "error",
    [UnicodeDecodeError("utf-8", b"\xff", 0, 1, "rubbish"), KeyError("x"), RecursionError()],
)
def test_a_lake_that_answers_rubbish_does_not_end_the_following(
    two: Source, lake: Lake, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(type(lake), "names", fails(error))
        two.recommender.look()
        assert type(error).__name__ in two.recommender.trouble and number(two) == 1
    two.recommender.look()
    assert two.recommender.trouble == ""


def test_a_whole_copy_is_kept_when_memory_or_disk_fail(
    two: Source, lake: Lake, tmp_path: Path
) -> None:
    """It may be the last one within reach."""
    follower = Follower(lake, "recommender", fails(MemoryError()), tmp_path / "cache")
    follower.look()
    assert "MemoryError" in follower.trouble
    entry = two.recommender.view.champion.entry  # type: ignore[union-attr]
    assert (tmp_path / "cache" / "recommender" / entry.bundle / "bundle.json").exists()


def test_a_look_that_hangs_is_said(lake: Lake, tmp_path: Path) -> None:
    """The clock goes on while the ledger is read."""
    clock, seen = [0.0], []

    class Hanging(FolderLake):
        def names(self, path: str) -> list[str]:
            clock[0] += SECONDS_TO_LOOK + 1
            seen.append(follower.trouble)
            return super().names(path)

    hanging = Hanging(lake.root)
    follower = Follower(
        hanging, "recommender", load_recommender, tmp_path / "cache", lambda: clock[0]
    )
    follower.look()
    assert seen[0].startswith("the lake has not answered for 121 s")
    assert "has not answered" not in follower.trouble


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_ended_makes_the_server_not_ready(
    two: Source, serve: Callable[[Source], httpx.Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = serve(two)
    assert client.get("/readyz").status_code == 200
    monkeypatch.setattr(Follower, "look", fails(SystemExit(3)))
    two.recommender.start(0.01)
    assert two.recommender._thread is not None
    two.recommender._thread.join(30)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert "recommender: not followed any more" in answer.json()["detail"]
    assert any("start the server again" in text for text in answer.json()["wrong"])
    assert client.get("/v1/users/10/recommendations").status_code == 200, "what serves, serves on"
    lines = client.get("/metrics").text.splitlines()
    assert 'marquee_followed{model="recommender"} 0' in lines
    assert 'marquee_followed{model="budget"} 1' in lines
    assert 'marquee_trouble{model="recommender"} 1' in lines
    two.recommender.stop()
    assert not two.recommender.has_ended, "it was asked to"


def test_readyz_says_what_serves_and_what_is_wrong(
    two: Source, serve: Callable[[Source], httpx.Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = serve(two)
    found = client.get("/readyz").json()
    assert (found["status"], found["wrong"]) == ("ready", [])
    assert all(m["looked_at"] and m["loaded_at"] and m["bundle"] for m in found["models"])
    monkeypatch.setattr(journals, "append_feedback", fails(FULL))
    monkeypatch.setattr(journals, "try_to_keep", fails(FULL))
    body = {"ratings": [{"movie_id": 1, "rating": 4}]}
    refused = client.post("/v1/users/p-ada/ratings", json=body)
    assert refused.status_code == 503 and "No space left on device" in refused.json()["detail"]
    assert refused.headers["retry-after"]
    assert client.get("/v1/users/p-ada/ratings").json()["ratings"] == {}
    found = client.get("/readyz").json()
    assert found["status"] == "degraded" and found["wrong"][0].startswith("feedback: ratings can")
    assert "marquee_feedback_trouble 1" in client.get("/metrics").text.splitlines()
    monkeypatch.undo()
    assert client.get("/readyz").json()["wrong"] == [], "mended, though nobody has rated since"
    assert "marquee_feedback_trouble 0" in client.get("/metrics").text.splitlines()


def test_a_folder_that_is_none_is_said_before_a_rating_is_lost(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "feedback", "local")
    assert journal.look() == "", "it is made where it is missing"
    shutil.rmtree(tmp_path / "feedback")
    (tmp_path / "feedback").write_text("a file")
    assert "ratings cannot be kept" in journal.look() == journal.trouble
    (tmp_path / "feedback").unlink()
    assert journal.look() == "" == journal.trouble
    assert list(read_feedback(tmp_path / "feedback")) == []


# Nothing waits that needs not ---------------------------------------------------------------


def test_only_who_needs_the_locked_folder_waits(
    two: Source, tmp_path: Path, serve: Callable[[Source], httpx.Client]
) -> None:
    client = serve(two)
    body = {"ratings": [{"movie_id": 1, "rating": 4}]}
    client.post("/v1/users/p-bo/ratings", json=body).raise_for_status()
    handle = os.open(tmp_path / "feedback" / ".lock", os.O_RDWR)
    answers: list[int] = []
    with httpx.Client(base_url=client.base_url, timeout=60) as other:
        waiting = threading.Thread(
            target=lambda: answers.append(
                other.post("/v1/users/p-ada/ratings", json=body).status_code
            )
        )
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            waiting.start()
            until(two.journal._writing.locked)
            for path in ("/livez", "/v1/users/p-bo/recommendations", "/v1/users/p-bo/ratings",
                         "/static/marquee.css", "/metrics"):  # fmt: skip
                assert client.get(path).status_code == 200
            assert answers == [], "the lock is held, so the rating waits"
        finally:
            os.close(handle)
        waiting.join(60)
    assert answers == [202]


def test_a_folder_that_stays_locked_keeps_nothing_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journals, "SECONDS_TO_WAIT", 0.0)
    journal = Journal(tmp_path, "local")
    journal.write("p-ada", {1: 4.0})
    handle = os.open(tmp_path / ".lock", os.O_RDWR)
    fcntl.flock(handle, fcntl.LOCK_EX)
    with pytest.raises(AwayError, match="locked by another process"):
        journal.write("p-ada", {2: 4.0})
    assert journal.trouble and dict(journal.said("p-ada")) == {1: 4.0}
    os.close(handle)
    journal.write("p-ada", {3: 4.0})
    assert journal.trouble == "" and [f.movie_id for f in read_feedback(tmp_path)] == [1, 3]


def test_lines_a_full_disk_took_half_of_are_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = Feedback("p-ada", 1, 4.0, 1_767_000_000)
    append_feedback(tmp_path, "local", [line])
    really, left = os.write, [150]  # bytes: one of the two lines and a part of the other

    def write(handle: int, data: bytes) -> int:
        if left[0] == 0:
            raise FULL
        taken = really(handle, data[: left[0]])
        left[0] -= taken
        return taken

    with monkeypatch.context() as full:
        full.setattr(os, "write", write)
        with pytest.raises(OSError, match="No space"):
            append_feedback(tmp_path, "local", [line, line])
    assert left[0] == 0
    append_feedback(tmp_path, "local", [line])
    assert len(list(read_feedback(tmp_path))) == 2
    assert len((tmp_path / "local-000001.open.jsonl").read_bytes().splitlines()) == 2


def test_feedback_that_cannot_be_read_is_refused_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "local-000001.jsonl").mkdir()
    with pytest.raises(SourceError, match="--feedback"):
        Journal(tmp_path, "local")


class Hung(FolderLake):
    """A lake whose reads wait until `let_go`; what follows it does not ask."""

    def __init__(self, root: str) -> None:
        super().__init__(root)
        self.let_go = threading.Event()

    def read_bytes(self, path: str) -> bytes:
        self.let_go.wait(60)
        raise LakeUnavailableError("HDFS is away")


def test_reports_of_a_lake_that_hangs_hold_nobody_else_up(
    two: Source, lake: Lake, serve: Callable[[Source], httpx.Client]
) -> None:
    """Four may wait, a fifth is told at once; ratings, predictions and files need no lake."""
    hung = Hung(lake.root)
    calls = Threads("the lake", 4, 60.0)
    source = Source(two.recommender, two.budget, two.journal, hung, lake_calls=calls)
    client = serve(source)
    where = "/v1/models/recommender/runs/weekly-1/report"
    answers: list[int] = []

    def ask() -> None:
        answers.append(httpx.get(client.base_url.join(where), timeout=90).status_code)

    waiting = [threading.Thread(target=ask) for _ in range(4)]
    for thread in waiting:
        thread.start()
    until(lambda: calls._free._value == 0)
    try:
        fifth = client.get(where)
        assert fifth.status_code == 503 and fifth.headers["retry-after"]
        assert "too many wait for the lake" in fifth.json()["detail"]
        pair = {"pairs": [{"user_id": 10, "movie_id": 1}]}
        assert client.post("/v1/predictions", json=pair).status_code == 200
        rated = {"ratings": [{"movie_id": 1, "rating": 4}]}
        assert client.post("/v1/users/p-ada/ratings", json=rated).status_code == 202
        assert client.get("/static/marquee.css").status_code == 200
        assert answers == []
    finally:
        hung.let_go.set()
    for thread in waiting:
        thread.join(60)
    assert answers == [503] * 4


def test_a_call_past_its_time_is_a_503_and_keeps_its_thread_until_it_ends() -> None:
    let_go, calls = threading.Event(), Threads("the disk", 1, 0.0)

    async def ask() -> list[str]:
        said = []
        for _ in range(2):
            with suppress(ProblemError):
                try:
                    await calls.run(lambda: let_go.wait(60))
                except ProblemError as error:
                    said.append(error.message)
                    raise
        return said

    try:
        said = asyncio.run(ask())
    finally:
        let_go.set()
    assert said == ["the disk did not answer within 0 s", "too many wait for the disk already"]


def test_stopping_waits_for_no_lake(
    two: Source, lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hung = Hung(lake.root)
    source = open_source(hung, tmp_path / "cache", tmp_path / "feedback")
    source.start()
    monkeypatch.setattr(sources, "SECONDS_TO_STOP", 0.0)
    try:
        until(lambda: all(f._looks_since is not None for f in source.followers.values()))
        source.stop()
        threads = [f._thread for f in source.followers.values()]
        assert all(t is not None and t.daemon and t.is_alive() for t in threads)
        assert not any(f.has_ended for f in source.followers.values())
    finally:
        hung.let_go.set()


# Taking back --------------------------------------------------------------------------------


def test_ratings_are_taken_back_on_a_server_that_did_not_hear_them(
    two: Source, lake: Lake, tmp_path: Path, serve: Callable[[Source], httpx.Client]
) -> None:
    """Ada rated on another server, which keeps its feedback elsewhere, and is trained on."""
    there = Journal(tmp_path / "there", "there", clock=lambda: 1_767_000_000.0)
    there.write("p-ada", {1: 4.0, 2: 3.0})
    client = serve(two)
    one = client.delete("/v1/users/p-ada/ratings/1")
    assert one.status_code == 202 and one.json()["ratings"] == {}
    assert client.delete("/v1/users/p-ada").json()["accepted"] == 0
    assert client.delete("/v1/users/p-ada").status_code == 202, "again changes nothing"
    both = tmp_path / "both"
    for folder in ("there", "feedback"):
        publish_feedback(lake, tmp_path / folder, {"there": "there", "feedback": "local"}[folder])
    both.mkdir()
    for name in lake.names("raw/feedback"):
        data = lake.read_bytes(f"raw/feedback/{name}/feedback.jsonl")
        (both / f"{name[:-13]}.jsonl").write_bytes(data)
    known = Journal(both, "any")
    assert known.lines == 5 and ratings_now(None, person_id("p-ada"), known.said("p-ada")) == {}
    given = {"ratings": [{"movie_id": 3, "rating": 2}]}
    assert client.post("/v1/users/p-ada/ratings", json=given).json()["ratings"] == {"3": 2.0}


def test_forgetting_holds_for_what_a_model_was_trained_on(two: Source, tmp_path: Path) -> None:
    champion = two.recommender.view.champion
    assert champion is not None
    model = champion.model.model
    assert model.ratings_of(10)
    assert ratings_now(model, 10, {EVERYTHING: None, 5: 2.0}) == {5: 2.0}


def test_taking_back_needs_no_champion(
    source: Source, tmp_path: Path, serve: Callable[[Source], httpx.Client]
) -> None:
    source.journal.write("p-ada", {1: 4.0, 2: 3.0, 3: 5.0})
    client = serve(source)
    left = client.delete("/v1/users/p-ada/ratings/2")
    assert left.status_code == 202 and left.json()["ratings"] == {"1": 4.0, "3": 5.0}
    assert (left.json()["bundle"], left.json()["strategy"]) == (None, "none")
    assert client.get("/v1/users/p-ada/ratings").json()["ratings"] == {"1": 4.0, "3": 5.0}
    gone = client.delete("/v1/users/p-ada").json()
    assert (gone["accepted"], gone["ratings"]) == (2, {})
    assert client.delete("/v1/users/42").status_code == 403
    rated = {"ratings": [{"movie_id": 1, "rating": 4}]}
    assert client.post("/v1/users/p-ada/ratings", json=rated).status_code == 503
    assert dict(Journal(tmp_path / "feedback", "local").said("p-ada")) == {EVERYTHING: None}
