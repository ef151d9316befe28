"""Intervals over real HTTP: low and high beside each expected star, and what they are wide for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import httpx
import numpy as np
import pytest
from serving_bundles import promote_folder, promote_recommender, write_recommender

from marquee.lake import Lake
from scoring.recommender.bundle import read_bundle, write_bundle
from scoring.recommender.model import Recommender
from scoring.recommender.rating_intervals import COLUMNS
from serving.backend import Backend

LEVELS = np.arange(1, 11) / 2
FACTS = {
    "levels": LEVELS.tolist(),
    "shares": [0.1] * 10,
    "priors": [5.0, 10.0],
    "weights": dict.fromkeys(COLUMNS, 0.0) | {"square": 8.0, "person": 0.5, "title": 0.3},
    "people_from": [0, 1, 20],
    "titles_from": [0, 5, 30],
    "masses": [[0.8, 0.8, 0.8]] * 3,
}


@pytest.fixture
def model(tmp_path: Path) -> Recommender:
    made = read_bundle(write_recommender(tmp_path / "made"))
    counts = made.ratings.stars_by_title(len(made.movie_ids), LEVELS)
    facts = {**made.facts, "intervals": FACTS}
    write_bundle(tmp_path / "with", replace(made, facts=facts, title_stars=counts))
    return Recommender.load(tmp_path / "with")


@pytest.fixture
def client(
    lake: Lake,
    backend: Backend,
    tmp_path: Path,
    model: Recommender,
    serve: Callable[[Backend], httpx.Client],
) -> httpx.Client:
    promote_folder(lake, "recommender", tmp_path / "with")
    backend.recommender.poll()
    return serve(backend)


def good(response: httpx.Response) -> dict:
    assert response.status_code == 200, response.text
    return response.json()


def ends(found: dict) -> tuple[float, float]:
    assert found["low"] - 0.25 <= found["predicted_rating"] <= found["high"] + 0.25
    return found["low"], found["high"]


def test_one_and_many_have_the_intervals_of_the_bundle(
    client: httpx.Client, model: Recommender
) -> None:
    users, movies = np.array([20, 30, 999]), np.array([5, 6, 7])
    values = model.predict(users, movies).values
    wanted = model.intervals.of_known(users, movies, values)
    pairs = [{"user_id": u, "movie_id": m} for u, m in zip(users.tolist(), movies.tolist())]
    many = good(client.post("/v1/predictions", json={"pairs": pairs}))["predictions"]
    assert [ends(p) for p in many] == list(zip(wanted.low, wanted.high))
    for pair, found in zip(pairs, many, strict=True):
        one = good(client.get("/v1/users/{user_id}/predictions/{movie_id}".format(**pair)))
        assert ends(one) == ends(found) and one["known"] == found["known"]
    rated = len(model.ratings_of(20))
    assert many[0]["known"] == f"we hardly know you: from {rated} ratings"
    assert "do not know you" in many[2]["known"]


def test_a_list_says_how_sure_each_title_is(client: httpx.Client, model: Recommender) -> None:
    given = {3: 5.0, 7: 1.0}
    request = {"ratings": [{"movie_id": m, "rating": s} for m, s in given.items()], "n": 5}
    body = good(client.post("/v1/recommendations", json=request))
    assert body["known"] == "we hardly know you: from 2 ratings"
    movies = np.array([r["movie_id"] for r in body["recommendations"]])
    wanted = model.intervals.of_given(given, movies, model.predict_for(given, movies).values)
    assert len(movies) == 5
    assert [ends(r) for r in body["recommendations"]] == list(zip(wanted.low, wanted.high))
    known = good(client.get("/v1/users/10/recommendations"))["recommendations"]
    assert len(known) == 10 and all(ends(r) for r in known)


def test_a_bundle_without_intervals_answers_without(
    lake: Lake, backend: Backend, tmp_path: Path, serve: Callable[[Backend], httpx.Client]
) -> None:
    promote_recommender(lake, tmp_path / "old")
    backend.recommender.poll()
    client = serve(backend)
    one = good(client.get("/v1/users/20/predictions/5"))
    assert (one["low"], one["high"]) == (None, None) and 0.5 <= one["predicted_rating"] <= 5
    listed = good(client.get("/v1/users/20/recommendations"))["recommendations"]
    assert listed and all(r["low"] is None and r["high"] is None for r in listed)
