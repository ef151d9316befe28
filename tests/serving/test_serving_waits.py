"""Only a request that needs the disk or the lake waits for it; no rating is half kept."""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from full_disk import FULL, until

from marquee.errors import AwayError, LakeUnavailableError, SourceError
from marquee.lake import FolderLake, Lake
from serving import backend as backend_module
from serving import feedback_log
from serving.backend import Backend, BoundedThreads, open_backend
from serving.feedback_log import FeedbackLog
from serving.problems import ProblemError
from sources.feedback_lines import Feedback
from sources.feedback_segments import append_feedback, read_feedback


def test_a_folder_that_is_none_is_said_before_a_rating_is_lost(tmp_path: Path) -> None:
    log = FeedbackLog(tmp_path / "feedback", "local")
    assert log.check() == "", "it is made where it is missing"
    shutil.rmtree(tmp_path / "feedback")
    (tmp_path / "feedback").write_text("a file")
    assert "ratings cannot be kept" in log.check() == log.failure
    (tmp_path / "feedback").unlink()
    assert log.check() == "" == log.failure
    assert list(read_feedback(tmp_path / "feedback")) == []


# Nothing waits that needs not ---------------------------------------------------------------


def test_only_who_needs_the_locked_folder_waits(
    two: Backend, tmp_path: Path, serve: Callable[[Backend], httpx.Client]
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
            until(two.feedback._writing.locked)
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
    monkeypatch.setattr(feedback_log, "SECONDS_TO_WAIT", 0.0)
    log = FeedbackLog(tmp_path, "local")
    log.write("p-ada", {1: 4.0})
    handle = os.open(tmp_path / ".lock", os.O_RDWR)
    fcntl.flock(handle, fcntl.LOCK_EX)
    with pytest.raises(AwayError, match="locked by another process"):
        log.write("p-ada", {2: 4.0})
    assert log.failure and dict(log.feedback_of("p-ada")) == {1: 4.0}
    os.close(handle)
    log.write("p-ada", {3: 4.0})
    assert log.failure == "" and [f.movie_id for f in read_feedback(tmp_path)] == [1, 3]


def test_lines_a_full_disk_took_half_of_are_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = Feedback("p-ada", 1, 4.0, 1_767_000_000)
    append_feedback(tmp_path, "local", [line])
    really, room = os.write, [150]  # bytes: one of the two lines and a part of the other

    def write(handle: int, data: bytes) -> int:
        if room[0] == 0:
            raise FULL
        taken = really(handle, data[: room[0]])
        room[0] -= taken
        return taken

    with monkeypatch.context() as full:
        full.setattr(os, "write", write)
        with pytest.raises(OSError, match="No space"):
            append_feedback(tmp_path, "local", [line, line])
    assert room[0] == 0
    append_feedback(tmp_path, "local", [line])
    assert len(list(read_feedback(tmp_path))) == 2
    assert len((tmp_path / "local-000001.open.jsonl").read_bytes().splitlines()) == 2


def test_feedback_that_cannot_be_read_is_refused_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "local-000001.jsonl").mkdir()
    with pytest.raises(SourceError, match="--feedback"):
        FeedbackLog(tmp_path, "local")


class Hung(FolderLake):
    """A lake whose reads wait until `let_go`; what follows it does not ask."""

    def __init__(self, root: str) -> None:
        super().__init__(root)
        self.let_go = threading.Event()

    def read_bytes(self, path: str) -> bytes:
        self.let_go.wait(60)
        raise LakeUnavailableError("HDFS is away")


def test_reports_of_a_lake_that_hangs_hold_nobody_else_up(
    two: Backend, lake: Lake, serve: Callable[[Backend], httpx.Client]
) -> None:
    """Four may wait, a fifth is refused at once; ratings, predictions and files need no lake."""
    hung = Hung(lake.root)
    calls = BoundedThreads("the lake", 4, 60.0)
    backend = Backend(two.recommender, two.budget, two.feedback, hung, lake_calls=calls)
    client = serve(backend)
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
    let_go, calls = threading.Event(), BoundedThreads("the disk", 1, 0.0)

    async def ask() -> list[str]:
        refusals = []
        for _ in range(2):
            with suppress(ProblemError):
                try:
                    await calls.run(lambda: let_go.wait(60))
                except ProblemError as error:
                    refusals.append(error.message)
                    raise
        return refusals

    try:
        refusals = asyncio.run(ask())
    finally:
        let_go.set()
    assert refusals == ["the disk did not answer within 0 s", "too many wait for the disk already"]


def test_stopping_waits_for_no_lake(
    two: Backend, lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hung = Hung(lake.root)
    backend = open_backend(hung, tmp_path / "cache", tmp_path / "feedback")
    backend.start()
    monkeypatch.setattr(backend_module, "SECONDS_TO_STOP", 0.0)
    try:
        until(lambda: all(f._polling_since is not None for f in backend.followers.values()))
        backend.stop()
        threads = [f._thread for f in backend.followers.values()]
        assert all(t is not None and t.daemon and t.is_alive() for t in threads)
        assert not any(f.has_ended for f in backend.followers.values())
    finally:
        hung.let_go.set()
