"""What a message may be, and what becomes of one that is wrong."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import orjson
import pytest

from marquee.lake import Lake
from serving.backend import Backend, open_backend
from serving.callers import Caller
from serving.feedback_log import EVERYTHING, FeedbackLog
from streams.__main__ import wait_for_ledgers
from streams.messages import (
    LARGEST_KEPT,
    LARGEST_REQUEST,
    Answer,
    Answerer,
    Refused,
    read_request,
    request_message,
)

READER = Caller("streams", frozenset({"read"}))


@pytest.fixture
def backend(lake: Lake, tmp_path: Path) -> Backend:
    backend = open_backend(lake, tmp_path / "cache", tmp_path / "feedback")
    for follower in backend.followers.values():
        follower.poll()
    return backend


def ask(backend: Backend, value: bytes, caller: Caller = READER) -> dict[str, Any]:
    """The answer to one message; a refusal is no answer."""
    [found] = Answerer(backend, caller, "native").answers([value])
    assert isinstance(found, Answer), found
    read: dict[str, Any] = orjson.loads(found.value)
    assert (read["version"], read["id"], read["status"]) == (1, found.id, found.status)
    return read


def message(**fields: Any) -> bytes:
    asked = {"version": 1, "id": "a", "question": "titles", "request": {"n": 1}}
    return orjson.dumps({**asked, **fields})


def test_an_answer_has_the_id_and_names_the_engine(backend: Backend) -> None:
    found = ask(backend, request_message("42", "budget-estimate", {"year": 2020}))
    assert found.keys() == {"version", "id", "status", "engine", "answer"}
    assert (found["status"], found["engine"], found["answer"]["median"]) == (200, "native", 1e7)
    assert ask(backend, orjson.dumps({"version": 1, "id": "b", "question": "titles"}))["answer"]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "is empty"),
        (b"", "is empty"),
        (b"{", "is no JSON"),
        (b"\xff\xfe", "is no JSON"),
        (b'{"id": "\\ud800"}', "is no JSON"),
        (b"[" * 100_000, "is no JSON"),
        (b"[1]", "is no JSON object"),
        (b"{}", "has no id"),
        (message(id=7), "has no id"),
        (message(id=""), "has no id"),
        (message(id="x" * 201), "has no id"),
        (b"x" * 2_000_000, "is no JSON"),
    ],
)
def test_a_message_without_an_id_is_refused_with_its_reason(
    value: bytes | None, reason: str
) -> None:
    found = read_request(value)
    assert isinstance(found, Refused) and reason in found.reason
    assert found.value == (value or b"")[:LARGEST_KEPT] and found.length == len(value or b"")


@pytest.mark.parametrize(
    ("fields", "status", "detail"),
    [
        ({"version": 2}, 422, "version 2 of a request is not known"),
        ({"version": True}, 422, "version True"),
        ({"version": None}, 422, "version None"),
        ({"mood": "blue"}, 422, "unknown fields of a message: mood"),
        ({"question": "who?"}, 404, "there is no question 'who?'"),
        ({"question": ["titles"]}, 404, "there is no question"),
        ({"request": [1]}, 422, "request: "),
        ({"request": {"n": 0}}, 422, "request.n: "),
        ({"request": {"q": "x" * LARGEST_REQUEST}}, 413, "is too long"),
    ],
)
def test_a_wrong_request_with_an_id_is_answered_with_a_problem(
    backend: Backend, fields: dict[str, Any], status: int, detail: str
) -> None:
    found = ask(backend, message(**fields))
    assert found["status"] == found["problem"]["status"] == status
    assert detail in found["problem"]["detail"]


def test_an_answer_that_no_topic_holds_is_a_problem(backend: Backend) -> None:
    pairs = [{"user_id": u, "movie_id": m} for u in range(1, 101) for m in range(1, 101)]
    found = ask(backend, request_message("a", "predictions", {"pairs": pairs}))
    assert found["status"] == found["problem"]["status"] == 413
    assert "ask for less at once" in found["problem"]["detail"]


def test_feedback_of_a_person_is_for_those_who_may_rate_as_them(backend: Backend) -> None:
    backend.feedback.write("p-anna", {5: 5.0})
    asked = request_message("a", "recommendations", {"user_id": "p-anna"})
    assert ask(backend, asked)["status"] == 403
    may = Caller("streams", frozenset({"read", "rate:p-anna"}))
    assert ask(backend, asked, may)["answer"]["strategy"] == "fold-in"
    assert ask(backend, asked, Caller("streams", frozenset()))["status"] == 403


def test_a_rating_that_the_api_heard_since_counts(backend: Backend) -> None:
    asked = request_message("a", "recommendations", {"user_id": "p-bert"})
    answerer = Answerer(backend, Caller("streams", frozenset({"read", "rate:*"})), "native", True)

    def strategy() -> str:
        [found] = answerer.answers([asked])
        assert isinstance(found, Answer)
        name: str = orjson.loads(found.value)["answer"]["strategy"]
        return name

    assert strategy() == "popular"
    api = FeedbackLog(backend.feedback.folder, "local")  # of another process
    api.write("p-bert", {5: 5.0})
    assert strategy() == "fold-in"
    api.write("p-bert", {EVERYTHING: None})
    assert strategy() == "popular"
    [segment] = backend.feedback.folder.glob("*.jsonl")
    segment.rename(segment.with_name("local-000001.jsonl"))  # as sealing does
    segment.with_name("local-000002.open.jsonl").mkdir()  # what cannot be read
    assert strategy() == "popular"


def test_one_pair_of_champions_answers_a_batch(backend: Backend) -> None:
    pinned = backend.at_this_moment()
    assert pinned.recommender.view == backend.recommender.view
    backend.recommender.view = backend.recommender.view.__class__(failure="taken away")
    assert pinned.recommender.view.champion is not None


def test_what_is_computed_together_is_answered_as_if_asked_alone(backend: Backend) -> None:
    may = Caller("streams", frozenset({"read", "rate:p-bert"}))
    backend.feedback.write("p-anna", {5: 5.0})
    backend.feedback.write("p-bert", {5: 5.0, 6: 1.0})
    people = [10, "20", 999_999, "p-anna", "p-bert", "p-new", "a person", "", None, True]
    pairs = [{"user_id": one, "movie_id": two} for one in people for two in (5, "6", 404, "x")]
    asked = [request_message(f"{n}", "prediction", pair) for n, pair in enumerate(pairs)]
    asked += [request_message("t", "title", {"movie_id": 5}), b"no JSON", message(version=2)]
    asked += [request_message("f", "prediction", {"user_id": 10, "movie_id": 5, "n": 1})]
    answerer = Answerer(backend, may, "native")
    together = answerer.answers(asked)
    assert together == [one for value in asked for one in answerer.answers([value])]
    statuses = {one.status for one in together if isinstance(one, Answer)}
    assert statuses == {200, 403, 404, 422}
    nobody = Answerer(backend, Caller("streams", frozenset()), "native").answers(asked[:2])
    assert [one.status for one in nobody if isinstance(one, Answer)] == [403, 403]
    backend.recommender.view = backend.recommender.view.__class__(failure="none yet")
    away = answerer.answers(asked[:2])
    assert [one.status for one in away if isinstance(one, Answer)] == [503, 503]


def test_a_start_waits_where_the_champion_cannot_be_put_on_this_disk(
    lake: Lake, tmp_path: Path
) -> None:
    taken = tmp_path / "cache"
    taken.write_text("a file in the place of the folder")
    backend, stop = open_backend(lake, taken, tmp_path / "feedback"), threading.Event()
    for follower in backend.followers.values():
        follower.poll()
    threading.Timer(0.5, stop.set).start()
    assert not wait_for_ledgers(backend, stop)
