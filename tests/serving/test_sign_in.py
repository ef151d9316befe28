"""People sign in at the page: the session's cookie, and forms of other sites."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from marquee.access_tokens import READ, Token, add_token, revoke_token
from serving.access import TokenRules
from serving.backend import Backend
from serving.callers import SECONDS_OF_A_SESSION, Sessions
from serving.web_pages import own_page
from tests.serving.test_serving_api import refused

PAGE = {"accept": "text/html,application/xhtml+xml"}


def origin(client: httpx.Client) -> dict[str, str]:
    """What a browser sends with a form of the server's own page."""
    return PAGE | {"origin": f"http://{client.base_url.host}:{client.base_url.port}"}


def sign_in(client: httpx.Client, secret: str, wanted: str = "/", **headers: str) -> httpx.Response:
    form = {"token": secret, "next": wanted}
    return client.post("/sign-in", data=form, headers=origin(client) | headers)


@pytest.fixture
def secret(make_token: Callable[..., str]) -> str:
    return make_token("anna", READ, "rate:p-anna")


def test_a_person_signs_in_and_out_again(guarded: httpx.Client, secret: str) -> None:
    sent = guarded.get("/?person=p-anna", headers=PAGE)
    assert (sent.status_code, sent.headers["location"]) == (
        303,
        "/sign-in?next=%2F%3Fperson%3Dp-anna",
    )
    form = guarded.get(sent.headers["location"], headers=PAGE)
    assert 'name="next" value="/?person=p-anna"' in form.text and 'name="token"' in form.text
    answer = sign_in(guarded, secret, "/?person=p-anna")
    assert (answer.status_code, answer.headers["location"]) == (303, "/?person=p-anna")
    cookie = answer.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=strict", "Path=/", f"Max-Age={SECONDS_OF_A_SESSION}"} <= set(
        cookie.split("; ")
    )
    assert secret not in cookie and "Secure" not in cookie
    page = guarded.get("/", headers=PAGE)
    assert page.status_code == 200 and "Signed in as anna" in page.text
    assert guarded.get("/v1/users/p-anna/ratings").status_code == 200
    refused(guarded.get("/v1/users/p-bob/ratings"), 403)
    session = dict(guarded.cookies)
    assert guarded.post("/sign-out", headers=origin(guarded)).headers["location"] == "/sign-in"
    assert not guarded.cookies
    guarded.cookies.update(session)
    assert guarded.get("/", headers=PAGE).status_code == 303  # the session itself has ended


def test_a_program_gets_a_problem_and_no_form(guarded: httpx.Client) -> None:
    refused(guarded.get("/"), 401)
    refused(guarded.post("/v1/recommendations", json={"ratings": []}, headers=PAGE), 401)
    refused(guarded.get("/", headers=PAGE | {"authorization": "Bearer mq_x"}), 401)


def test_a_wrong_token_shows_the_form_again_and_is_limited(
    guarded: httpx.Client, secret: str
) -> None:
    shown = [sign_in(guarded, "mq_wrong") for _ in range(11)]
    assert [answer.status_code for answer in shown] == [401] * 10 + [429]
    assert "unknown, revoked or expired" in shown[0].text and 'name="token"' in shown[0].text
    assert "too many wrong tokens" in shown[-1].text and "retry-after" in shown[-1].headers
    assert not guarded.cookies
    assert sign_in(guarded, secret).status_code == 303
    assert guarded.post("/sign-in", content=b"x" * 5_000).status_code == 413


def test_a_form_of_another_site_signs_nobody_in_and_writes_nothing(
    guarded: httpx.Client, secret: str, backend: Backend
) -> None:
    for says in ({"origin": "http://evil.example"}, {"sec-fetch-site": "cross-site"}):
        answer = sign_in(guarded, secret, **says)
        assert answer.status_code == 403 and "Another site" in answer.text
    assert not guarded.cookies
    assert sign_in(guarded, secret).status_code == 303
    backend.feedback.write("p-anna", {1: 4.0})
    for headers in ({}, {"origin": "null"}, {"sec-fetch-site": "same-site"}):
        answer = guarded.delete("/v1/users/p-anna", headers=headers)
        assert "a page of another site" in refused(answer, 403)
        guarded.post("/sign-out", headers=headers)
    assert backend.feedback.feedback_of("p-anna") == {1: 4.0}
    own = origin(guarded)
    assert guarded.delete("/v1/users/p-anna", headers=own).status_code == 202
    assert 1 not in backend.feedback.feedback_of("p-anna")


def test_behind_tls_the_cookie_travels_encrypted_alone(guarded: httpx.Client, secret: str) -> None:
    host = f"{guarded.base_url.host}:{guarded.base_url.port}"
    proxied = {"x-forwarded-proto": "https", "x-forwarded-for": "203.0.113.9"}
    answer = sign_in(guarded, secret, origin=f"https://{host}", **proxied)
    assert answer.status_code == 303
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-marquee=") and "Secure" in cookie and "Domain" not in cookie
    sent = {"cookie": cookie.split(";")[0]}
    assert guarded.get("/v1/models", headers=sent | proxied).status_code == 200
    refused(guarded.get("/v1/models", headers=sent), 401)  # the same cookie without TLS


def test_a_session_ends_with_its_token(
    guarded: httpx.Client, secret: str, token_file: Path, rules: TokenRules
) -> None:
    assert sign_in(guarded, secret).status_code == 303
    assert guarded.get("/v1/models").status_code == 200
    revoke_token(token_file, "anna")
    refused(guarded.get("/v1/models"), 401)
    assert guarded.get("/static/marquee.css").status_code == 200


def test_a_session_ends_in_time(token_file: Path) -> None:
    time = [0.0]
    sessions, token = Sessions(lambda: time[0]), _token(token_file)
    first, second = sessions.start(token), sessions.start(token)
    assert first != second and sessions.token_digest(first) == token.digest
    sessions.end(second)
    assert sessions.token_digest(second) is None
    time[0] = SECONDS_OF_A_SESSION + 1.0
    assert sessions.token_digest(first) is None


def _token(path: Path) -> Token:
    return add_token(path, "anna", [READ])[0]


def test_the_form_leads_to_pages_of_this_server_alone() -> None:
    for own in ("/", "/?person=p-anna", "/v1/models/recommender/runs/r1/report", "/docs#x"):
        assert own_page(own) == own
    wrong = ("", "//evil.example", "/\\evil", "https://evil.example", "evil", "/\t/evil", "/ /x")
    for other in (*wrong, "/\n", "/sign-in", "/sign-out", "javascript:alert(1)"):
        assert own_page(other) == "/"


def test_an_open_server_has_nothing_to_sign_in_to(
    backend: Backend, serve: Callable[..., httpx.Client]
) -> None:
    client = serve(backend)
    assert client.get("/sign-in").headers["location"] == "/"
    assert sign_in(client, "mq_x").headers["location"] == "/"
    assert "Sign out" not in client.get("/").text
