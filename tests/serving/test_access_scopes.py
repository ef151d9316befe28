"""Who may ask what: the scope of every route, over real HTTP."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest
from fastapi import APIRouter
from starlette.routing import Mount

from marquee.access_tokens import RATE, READ, REPORTS
from serving import app
from serving.access import OPEN, ROUTE_SCOPES, TokenRules
from serving.app import create_app
from serving.backend import Backend
from tests.serving.test_serving_api import refused

FILLED = {
    "{user_id}": "10",
    "{person}": "p-anna",
    "{movie_id}": "1",
    "{name}": "recommender",
    "{run}": "r1",
    "{kind}": "predictions",
    "{job}": "none",
    "{format}": "onnx",
    "{file:path}": "marquee.css",
}
BODIES = {
    "POST /v1/recommendations": {"ratings": []},
    "POST /v1/predictions": {"pairs": [{"user_id": 10, "movie_id": 1}]},
    "POST /v1/users/{person}/ratings": {"ratings": [{"movie_id": 1, "rating": 4}]},
    "POST /v1/budget-estimates": {"year": 2020},
    "POST /v1/batch/{kind}": {"input": "batch/x", "output": "batch/y"},
}


def ask(client: httpx.Client, route: str, secret: str = "") -> httpx.Response:
    """One request to a route of the table."""
    method, path = route.split()
    for name, value in FILLED.items():
        path = path.replace(name, value)
    headers = {"authorization": f"Bearer {secret}"} if secret else {}
    return client.request(method, path, json=BODIES.get(route), headers=headers)


def routes_with(scope: str) -> list[str]:
    return [route for route, needed in ROUTE_SCOPES.items() if needed == scope]


def bearer(secret: str) -> dict[str, str]:
    return {"authorization": f"Bearer {secret}"}


def test_every_route_of_the_app_has_a_scope_and_every_scope_a_route() -> None:
    found = set()
    for route in _flat(create_app(None).routes):  # type: ignore[arg-type]
        if isinstance(route, Mount):
            found.add(f"GET {route.path}/{{file:path}}")
        else:
            found |= {f"{method} {route.path}" for method in route.methods - {"HEAD"}}
    assert len(found) > 20
    assert found == ROUTE_SCOPES.keys()


def _flat(routes: list) -> list:
    """The routes, with those of included routers in their place."""
    flat = []
    for route in routes:
        inner = getattr(getattr(route, "original_router", None), "routes", None)
        flat += _flat(inner) if inner else [route]
    return flat


def test_nothing_but_open_routes_answers_without_a_token(guarded: httpx.Client) -> None:
    closed = [route for route, scope in ROUTE_SCOPES.items() if scope != OPEN]
    assert len(closed) > 15
    for route in closed:
        answer = ask(guarded, route)
        assert "none was made yet — make one" in refused(answer, 401), route
        assert "marquee tokens add" in answer.json()["detail"]
        assert answer.headers["www-authenticate"] == 'Bearer realm="marquee"'
        assert answer.headers["cache-control"] == "no-store"
    for route in routes_with(OPEN):
        # No model serves here (503), and an empty sign-in form comes from no page of ours (403).
        assert ask(guarded, route).status_code in (200, 303, 403, 503), route


def test_a_token_opens_the_routes_of_its_scope_and_no_other(
    guarded: httpx.Client, make_token: Callable[..., str]
) -> None:
    for number, scope in enumerate([READ, REPORTS, "rate:*", "rate:p-anna"]):
        secret = make_token(f"holder-{number}", scope)
        opened = routes_with(RATE if scope.startswith("rate") else scope)
        assert opened
        for route in opened:
            # No model serves and no run has left a report; the request has passed all the same.
            assert ask(guarded, route, secret).status_code in (200, 202, 404, 501, 503), route
        for route in set(ROUTE_SCOPES) - set(opened) - set(routes_with(OPEN)):
            answer = ask(guarded, route, secret)
            assert f"the token of 'holder-{number}' may not" in refused(answer, 403), route
            assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]


def test_what_no_table_lists_is_no_route_even_for_every_scope(
    guarded: httpx.Client, make_token: Callable[..., str]
) -> None:
    all_of_it = bearer(make_token("chief", READ, REPORTS, "rate:*"))
    for method in ("GET", "PUT", "DELETE", "OPTIONS"):
        for path in ("/v1/nothing", "/v1/recommendations"):
            refused(guarded.request(method, path), 401)
            refused(guarded.request(method, path, headers=all_of_it), 404)


def test_a_route_without_a_scope_is_closed(
    backend: Backend,
    rules: TokenRules,
    serve: Callable[..., httpx.Client],
    make_token: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    router = APIRouter()
    router.add_api_route("/v1/secret", lambda: {"told": True})
    monkeypatch.setattr(app, "ROUTERS", (*app.ROUTERS, router))
    assert serve(backend).get("/v1/secret").json() == {"told": True}
    all_of_it = bearer(make_token("chief", READ, REPORTS, "rate:*"))
    refused(serve(backend, rules).get("/v1/secret", headers=all_of_it), 404)


BOB = ("p-bob", "p%2Dbob", "p%252Dbob", "p-Anna", "p-anna%2F..%2Fp-bob", "p-anna%00", "p-anna.")
"""Spellings that a token for `p-anna` does not open."""


def test_who_rates_as_one_person_rates_as_nobody_else(
    guarded: httpx.Client, make_token: Callable[..., str], backend: Backend
) -> None:
    backend.feedback.write("p-bob", {2: 5.0})
    anna = bearer(make_token("anna", READ, "rate:p-anna"))
    rated = {"ratings": [{"movie_id": 1, "rating": 4}]}
    for path in (f"{top}/users/{bob}" for top in ("/v1", "/%761", "//v1") for bob in BOB):
        for method, below in (("GET", "/ratings"), ("DELETE", ""), ("DELETE", "/ratings/2")):
            answer = guarded.request(method, path + below, headers=anna)
            assert answer.status_code in (403, 404), (path, answer.text)
        answer = guarded.post(f"{path}/ratings", json=rated, headers=anna)
        assert answer.status_code in (403, 404), (path, answer.text)
    assert backend.feedback.lines == 1 and backend.feedback.feedback_of("p-bob") == {2: 5.0}
    backend.feedback.write("p-anna", {3: 4.0})
    found = guarded.get("/v1/users/p%2Danna/ratings", headers=anna)
    assert found.json()["ratings"] == {"3": 4.0}
    assert guarded.delete("/v1/users/p-anna", headers=anna).json()["accepted"] == 1


def test_a_list_of_another_person_would_tell_of_their_ratings(
    two: Backend, guarded: httpx.Client, make_token: Callable[..., str]
) -> None:
    two.feedback.write("p-bob", {2: 5.0})
    anna = bearer(make_token("anna", READ, "rate:p-anna"))
    for path in ("recommendations", "predictions/1"):
        assert guarded.get(f"/v1/users/p-anna/{path}", headers=anna).status_code == 200
        assert guarded.get(f"/v1/users/10/{path}", headers=anna).status_code == 200
        refused(guarded.get(f"/v1/users/p-bob/{path}", headers=anna), 403)
    pairs = [{"user_id": user, "movie_id": 1} for user in ("p-anna", 10)]
    answer = guarded.post("/v1/predictions", json={"pairs": pairs}, headers=anna)
    assert answer.status_code == 200 and len(answer.json()["predictions"]) == 2
    pairs.append({"user_id": "p-bob", "movie_id": 1})
    detail = refused(guarded.post("/v1/predictions", json={"pairs": pairs}, headers=anna), 403)
    assert "may not rate:p-bob" in detail


def test_the_description_names_the_scheme_and_each_scope(guarded: httpx.Client) -> None:
    api = guarded.get("/openapi.json").json()
    assert api["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    paths = api["paths"]
    assert paths["/v1/titles"]["get"]["security"] == [{"token": ["read"]}]
    assert paths["/v1/users/{person}"]["delete"]["security"] == [{"token": ["rate"]}]
    assert paths["/livez"]["get"]["security"] == []
    assert "Scope: <code>reports</code>" in guarded.get("/docs").text
