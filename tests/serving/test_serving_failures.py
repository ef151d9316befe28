"""Whatever its cache, its disk or its lake do, a server follows and says what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from full_disk import FULL
from serving_bundles import promote_recommender

from marquee.lake import FolderLake, Lake
from serving import feedback_log
from serving.backend import Backend, open_backend
from serving.bundle_cache import LAST_SERVED_FILE, BundleCache
from serving.engines import load_recommender
from serving.follower import LONGEST_POLL_SECONDS, Follower

NAMES = ["save_served", "prune", "last_served", "local", "fetch"]


def fails(error: Exception) -> Callable[..., Any]:
    def fail(*_: Any, **__: Any) -> Any:
        raise error

    return fail


def number(backend: Backend) -> int | None:
    champion = backend.recommender.view.champion
    return champion.entry.number if champion else None


# The follower ---------------------------------------------------------------------------


@pytest.mark.parametrize("error", [FULL, ValueError("rubbish"), MemoryError()], ids=repr)
@pytest.mark.parametrize("step", NAMES)
def test_whatever_the_cache_does_the_next_poll_follows(
    two: Backend,
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
        follower.resume()
        follower.poll()
        assert number(two) in (1, 2), "what served, serves on"
        if step not in ("last_served", "local"):  # not asked where the ledger has been read already
            assert follower.failure
    follower._retry_at.clear()
    follower.poll()
    assert (number(two), follower.failure) == (2, "")


def test_a_start_with_a_cache_that_cannot_be_written_follows_and_says_so(
    two: Backend, lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = open_backend(lake, tmp_path / "cache", tmp_path / "feedback")
    monkeypatch.setattr(BundleCache, "save_served", fails(FULL))
    again.recommender.resume()
    again.recommender.poll()
    assert number(again) == 1 and "No space left on device" in again.recommender.failure
    assert "--cache" in again.recommender.failure
    promote_recommender(lake, tmp_path / "three", seed=3)
    again.recommender.poll()
    assert number(again) == 2, "only the note could not be written"


def test_a_cache_that_is_no_folder_is_said(lake: Lake, tmp_path: Path) -> None:
    promote_recommender(lake, tmp_path / "one")
    (tmp_path / "cache").write_text("a file")
    follower = Follower(lake, "recommender", load_recommender, tmp_path / "cache")
    follower.resume()
    follower.poll()
    assert str(tmp_path / "cache") in follower.failure
    assert "Traceback" not in follower.failure and follower.view.champion is None


@pytest.mark.parametrize("note", [b"", b"{", b"\xff\xfe", b"[]", b'{"number": 1}', b"[" * 100_000])
def test_a_torn_note_of_what_served_is_said_and_written_anew(
    two: Backend, lake: Lake, tmp_path: Path, note: bytes
) -> None:
    path = tmp_path / "cache" / "recommender" / LAST_SERVED_FILE
    path.write_bytes(note)
    again = open_backend(lake, tmp_path / "cache", tmp_path / "feedback")
    again.recommender.resume()
    assert number(again) is None and again.recommender.failure
    again.recommender.poll()
    assert (number(again), again.recommender.failure) == (1, "")
    assert path.read_bytes() != note


def test_a_torn_copy_is_said_and_fetched_anew(two: Backend, lake: Lake, tmp_path: Path) -> None:
    copies = [p for p in (tmp_path / "cache" / "recommender").iterdir() if p.is_dir()]
    (copies[0] / "titles.jsonl").write_text("")
    again = open_backend(lake, tmp_path / "cache", tmp_path / "feedback")
    again.recommender.resume()
    assert number(again) is None and copies[0].name in again.recommender.failure
    again.recommender.poll()
    assert (number(again), again.recommender.failure) == (1, "")


@pytest.mark.parametrize(
    "error",
    [UnicodeDecodeError("utf-8", b"\xff", 0, 1, "rubbish"), KeyError("x"), RecursionError()],
)
def test_a_lake_that_answers_rubbish_does_not_end_the_following(
    two: Backend, lake: Lake, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(type(lake), "names", fails(error))
        two.recommender.poll()
        assert type(error).__name__ in two.recommender.failure and number(two) == 1
    two.recommender.poll()
    assert two.recommender.failure == ""


def test_a_whole_copy_is_kept_when_memory_or_disk_fail(
    two: Backend, lake: Lake, tmp_path: Path
) -> None:
    """It may be the last one within reach."""
    follower = Follower(lake, "recommender", fails(MemoryError()), tmp_path / "cache")
    follower.poll()
    assert "MemoryError" in follower.failure
    entry = two.recommender.view.champion.entry  # type: ignore[union-attr]
    assert (tmp_path / "cache" / "recommender" / entry.bundle / "bundle.json").exists()


def test_a_poll_that_hangs_is_reported(lake: Lake, tmp_path: Path) -> None:
    """The clock goes on while the ledger is read."""
    clock, seen = [0.0], []

    class Hanging(FolderLake):
        def names(self, path: str) -> list[str]:
            clock[0] += LONGEST_POLL_SECONDS + 1
            seen.append(follower.failure)
            return super().names(path)

    hanging = Hanging(lake.root)
    follower = Follower(
        hanging, "recommender", load_recommender, tmp_path / "cache", lambda: clock[0]
    )
    follower.poll()
    assert seen[0].startswith("the lake has not answered for 121 s")
    assert "has not answered" not in follower.failure


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_ended_makes_the_server_not_ready(
    two: Backend, serve: Callable[[Backend], httpx.Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = serve(two)
    assert client.get("/readyz").status_code == 200
    monkeypatch.setattr(Follower, "poll", fails(SystemExit(3)))
    two.recommender.start(0.01)
    assert two.recommender._thread is not None
    two.recommender._thread.join(30)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert "recommender: not followed any more" in answer.json()["detail"]
    assert any("start the server again" in text for text in answer.json()["wrong"])
    assert client.get("/v1/users/10/recommendations").status_code == 200, "what serves, serves on"
    lines = client.get("/metrics").text.splitlines()
    assert 'marquee_followed{model="recommender"} 0.0' in lines
    assert 'marquee_followed{model="budget"} 1.0' in lines
    assert 'marquee_trouble{model="recommender"} 1.0' in lines
    two.recommender.stop()
    assert not two.recommender.has_ended, "it was asked to"


def test_readyz_says_what_serves_and_what_is_wrong(
    two: Backend, serve: Callable[[Backend], httpx.Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = serve(two)
    found = client.get("/readyz").json()
    assert (found["status"], found["wrong"]) == ("ready", [])
    assert all(m["looked_at"] and m["loaded_at"] and m["bundle"] for m in found["models"])
    monkeypatch.setattr(feedback_log, "append_feedback", fails(FULL))
    monkeypatch.setattr(feedback_log, "check_writable", fails(FULL))
    body = {"ratings": [{"movie_id": 1, "rating": 4}]}
    refused = client.post("/v1/users/p-ada/ratings", json=body)
    assert refused.status_code == 503 and "No space left on device" in refused.json()["detail"]
    assert refused.headers["retry-after"]
    assert client.get("/v1/users/p-ada/ratings").json()["ratings"] == {}
    found = client.get("/readyz").json()
    assert found["status"] == "degraded" and found["wrong"][0].startswith("feedback: ratings can")
    assert "marquee_feedback_trouble 1.0" in client.get("/metrics").text.splitlines()
    monkeypatch.undo()
    assert client.get("/readyz").json()["wrong"] == [], "mended, though nobody has rated since"
    assert "marquee_feedback_trouble 0.0" in client.get("/metrics").text.splitlines()
