"""Titles nobody rated, over real HTTP: admitted by content, labelled, explained."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from serving_bundles import promote_folder, write_recommender

from marquee.lake import Lake
from scoring.recommender.model import Recommender
from serving.backend import Backend

COLD = (27, 28, 29, 30)


@pytest.fixture
def client(
    lake: Lake, backend: Backend, tmp_path: Path, serve: Callable[[Backend], httpx.Client]
) -> httpx.Client:
    promote_folder(lake, "recommender", write_recommender(tmp_path / "made", cold=COLD))
    backend.recommender.poll()
    return serve(backend)


@pytest.fixture
def model(tmp_path: Path, client: httpx.Client) -> Recommender:
    return Recommender.load(tmp_path / "made")


def good(response: httpx.Response, status: int = 200) -> dict:
    assert response.status_code == status, response.text
    return response.json()


def test_a_top_ten_holds_one_title_nobody_rated_and_says_so(
    client: httpx.Client, model: Recommender
) -> None:
    body = good(client.get("/v1/users/10/recommendations"))
    found = body["recommendations"]
    assert [r["movie_id"] for r in found] == [r.movie_id for r in model.recommend(10, 10)]
    (cold,) = (r for r in found if r["strategy"] == "content")
    assert cold["movie_id"] in COLD
    assert {r["strategy"] for r in found} == {"personal", "content"}
    assert body["strategy"] == "mixed"
    reasons = {b["movie_id"] for b in cold["because"]}
    assert reasons and reasons <= set(model.ratings_of(10))
    assert all(set(b["genres"]) & set(cold["genres"]) for b in cold["because"])
    assert 0.5 <= cold["predicted_rating"] <= 5


def test_filters_hold_for_content_too(client: httpx.Client) -> None:
    query = {"genre": "Comedy", "exclude": [28]}
    found = good(client.get("/v1/users/10/recommendations", params=query))["recommendations"]
    assert all("Comedy" in r["genres"] and r["movie_id"] != 28 for r in found)
    assert [r["strategy"] for r in found].count("content") == 1


def test_a_list_of_five_has_no_room(client: httpx.Client) -> None:
    body = good(client.get("/v1/users/10/recommendations", params={"n": 5}))
    assert body["strategy"] == "personal"


def test_who_rated_only_such_titles_is_answered_by_content(
    client: httpx.Client, model: Recommender
) -> None:
    ratings = [{"movie_id": 28, "rating": 5}]
    body = good(client.post("/v1/recommendations", json={"ratings": ratings, "n": 5}))
    assert body["strategy"] == "content"
    assert [r["movie_id"] for r in body["recommendations"]] == [
        r.movie_id for r in model.recommend_for({28: 5.0}, 5)
    ]
    genres = set(model.titles[28].genres)
    assert all(set(r["genres"]) & genres for r in body["recommendations"])
    assert all([b["movie_id"] for b in r["because"]] == [28] for r in body["recommendations"])
    kept = good(client.post("/v1/users/p-new/ratings", json={"ratings": ratings}), 202)
    assert kept["strategy"] == "content"
    after = good(client.get("/v1/users/p-new/recommendations", params={"n": 5}))
    assert after["strategy"] == "content"


def test_similar_titles_of_one_nobody_rated(client: httpx.Client, model: Recommender) -> None:
    body = good(client.get("/v1/titles/28/similar", params={"n": 4}))
    assert body["strategy"] == "content"
    assert [s["movie_id"] for s in body["similar"]] == [s.movie_id for s in model.similar(28, 4)]
    genres = set(model.titles[28].genres)
    assert all(set(s["genres"]) == genres for s in body["similar"])
    assert good(client.get("/v1/titles/5/similar"))["strategy"] == "similar"


def test_the_page_and_the_docs_know_the_word(client: httpx.Client) -> None:
    assert '"content":' in client.get("/static/marquee.js").text
    assert "content (from what the title is" in client.get("/docs").text
