"""The API's answers by Spark Connect and by the native engine are the same."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

BOTH = "spark-connect", "native"
PEOPLE = (1, 7, 23, 48, 80)
FILMS: tuple[dict[str, Any], ...] = (
    {"year": 2020, "genres": ["Drama"]},
    {"year": 2015, "genres": ["Action", "Drama"], "rating": 7.5},
    {"year": 1900, "directors": ["nobody"], "genres": ["Puppetry"]},
    {"release_date": "2027-05-14", "rating": 1.0},
)


def asked(api: httpx.Client, method: str, path: str, **request: Any) -> list[dict[str, Any]]:
    """Both engines' answers to one request, each naming its engine."""
    found = []
    for engine in BOTH:
        params = {**request.pop("params", {}), "engine": engine}
        answer = api.request(method, path, params=params, **request)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        assert body.pop("engine") == engine
        found.append(body)
        request["params"] = {k: v for k, v in params.items() if k != "engine"}
    return found


def same(spark: Any, native: Any, tolerance: float) -> None:
    """Equal but for numbers within the tolerance, and in the same order."""
    if isinstance(native, dict):
        assert spark.keys() == native.keys()
        for name in native:
            same(spark[name], native[name], tolerance)
    elif isinstance(native, list):
        assert len(spark) == len(native)
        for one, other in zip(spark, native, strict=True):
            same(one, other, tolerance)
    elif isinstance(native, float):
        assert spark == pytest.approx(native, abs=tolerance, rel=tolerance)
    else:
        assert spark == native


@pytest.mark.parametrize("person", PEOPLE)
@pytest.mark.parametrize("filters", [{}, {"genre": "Drama"}, {"diversity": 0.5}])
def test_a_known_persons_list(api, person, filters):
    spark, native = asked(
        api, "GET", f"/v1/users/{person}/recommendations", params={"n": 20, **filters}
    )
    same(spark, native, 2e-3)  # stars beside a list are rounded to three digits
    assert native["strategy"] in ("personal", "mixed") and len(native["recommendations"]) > 5


def test_a_list_with_a_title_that_nobody_rated(api):
    spark, native = asked(api, "GET", "/v1/users/1/recommendations", params={"n": 20})
    assert {r["strategy"] for r in native["recommendations"]} == {"personal", "content"}
    same(spark, native, 2e-3)


@pytest.mark.parametrize("ratings", [{1: 5.0, 7: 4.0, 9: 1.0}, {3: 0.5}, {}, {200: 5.0}])
def test_a_list_for_given_ratings(api, ratings):
    given = [{"movie_id": movie, "rating": stars} for movie, stars in ratings.items()]
    spark, native = asked(api, "POST", "/v1/recommendations", json={"ratings": given, "n": 10})
    same(spark, native, 2e-3)
    assert len(native["recommendations"]) == 10


def test_stars_of_many_pairs_known_and_unknown(api):
    people, movies = (*PEOPLE, 999_999), (1, 5, 30, 60, 100, 203, 999_999)
    pairs = [{"user_id": u, "movie_id": m} for u in people for m in movies]
    spark, native = asked(api, "POST", "/v1/predictions", json={"pairs": pairs})
    same(spark, native, 1e-5)
    assert {p["strategy"] for p in native["predictions"]} == {"personal", "bias", "mean"}


def test_one_persons_stars(api):
    spark, native = asked(api, "GET", "/v1/users/7/predictions/30")
    same(spark, native, 1e-5)


@pytest.mark.parametrize("movie", [1, 30, 203])
def test_similar_titles(api, movie):
    spark, native = asked(api, "GET", f"/v1/titles/{movie}/similar", params={"n": 8})
    same(spark, native, 1e-5)
    assert native["similar"]


@pytest.mark.parametrize("film", FILMS)
def test_budgets(api, film):
    spark, native = asked(api, "POST", "/v1/budget-estimates", json=film)
    same(spark, native, 1e-9)


def test_the_golden_films(api, native):
    """Every query that the training job recorded, people and attributes included."""
    queries = native.budget.view.champion.model.bundle.golden["queries"]
    for query in queries[:: max(1, len(queries) // 12)]:
        plain = {n: query[n] for n in ("directors", "genres", "year", "rating") if query[n]}
        spark, ours = asked(api, "POST", "/v1/budget-estimates", json=plain)
        same(spark, ours, 1e-9)
    assert len(queries) >= 40
