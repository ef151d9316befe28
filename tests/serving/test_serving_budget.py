"""Budget estimates over real HTTP."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from serving_bundles import promote_budget

from marquee.lake import Lake
from serving.backend import Backend


@pytest.fixture
def client(
    lake: Lake, backend: Backend, tmp_path: Path, serve: Callable[[Backend], httpx.Client]
) -> httpx.Client:
    promote_budget(lake, tmp_path / "made")
    backend.budget.poll()
    backend.recommender.poll()
    return serve(backend)


def estimate(client: httpx.Client, **facts: object) -> dict:
    response = client.post("/v1/budget-estimates", json=facts)
    assert response.status_code == 200, response.text
    body = response.json()
    assert body["bundle"].startswith("20260104T030000Z-") and body["as_of"]
    return body


def test_an_estimate_adds_up(client: httpx.Client) -> None:
    facts = {"directors": ["Ada Vogel"], "genres": ["Comedy"], "year": 2020, "rating": 6}
    body = estimate(client, **facts)
    assert body["strategy"] == "with rating"
    assert body["median"] == pytest.approx(10**7.6 / 2, rel=1e-4)
    assert body["low"] < body["median"] < body["high"]
    logs = sum(c["log10"] for c in body["contributions"])
    assert logs == pytest.approx(math.log10(body["median"]))
    factors = math.prod(c["factor"] for c in body["contributions"])
    assert factors == pytest.approx(body["median"])
    assert body["evidence"][0]["title"] == "A Known Film" and body["price_year"] == 2025
    assert body["notes"] == []


def test_without_a_rating_it_answers_before_release_and_says_what_it_does_not_know(
    client: httpx.Client,
) -> None:
    body = estimate(client, directors=["A. Stranger"], genres=["Opera"], year=2020)
    assert body["strategy"] == "before release"
    assert body["median"] == pytest.approx(1e7)
    notes = " ".join(body["notes"])
    assert "A. Stranger" in notes and "Opera" in notes


@pytest.mark.parametrize("field", ["directors", "genres", "cast", "keywords", "languages"])
def test_half_of_a_surrogate_pair_is_no_server_error(client: httpx.Client, field: str) -> None:
    body = b'{"year": 2020, "' + field.encode() + b'": ["\\ud800"]}'
    as_json = {"content-type": "application/json"}
    found = client.post("/v1/budget-estimates", content=body, headers=as_json)
    assert found.status_code in (200, 422), found.text


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"year": 1700},
        {"year": 2020, "rating": 11},
        {"year": 2020, "genres": ["Drama"] * 40},
        {"year": 2020, "genres": [f"genre {k}" for k in range(15)]},
        {"year": 2020, "budget": 3},
        {"year": "soon"},
        {"year": True},
        {"year": 2020, "rating": True},
        {"year": 2020, "runtime": True},
        {"release_date": "2027-02-31"},
    ],
)
def test_titles_that_cannot_be_are_refused(client: httpx.Client, facts: dict) -> None:
    response = client.post("/v1/budget-estimates", json=facts)
    assert response.status_code == 422, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["detail"]


def test_one_model_alone_is_ready_and_its_page_works(client: httpx.Client) -> None:
    ready = client.get("/readyz")
    assert ready.status_code == 200 and ready.json()["status"] == "degraded"
    assert client.get("/v1/users/1/recommendations").status_code == 503
    page = client.get("/").text
    assert "Ada Vogel" in page and "No recommendations" in page
