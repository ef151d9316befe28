"""Varied lists over real HTTP: both doors, what the answer says, and values that are none."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from serving_bundles import promote_folder, write_recommender

from marquee.lake import Lake
from scoring.recommender.model import Recommender
from serving.backend import Backend

GET, POST = "/v1/users/10/recommendations", "/v1/recommendations"


@pytest.fixture
def client(
    lake: Lake, backend: Backend, tmp_path: Path, serve: Callable[[Backend], httpx.Client]
) -> httpx.Client:
    folder = write_recommender(tmp_path / "made", cold=(27, 28, 29, 30))
    promote_folder(lake, "recommender", folder)
    backend.recommender.poll()
    return serve(backend)


@pytest.fixture
def model(tmp_path: Path, client: httpx.Client) -> Recommender:
    return Recommender.load(tmp_path / "made")


def good(response: httpx.Response) -> dict[str, Any]:
    assert response.status_code == 200, response.text
    return response.json()


def movies(body: dict[str, Any]) -> list[int]:
    return [r["movie_id"] for r in body["recommendations"]]


@pytest.mark.parametrize("diversity", [0.3, 1])
def test_both_doors_vary_the_list_and_say_so(
    client: httpx.Client, model: Recommender, diversity: float
) -> None:
    known = good(client.get(GET, params={"diversity": diversity}))
    assert movies(known) == [r.movie_id for r in model.recommend(10, diversity=diversity)]
    rated = {3: 5.0, 7: 1.0}
    body = {"ratings": [{"movie_id": m, "rating": s} for m, s in rated.items()]}
    given = good(client.post(POST, json=body | {"diversity": diversity}))
    assert movies(given) == [r.movie_id for r in model.recommend_for(rated, diversity=diversity)]
    for answer in (known, given):
        assert answer["diversity"] == diversity
        assert f"then varied (diversity {diversity})" in answer["ordered_by"]
        assert answer["ordered_by"].startswith("ordered by what people with ")
        assert [r["strategy"] for r in answer["recommendations"]].count("content") <= 1


def test_without_it_or_with_0_an_answer_is_ordered_by_score(client: httpx.Client) -> None:
    plain, zero = good(client.get(GET)), good(client.get(GET, params={"diversity": 0}))
    assert plain == zero and plain["diversity"] == 0
    assert plain["ordered_by"] and "varied" not in plain["ordered_by"]
    scores = [r["score"] for r in plain["recommendations"]]
    assert scores == sorted(scores, reverse=True) and len(scores) == 10
    assert movies(plain) != movies(good(client.get(GET, params={"diversity": 1})))


def test_filters_hold(client: httpx.Client, model: Recommender) -> None:
    query = {"genre": "Comedy", "exclude": [7], "diversity": 0.9}
    found = good(client.get(GET, params=query))["recommendations"]
    assert found and all("Comedy" in r["genres"] and r["movie_id"] != 7 for r in found)
    assert not {r["movie_id"] for r in found} & set(model.ratings_of(10))


def test_somebody_unknown_gets_popular_titles(client: httpx.Client) -> None:
    body = good(client.get("/v1/users/4711/recommendations", params={"diversity": 0.5}))
    assert body["strategy"] == "popular" and len(body["recommendations"]) == 10
    assert "how often people have rated them lately, then varied" in body["ordered_by"]


@pytest.mark.parametrize("wrong", ["-0.1", "1.01", "nan", "inf", "very", "true", ""])
def test_a_value_that_is_none_is_a_problem_document(client: httpx.Client, wrong: str) -> None:
    response = client.get(GET, params={"diversity": wrong})
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["detail"].startswith("query.diversity: ")


@pytest.mark.parametrize("wrong", [-0.1, 1.01, "very", True, None, [0.5]])
def test_so_it_is_in_a_body(client: httpx.Client, wrong: object) -> None:
    response = client.post(POST, json={"ratings": [], "diversity": wrong})
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["detail"].startswith("body.diversity: ")


def test_the_reference_describes_it(client: httpx.Client) -> None:
    api = good(client.get("/openapi.json"))
    asked = api["paths"]["/v1/users/{user_id}/recommendations"]["get"]["parameters"]
    (query,) = (p for p in asked if p["name"] == "diversity")
    body = api["components"]["schemas"]["AnonymousRequest"]["properties"]["diversity"]
    for schema in (query["schema"], body):
        assert (schema["default"], schema["minimum"], schema["maximum"]) == (0.0, 0, 1)
    assert "0 (the default) orders by the score alone" in query["description"]
    assert body["description"] == query["description"]


def test_the_page_offers_moods_that_the_api_takes(client: httpx.Client) -> None:
    (choice,) = re.findall(r'<select name="diversity">(.*?)</select>', client.get("/").text, re.S)
    values = re.findall(r'value="(.*?)"', choice)
    assert len(values) == 3 and values[0] == "0"  # the safe one is chosen first
    answers = [good(client.get(GET, params={"diversity": value})) for value in values]
    assert [answer["diversity"] for answer in answers] == [float(value) for value in values]
    assert movies(answers[0]) == movies(good(client.get(GET)))
