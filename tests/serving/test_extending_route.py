"""To add an API route: one module with a router, one line in `serving.routes.ROUTERS`, its scope.

This server is open and asks for no scope; `test_access_scopes` has servers that do.
"""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest
from fastapi import APIRouter

from serving import app
from serving.backend import Backend
from serving.routes.request_context import (
    ModelAnswer,
    RecommenderDep,
    TitleCard,
    answer_origin,
    title_card,
)

# What the new module `serving/routes/decades.py` would hold.
router = APIRouter(tags=["decades"])


class DecadeAnswer(ModelAnswer):
    """Titles of one decade, the most popular first."""

    titles: list[TitleCard]


@router.get("/v1/decades/{decade}")
async def titles_of_decade(champion: RecommenderDep, decade: int) -> DecadeAnswer:
    """Titles of the ten years from `decade` on."""
    titles = champion.model.title_index.titles
    found = [t for t in titles if t.year is not None and decade <= t.year < decade + 10]
    return DecadeAnswer(**answer_origin(champion, "decade"), titles=[title_card(t) for t in found])


@pytest.fixture
def client(
    two: Backend, serve: Callable[[Backend], httpx.Client], monkeypatch: pytest.MonkeyPatch
) -> httpx.Client:
    monkeypatch.setattr(app, "ROUTERS", (*app.ROUTERS, router))  # the new line of the table
    return serve(two)


def test_the_new_route_answers_from_the_champion(client: httpx.Client, two: Backend) -> None:
    body = client.get("/v1/decades/2000").json()
    assert body["titles"] and {t["year"] // 10 for t in body["titles"]} == {200}
    champion = two.recommender.view.champion
    assert champion is not None
    assert (body["bundle"], body["strategy"]) == (champion.entry.bundle, "decade")


def test_its_errors_are_problem_documents(client: httpx.Client) -> None:
    wrong = client.get("/v1/decades/nineties")
    assert wrong.status_code == 422
    assert wrong.headers["content-type"] == "application/problem+json"


def test_the_description_the_docs_and_the_metrics_follow(client: httpx.Client) -> None:
    described = client.get("/openapi.json").json()["paths"]["/v1/decades/{decade}"]["get"]
    assert described["description"] == "Titles of the ten years from `decade` on."
    assert "/v1/decades/{decade}" in client.get("/docs").text
    client.get("/v1/decades/1990")
    assert 'route="/v1/decades/{decade}",status="200"' in client.get("/metrics").text


def test_the_old_routes_still_answer(client: httpx.Client) -> None:
    for path in ("/v1/users/10/recommendations", "/v1/models", "/readyz", "/"):
        assert client.get(path).status_code == 200
