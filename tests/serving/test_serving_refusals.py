"""How the routes refuse: a problem document with the place of the fault, and nothing kept."""

from __future__ import annotations

import httpx
import pytest

from serving.backend import Backend
from tests.serving.test_serving_api import client, refused  # noqa: F401


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("/v1/titles/999999", 404, "no title 999999"),
        ("/v1/users/10/predictions/999999", 404, "no title 999999"),
        ("/v1/nothing", 404, "/docs lists"),
        ("/v1/users/10/recommendations?n=0", 422, "greater than or equal to 1"),
        ("/v1/users/10/recommendations?genre=Opera", 422, "choose one of Action, Comedy, Drama"),
        ("/v1/users/10/recommendations?exclude=-3", 422, "exclude"),
        ("/v1/users/%2E%2E/recommendations", 422, "user_id"),
        ("/v1/users/p-/recommendations", 422, "user_id"),
        ("/v1/users/-7/recommendations", 422, "user_id"),
        ("/v1/titles/99999999999999999999", 422, "movie_id"),
        ("/v1/models/weather/ledger", 422, "name"),
        ("/v1/models/recommender/champion?at=yesterday", 422, "not a moment"),
        ("/v1/models/recommender/champion?at=2020-01-01", 404, "no recommender was champion"),
        ("/v1/models/recommender/champion?at=2999-01-01", 422, "ahead of the clock"),
        ("/v1/models/recommender/champion?at=0001-01-01T00:00:00%2B14:00", 422, "not a moment"),
    ],
)
def test_bad_questions_get_problem_documents(
    client: httpx.Client,  # noqa: F811
    path: str,
    status: int,
    says: str,
) -> None:
    assert says in refused(client.get(path), status)


@pytest.mark.parametrize(
    ("path", "body", "says"),
    [
        ("/v1/recommendations", {"ratings": [{"movie_id": 1, "rating": 7}]}, "off the scale"),
        ("/v1/recommendations", {"ratings": [{"movie_id": 1, "rating": "x"}]}, "rating"),
        ("/v1/recommendations", {"ratings": [{"movie_id": 2**70, "rating": 3}]}, "movie_id"),
        ("/v1/recommendations", {"ratings": [], "m": 3}, "Extra inputs"),
        ("/v1/recommendations", {"ratings": [], "n": True}, "true or false"),
        ("/v1/recommendations", {"ratings": [], "year_from": False}, "true or false"),
        ("/v1/predictions", {"pairs": []}, "at least 1"),
        ("/v1/predictions", {"pairs": [{"user_id": "bob", "movie_id": 1}]}, "not a user id"),
        ("/v1/predictions", {"pairs": [{"user_id": -4, "movie_id": 1}]}, "not a user id"),
        ("/v1/users/p-x/ratings", {"ratings": [{"movie_id": 1, "rating": 0}]}, "off the scale"),
        ("/v1/users/p-x/ratings", {"ratings": []}, "at least 1"),
    ],
)
def test_bad_bodies_are_refused_with_the_place_named(
    client: httpx.Client,  # noqa: F811
    backend: Backend,
    path: str,
    body: dict,
    says: str,
) -> None:
    assert says in refused(client.post(path, json=body), 422)
    assert backend.feedback.lines == 0


def test_other_refusals(client: httpx.Client, backend: Backend) -> None:  # noqa: F811
    wrong = client.put("/v1/titles", json={})
    assert "PUT is not possible" in refused(wrong, 405) and "GET" in wrong.headers["allow"]
    text = {"content-type": "application/json"}
    refused(client.post("/v1/recommendations", content=b"{", headers=text), 422)
    nan = b'{"ratings": [{"movie_id": 1, "rating": NaN}]}'
    refused(client.post("/v1/recommendations", content=nan, headers=text), 422)
    big = b'{"ratings": [' + b" " * 3_000_000 + b"]}"
    refused(client.post("/v1/recommendations", content=big, headers=text), 413)
    for half in (
        b'"genre": "\\ud800"',
        b'"exclude": ["\\ud800"]',
        b'"\\ud800": 1',
        b'"n": "\\ud800"',
    ):
        body = b'{"ratings": [], ' + half + b"}"
        refused(client.post("/v1/recommendations", content=body, headers=text), 422)
    unknown = {"ratings": [{"movie_id": 999_999, "rating": 4}]}
    refused(client.post("/v1/users/p-x/ratings", json=unknown), 404)
    assert backend.feedback.lines == 0
