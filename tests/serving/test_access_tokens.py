"""Tokens over real HTTP: made, revoked, expired, limited; and what an open server refuses."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest

from marquee.access_tokens import READ, REPORTS, add_token, revoke_token
from marquee.settings import load_settings
from serving.access import TokenRules
from serving.backend import Backend
from serving.callers import KnownTokens
from serving.rate_limits import RateLimit
from steps.release_model import verify_serving
from tests.serving.test_access_scopes import bearer
from tests.serving.test_serving_api import refused


def test_a_change_of_the_file_counts_from_the_next_request_on(
    guarded: httpx.Client, token_file: Path, make_token: Callable[..., str]
) -> None:
    kiosk = bearer(make_token("kiosk", READ))
    assert guarded.get("/v1/models", headers=kiosk).status_code == 200
    phone = bearer(make_token("phone", READ))
    assert guarded.get("/v1/models", headers=phone).status_code == 200
    revoke_token(token_file, "kiosk")
    answer = guarded.get("/v1/models", headers=kiosk)
    assert "unknown, revoked or expired" in refused(answer, 401)
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    assert guarded.get("/v1/models", headers=phone).status_code == 200
    text = token_file.read_text()
    token_file.write_text(text.replace('"expires": null', '"expires": "2026-01-01T00:00:00Z"'))
    refused(guarded.get("/v1/models", headers=phone), 401)
    for broken in ("{", '{"tokens": 3}', '{"format": 99}'):
        token_file.write_text(broken)
        assert "the tokens cannot be read" in refused(guarded.get("/v1/models", headers=phone), 503)
    assert guarded.get("/livez").status_code == 200
    token_file.write_text(text)
    assert guarded.get("/v1/models", headers=phone).status_code == 200
    token_file.unlink()
    assert "none was made yet" in refused(guarded.get("/v1/models", headers=phone), 401)


def test_what_is_open_is_open_to_an_old_token_too(guarded: httpx.Client, token_file: Path) -> None:
    token_file.parent.mkdir(parents=True, exist_ok=True)
    old = {"authorization": "Bearer mq_revoked"}
    for path in ("/livez", "/readyz", "/sign-in", "/static/marquee.css"):
        assert guarded.get(path, headers=old).status_code == guarded.get(path).status_code, path
    token_file.write_text("{")
    assert guarded.get("/livez", headers=old).status_code == 200
    assert guarded.head("/livez").status_code in (200, 405)


def test_a_header_that_is_no_token_is_refused(
    guarded: httpx.Client, make_token: Callable[..., str], token_file: Path
) -> None:
    secret = make_token("kiosk", READ)
    digest = token_file.read_text().split('"digest": "')[1][:64]
    for wrong in ("Bearer", "Bearer x", f"Bearer {digest}", f"Basic {secret}", secret, "é"):
        answer = guarded.get("/v1/models", headers={"authorization": wrong.encode("latin-1")})
        refused(answer, 401)
    for fine in (f"bearer {secret}", f"Bearer  {secret}"):
        assert guarded.get("/v1/models", headers={"authorization": fine}).status_code == 200
    assert secret not in token_file.read_text()


def test_readiness_names_no_address_to_those_who_may_not_read(
    guarded: httpx.Client, make_token: Callable[..., str], backend: Backend
) -> None:
    backend.recommender.poll()
    folder = str(backend.lake.root).removeprefix("file://")
    backend.recommender._disk_failure = f"{folder} is full"  # a sentence with an inner address
    for headers in ({}, bearer(make_token("reports", REPORTS))):
        answer = guarded.get("/readyz", headers=headers)
        assert answer.status_code == 503 and "something is wrong" in answer.text
        assert folder not in answer.text
        assert [m["model"] for m in answer.json()["models"]] == ["recommender", "budget"]
    whole = guarded.get("/readyz", headers=bearer(make_token("reader", READ))).json()
    assert whole["wrong"] and not any("something is wrong" in text for text in whole["wrong"])


def test_each_token_has_a_rate_of_its_own(
    backend: Backend, serve: Callable[..., httpx.Client], token_file: Path
) -> None:
    client = serve(backend, TokenRules(KnownTokens(token_file), 2, 3, clock=lambda: 0.0))
    one, other = (bearer(add_token(token_file, name, [READ])[1]) for name in ("one", "other"))
    for _ in range(3):
        assert client.get("/v1/models", headers=one).status_code == 200
    answer = client.get("/v1/models", headers=one)
    assert "too many requests with the token of 'one'" in refused(answer, 429)
    assert answer.headers["retry-after"] == "30"
    assert client.get("/v1/models", headers=other).status_code == 200
    assert client.get("/livez", headers=one).status_code == 200


def test_wrong_tokens_are_limited_by_address_and_right_ones_are_not(
    guarded: httpx.Client, make_token: Callable[..., str]
) -> None:
    kiosk, wrong = bearer(make_token("kiosk", READ)), bearer("mq_wrong")
    near = [wrong | {"x-forwarded-for": f"2001:db8:1:2::{n}"} for n in range(11)]
    statuses = [guarded.get("/v1/models", headers=headers).status_code for headers in near]
    assert statuses == [401] * 10 + [429]  # one /64 is one customer
    far = wrong | {"x-forwarded-for": "2001:db8:1:3::1"}
    assert guarded.get("/v1/models", headers=far).status_code == 401
    holder = kiosk | {"x-forwarded-for": "2001:db8:1:2::1"}
    assert guarded.get("/v1/models", headers=holder).status_code == 200
    answer = guarded.get("/v1/models", headers=near[0])
    assert answer.headers["retry-after"] == "6" and "from this address" in refused(answer, 429)


def test_a_rate_is_paid_back_over_time() -> None:
    time = [0.0]
    limit = RateLimit(per_minute=60, burst=2, clock=lambda: time[0])
    assert [limit.seconds_to_wait("a") for _ in range(3)] == [0, 0, 1]
    assert limit.seconds_to_wait("b") == 0
    time[0] = 0.75
    assert limit.seconds_to_wait("a") == 0.25
    time[0] = 1.0
    assert [limit.seconds_to_wait("a") for _ in range(2)] == [0, 1]
    time[0] = 100.0
    assert [limit.seconds_to_wait("a") for _ in range(3)] == [0, 0, 1]


def test_an_open_server_is_open_to_its_own_machine_alone(
    backend: Backend, serve: Callable[..., httpx.Client]
) -> None:
    client = serve(backend)
    for own in ("127.0.0.1:8000", "localhost", "LOCALHOST:1", "[::1]:8000"):
        assert client.get("/v1/models", headers={"host": own}).status_code == 200, own
    for other in ("films.example", "127.0.0.1.evil.example:8000", "192.168.1.4", "[::", ""):
        answer = client.get("/v1/models", headers={"host": other})
        assert "open to its own machine alone" in refused(answer, 421), other
    proxied = client.get("/v1/models", headers={"x-forwarded-for": "203.0.113.9"})
    assert "203.0.113.9" in refused(proxied, 421)
    for header in ("via", "forwarded", "x-real-ip", "x-forwarded-host", "x-forwarded-for"):
        refused(client.get("/v1/models", headers={header: "127.0.0.1"}), 421)
    old = b"GET /v1/models HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n"  # nginx, where nothing else is set
    with socket.create_connection((client.base_url.host, client.base_url.port or 80)) as raw:
        raw.sendall(old)
        assert b" 421 " in raw.recv(100)


def test_a_page_of_another_site_changes_nothing_on_an_open_server(
    backend: Backend, serve: Callable[..., httpx.Client]
) -> None:
    client = serve(backend)
    backend.feedback.write("p-anna", {1: 4.0})
    own = f"http://{client.base_url.host}:{client.base_url.port}"
    for says in (
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site", "origin": own},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://[x"},
        {"origin": f"http://{client.base_url.host}:1"},
    ):
        answer = client.delete("/v1/users/p-anna", headers=says)
        assert "a page of another site" in refused(answer, 403), says
        assert client.get("/v1/users/p-anna/ratings", headers=says).status_code == 200
    assert backend.feedback.feedback_of("p-anna") == {1: 4.0}
    for fine in ({}, {"origin": own}, {"sec-fetch-site": "same-origin"}):
        assert client.delete("/v1/users/p-anna", headers=fine).status_code == 202, fine


def test_every_answer_has_the_security_headers(guarded: httpx.Client) -> None:
    for path in ("/livez", "/v1/models", "/sign-in", "/static/marquee.js", "/nothing"):
        headers = guarded.get(path).headers
        assert "frame-ancestors 'none'" in headers["content-security-policy"], path
        assert "form-action 'self'" in headers["content-security-policy"], path
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert headers["cross-origin-resource-policy"] == "same-origin"


def test_the_weekly_run_verifies_what_serves_without_a_token(
    two: Backend, guarded: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARQUEE_STACK__PORTS__SERVING", str(guarded.base_url.port))
    champion = two.recommender.view.champion
    assert champion is not None
    run = SimpleNamespace(settings=load_settings("local"))
    state = verify_serving(run, "recommender", champion.entry.bundle)  # type: ignore[arg-type]
    assert state["serving"] and state["bundle"] == champion.entry.bundle


def test_methods_that_no_route_has_are_counted_as_one(
    guarded: httpx.Client, make_token: Callable[..., str]
) -> None:
    for method in ("PROPFIND", "LOCK", "MKCOL"):
        refused(guarded.request(method, "/v1/models"), 401)
    page = guarded.get("/metrics", headers=bearer(make_token("prometheus", REPORTS))).text
    assert 'method="other",route="unknown",status="401"} 3.0' in page and "PROPFIND" not in page
