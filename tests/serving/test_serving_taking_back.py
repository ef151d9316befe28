"""A rating or a person is taken back on any server, and before the first champion."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import httpx

from marquee.identifiers import person_id
from marquee.lake import Lake
from serving.backend import Backend
from serving.feedback_log import EVERYTHING, FeedbackLog, current_ratings
from sources.feedback_in_lake import publish_feedback

# Taking back --------------------------------------------------------------------------------


def test_ratings_are_taken_back_on_a_server_that_did_not_hear_them(
    two: Backend, lake: Lake, tmp_path: Path, serve: Callable[[Backend], httpx.Client]
) -> None:
    """Ada rated on another server, which keeps its feedback elsewhere, and is trained on."""
    there = FeedbackLog(tmp_path / "there", "there", clock=lambda: 1_767_000_000.0)
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
    known = FeedbackLog(both, "any")
    assert (
        known.lines == 5
        and current_ratings(None, person_id("p-ada"), known.feedback_of("p-ada")) == {}
    )
    given = {"ratings": [{"movie_id": 3, "rating": 2}]}
    assert client.post("/v1/users/p-ada/ratings", json=given).json()["ratings"] == {"3": 2.0}


def test_forgetting_holds_for_what_a_model_was_trained_on(two: Backend, tmp_path: Path) -> None:
    champion = two.recommender.view.champion
    assert champion is not None
    model = champion.model.recommender
    assert model.ratings_of(10)
    assert current_ratings(model, 10, {EVERYTHING: None, 5: 2.0}) == {5: 2.0}


def test_taking_back_needs_no_champion(
    backend: Backend, tmp_path: Path, serve: Callable[[Backend], httpx.Client]
) -> None:
    backend.feedback.write("p-ada", {1: 4.0, 2: 3.0, 3: 5.0})
    client = serve(backend)
    answer = client.delete("/v1/users/p-ada/ratings/2")
    assert answer.status_code == 202 and answer.json()["ratings"] == {"1": 4.0, "3": 5.0}
    assert (answer.json()["bundle"], answer.json()["strategy"]) == (None, "none")
    assert client.get("/v1/users/p-ada/ratings").json()["ratings"] == {"1": 4.0, "3": 5.0}
    gone = client.delete("/v1/users/p-ada").json()
    assert (gone["accepted"], gone["ratings"]) == (2, {})
    assert client.delete("/v1/users/42").status_code == 403
    rated = {"ratings": [{"movie_id": 1, "rating": 4}]}
    assert client.post("/v1/users/p-ada/ratings", json=rated).status_code == 503
    assert dict(FeedbackLog(tmp_path / "feedback", "local").feedback_of("p-ada")) == {
        EVERYTHING: None
    }
